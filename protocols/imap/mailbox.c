#include "base/mem.h"
#include "protocols/imap/folders.h"
#include "protocols/imap/handlers.h"

/* "name/" says that names below it will be made (RFC 9051 6.3.4); for us it says nothing. */
static struct slice without_delimiter(struct slice path)
{
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

static struct err find(struct imap_session *s, struct slice path, struct store_folder *folder)
{
    struct store_read *rd;

    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e))
        return e;
    e = store_folder_find(rd, path, folder);
    store_read_end(rd);
    folder->name = folder->class = SLICE_EMPTY; /* they died with the read */
    return e;
}

static void free_request(struct store_op *op)
{
    free(op);
}

/* ---- CREATE ---- */

/* "(USE (\Sent))" (RFC 6154 3) */
static bool arg_use(struct imap_cmd *c, enum store_special *special)
{
    struct slice name;

    if (!imap_arg_byte(c, '(') || !imap_arg_word(c, "USE") || !imap_arg_space(c) ||
        !imap_arg_byte(c, '('))
        return false;
    while (!imap_arg_byte(c, ')')) {
        if (*special != SPECIAL_NONE && !imap_arg_space(c))
            return false;
        if (!imap_arg_byte(c, '\\') || !imap_arg_atom(c, &name))
            return false;
        if (*special != SPECIAL_NONE || (*special = imap_special_of(name)) == SPECIAL_NONE) {
            c->refusal = "[USEATTR]";
            c->complaint = "A mailbox has one use, of those that are known here";
            return false;
        }
    }
    return imap_arg_byte(c, ')');
}

static enum imap_step created(struct imap_session *s, struct imap_cmd *c)
{
    const struct store_folder_create *rq = c->state;
    struct buf id = buf_make(512);
    struct store_folder folder;
    struct mailbox_info info;
    struct store_read *rd;

    if (rq->op.err.code == ERR_CONFLICT)
        return imap_no(c, "[USEATTR]", "Another mailbox has that use already");
    if (failed(rq->op.err))
        return imap_no_err(s, c, rq->op.err);
    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e))
        return imap_ok(c, "Created"); /* it was; its id can be asked for */
    e = store_folder_get(rd, rq->fid, &folder);
    if (!failed(e) && s->rev2) /* RFC 9051 6.3.4 */
        e = imap_put_list(s, rd, &folder, rq->path, false);
    if (!failed(e))
        e = store_mailbox_info(rd, &info);
    if (!failed(e)) {
        store_mailbox_object_id(&info, &folder, &id);
        imap_code(c, "[MAILBOXID (%.*s)]", SLICE_ARG(buf_slice(&id)));
    }
    store_read_end(rd);
    buf_done(&id);
    return imap_ok(c, "Created");
}

enum imap_step imap_cmd_create(struct imap_session *s, struct imap_cmd *c)
{
    enum store_special special = SPECIAL_NONE;
    struct slice path;

    if (!imap_arg_mailbox(s, c, &path) ||
        (c->rest.len && (!imap_arg_space(c) || !arg_use(c, &special))) || !imap_arg_end(c))
        return imap_bad_args(c);
    path = without_delimiter(path);
    struct err e = store_folder_name_check(path);
    if (failed(e))
        return imap_no(c, "[CANNOT]", "That cannot be the name of a mailbox");
    struct store_folder_create *rq = mem_new(sizeof *rq);
    store_folder_create_init(rq);
    rq->path = path;
    rq->special = special;
    c->state = rq;
    c->resume = created;
    return imap_run(s, c, &rq->op, free_request);
}

/* ---- DELETE ---- */

static enum imap_step deleted(struct imap_session *s, struct imap_cmd *c)
{
    const struct store_folder_delete *rq = c->state;

    if (rq->op.err.code == ERR_DENIED)
        return imap_no(c, "[CANNOT]", "That mailbox has to stay");
    if (failed(rq->op.err))
        return imap_no_err(s, c, rq->op.err);
    if (s->selected && s->selected->fid == rq->fid) {
        imap_enter(s, STATE_AUTHENTICATED);
        buf_puts(s->out, "* OK [CLOSED] The selected mailbox was deleted\r\n");
    }
    return imap_ok(c, "Deleted");
}

enum imap_step imap_cmd_delete(struct imap_session *s, struct imap_cmd *c)
{
    struct store_folder folder;
    struct slice path;

    if (!imap_arg_mailbox(s, c, &path) || !imap_arg_end(c))
        return imap_bad_args(c);
    struct err e = find(s, path, &folder);
    if (failed(e))
        return imap_no_err(s, c, e);
    if (folder.noselect && folder.has_children)
        return imap_no(c, "[HASCHILDREN]", "It is there for the mailboxes below it only");
    struct store_folder_delete *rq = mem_new(sizeof *rq);
    store_folder_delete_init(rq);
    rq->fid = folder.fid;
    c->state = rq;
    c->resume = deleted;
    return imap_run(s, c, &rq->op, free_request);
}

/* ---- RENAME ---- */

/* The new name where it is not quite what was asked for (RFC 9051 6.3.6). */
static void tell_new_name(struct imap_session *s, struct slice given)
{
    struct store_folder folder;
    struct store_read *rd;

    if (!s->rev2 || failed(store_read_begin(s->mailbox, &rd)))
        return;
    struct err e = store_folder_find(rd, given, &folder);
    if (!failed(e))
        e = imap_put_list(s, rd, &folder, given, false);
    store_read_end(rd);
    (void)failed(e); /* it was renamed; its name can be asked for */
}

static enum imap_step renamed(struct imap_session *s, struct imap_cmd *c)
{
    const struct store_folder_rename *rq = c->state;

    if (rq->op.err.code == ERR_DENIED)
        return imap_no(c, "[CANNOT]", "That mailbox cannot be renamed so");
    if (failed(rq->op.err))
        return imap_no_err(s, c, rq->op.err);
    tell_new_name(s, rq->path);
    return imap_ok(c, "Renamed");
}

enum imap_step imap_cmd_rename(struct imap_session *s, struct imap_cmd *c)
{
    struct store_folder folder;
    struct slice from, to;

    if (!imap_arg_mailbox(s, c, &from) || !imap_arg_space(c) || !imap_arg_mailbox(s, c, &to) ||
        !imap_arg_end(c))
        return imap_bad_args(c);
    to = without_delimiter(to);
    struct err e = find(s, from, &folder);
    if (failed(e))
        return imap_no_err(s, c, e);
    if (failed(store_folder_name_check(to)))
        return imap_no(c, "[CANNOT]", "That cannot be the name of a mailbox");
    struct store_folder_rename *rq = mem_new(sizeof *rq);
    store_folder_rename_init(rq);
    rq->fid = folder.fid;
    rq->path = to;
    c->state = rq;
    c->resume = renamed;
    return imap_run(s, c, &rq->op, free_request);
}

/* ---- SUBSCRIBE, UNSUBSCRIBE ---- */

static enum imap_step subscribed(struct imap_session *s, struct imap_cmd *c)
{
    const struct store_subscribe *rq = c->state;

    /* He wanted it off, and it is. */
    if (failed(rq->op.err) && !(rq->op.err.code == ERR_NOT_FOUND && !rq->on))
        return imap_no_err(s, c, rq->op.err);
    return imap_ok(c, "Done");
}

static enum imap_step subscribe(struct imap_session *s, struct imap_cmd *c, bool on)
{
    struct slice path;

    if (!imap_arg_mailbox(s, c, &path) || !imap_arg_end(c))
        return imap_bad_args(c);
    path = without_delimiter(path);
    if (failed(store_folder_name_check(path)))
        return imap_no(c, "[CANNOT]", "That cannot be the name of a mailbox");
    struct store_subscribe *rq = mem_new(sizeof *rq);
    store_subscribe_init(rq);
    rq->path = path;
    rq->on = on;
    c->state = rq;
    c->resume = subscribed;
    return imap_run(s, c, &rq->op, free_request);
}

enum imap_step imap_cmd_subscribe(struct imap_session *s, struct imap_cmd *c)
{
    return subscribe(s, c, true);
}

enum imap_step imap_cmd_unsubscribe(struct imap_session *s, struct imap_cmd *c)
{
    return subscribe(s, c, false);
}
