/*
 * show.c - gatepost store show USER FOLDER UID: one message as MAPI and as IMAP see it.
 *
 * On the left the properties, recipients and attachments, on the right what FETCH would answer,
 * side by side; with --json as one object with both.
 */
#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/props.h"
#include "store/account.h"
#include "store/store.h"

enum { LEFT_WIDTH = 78, VALUE_WIDTH = 44, OUT_MAX = 64 * 1024 * 1024 };

struct show {
    struct store_read *rd;
    struct arena *arena;
    struct store_folder folder;
    struct message_row row;
    struct message_meta meta;
    struct mime mime;
    struct store_object *object;
    struct store_props props;
    struct store_content content;
    struct buf left, right; /* lines */
};

/* ---- the MAPI side ---- */

static bool is_explicit(const struct show *s, uint32_t tag)
{
    size_t n;
    const struct store_prop *props = store_object_explicit(s->object, &n);

    for (size_t i = 0; i < n; i++)
        if (props[i].tag == tag)
            return true;
    return false;
}

/* What was set is marked. */
static void put_prop(struct show *s, const struct store_prop *prop, const char *indent,
                     bool explicit)
{
    struct store_prop loaded = *prop;
    const char *label = props_label(s->rd, prop->tag, s->arena);

    if (strncmp(label, "PidTag", 6) == 0)
        label += 6;
    buf_printf(&s->left, "%s%s%s ", indent, explicit ? "*" : "", label);
    if (failed(store_prop_load(s->rd, &loaded, OUT_MAX, s->arena)))
        buf_puts(&s->left, "(cannot be read)");
    else
        prop_print(prop_type(prop->tag), &loaded.value, VALUE_WIDTH, &s->left);
    buf_putc(&s->left, '\n');
}

static void put_props(struct show *s, const struct store_props *props, const char *indent)
{
    for (size_t i = 0; i < props->n; i++)
        put_prop(s, &props->items[i], indent, false);
}

static void put_mapi(struct show *s)
{
    for (size_t i = 0; i < s->props.n; i++)
        put_prop(s, &s->props.items[i], "", is_explicit(s, s->props.items[i].tag));
    for (size_t i = 0; i < s->content.n_recipients; i++) {
        buf_printf(&s->left, "recipient %zu\n", i);
        put_props(s, &s->content.recipients[i], "  ");
    }
    for (size_t i = 0; i < s->content.n_attachments; i++) {
        buf_printf(&s->left, "attachment %zu\n", i);
        put_props(s, &s->content.attachments[i].props, "  ");
    }
}

/* ---- the IMAP side ---- */

static void put_flags(struct show *s, struct buf *out)
{
    static const char *const names[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted",
                                        "\\Draft"};
    const struct keyword_set *set;
    const char *space = "";

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (s->row.flags & 1u << i) {
            buf_printf(out, "%s%s", space, names[i]);
            space = " ";
        }
    if (s->row.keyword_set && !failed(store_keywords(s->rd, s->row.keyword_set, &set)))
        for (uint32_t i = 0; i < set->n; i++) {
            buf_printf(out, "%s%.*s", space, SLICE_ARG(set->names[i]));
            space = " ";
        }
}

static void put_date(struct buf *out, uint64_t filetime, int zone)
{
    struct civil c = civil_from_unix(filetime_to_unix(filetime) + zone * 60);
    int minutes = zone < 0 ? -zone : zone;

    buf_printf(out, "%2d-%s-%04d %02d:%02d:%02d %c%02d%02d", c.day, clock_month_names[c.month - 1],
               c.year, c.hour, c.minute, c.second, zone < 0 ? '-' : '+', minutes / 60,
               minutes % 60);
}

/* A list of IMAP, one level of parentheses to a line, so that it can be read. */
static void put_nested(struct buf *out, const char *name, struct slice wire)
{
    int depth = 0;
    bool quoted = false;

    buf_printf(out, "%s", name);
    for (size_t i = 0; i < wire.len; i++) {
        uint8_t c = wire.ptr[i];

        if (c == '"' && !(i > 0 && wire.ptr[i - 1] == '\\'))
            quoted = !quoted;
        if (!quoted && c == '(')
            buf_printf(out, "\n%*s", 2 * ++depth, "");
        depth -= !quoted && c == ')' && depth > 0;
        buf_putc(out, c == '\r' || c == '\n' ? ' ' : c);
    }
    buf_putc(out, '\n');
}

static void put_parts(const struct show *s, struct buf *out)
{
    for (uint32_t i = 0; i < s->mime.n_parts; i++) {
        const struct mime_part *part = &s->mime.parts[i];

        buf_printf(out, "part %u (in %u): header %llu+%llu, body %llu+%llu, %u lines\n", i,
                   part->parent, (unsigned long long)part->header.start,
                   (unsigned long long)part->header.len, (unsigned long long)part->body.start,
                   (unsigned long long)part->body.len, part->lines);
    }
}

static void put_imap(struct show *s)
{
    struct buf *out = &s->right;

    buf_printf(out, "UID %u\nUIDVALIDITY %u\nMODSEQ %llu\nFLAGS (", s->row.uid,
               s->folder.uidvalidity, (unsigned long long)s->row.modseq);
    put_flags(s, out);
    buf_puts(out, ")\nINTERNALDATE \"");
    put_date(out, s->row.internaldate, s->row.zone);
    buf_printf(out, "\"\nRFC822.SIZE %u\nEMAILID (", s->row.size);
    if (failed(store_email_id(s->rd, &s->row, out)))
        buf_puts(out, "cannot be read");
    buf_puts(out, ")\nSAVEDATE \"");
    put_date(out, s->row.savedate, 0);
    buf_puts(out, "\"\nUIDL of POP3 ");
    if (failed(store_uidl(s->rd, s->folder.fid, &s->row, out)))
        buf_puts(out, "(cannot be read)");
    buf_putc(out, '\n');
    put_nested(out, "ENVELOPE", s->meta.envelope);
    put_nested(out, "BODYSTRUCTURE", s->meta.bodystructure);
    put_parts(s, out);
}

/* ---- together ---- */

/* Columns that a line takes: its characters, all of one column here. */
static size_t columns(struct slice line)
{
    size_t n = 0;

    for (size_t i = 0; i < line.len; i++)
        n += (line.ptr[i] & 0xC0) != 0x80;
    return n;
}

static void print_side_by_side(struct slice left, struct slice right)
{
    printf("%-*s| %s\n", LEFT_WIDTH, "MAPI", "IMAP");
    for (int i = 0; i < LEFT_WIDTH; i++)
        putchar('-');
    puts("+-------------------------------------------");
    while (left.len || right.len) {
        struct slice l = slice_cut(&left, '\n'), r = slice_cut(&right, '\n');
        size_t used = columns(l);

        printf("%.*s%*s| %.*s\n", SLICE_ARG(l), (int)(used < LEFT_WIDTH ? LEFT_WIDTH - used : 0),
               "", SLICE_ARG(r));
    }
}

static json_t *json_props(const struct show *s, const struct store_props *props)
{
    json_t *object = json_object();

    for (size_t i = 0; i < props->n; i++) {
        struct store_prop prop = props->items[i];
        struct buf value = buf_make(OUT_MAX);
        bool text = prop_type(prop.tag) == PROP_STRING;

        if (!failed(store_prop_load(s->rd, &prop, OUT_MAX, s->arena)))
            prop_print(prop_type(prop.tag), &prop.value, OUT_MAX, &value);
        json_object_set_new(object, props_label(s->rd, prop.tag, s->arena),
                            cli_json_text(text ? prop.value.bytes : buf_slice(&value)));
        buf_done(&value);
    }
    return object;
}

/* The names of those that were set. */
static json_t *json_explicit(const struct show *s)
{
    json_t *names = json_array();
    size_t n;
    const struct store_prop *props = store_object_explicit(s->object, &n);

    for (size_t i = 0; i < n; i++)
        json_array_append_new(names, json_string(props_label(s->rd, props[i].tag, s->arena)));
    return names;
}

static void print_json(const struct show *s)
{
    json_t *rows = json_array(), *attachments = json_array();

    for (size_t i = 0; i < s->content.n_recipients; i++)
        json_array_append_new(rows, json_props(s, &s->content.recipients[i]));
    for (size_t i = 0; i < s->content.n_attachments; i++)
        json_array_append_new(attachments, json_props(s, &s->content.attachments[i].props));
    json_t *all = json_pack(
        "{s{so so so so} s{sI sI sI so so so}}", "mapi", "properties", json_props(s, &s->props),
        "explicit", json_explicit(s), "recipients", rows, "attachments", attachments, "imap", "UID",
        (json_int_t)s->row.uid, "MODSEQ", (json_int_t)s->row.modseq, "RFC822.SIZE",
        (json_int_t)s->row.size, "ENVELOPE", cli_json_text(s->meta.envelope), "BODYSTRUCTURE",
        cli_json_text(s->meta.bodystructure), "text", cli_json_text(buf_slice(&s->right)));
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static struct err read_object(struct show *s)
{
    struct store_prop *items;
    size_t n;
    struct err e = store_object_open_row(s->rd, s->folder.fid, &s->row, s->arena, &s->object);

    if (!failed(e))
        e = store_object_list(s->object, &items, &n);
    if (!failed(e))
        e = store_object_content(s->object, &s->content);
    if (!failed(e))
        s->props = (struct store_props){items, n};
    return e;
}

static struct err read_message(struct show *s, struct slice path, uint32_t uid)
{
    struct err e = store_folder_find(s->rd, path, &s->folder);

    if (!failed(e))
        e = store_message(s->rd, s->folder.fid, uid, &s->row);
    if (!failed(e))
        e = store_message_meta(s->rd, &s->row, &s->meta);
    if (!failed(e))
        e = mime_decode(s->meta.parts, s->row.size, s->arena, &s->mime);
    return failed(e) ? e : read_object(s);
}

static int show_message(const struct cli *cli, struct mailbox *mb, struct arena *arena)
{
    struct show s = {.arena = arena, .left = buf_make(OUT_MAX), .right = buf_make(OUT_MAX)};
    uint32_t uid;

    if (!slice_to_u32(slice_str(cli->operands[2]), &uid))
        return cli_usage(cli);
    struct err e = store_read_begin(mb, &s.rd);
    if (failed(e))
        return cli_fail_err(cli, cli->operands[0], e);
    e = read_message(&s, slice_str(cli->operands[1]), uid);
    if (!failed(e)) {
        put_imap(&s);
        if (cli->json) {
            print_json(&s);
        } else {
            put_mapi(&s);
            print_side_by_side(buf_slice(&s.left), buf_slice(&s.right));
        }
    }
    store_read_end(s.rd);
    buf_done(&s.left);
    buf_done(&s.right);
    return failed(e) ? cli_fail_err(cli, cli->operands[1], e) : CLI_OK;
}

int cli_store_show(struct cli *cli)
{
    return cli_with_mailbox(cli, show_message);
}
