/*
 * mapi.c - gatepost mapi USER [COMMAND…]: a mailbox as a MAPI client sees it, over the wire.
 *
 * It logs on with the user's secret, to the daemon's own listener or to any server that speaks
 * MAPI/HTTP, and does one thing there. Folders are named by their path below the mailbox's root,
 * with '/' between levels; messages by their MID in hex, as `list` prints it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/mapi_dump.h"
#include "gateway/cli/mapi_wire.h"
#include "gateway/cli/secret.h"

const struct cli_option cli_mapi_options[] = {
    {"--url", true}, {"--password-stdin", false}, {"--password-file", true}, {"--count", true},
    {NULL, false},
};

/* The table of handles. */
enum { AT_LOGON, AT_FOLDER, AT_TABLE, AT_MESSAGE, AT_STREAM, AT_WATCH };

enum {
    SUBTREE = 3, /* of a log-on's FolderIds ([MS-OXCSTOR] 2.2.1.1.3) */
    OUTBOX = 5,
    TABLE_DEPTH = 0x04,
    ROWS_AT_A_TIME = 500,
    READ_PIECE = 0x6000,
    BODY_MOST = 64 << 20,
    LINE_MOST = 1000,
    TEXT_WIDTH = 60,
    PR_FOLDER_DEPTH = 0x30050003,
    EVENTS_ALL = 0x007E, /* all but searches and tables */
};

struct visit {
    const struct cli *cli;
    struct mapi_wire wire;
    struct rop_logon_reply logon;
    char **args; /* of the command */
    size_t n_args;
};

static int fail_wire(const struct visit *s)
{
    return cli_fail(s->cli, "%s", s->wire.why);
}

static bool rop(struct visit *s, uint8_t id, uint8_t in, uint8_t out, const void *fields,
                const void **reply)
{
    return mapi_wire_rop(&s->wire, id, in, out, fields, NULL, reply);
}

/* ---- rows ---- */

typedef void (*each_row)(void *ctx, const struct prop *values);

/* All rows of the table at AT_TABLE. */
static bool walk_table(struct visit *s, const struct rop_numbers *columns, each_row each, void *ctx)
{
    const struct rop_query_rows_reply *reply;
    struct rop_set_columns set = {.columns = *columns};

    if (!rop(s, ROP_SetColumns, AT_TABLE, AT_TABLE, &set, NULL))
        return false;
    do {
        const struct rop_query_rows query = {.forward = true, .n = ROWS_AT_A_TIME};
        const void *fields;

        if (!mapi_wire_rop(&s->wire, ROP_QueryRows, AT_TABLE, AT_TABLE, &query, columns, &fields))
            return false;
        reply = fields;
        struct wire w = wire_of(reply->rows.bytes, &s->wire.arena);
        for (size_t i = 0; i < reply->rows.n; i++) {
            struct prop *values;

            if (!row_read(&w, &mapi_wire_form, columns->items, columns->n, &values)) {
                snprintf(s->wire.why, sizeof s->wire.why, "a row is malformed");
                return false;
            }
            each(ctx, values);
        }
    } while (reply->rows.n);
    return true;
}

static struct slice text_of(const struct prop *p)
{
    return prop_type(p->tag) == PROP_STRING ? p->value.bytes : SLICE_EMPTY;
}

static uint64_t number_of(const struct prop *p)
{
    return prop_type(p->tag) == PROP_ERROR ? 0 : (uint64_t)p->value.number;
}

/* ---- folders ---- */

enum { F_NAME, F_DEPTH, F_ID, F_COUNT, F_UNREAD, F_COLUMNS };

static const uint32_t folder_tags[F_COLUMNS] = {PR_DISPLAY_NAME, PR_FOLDER_DEPTH, PR_FOLDER_ID,
                                                PR_CONTENT_COUNT, PR_CONTENT_UNREAD_COUNT};
static const struct rop_numbers folder_columns = {F_COLUMNS, folder_tags};

struct folder {
    struct slice path;
    uint64_t id, count, unread;
};

struct folders {
    struct arena *in;
    struct folder *items;
    size_t n, cap;
    struct slice *parents; /* the path at each depth */
    size_t depth;
};

static struct slice path_below(struct folders *f, uint64_t depth, struct slice name)
{
    struct buf path = buf_make(1 << 16);

    if (depth > 1 && depth <= f->depth + 1) {
        buf_put(&path, f->parents[depth - 2]);
        buf_putc(&path, '/');
    }
    buf_put(&path, name);
    struct slice copy = arena_slice(f->in, buf_slice(&path));
    buf_done(&path);
    return copy;
}

static void add_folder(void *ctx, const struct prop *values)
{
    struct folders *f = ctx;
    uint64_t depth = number_of(&values[F_DEPTH]);

    if (f->n == f->cap) {
        size_t more = f->cap ? f->cap : 32;

        f->items = arena_grow(f->in, f->items, f->cap, more, sizeof *f->items);
        f->parents = arena_grow(f->in, f->parents, f->cap, more, sizeof *f->parents);
        f->cap += more;
    }
    if (depth == 0 || depth > f->depth + 1) /* the children of a row come behind it */
        depth = 1;
    struct slice path = path_below(f, depth, text_of(&values[F_NAME]));
    f->parents[depth - 1] = path;
    f->depth = depth;
    f->items[f->n++] = (struct folder){path, number_of(&values[F_ID]), number_of(&values[F_COUNT]),
                                       number_of(&values[F_UNREAD])};
}

static bool open_folder_id(struct visit *s, uint64_t id)
{
    const struct rop_open_folder open = {.folder = id};

    return rop(s, ROP_OpenFolder, AT_LOGON, AT_FOLDER, &open, NULL);
}

static bool list_folders(struct visit *s, struct folders *f)
{
    const struct rop_get_hierarchy_table table = {.flags = TABLE_DEPTH};

    *f = (struct folders){.in = &s->wire.arena};
    return open_folder_id(s, s->logon.folder_ids.ids[SUBTREE]) &&
           rop(s, ROP_GetHierarchyTable, AT_FOLDER, AT_TABLE, &table, NULL) &&
           walk_table(s, &folder_columns, add_folder, f);
}

/* The id of the folder of that path, in any case. */
static bool find_folder(struct visit *s, const char *path, uint64_t *id)
{
    struct folders f;

    if (!list_folders(s, &f))
        return false;
    for (size_t i = 0; i < f.n; i++)
        if (slice_ieq(f.items[i].path, slice_str(path))) {
            *id = f.items[i].id;
            return true;
        }
    snprintf(s->wire.why, sizeof s->wire.why, "there is no folder \"%.200s\"", path);
    return false;
}

static bool open_folder(struct visit *s, const char *path, uint64_t *id)
{
    return find_folder(s, path, id) && open_folder_id(s, *id);
}

static void print_folders(const struct folders *f)
{
    printf("%-16s %8s %8s  %s\n", "id", "messages", "unread", "folder");
    for (size_t i = 0; i < f->n; i++) {
        printf("%016llX %8llu %8llu  ", (unsigned long long)f->items[i].id,
               (unsigned long long)f->items[i].count, (unsigned long long)f->items[i].unread);
        mapi_dump_text(stdout, f->items[i].path, LINE_MOST);
        putchar('\n');
    }
}

static json_t *json_id(uint64_t id)
{
    char text[17];

    snprintf(text, sizeof text, "%016llX", (unsigned long long)id);
    return json_string(text);
}

static int cmd_folders(struct visit *s)
{
    struct folders f;

    if (!list_folders(s, &f))
        return fail_wire(s);
    if (!s->cli->json) {
        print_folders(&f);
        return CLI_OK;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < f.n; i++)
        json_array_append_new(list, json_pack("{so so sI sI}", "id", json_id(f.items[i].id), "path",
                                              cli_json_text(f.items[i].path), "messages",
                                              (json_int_t)f.items[i].count, "unread",
                                              (json_int_t)f.items[i].unread));
    cli_put_json(list);
    return CLI_OK;
}

/* ---- messages ---- */

enum { M_ID, M_SUBJECT, M_FROM, M_TIME, M_SIZE, M_FLAGS, M_COLUMNS };

static const uint32_t message_tags[M_COLUMNS] = {
    PR_MID, PR_SUBJECT, PR_SENDER_NAME, PR_DELIVERY_TIME, PR_MESSAGE_SIZE, PR_MESSAGE_FLAGS};
static const struct rop_numbers message_columns = {M_COLUMNS, message_tags};
enum { FLAG_READ = 1 };

static void put_time(const struct prop *p, struct buf *out)
{
    if (prop_type(p->tag) == PROP_TIME)
        prop_print(PROP_TIME, &p->value, TEXT_WIDTH, out);
    else
        buf_putc(out, '-');
}

static void print_message(void *ctx, const struct prop *v)
{
    struct buf when = buf_make(200);

    (void)ctx;
    put_time(&v[M_TIME], &when);
    printf("%016llX %c %8llu %-28.*s ", (unsigned long long)number_of(&v[M_ID]),
           number_of(&v[M_FLAGS]) & FLAG_READ ? ' ' : 'N',
           (unsigned long long)number_of(&v[M_SIZE]), SLICE_ARG(buf_slice(&when)));
    mapi_dump_text(stdout, text_of(&v[M_FROM]), TEXT_WIDTH);
    fputs(": ", stdout);
    mapi_dump_text(stdout, text_of(&v[M_SUBJECT]), LINE_MOST);
    putchar('\n');
    buf_done(&when);
}

static void add_message_json(void *list, const struct prop *v)
{
    struct buf when = buf_make(200);

    put_time(&v[M_TIME], &when);
    json_array_append_new(list, json_pack("{so so so so sI sb}", "id", json_id(number_of(&v[M_ID])),
                                          "subject", cli_json_text(text_of(&v[M_SUBJECT])), "from",
                                          cli_json_text(text_of(&v[M_FROM])), "time",
                                          cli_json_text(buf_slice(&when)), "size",
                                          (json_int_t)number_of(&v[M_SIZE]), "read",
                                          (int)(number_of(&v[M_FLAGS]) & FLAG_READ)));
    buf_done(&when);
}

static int cmd_list(struct visit *s)
{
    const struct rop_get_contents_table table = {0};
    json_t *list = s->cli->json ? json_array() : NULL;
    uint64_t id;

    bool good = open_folder(s, s->args[0], &id) &&
                rop(s, ROP_GetContentsTable, AT_FOLDER, AT_TABLE, &table, NULL) &&
                walk_table(s, &message_columns, list ? add_message_json : print_message, list);
    if (list && good)
        cli_put_json(list);
    else
        json_decref(list);
    return good ? CLI_OK : fail_wire(s);
}

static bool parse_mid(struct visit *s, const char *text, uint64_t *mid)
{
    char *end;

    errno = 0;
    *mid = strtoull(text, &end, 16);
    if (*text && !*end && !errno)
        return true;
    snprintf(s->wire.why, sizeof s->wire.why, "\"%.40s\" is no message id", text);
    return false;
}

static bool open_message(struct visit *s)
{
    struct rop_open_message open = {.codepage = 0x0FFF}; /* that of the log-on */

    return find_folder(s, s->args[0], &open.folder) && parse_mid(s, s->args[1], &open.message) &&
           rop(s, ROP_OpenMessage, AT_LOGON, AT_MESSAGE, &open, NULL);
}

enum { R_FROM, R_ADDRESS, R_TO, R_CC, R_TIME, R_SUBJECT, R_COLUMNS };

static const uint32_t read_tags[R_COLUMNS] = {PR_SENDER_NAME, PR_SENDER_SMTP_ADDRESS, PR_DISPLAY_TO,
                                              PR_DISPLAY_CC,  PR_DELIVERY_TIME,       PR_SUBJECT};

static bool print_head(struct visit *s)
{
    const struct rop_get_properties get = {.unicode = true, .tags = {R_COLUMNS, read_tags}};
    static const char *const names[] = {"From", "Address", "To", "Cc", "Date", "Subject"};
    const void *fields;
    struct prop *values;

    if (!mapi_wire_rop(&s->wire, ROP_GetPropertiesSpecific, AT_MESSAGE, AT_MESSAGE, &get, &get.tags,
                       &fields))
        return false;
    struct wire w = wire_of(((const struct rop_get_properties_reply *)fields)->row, &s->wire.arena);
    if (!row_read(&w, &mapi_wire_form, read_tags, R_COLUMNS, &values)) {
        snprintf(s->wire.why, sizeof s->wire.why, "the properties are malformed");
        return false;
    }
    for (size_t i = 0; i < R_COLUMNS; i++) {
        struct buf when = buf_make(200);
        struct slice text = text_of(&values[i]);

        if (i == R_TIME) {
            put_time(&values[i], &when);
            text = buf_slice(&when);
        }
        if (text.len) {
            printf("%s: ", names[i]);
            mapi_dump_text(stdout, text, LINE_MOST);
            putchar('\n');
        }
        buf_done(&when);
    }
    return true;
}

/* Lines are kept; what else a terminal would act on is not. */
static void print_body(struct slice text)
{
    while (text.len) {
        struct slice line = slice_cut(&text, '\n');

        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        mapi_dump_text(stdout, line, line.len);
        putchar('\n');
    }
}

static bool read_stream(struct visit *s, struct buf *out)
{
    const struct rop_open_stream open = {.tag = PR_BODY};
    const struct rop_read_stream read = {.n = READ_PIECE};
    const void *fields;
    size_t n;

    if (!rop(s, ROP_OpenStream, AT_MESSAGE, AT_STREAM, &open, NULL))
        return false;
    do {
        if (!rop(s, ROP_ReadStream, AT_STREAM, AT_STREAM, &read, &fields))
            return false;
        struct slice data = ((const struct rop_read_stream_reply *)fields)->data;
        n = data.len;
        buf_put(out, data);
    } while (n && !out->failed);
    return true;
}

/* A message without a text has no such property: that is nothing to complain of. */
static int cmd_read(struct visit *s)
{
    struct buf wide = buf_make(BODY_MOST), text = buf_make(2 * BODY_MOST);

    if (!open_message(s) || !print_head(s))
        return fail_wire(s);
    putchar('\n');
    if (read_stream(s, &wide)) {
        utf8_from_utf16le(buf_slice(&wide), &text);
        print_body(buf_slice(&text));
    }
    buf_done(&wide);
    buf_done(&text);
    return CLI_OK;
}

static int cmd_move(struct visit *s)
{
    struct rop_move_messages move = {0};
    const void *fields;
    uint64_t from, to, mid;

    if (!parse_mid(s, s->args[1], &mid) || !find_folder(s, s->args[2], &to))
        return fail_wire(s);
    const struct rop_open_folder open = {.folder = to};
    move.messages = (struct rop_ids){1, &mid};
    /* Where nothing is opened while the other one is looked for. */
    if (!rop(s, ROP_OpenFolder, AT_LOGON, AT_MESSAGE, &open, NULL) ||
        !open_folder(s, s->args[0], &from) ||
        !rop(s, ROP_MoveCopyMessages, AT_FOLDER, AT_MESSAGE, &move, &fields))
        return fail_wire(s);
    return ((const struct rop_move_messages_reply *)fields)->partial
               ? cli_fail(s->cli, "there is no message %s in that folder", s->args[1])
               : CLI_OK;
}

static int cmd_delete(struct visit *s)
{
    struct rop_delete_messages del = {0};
    const void *fields;
    uint64_t id, mid;

    if (!parse_mid(s, s->args[1], &mid) || !open_folder(s, s->args[0], &id))
        return fail_wire(s);
    del.messages = (struct rop_ids){1, &mid};
    if (!rop(s, ROP_DeleteMessages, AT_FOLDER, AT_FOLDER, &del, &fields))
        return fail_wire(s);
    return ((const struct rop_delete_messages_reply *)fields)->partial
               ? cli_fail(s->cli, "there is no message %s in that folder", s->args[1])
               : CLI_OK;
}

/* ---- send ---- */

static bool read_stdin(struct buf *out)
{
    char piece[4096];
    size_t n;

    while ((n = fread(piece, 1, sizeof piece, stdin)) > 0)
        buf_put(out, slice_of(piece, n));
    return !out->failed && slice_is_utf8(buf_slice(out));
}

static bool set_content(struct visit *s, const char *subject, struct slice body)
{
    const struct prop props[] = {
        {PR_MESSAGE_CLASS, {.bytes = S("IPM.Note")}},
        {PR_SUBJECT, {.bytes = slice_str(subject)}},
        {PR_BODY, {.bytes = body}},
    };
    const struct rop_set_properties set = {.values = {sizeof props / sizeof *props, props}};

    return rop(s, ROP_SetProperties, AT_MESSAGE, AT_MESSAGE, &set, NULL);
}

/* Everybody in `to`, which has commas between addresses. */
static bool set_recipients(struct visit *s, const char *to)
{
    struct slice rest = slice_str(to);
    size_t n = 1, i = 0;

    for (const char *c = to; *c; c++)
        n += *c == ',';
    struct recipient *all = arena_array(&s->wire.arena, n, sizeof *all);
    for (; i < n; i++) {
        struct slice address = slice_trim(slice_cut(&rest, ','));

        all[i] = (struct recipient){
            .row_id = (uint32_t)i,
            .kind = 1,
            .flags = RECIPIENT_SMTP | RECIPIENT_EMAIL | RECIPIENT_DISPLAY_NAME | RECIPIENT_UNICODE,
            .email = address,
            .display_name = address,
        };
    }
    const struct rop_modify_recipients modify = {.recipients = {.n = n, .items = all}};
    return rop(s, ROP_ModifyRecipients, AT_MESSAGE, AT_MESSAGE, &modify, NULL);
}

static int cmd_send(struct visit *s)
{
    const struct rop_create_message create = {.codepage = 0x0FFF,
                                              .folder = s->logon.folder_ids.ids[OUTBOX]};
    const struct rop_save_message save = {.flags = 0x02}; /* KeepOpenReadWrite */
    const struct rop_submit_message submit = {0};
    struct buf body = buf_make(READ_PIECE);

    if (!read_stdin(&body)) {
        buf_done(&body);
        return cli_fail(s->cli, "the text is not UTF-8, or longer than %d bytes", READ_PIECE);
    }
    bool good = rop(s, ROP_CreateMessage, AT_LOGON, AT_MESSAGE, &create, NULL) &&
                set_content(s, s->args[1], buf_slice(&body)) && set_recipients(s, s->args[0]) &&
                rop(s, ROP_SaveChangesMessage, AT_MESSAGE, AT_MESSAGE, &save, NULL) &&
                rop(s, ROP_SubmitMessage, AT_MESSAGE, AT_MESSAGE, &submit, NULL);
    buf_done(&body);
    return good ? CLI_OK : fail_wire(s);
}

/* ---- watch ---- */

static bool fetch_events(struct visit *s, size_t *n)
{
    struct slice events;

    if (!mapi_wire_execute(&s->wire, SLICE_EMPTY, &events))
        return false;
    *n += mapi_dump_events(stdout, events);
    return true;
}

static int cmd_watch(struct visit *s)
{
    const struct rop_register_notification all = {.events = EVENTS_ALL, .whole = true};
    const char *count = cli_option(s->cli, "--count");
    uint64_t most = UINT64_MAX;
    size_t n = 0;
    bool pending;

    if (count && !slice_to_u64(slice_str(count), &most))
        return cli_usage(s->cli);
    if (!rop(s, ROP_RegisterNotification, AT_LOGON, AT_WATCH, &all, NULL))
        return fail_wire(s);
    fputs("watching\n", stderr);
    while (n < most) {
        if (!mapi_wire_wait(&s->wire, &pending) || (pending && !fetch_events(s, &n)))
            return fail_wire(s);
        arena_done(&s->wire.arena);
    }
    return CLI_OK;
}

/* ---- rops ---- */

static bool unhex(char **words, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++)
        for (const char *c = words[i]; *c; c += 2) {
            int high = ascii_hex((uint8_t)c[0]);
            int low = high < 0 ? -1 : ascii_hex((uint8_t)c[1]);

            if (low < 0)
                return false;
            buf_putc(out, (uint8_t)(high << 4 | low));
        }
    return !out->failed;
}

/* Handle 0 is the log-on; what they open stands at the indexes that they say. */
static int cmd_rops(struct visit *s)
{
    struct buf ask = buf_make(1 << 15);
    struct slice answer;
    int status = CLI_FAILED;

    if (!unhex(s->args, s->n_args, &ask)) {
        status = cli_fail(s->cli, "the operations are not hexadecimal digits in pairs");
    } else {
        bool known = mapi_dump_requests(stdout, buf_slice(&ask), &mapi_wire_form, &s->wire.arena);
        if (!known)
            puts("> what follows is not an operation that is known");
        fflush(stdout);
        if (!mapi_wire_execute(&s->wire, buf_slice(&ask), &answer))
            status = fail_wire(s);
        else if (!mapi_dump_responses(stdout, buf_slice(&ask), answer, &mapi_wire_form,
                                      &s->wire.arena))
            status = cli_fail(s->cli, "the responses are malformed");
        else
            status = CLI_OK;
    }
    buf_done(&ask);
    return status;
}

/* ---- the command ---- */

static const struct action {
    const char *name;
    size_t least, most; /* operands */
    int (*run)(struct visit *s);
} actions[] = {
    {"folders", 0, 0, cmd_folders}, {"list", 1, 1, cmd_list},        {"read", 2, 2, cmd_read},
    {"send", 2, 2, cmd_send},       {"move", 3, 3, cmd_move},        {"delete", 2, 2, cmd_delete},
    {"watch", 0, 0, cmd_watch},     {"rops", 1, SIZE_MAX, cmd_rops},
};

static const struct action *find_action(const struct cli *cli)
{
    const char *name = cli->n_operands > 1 ? cli->operands[1] : "folders";
    size_t n = cli->n_operands > 1 ? cli->n_operands - 2 : 0;

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, name) == 0 && n >= actions[i].least && n <= actions[i].most)
            return &actions[i];
    return NULL;
}

static bool get_secret(const struct cli *cli, struct buf *out)
{
    const char *path = cli_option(cli, "--password-file");

    return path ? cli_file_secret(cli, path, out) : cli_ask_secret(cli, out);
}

/* The distinguished name that Autodiscover would tell ([MS-OXDSCLI] 4.4). */
static struct slice own_dn(struct visit *s)
{
    struct buf dn = buf_make(4096);

    buf_put(&dn, s->wire.dn_prefix);
    buf_puts(&dn, "/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=");
    buf_puts(&dn, s->cli->operands[0]);
    struct slice copy = arena_slice(&s->wire.own, buf_slice(&dn));
    buf_done(&dn);
    return copy;
}

static int log_on(struct visit *s, const struct action *action)
{
    /* Private, and one's own ([MS-OXCROPS] 2.2.3.1.1) */
    const struct rop_logon logon = {.flags = 0x01, .open_flags = 0x01000000, .essdn = own_dn(s)};
    const void *fields;

    if (!mapi_wire_rop(&s->wire, ROP_Logon, AT_LOGON, AT_LOGON, &logon, NULL, &fields))
        return fail_wire(s);
    s->logon = *(const struct rop_logon_reply *)fields;
    return action->run(s);
}

static int with_server(const struct cli *cli, const struct config *config, const char *url,
                       const struct action *action)
{
    struct visit s = {.cli = cli, .args = cli->operands + 2};
    struct buf secret = buf_make(AUTH_MAX_SECRET);
    int status = CLI_FAILED;

    s.n_args = cli->n_operands > 2 ? cli->n_operands - 2 : 0;
    if (get_secret(cli, &secret)) {
        bool open = mapi_wire_open(&s.wire, config, url, cli->operands[0], buf_slice(&secret));
        status = open ? log_on(&s, action) : fail_wire(&s);
        mapi_wire_close(&s.wire);
    }
    buf_wipe(&secret);
    return status;
}

int cli_mapi(struct cli *cli)
{
    const struct action *action = find_action(cli);
    const char *url = cli_option(cli, "--url");
    struct config *config = NULL;

    if (!action)
        return cli_usage(cli);
    if (!url && !cli_config(cli, &config))
        return CLI_FAILED;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = with_server(cli, config, url, action);
    curl_global_cleanup();
    config_free(config);
    return status;
}
