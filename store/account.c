#include "store/account.h"

#include <jansson.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/audit_int.h"
#include "store/system.h"

enum { NAME_MAX_BYTES = 255, POINT_BYTES = 8 };

struct accounts {
    struct engine *engine;
    struct engine_partition *partition;
};

/* ---- keys ---- */

struct account_key {
    uint8_t bytes[1 + NAME_MAX_BYTES + 1];
    size_t len;
};

static struct account_key make_key(char kind, struct slice name)
{
    struct account_key key = {.len = 1};

    key.bytes[0] = (uint8_t)kind;
    if (name.len > NAME_MAX_BYTES)
        name.len = NAME_MAX_BYTES + 1; /* longer than any stored name: finds nothing */
    if (name.len)
        memcpy(key.bytes + 1, name.ptr, name.len);
    key.len += name.len;
    return key;
}

/* The place of an account on the circle. */
static struct account_key make_circle_key(struct slice name)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];

    SHA256(name.ptr, name.len, hash);
    return make_key('R', slice_of(hash, POINT_BYTES));
}

static struct slice key_slice(const struct account_key *key)
{
    return slice_of(key->bytes, key->len);
}

static bool name_is_valid(struct slice name)
{
    return name.len > 0 && name.len <= NAME_MAX_BYTES && slice_is_utf8(name) &&
           slice_index(name, 0) == name.len;
}

/* ---- the record as JSON ---- */

static json_t *json_of_slice(struct slice s)
{
    return json_stringn(s.len ? (const char *)s.ptr : "", s.len);
}

static json_t *json_of_app_passwords(const struct account *a)
{
    json_t *list = json_array();

    for (size_t i = 0; i < a->n_app_passwords; i++) {
        const struct account_app_password *p = &a->app_passwords[i];

        json_array_append_new(
            list, json_pack("{so so si sI sI}", "name", json_of_slice(p->name), "credentials",
                            json_of_slice(p->credentials), "protocols", (int)p->protocols,
                            "expires", (json_int_t)p->expires, "created", (json_int_t)p->created));
    }
    return list;
}

static json_t *json_of_delegates(const struct account *a)
{
    json_t *list = json_array();

    for (size_t i = 0; i < a->n_delegates; i++)
        json_array_append_new(list,
                              json_pack("{so sI}", "name", json_of_slice(a->delegates[i].name),
                                        "mailbox", (json_int_t)a->delegates[i].mailbox_id));
    return list;
}

/* NULL where some text is not UTF-8. */
static char *encode(const struct account *a, uint64_t generation, uint64_t changed)
{
    json_t *aliases = json_array();

    for (size_t i = 0; i < a->n_aliases; i++)
        json_array_append_new(aliases, json_of_slice(a->aliases[i]));
    json_t *record = json_pack(
        "{so so so so so sI si sb sb sb so so sI sI sI sI sI}", "name", json_of_slice(a->name),
        "display_name", json_of_slice(a->display_name), "nt_domain", json_of_slice(a->nt_domain),
        "aliases", aliases, "credentials", json_of_slice(a->credentials), "mailbox",
        (json_int_t)a->mailbox_id, "protocols", (int)a->protocols, "locked", (int)a->locked,
        "admin", (int)a->admin, "master", (int)a->master, "delegates", json_of_delegates(a),
        "app_passwords", json_of_app_passwords(a), "expires", (json_int_t)a->expires, "quota",
        (json_int_t)a->quota, "generation", (json_int_t)generation, "created",
        (json_int_t)a->created, "changed", (json_int_t)changed);
    if (!record)
        return NULL;
    char *text = json_dumps(record, JSON_COMPACT);
    json_decref(record);
    return text;
}

static struct slice text_of(const json_t *record, const char *name, struct arena *in)
{
    const json_t *value = json_object_get(record, name);

    return arena_slice(in, slice_of(json_string_value(value), json_string_length(value)));
}

static uint64_t number_of(const json_t *record, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(record, name));
}

static bool truth_of(const json_t *record, const char *name)
{
    return json_is_true(json_object_get(record, name));
}

static void decode_aliases(const json_t *record, struct arena *in, struct account *out)
{
    const json_t *list = json_object_get(record, "aliases");

    out->n_aliases = json_array_size(list);
    out->aliases = arena_array(in, out->n_aliases, sizeof *out->aliases);
    for (size_t i = 0; i < out->n_aliases; i++) {
        const json_t *alias = json_array_get(list, i);

        out->aliases[i] =
            arena_slice(in, slice_of(json_string_value(alias), json_string_length(alias)));
    }
}

static void decode_delegates(const json_t *record, struct arena *in, struct account *out)
{
    const json_t *list = json_object_get(record, "delegates");

    out->n_delegates = json_array_size(list);
    out->delegates = arena_array(in, out->n_delegates, sizeof *out->delegates);
    for (size_t i = 0; i < out->n_delegates; i++) {
        const json_t *one = json_array_get(list, i);

        out->delegates[i] =
            (struct account_delegate){text_of(one, "name", in), number_of(one, "mailbox")};
    }
}

static void decode_app_passwords(const json_t *record, struct arena *in, struct account *out)
{
    const json_t *list = json_object_get(record, "app_passwords");

    out->n_app_passwords = json_array_size(list);
    out->app_passwords = arena_array(in, out->n_app_passwords, sizeof *out->app_passwords);
    for (size_t i = 0; i < out->n_app_passwords; i++) {
        const json_t *one = json_array_get(list, i);

        out->app_passwords[i] = (struct account_app_password){
            .name = text_of(one, "name", in),
            .credentials = text_of(one, "credentials", in),
            .protocols = (unsigned)number_of(one, "protocols"),
            .expires = number_of(one, "expires"),
            .created = number_of(one, "created"),
        };
    }
}

static struct err decode(struct slice bytes, struct arena *in, struct account *out)
{
    json_t *record = json_loadb((const char *)bytes.ptr, bytes.len, 0, NULL);

    if (!record)
        return ERR(ERR_CORRUPT, "an account record is not JSON");
    *out = (struct account){
        .name = text_of(record, "name", in),
        .display_name = text_of(record, "display_name", in),
        .nt_domain = text_of(record, "nt_domain", in),
        .credentials = text_of(record, "credentials", in),
        .mailbox_id = number_of(record, "mailbox"),
        .protocols = (unsigned)number_of(record, "protocols"),
        .locked = truth_of(record, "locked"),
        .admin = truth_of(record, "admin"),
        .master = truth_of(record, "master"),
        .expires = number_of(record, "expires"),
        .quota = number_of(record, "quota"),
        .generation = number_of(record, "generation"),
        .created = number_of(record, "created"),
        .changed = number_of(record, "changed"),
    };
    decode_aliases(record, in, out);
    decode_delegates(record, in, out);
    decode_app_passwords(record, in, out);
    json_decref(record);
    return OK;
}

/* ---- reading ---- */

struct err accounts_open(struct engine *engine, struct accounts **out)
{
    struct engine_partition *partition;
    struct err e = system_open(engine, &partition);

    if (failed(e))
        return e;
    struct accounts *accounts = mem_new(sizeof *accounts);
    accounts->engine = engine;
    accounts->partition = partition;
    *out = accounts;
    return OK;
}

void accounts_close(struct accounts *accounts)
{
    if (!accounts)
        return;
    engine_partition_close(accounts->partition);
    free(accounts);
}

static struct err get_account(struct engine_read *rd, struct slice name, struct arena *in,
                              struct account *out)
{
    struct account_key key = make_key('A', name);
    struct slice value;
    struct err e = engine_get(rd, key_slice(&key), &value);

    return failed(e) ? e : decode(value, in, out);
}

static struct err find_account(struct engine_read *rd, struct slice name, struct arena *in,
                               struct account *out)
{
    struct err e = get_account(rd, name, in, out);

    if (e.code != ERR_NOT_FOUND)
        return e;
    struct account_key key = make_key('L', name);
    struct slice owner;
    e = engine_get(rd, key_slice(&key), &owner);
    return failed(e) ? e : get_account(rd, owner, in, out);
}

struct err accounts_lookup(struct accounts *accounts, struct slice name, struct arena *in,
                           struct account *out)
{
    struct engine_read *rd;
    struct err e = engine_read_begin(accounts->partition, &rd);

    if (failed(e))
        return e;
    e = find_account(rd, name, in, out);
    engine_read_end(rd);
    return e;
}

struct err accounts_version(struct accounts *accounts, uint64_t *version)
{
    struct engine_read *rd;
    struct err e = engine_read_begin(accounts->partition, &rd);

    if (failed(e))
        return e;
    *version = engine_read_version(rd);
    engine_read_end(rd);
    return OK;
}

static struct err next_account(struct engine_read *rd, struct slice after, struct arena *in,
                               struct account *out)
{
    struct account_key from = make_key('A', after);
    struct slice key, value;
    struct engine_cursor *cursor = engine_cursor_open(rd);
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    if (!failed(e) && slice_eq(key, key_slice(&from)))
        e = engine_next(cursor, &key, &value);
    if (!failed(e) && key.ptr[0] != 'A')
        e = ERR(ERR_NOT_FOUND, "no account behind that one");
    if (!failed(e))
        e = decode(value, in, out);
    engine_cursor_close(cursor);
    return e;
}

struct err accounts_next(struct accounts *accounts, struct slice after, struct arena *in,
                         struct account *out)
{
    struct engine_read *rd;
    struct err e = engine_read_begin(accounts->partition, &rd);

    if (failed(e))
        return e;
    e = next_account(rd, after, in, out);
    engine_read_end(rd);
    return e;
}

/* The name of the first account on the circle whose key is `from` or behind it. */
static struct err first_on_circle(struct engine_read *rd, const struct account_key *from,
                                  struct arena *in, struct slice *name)
{
    struct slice key, value;
    struct engine_cursor *cursor = engine_cursor_open(rd);
    struct err e = engine_seek(cursor, key_slice(from), &key, &value);

    if (!failed(e) && key.ptr[0] != 'R')
        e = ERR(ERR_NOT_FOUND, "no account behind that point");
    if (!failed(e))
        *name = arena_slice(in, value);
    engine_cursor_close(cursor);
    return e;
}

static struct err near_account(struct engine_read *rd, const uint8_t point[POINT_BYTES],
                               struct arena *in, struct account *out)
{
    struct account_key from = make_key('R', slice_of(point, POINT_BYTES));
    struct account_key start = make_key('R', SLICE_EMPTY);
    struct slice name;
    struct err e = first_on_circle(rd, &from, in, &name);

    if (e.code == ERR_NOT_FOUND)
        e = first_on_circle(rd, &start, in, &name);
    return failed(e) ? e : get_account(rd, name, in, out);
}

struct err accounts_near(struct accounts *accounts, const uint8_t point[POINT_BYTES],
                         struct arena *in, struct account *out)
{
    struct engine_read *rd;
    struct err e = engine_read_begin(accounts->partition, &rd);

    if (failed(e))
        return e;
    e = near_account(rd, point, in, out);
    engine_read_end(rd);
    return e;
}

/* ---- changing ---- */

enum change_kind { CHANGE_ADD, CHANGE_UPDATE, CHANGE_DELETE };

struct change {
    struct engine_batch batch;
    enum change_kind kind;
    const struct account *account; /* of a delete only the name counts */
};

static struct err check_names(const struct account *a)
{
    if (!name_is_valid(a->name))
        return ERR(ERR_INVALID, "this cannot be an account's name");
    for (size_t i = 0; i < a->n_aliases; i++)
        if (!name_is_valid(a->aliases[i]))
            return ERR(ERR_INVALID, "this cannot be an alias");
    return OK;
}

/* Is `name` free, as a name and as an alias? */
static struct err check_free(struct engine_read *rd, struct slice name)
{
    static const char kinds[] = {'A', 'L'};

    for (size_t i = 0; i < sizeof kinds; i++) {
        struct account_key key = make_key(kinds[i], name);
        struct slice value;
        struct err e = engine_get(rd, key_slice(&key), &value);

        if (!failed(e))
            return ERR(ERR_EXISTS, "an account has this name or alias already");
        if (e.code != ERR_NOT_FOUND)
            return e;
    }
    return OK;
}

static struct err put_aliases(struct engine_write *w, const struct account *a)
{
    for (size_t i = 0; i < a->n_aliases; i++) {
        struct err e = check_free(engine_write_read(w), a->aliases[i]);

        if (failed(e))
            return e;
        struct account_key key = make_key('L', a->aliases[i]);
        e = engine_put(w, key_slice(&key), a->name);
        if (failed(e))
            return e;
    }
    return OK;
}

static struct err drop_key(struct engine_write *w, struct account_key key)
{
    struct err e = engine_delete(w, key_slice(&key));

    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err drop_aliases(struct engine_write *w, const struct account *a)
{
    struct err e = OK;

    for (size_t i = 0; i < a->n_aliases && !failed(e); i++)
        e = drop_key(w, make_key('L', a->aliases[i]));
    return e;
}

static struct err put_account(struct engine_write *w, const struct account *a, uint64_t generation)
{
    struct account_key key = make_key('A', a->name), place = make_circle_key(a->name);
    struct err e = put_aliases(w, a);
    if (!failed(e))
        e = engine_put(w, key_slice(&place), a->name);
    char *text = failed(e) ? NULL : encode(a, generation, clock_now().wall);

    if (failed(e))
        return e;
    if (!text)
        return ERR(ERR_INVALID, "an account's text is not UTF-8");
    e = engine_put(w, key_slice(&key), slice_str(text));
    mem_wipe(text, strlen(text)); /* it holds the salted keys */
    free(text);
    return e;
}

static struct err run_add(struct engine_write *w, const struct account *a)
{
    struct err e = check_free(engine_write_read(w), a->name);

    return failed(e) ? e : put_account(w, a, 1);
}

static struct err run_update(struct engine_write *w, const struct account *a)
{
    struct arena arena = ARENA_INIT;
    struct account old;
    struct err e = get_account(engine_write_read(w), a->name, &arena, &old);

    if (!failed(e) && old.generation != a->generation)
        e = ERR(ERR_CONFLICT, "the account was changed meanwhile");
    if (!failed(e))
        e = drop_aliases(w, &old);
    if (!failed(e))
        e = put_account(w, a, old.generation + 1);
    arena_wipe(&arena);
    return e;
}

static struct err run_delete(struct engine_write *w, const struct account *a)
{
    struct arena arena = ARENA_INIT;
    struct account old;
    struct err e = get_account(engine_write_read(w), a->name, &arena, &old);

    if (!failed(e))
        e = drop_aliases(w, &old);
    if (!failed(e))
        e = drop_key(w, make_circle_key(a->name));
    if (!failed(e))
        e = audit_forget_last(w, a->name);
    if (!failed(e))
        e = drop_key(w, make_key('A', a->name));
    arena_wipe(&arena);
    return e;
}

static struct err run_change(struct engine_write *w, struct engine_batch *batch)
{
    const struct change *change = (const struct change *)batch;

    switch (change->kind) {
    case CHANGE_ADD:
        return run_add(w, change->account);
    case CHANGE_UPDATE:
        return run_update(w, change->account);
    case CHANGE_DELETE:
        return run_delete(w, change->account);
    }
    return ERR(ERR_INVALID, "no such change");
}

static struct err commit(struct accounts *accounts, enum change_kind kind,
                         const struct account *account)
{
    struct change change = {
        .batch = {.partition = accounts->partition, .run = run_change},
        .kind = kind,
        .account = account,
    };

    return system_commit(accounts->engine, &change.batch);
}

struct err accounts_add(struct accounts *accounts, const struct account *account)
{
    struct err e = check_names(account);

    return failed(e) ? e : commit(accounts, CHANGE_ADD, account);
}

struct err accounts_update(struct accounts *accounts, const struct account *account)
{
    struct err e = check_names(account);

    return failed(e) ? e : commit(accounts, CHANGE_UPDATE, account);
}

struct err accounts_delete(struct accounts *accounts, struct slice name)
{
    struct account account = {.name = name};

    return commit(accounts, CHANGE_DELETE, &account);
}

/* ---- keys that belong to the store ---- */

struct make_secret {
    struct engine_batch batch;
    struct slice purpose;
    uint8_t key[32];
};

static struct err run_make_secret(struct engine_write *w, struct engine_batch *batch)
{
    struct make_secret *rq = (struct make_secret *)batch;
    struct account_key key = make_key('K', rq->purpose);
    struct slice value;
    struct err e = engine_get(engine_write_read(w), key_slice(&key), &value);

    if (!failed(e) && value.len != sizeof rq->key)
        return ERR(ERR_CORRUPT, "a key of the store has the wrong length");
    if (!failed(e)) {
        memcpy(rq->key, value.ptr, sizeof rq->key);
        return OK;
    }
    if (e.code != ERR_NOT_FOUND)
        return e;
    if (RAND_bytes(rq->key, sizeof rq->key) != 1)
        return ERR(ERR_IO, "no random bytes to be had");
    return engine_put(w, key_slice(&key), slice_of(rq->key, sizeof rq->key));
}

struct err accounts_key(struct accounts *accounts, const char *purpose, uint8_t out[32])
{
    struct make_secret rq = {
        .batch = {.partition = accounts->partition, .run = run_make_secret},
        .purpose = slice_str(purpose),
    };
    struct err e = system_commit(accounts->engine, &rq.batch);

    if (!failed(e))
        memcpy(out, rq.key, sizeof rq.key);
    mem_wipe(rq.key, sizeof rq.key);
    return e;
}
