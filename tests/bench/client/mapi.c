#include "tests/bench/client/mapi.h"

#include "base/base64.h"
#include "protocols/mapi/frame.h"

enum {
    BODY_MOST = 1 << 20,
    ROP_OUT_MOST = FRAME_HEADER + FRAME_PAYLOAD_MAX,
    NO_COMPRESSION_NO_MASK = 3, /* [MS-OXCRPC] 3.1.4.2 */
    CODEPAGE_WESTERN = 1252,
    LCID_ENGLISH = 0x409,
    SUBTREE = 3, /* of a log-on's FolderIds ([MS-OXCSTOR] 2.2.1.1.3) */
    TABLE_DEPTH = 0x04,
    PRIVATE = 0x01,                  /* LogonFlags */
    USE_PER_MDB_REPLID = 0x01000000, /* OpenFlags */
};

const struct value_form mapi_form = {.codepage = CODEPAGE_WESTERN};

/* ---- requests ---- */

static void send_request(struct mapi_session *s, const char *type, struct slice body)
{
    struct buf out = buf_make(BODY_MOST);

    buf_printf(&out,
               "POST /mapi/emsmdb/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %.*s\r\n"
               "Content-Type: application/mapi-http\r\nX-RequestType: %s\r\n"
               "X-RequestId: {B7F1A0C2-5D35-4F0B-9D6E-2C6C8E0F4A12}:%u\r\n",
               (int)s->authorization.len, (const char *)buf_slice(&s->authorization).ptr, type,
               ++s->conn->tag);
    if (*s->context)
        buf_printf(&out, "Cookie: %s; %s\r\n", s->context, s->ticket);
    buf_printf(&out, "Content-Length: %zu\r\n\r\n", body.len);
    buf_put(&out, body);
    conn_send(s->conn, buf_slice(&out));
    buf_done(&out);
}

/* ---- answers ---- */

static void take_cookie(struct mapi_session *s, struct slice value)
{
    struct slice pair = slice_trim(slice_cut(&value, ';'));
    char *to = slice_starts(pair, S("MapiContext=")) ? s->context : s->ticket;

    snprintf(to, sizeof s->context, "%.*s", (int)pair.len, (const char *)pair.ptr);
}

/* The head of an answer; true: it is one of MAPI, without a fault, and in chunks. */
static bool read_head(struct mapi_session *s)
{
    bool good = slice_starts(conn_line(s->conn), S("HTTP/1.1 200")), fine = false, chunked = false;

    for (struct slice line; (line = conn_line(s->conn)).len > 0 && !s->conn->broken;) {
        struct slice name = slice_cut(&line, ':');

        line = slice_trim(line);
        if (slice_ieq(name, S("Set-Cookie")))
            take_cookie(s, line);
        else if (slice_ieq(name, S("X-ResponseCode")))
            fine = slice_eq(line, S("0"));
        else if (slice_ieq(name, S("Transfer-Encoding")))
            chunked = slice_ieq(line, S("chunked"));
    }
    return good && fine && chunked && !s->conn->broken;
}

static bool read_chunk_size(struct conn *c, uint64_t *size)
{
    struct slice line = conn_line(c);

    *size = 0;
    for (size_t i = 0; i < line.len; i++) {
        uint8_t d = line.ptr[i];
        int digit = ascii_is_digit(d) ? d - '0' : (d | 0x20) - 'a' + 10;

        if (digit < 0 || digit > 15)
            return false;
        *size = *size << 4 | (unsigned)digit;
    }
    return line.len > 0;
}

/* False at the last one, and where it is malformed: then the connection is broken. */
static bool read_chunk(struct mapi_session *s)
{
    uint64_t size;
    bool good = read_chunk_size(s->conn, &size);

    conn_read(s->conn, size, &s->body);
    good = good && conn_line(s->conn).len == 0;
    s->conn->broken |= !good;
    return good && size > 0;
}

/* Behind the meta-tags; a code among them is a fault ([MS-OXCMAPIHTTP] 3.2.5.2). */
static bool take_body(struct mapi_session *s, struct slice *body)
{
    while (read_chunk(s))
        ;
    struct slice all = buf_slice(&s->body), end = S("\r\n\r\n");
    size_t at = slice_find(all, end);
    struct slice tags = slice_head(all, at);

    if (s->conn->broken || at == all.len || slice_find(tags, S("DONE\r\n")) == tags.len ||
        slice_find(tags, S("X-ResponseCode")) < tags.len)
        return false;
    *body = slice_from(all, at + end.len);
    return true;
}

static bool request(struct mapi_session *s, const char *type, struct slice body,
                    struct slice *answer)
{
    send_request(s, type, body);
    buf_clear(&s->body);
    return read_head(s) && take_body(s, answer);
}

/* StatusCode and ErrorCode at the front of every answer. */
static bool codes_are_fine(struct wire *w)
{
    uint32_t status = wire_u32(w), error = wire_u32(w);

    return !w->failed && status == 0 && error == 0;
}

/* ---- Execute ---- */

void mapi_add(struct mapi_session *s, uint8_t rop, uint8_t in, uint8_t out, const void *fields)
{
    const struct rop_def *def = rop_find(rop);
    const struct rop_request rq = {
        .def = def,
        .in = in,
        .out = def->head == HEAD_OUT ? in : out,
        .answer = out,
        .fields = fields,
    };

    rop_request_put(&s->ask, &mapi_form, &rq);
}

static void put_execute(struct mapi_session *s, struct buf *body)
{
    struct buf payload = buf_make(FRAME_PAYLOAD_MAX), frame = buf_make(ROP_OUT_MOST);

    wire_put_u16(&payload, (uint16_t)(s->ask.len + 2));
    buf_put(&payload, buf_slice(&s->ask));
    for (size_t i = 0; i < MAPI_AT_COUNT; i++)
        wire_put_u32(&payload, s->handles[i]);
    frame_put(&frame, buf_slice(&payload));
    wire_put_u32(body, NO_COMPRESSION_NO_MASK);
    wire_put_u32(body, (uint32_t)frame.len);
    buf_put(body, buf_slice(&frame));
    wire_put_u32(body, ROP_OUT_MOST);
    wire_put_u32(body, 0);
    body->failed |= payload.failed || frame.failed || s->ask.failed;
    buf_done(&payload);
    buf_done(&frame);
    buf_clear(&s->ask);
}

static bool take_payload(struct mapi_session *s, struct slice answer)
{
    struct wire w = wire_of(answer, &s->arena);
    struct slice payload;

    if (!codes_are_fine(&w))
        return false;
    wire_u32(&w); /* Flags */
    struct slice frame = wire_bytes(&w, wire_u32(&w));
    if (w.failed || failed(frame_read(frame, &s->arena, &payload)))
        return false;
    w = wire_of(payload, &s->arena);
    size_t size = wire_u16(&w);
    s->rops = wire_of(wire_bytes(&w, size < 2 ? 0 : size - 2), &s->arena);
    for (size_t i = 0; i < MAPI_AT_COUNT; i++)
        s->handles[i] = wire_u32(&w);
    return !w.failed;
}

bool mapi_execute(struct mapi_session *s)
{
    struct buf body = buf_make((size_t)2 * ROP_OUT_MOST);
    struct slice answer;

    arena_done(&s->arena);
    put_execute(s, &body);
    bool good = !body.failed && request(s, "Execute", buf_slice(&body), &answer);
    buf_done(&body);
    return good && take_payload(s, answer);
}

const void *mapi_reply(struct mapi_session *s, uint8_t rop, const struct rop_numbers *columns)
{
    static const struct rop_numbers no_columns;
    struct rop_response r;

    if (failed(rop_response_read(&s->rops, &mapi_form, columns ? columns : &no_columns, &r)) ||
        r.def->id != rop || r.error)
        return NULL;
    return r.fields;
}

bool mapi_went_well(struct mapi_session *s, uint8_t rop)
{
    return mapi_reply(s, rop, NULL) != NULL;
}

/* ---- a session ---- */

static bool connect_session(struct mapi_session *s)
{
    struct buf body = buf_make(256);
    struct slice answer;

    wire_put_asz(&body, SLICE_EMPTY); /* UserDN: who logs on */
    wire_put_u32(&body, 0);
    wire_put_u32(&body, CODEPAGE_WESTERN);
    wire_put_u32(&body, LCID_ENGLISH);
    wire_put_u32(&body, LCID_ENGLISH);
    wire_put_u32(&body, 0);
    bool good = request(s, "Connect", buf_slice(&body), &answer);
    buf_done(&body);
    struct wire w = wire_of(good ? answer : SLICE_EMPTY, &s->arena);
    if (!good || !codes_are_fine(&w))
        return false;
    wire_bytes(&w, 3 * 4); /* how often to poll and to try again */
    buf_put(&s->dn, wire_asz(&w));
    return !w.failed;
}

static bool log_on(struct mapi_session *s)
{
    struct rop_logon logon = {.flags = PRIVATE, .open_flags = USE_PER_MDB_REPLID};
    char name[64];

    buf_printf(&s->dn, "/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=%s",
               user_of(s->conn, name));
    logon.essdn = buf_slice(&s->dn);
    mapi_add(s, ROP_Logon, AT_LOGON, AT_LOGON, &logon);
    const struct rop_logon_reply *reply = mapi_execute(s) ? mapi_reply(s, ROP_Logon, NULL) : NULL;
    if (reply)
        s->folders = reply->folder_ids;
    return reply != NULL;
}

static void put_authorization(struct mapi_session *s)
{
    struct buf plain = buf_make(256);
    char name[64];

    buf_printf(&plain, "%s:%s", user_of(s->conn, name), opt.pass);
    base64_encode(buf_slice(&plain), &s->authorization);
    buf_done(&plain);
}

bool mapi_open(struct mapi_session *s, struct conn *c)
{
    *s = (struct mapi_session){
        .conn = c,
        .authorization = buf_make(512),
        .body = buf_make(BODY_MOST),
        .ask = buf_make(FRAME_PAYLOAD_MAX),
        .dn = buf_make(4096),
    };
    memset(s->handles, 0xFF, sizeof s->handles);
    put_authorization(s);
    return conn_open(c) && connect_session(s) && log_on(s);
}

void mapi_done(struct mapi_session *s)
{
    buf_done(&s->authorization);
    buf_done(&s->body);
    buf_done(&s->ask);
    buf_done(&s->dn);
    arena_done(&s->arena);
}

bool mapi_close(struct mapi_session *s)
{
    static const uint8_t no_aux[4];
    struct slice answer;
    bool good = request(s, "Disconnect", slice_of(no_aux, sizeof no_aux), &answer);
    struct wire w = wire_of(good ? answer : SLICE_EMPTY, &s->arena);

    good = good && codes_are_fine(&w);
    mapi_done(s);
    conn_close(s->conn);
    return good;
}

/* ---- folders ---- */

static bool find_in(struct mapi_session *s, const struct rop_numbers *columns, const char *name,
                    uint64_t *id)
{
    const struct rop_query_rows_reply *reply = mapi_reply(s, ROP_QueryRows, columns);
    struct wire w = wire_of(reply ? reply->rows.bytes : SLICE_EMPTY, &s->arena);

    for (size_t i = 0; reply && i < reply->rows.n; i++) {
        struct prop *row;

        if (!row_read(&w, &mapi_form, columns->items, columns->n, &row))
            return false;
        if (slice_ieq(row[0].value.bytes, slice_str(name))) {
            *id = (uint64_t)row[1].value.number;
            return true;
        }
    }
    return false;
}

bool mapi_find_folder(struct mapi_session *s, const char *name, uint64_t *id)
{
    static const uint32_t tags[] = {PR_DISPLAY_NAME, PR_FOLDER_ID};
    const struct rop_numbers columns = {2, tags};
    const struct rop_open_folder open = {.folder = s->folders.ids[SUBTREE]};
    const struct rop_get_hierarchy_table table = {.flags = TABLE_DEPTH};
    const struct rop_set_columns set = {.columns = columns};
    const struct rop_query_rows query = {.forward = true, .n = 500};

    mapi_add(s, ROP_OpenFolder, AT_LOGON, AT_FOLDER, &open);
    mapi_add(s, ROP_GetHierarchyTable, AT_FOLDER, AT_TABLE, &table);
    mapi_add(s, ROP_SetColumns, AT_TABLE, AT_TABLE, &set);
    mapi_add(s, ROP_QueryRows, AT_TABLE, AT_TABLE, &query);
    return mapi_execute(s) && mapi_went_well(s, ROP_OpenFolder) &&
           mapi_went_well(s, ROP_GetHierarchyTable) && mapi_went_well(s, ROP_SetColumns) &&
           find_in(s, &columns, name, id);
}

/* ---- news ---- */

bool mapi_watch(struct mapi_session *s)
{
    /* New mail, and objects created, deleted, modified, moved, copied. */
    const struct rop_register_notification all = {.events = 0x007E, .whole = true};

    mapi_add(s, ROP_RegisterNotification, AT_LOGON, AT_WATCH, &all);
    return mapi_execute(s) && mapi_went_well(s, ROP_RegisterNotification);
}

/* Its first chunk is PROCESSING, which is sent when it has begun. */
bool mapi_wait_begin(struct mapi_session *s)
{
    static const uint8_t body[8]; /* Flags, AuxiliaryBufferSize */

    send_request(s, "NotificationWait", slice_of(body, sizeof body));
    buf_clear(&s->body);
    return read_head(s) && read_chunk(s) && slice_starts(buf_slice(&s->body), S("PROCESSING"));
}

bool mapi_wait_end(struct mapi_session *s, bool *pending)
{
    struct slice answer;

    if (!take_body(s, &answer))
        return false;
    struct wire w = wire_of(answer, &s->arena);
    bool good = codes_are_fine(&w);
    *pending = wire_u32(&w) != 0;
    return good && !w.failed;
}
