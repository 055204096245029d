/* Messages that are made of properties: saved, read, replaced, carried along. */
#include "store/property.h"

#include "base/crc32c.h"
#include "store/engine/engine.h"
#include "tests/support/objects.h"

#include <pthread.h>

#define PT(id, type) PROP_TAG(id, type)
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- helpers ---- */

static struct store_prop text_prop(uint32_t tag, const char *text)
{
    return (struct store_prop){.tag = tag, .value.bytes = slice_str(text)};
}

static struct store_prop number_prop(uint32_t tag, int64_t n)
{
    return (struct store_prop){.tag = tag, .value.number = n};
}

static struct slice long_bytes(struct fixture *f, size_t len, char c)
{
    char *bytes = arena_alloc(&f->arena, len + 1);

    memset(bytes, c, len);
    return slice_of(bytes, len);
}

/* Two recipients; a short attachment, a long one, and a message that has an attachment itself. */
struct sample {
    struct store_prop to[2], cc[2], small[3], large[2], outer[2], inner_props[2], inner_data[2];
    struct store_props recipients[2];
    struct store_attachment attachments[3], inner_attachment;
    struct store_content inner, content;
};

static void make_sample(struct fixture *f, struct sample *s)
{
    *s = (struct sample){
        .to = {number_prop(PR_RECIPIENT_TYPE, 1), text_prop(PR_EMAIL_ADDRESS, "to@example.org")},
        .cc = {number_prop(PR_RECIPIENT_TYPE, 2), text_prop(PR_EMAIL_ADDRESS, "cc@example.org")},
        .small = {number_prop(PR_ATTACH_METHOD, 1), text_prop(PR_ATTACH_LONG_FILENAME, "a.txt"),
                  text_prop(PR_ATTACH_DATA, "small")},
        .large = {number_prop(PR_ATTACH_METHOD, 1),
                  {.tag = PR_ATTACH_DATA, .value.bytes = long_bytes(f, 50000, 'L')}},
        .outer = {number_prop(PR_ATTACH_METHOD, 5), text_prop(PR_DISPLAY_NAME, "inner")},
        .inner_props = {text_prop(PR_SUBJECT, "inner"),
                        {.tag = PR_BODY, .value.bytes = long_bytes(f, 20000, 'B')}},
        .inner_data = {number_prop(PR_ATTACH_METHOD, 1),
                       {.tag = PR_ATTACH_DATA, .value.bytes = long_bytes(f, 50000, 'L')}},
    };
    s->recipients[0] = (struct store_props){s->to, 2};
    s->recipients[1] = (struct store_props){s->cc, 2};
    s->inner_attachment.props = (struct store_props){s->inner_data, 2};
    s->inner = (struct store_content){.props = {s->inner_props, 2},
                                      .recipients = s->recipients,
                                      .n_recipients = 1,
                                      .attachments = &s->inner_attachment,
                                      .n_attachments = 1};
    s->attachments[0].props = (struct store_props){s->small, 3};
    s->attachments[1].props = (struct store_props){s->large, 2};
    s->attachments[2].props = (struct store_props){s->outer, 2};
    s->attachments[2].embedded = &s->inner;
    s->content = (struct store_content){.recipients = s->recipients,
                                        .n_recipients = 2,
                                        .attachments = s->attachments,
                                        .n_attachments = 3};
}

struct saved {
    struct store_save_message rq;
    struct err err;
};

/* With these bytes as its RFC 822 form; NULL: what the store makes of it. */
static struct saved save(struct fixture *f, uint64_t mid, const char *mail,
                         struct store_prop_change *changes, size_t n,
                         const struct store_content *content, uint64_t unchanged_since)
{
    struct saved s;

    unread(f);
    store_save_message_init(&s.rq);
    s.rq.fid = SPECIAL_DRAFTS;
    s.rq.mid = mid;
    s.rq.conditional = unchanged_since != 0;
    s.rq.unchanged_since = unchanged_since;
    s.rq.prepared = mail ? bed_prepare(&f->bed, mail) : NULL;
    s.rq.changes = changes;
    s.rq.n = n;
    s.rq.content = content;
    s.err = store_run(f->bed.mb, &s.rq.op);
    store_prepared_free(s.rq.prepared);
    return s;
}

static uint64_t save_subject(struct fixture *f, uint64_t mid, const char *mail, const char *subject,
                             const struct store_content *content)
{
    struct store_prop_change changes[] = {
        {.prop = text_prop(PR_SUBJECT, subject)},
        {.prop = number_prop(PR_MESSAGE_FLAGS, 0x9)},
    };
    struct saved s = save(f, mid, mail, changes, 2, content, 0);

    assert_ok(s.err);
    return s.rq.saved_mid;
}

static struct store_content content_of(struct fixture *f, uint64_t mid)
{
    struct store_content content;

    assert_ok(store_object_content(open_object(f, mid), &content));
    return content;
}

static const struct store_prop *find(const struct store_props *props, uint32_t tag)
{
    for (size_t i = 0; i < props->n; i++)
        if (props->items[i].tag == tag)
            return &props->items[i];
    fail_msg("no property 0x%08X", tag);
    return NULL;
}

static void assert_bytes(struct fixture *f, const struct store_props *props, uint32_t tag,
                         struct slice want)
{
    struct store_prop prop = *find(props, tag);

    assert_ok(store_prop_load(f->rd, &prop, 1 << 20, &f->arena));
    assert_true(slice_eq(prop.value.bytes, want));
}

static void assert_sample(struct fixture *f, uint64_t mid, const struct sample *s)
{
    struct store_content c = content_of(f, mid);

    assert_int_equal(c.n_recipients, 2);
    assert_int_equal(find(&c.recipients[1], PR_RECIPIENT_TYPE)->value.number, 2);
    assert_bytes(f, &c.recipients[0], PR_EMAIL_ADDRESS, S("to@example.org"));
    assert_int_equal(c.n_attachments, 3);
    assert_bytes(f, &c.attachments[0].props, PR_ATTACH_DATA, S("small"));
    assert_false(find(&c.attachments[0].props, PR_ATTACH_DATA)->large);
    assert_bytes(f, &c.attachments[1].props, PR_ATTACH_DATA, s->large[1].value.bytes);
    assert_true(find(&c.attachments[1].props, PR_ATTACH_DATA)->large);
    assert_null(c.attachments[1].embedded);
    const struct store_content *inner = c.attachments[2].embedded;

    assert_non_null(inner);
    assert_bytes(f, &inner->props, PR_SUBJECT, S("inner"));
    assert_bytes(f, &inner->props, PR_BODY, s->inner_props[1].value.bytes);
    assert_int_equal(inner->n_recipients, 1);
    assert_bytes(f, &inner->attachments[0].props, PR_ATTACH_DATA, s->large[1].value.bytes);
}

/* ---- tests ---- */

static void a_message_of_properties_is_read_back_whole(void **state)
{
    struct fixture *f = *state;
    struct sample s;

    make_sample(f, &s);
    uint64_t mid = save_subject(f, 0, "Subject: made\r\n\r\nmade\r\n", "made", &s.content);
    assert_sample(f, mid, &s);
    assert_text(f, mid, PR_SUBJECT, "made");
    const struct message_row *row = store_object_row(open_object(f, mid));
    assert_int_equal(row->flags & FLAG_ALL_IMAP, FLAG_SEEN | FLAG_DRAFT);
    assert_true(row->flags & FLAG_ATTACHMENTS);
    assert_int_equal(row->size, strlen("Subject: made\r\n\r\nmade\r\n"));
    assert_true(store_object_is_own(open_object(f, mid)));
    unread(f);
    bed_reopen(&f->bed);
    assert_sample(f, mid, &s);
}

/* What IMAP is given was made of the properties: nothing is derived of it once more. */
static void nothing_is_derived_of_the_bytes(void **state)
{
    struct fixture *f = *state;
    uint64_t mid =
        save_subject(f, 0, "Subject: bytes\r\nTo: x@example.org\r\n\r\ntext\r\n", "mine", NULL);
    struct store_prop prop;

    assert_text(f, mid, PR_SUBJECT, "mine");
    assert_code(store_object_get(open_object(f, mid), PR_BODY, &prop), ERR_NOT_FOUND);
    assert_text(f, mid, PR_DISPLAY_TO, ""); /* to nobody, as its recipients say */
    assert_int_equal(content_of(f, mid).n_recipients, 0);
    assert_int_equal(get(f, mid, PR_MESSAGE_FLAGS).value.number, 0x40B);
}

static void a_delivered_message_has_what_is_derived(void **state)
{
    static const char mail[] =
        "Subject: outer\r\nTo: a@example.org, b@example.org\r\nContent-Type: multipart/mixed; "
        "boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\nContent-Type: application/pdf; name=a.pdf\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nUERG\r\n--x\r\nContent-Type: "
        "message/rfc822\r\n\r\n"
        "Subject: inner\r\nTo: c@example.org\r\n\r\ninner text\r\n--x--\r\n";
    struct fixture *f = *state;
    uint32_t uid = bed_append(&f->bed, SPECIAL_INBOX, mail, 0);
    struct store_content c = content_of(f, bed_row(&f->bed, SPECIAL_INBOX, uid).mid);

    assert_int_equal(c.n_recipients, 2);
    assert_bytes(f, &c.recipients[1], PR_EMAIL_ADDRESS, S("b@example.org"));
    assert_int_equal(c.n_attachments, 2);
    assert_bytes(f, &c.attachments[0].props, PR_ATTACH_DATA, S("PDF"));
    assert_bytes(f, &c.attachments[0].props, PR_ATTACH_LONG_FILENAME, S("a.pdf"));
    const struct store_content *inner = c.attachments[1].embedded;
    assert_non_null(inner);
    assert_bytes(f, &inner->props, PR_SUBJECT, S("inner"));
    assert_bytes(f, &inner->props, PR_BODY, S("inner text"));
    assert_bytes(f, &inner->recipients[0], PR_EMAIL_ADDRESS, S("c@example.org"));
}

static void print_uidl(struct fixture *f, uint64_t mid, struct buf *out)
{
    const struct message_row *row = store_object_row(open_object(f, mid));

    assert_ok(store_uidl(f->rd, SPECIAL_DRAFTS, row, out));
}

static void a_replaced_message_keeps_its_mid_and_gets_a_new_uid(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct buf first = buf_make(100), second = buf_make(100);

    make_sample(f, &s);
    uint64_t mid = save_subject(f, 0, "A: 1\r\n\r\none\r\n", "one", &s.content);
    print_uidl(f, mid, &first);
    bed_set_flags(&f->bed, SPECIAL_DRAFTS, "1", FLAGS_ADD, FLAG_FLAGGED, "Later");
    uint64_t made = get(f, mid, PR_CREATION_TIME).value.time;
    uint64_t modseq = bed_folder(&f->bed, SPECIAL_DRAFTS).modseq;
    assert_int_equal(save_subject(f, mid, "A: 2\r\n\r\ntwo\r\n", "two", NULL), mid);
    assert_folder_uids(&f->bed, SPECIAL_DRAFTS, "2");
    const struct message_row *row = store_object_row(open_object(f, mid));
    assert_int_equal(row->uid, 2);
    assert_int_equal(row->flags & FLAG_ALL_IMAP, FLAG_SEEN | FLAG_DRAFT | FLAG_FLAGGED);
    assert_true(row->keyword_set != 0);
    assert_false(row->flags & FLAG_ATTACHMENTS);
    assert_text(f, mid, PR_SUBJECT, "two");
    assert_int_equal(get(f, mid, PR_CREATION_TIME).value.time, made);
    assert_int_equal(content_of(f, mid).n_attachments, 0);
    print_uidl(f, mid, &second);
    assert_false(slice_eq(buf_slice(&first), buf_slice(&second)));

    struct uidset gone = UIDSET_EMPTY;
    bool complete;
    assert_ok(store_expunged_since(f->rd, SPECIAL_DRAFTS, modseq, &gone, &complete));
    assert_uids(&gone, "1");
    uidset_done(&gone);
    buf_done(&first);
    buf_done(&second);
}

static void what_a_message_refers_to_is_let_go_with_it(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    uint64_t blobs = count_blobs(f);

    make_sample(f, &s);
    /* Its bytes, what hangs on it, the long attachment (which is there twice) and the long body. */
    uint64_t mid = save_subject(f, 0, "A: 1\r\n\r\none\r\n", "one", &s.content);
    assert_int_equal(count_blobs(f), blobs + 4);
    bed_verify(&f->bed);
    bed_copy(&f->bed, SPECIAL_DRAFTS, SPECIAL_TRASH, "1", "1");
    assert_int_equal(count_blobs(f), blobs + 4);
    save_subject(f, mid, "A: 2\r\n\r\ntwo\r\n", "two", NULL);
    bed_verify(&f->bed);
    assert_sample(f, bed_row(&f->bed, SPECIAL_TRASH, 1).mid, &s);
    unread(f);
    bed_expunge(&f->bed, SPECIAL_TRASH, "1", "1");
    assert_int_equal(count_blobs(f), blobs + 1);
    bed_expunge(&f->bed, SPECIAL_DRAFTS, "2", "2");
    assert_int_equal(count_blobs(f), blobs);
}

/* A client that saves again what it read brings no bytes, but names what is there. */
static void a_message_is_saved_again_with_the_blobs_that_it_has(void **state)
{
    struct fixture *f = *state;
    struct sample s;

    make_sample(f, &s);
    uint64_t mid = save_subject(f, 0, "A: 1\r\n\r\none\r\n", "one", &s.content);
    uint64_t blobs = count_blobs(f);
    struct store_content again = content_of(f, mid);
    assert_int_equal(save_subject(f, mid, "A: 2\r\n\r\ntwo\r\n", "two", &again), mid);
    assert_int_equal(count_blobs(f), blobs);
    assert_sample(f, mid, &s);
}

/* What the message looks like to IMAP, as properties: the way there and back. */
static void the_bytes_are_made_of_the_properties(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct store_name_props names;
    struct store_prop_name name = {.by_string = true, .name = S("X-Mine")};
    uint16_t id;

    memcpy(name.guid, store_ps_internet_headers, 16);
    store_name_props_init(&names);
    names.names = &name;
    names.n = 1;
    names.ids = &id;
    assert_ok(store_run(f->bed.mb, &names.op));
    make_sample(f, &s);
    struct store_prop_change changes[] = {
        {.prop = text_prop(PR_SUBJECT, "Gr\xC3\xBC\xC3\x9F"
                                       "e")},
        {.prop = {.tag = PR_BODY, .value.bytes = long_bytes(f, 9000, 'b')}},
        {.prop = text_prop(PT(id, PROP_STRING), "my own")},
        {.prop = text_prop(PR_SENDER_EMAIL, "me@example.org")},
    };
    struct saved saved = save(f, 0, NULL, changes, COUNT(changes), &s.content, 0);

    assert_ok(saved.err);
    /* Saved again with the blobs that it has: they are read for the bytes. */
    struct store_content again = content_of(f, saved.rq.saved_mid);
    struct store_object *object = open_object(f, saved.rq.saved_mid);
    assert_ok(store_object_get(object, PR_BODY, &changes[1].prop));
    assert_true(changes[1].prop.large);
    saved = save(f, saved.rq.saved_mid, NULL, changes, COUNT(changes), &again, 0);
    assert_ok(saved.err);

    const struct message_row *row = store_object_row(open_object(f, saved.rq.saved_mid));
    struct slice bytes;
    assert_ok(store_message_bytes(f->rd, row, 0, row->size, &f->arena, &bytes));
    assert_true(slice_find(bytes, S("x-mine: my own\r\n")) < bytes.len);
    uint32_t uid = bed_append(&f->bed, SPECIAL_INBOX, arena_str(&f->arena, bytes), 0);
    uint64_t mid = bed_row(&f->bed, SPECIAL_INBOX, uid).mid;
    assert_text(f, mid, PR_SUBJECT,
                "Gr\xC3\xBC\xC3\x9F"
                "e");
    assert_int_equal(get(f, mid, PR_BODY).value.bytes.len, 9000);
    struct store_content c = content_of(f, mid);
    assert_int_equal(c.n_recipients, 2);
    assert_int_equal(c.n_attachments, 3);
    assert_bytes(f, &c.attachments[0].props, PR_ATTACH_DATA, S("small"));
    assert_bytes(f, &c.attachments[1].props, PR_ATTACH_DATA, s.large[1].value.bytes);
    assert_bytes(f, &c.attachments[2].embedded->props, PR_SUBJECT, S("inner"));
    assert_bytes(f, &c.attachments[2].embedded->attachments[0].props, PR_ATTACH_DATA,
                 s.large[1].value.bytes);
}

static void state_that_is_set_later_leaves_the_content_alone(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct store_prop_change change = {.prop = number_prop(PR_IMPORTANCE, 2)};
    struct store_set_props rq;

    make_sample(f, &s);
    uint64_t mid = save_subject(f, 0, "A: 1\r\n\r\none\r\n", "one", &s.content);
    store_set_props_init(&rq);
    rq.id = mid;
    rq.changes = &change;
    rq.n = 1;
    unread(f);
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_folder_uids(&f->bed, SPECIAL_DRAFTS, "1");
    assert_int_equal(get(f, mid, PR_IMPORTANCE).value.number, 2);
    assert_sample(f, mid, &s);
    bed_move(&f->bed, SPECIAL_DRAFTS, SPECIAL_SENT, "1", "1");
    assert_sample(f, bed_row(&f->bed, SPECIAL_SENT, 1).mid, &s);
}

static void a_save_is_refused_whole(void **state)
{
    struct fixture *f = *state;
    struct store_prop bad[] = {text_prop(PR_EMAIL_ADDRESS, "\xFF")};
    struct store_prop odd[] = {{.tag = PR_BODY, .large = true}};
    struct store_props recipient = {bad, 1};
    struct store_content with_bad = {.recipients = &recipient, .n_recipients = 1};
    struct store_attachment attachment = {.props = {odd, 1}};
    struct store_content with_odd = {.attachments = &attachment, .n_attachments = 1};
    struct store_content deep[STORE_CONTENT_DEPTH + 1];
    struct store_attachment down[STORE_CONTENT_DEPTH + 1];
    uint64_t mid = save_subject(f, 0, "A: 1\r\n\r\none\r\n", "one", NULL);
    uint64_t cn = store_object_row(open_object(f, mid))->cn;

    for (int i = 0; i <= STORE_CONTENT_DEPTH; i++) {
        down[i] =
            (struct store_attachment){.embedded = i < STORE_CONTENT_DEPTH ? &deep[i + 1] : NULL};
        deep[i] = (struct store_content){.attachments = &down[i], .n_attachments = 1};
    }
    assert_code(save(f, 0, "x", NULL, 0, &with_bad, 0).err, ERR_INVALID);
    assert_code(save(f, 0, "x", NULL, 0, &with_odd, 0).err, ERR_INVALID);
    assert_code(save(f, 0, "x", NULL, 0, &deep[0], 0).err, ERR_LIMIT);
    assert_ok(save(f, 0, "x", NULL, 0, &deep[1], 0).err);
    assert_code(save(f, mid + 1000, "x", NULL, 0, NULL, 0).err, ERR_NOT_FOUND);
    assert_ok(save(f, mid, "A: 2\r\n\r\ntwo\r\n", NULL, 0, NULL, cn).err);
    assert_code(save(f, mid, "A: 3\r\n\r\nthree\r\n", NULL, 0, NULL, cn).err, ERR_CONFLICT);
    assert_folder_uids(&f->bed, SPECIAL_DRAFTS, "2:3");
}

static void a_full_mailbox_takes_no_longer_message(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = save_subject(f, 0, "A: 1\r\n\r\n0123456789\r\n", "one", NULL);
    struct store_set_quota rq;

    unread(f);
    store_set_quota_init(&rq);
    rq.quota = 20;
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_code(save(f, 0, "A: 1\r\n", NULL, 0, NULL, 0).err, ERR_QUOTA);
    assert_ok(save(f, mid, "A: 1\r\n\r\n9876543210\r\n", NULL, 0, NULL, 0).err);
    assert_code(save(f, mid, "A: 1\r\n\r\n98765432101\r\n", NULL, 0, NULL, 0).err, ERR_QUOTA);
}

/* ---- what the store makes of the rest ---- */

static void the_names_of_recipients_are_shown(void **state)
{
    struct fixture *f = *state;
    struct store_prop one[] = {number_prop(PR_RECIPIENT_TYPE, 1), text_prop(PR_DISPLAY_NAME, "Ann"),
                               text_prop(PR_EMAIL_ADDRESS, "ann@example.org")};
    struct store_prop two[] = {number_prop(PR_RECIPIENT_TYPE, 0x80000001),
                               text_prop(PR_EMAIL_ADDRESS, "bob@example.org")};
    struct store_prop three[] = {number_prop(PR_RECIPIENT_TYPE, 2),
                                 text_prop(PR_DISPLAY_NAME, "Cy")};
    struct store_props recipients[] = {{one, 3}, {three, 2}, {two, 2}};
    struct store_content content = {.recipients = recipients, .n_recipients = 3};
    struct store_prop_change stale = {.prop = text_prop(PR_DISPLAY_TO, "stale")};
    struct saved s = save(f, 0, NULL, &stale, 1, &content, 0);

    assert_ok(s.err);
    assert_text(f, s.rq.saved_mid, PR_DISPLAY_TO, "Ann; bob@example.org");
    assert_text(f, s.rq.saved_mid, PR_DISPLAY_CC, "Cy");
    assert_text(f, s.rq.saved_mid, PR_DISPLAY_BCC, "");
    /* Of a message to nobody what was set stays. */
    s = save(f, 0, NULL, &stale, 1, NULL, 0);
    assert_ok(s.err);
    assert_text(f, s.rq.saved_mid, PR_DISPLAY_TO, "stale");
    assert_text(f, s.rq.saved_mid, PR_DISPLAY_CC, "");
}

static void a_long_list_of_recipients_is_shown_whole(void **state)
{
    struct fixture *f = *state;
    enum { N = 300 };
    struct store_prop props[] = {number_prop(PR_RECIPIENT_TYPE, 1),
                                 text_prop(PR_DISPLAY_NAME, "Somebody of that name")};
    struct store_props recipients[N];
    struct store_content content = {.recipients = recipients, .n_recipients = N};

    for (int i = 0; i < N; i++)
        recipients[i] = (struct store_props){props, 2};
    struct saved s = save(f, 0, NULL, NULL, 0, &content, 0);

    assert_ok(s.err);
    struct store_prop shown = get(f, s.rq.saved_mid, PR_DISPLAY_TO);
    assert_ok(store_prop_load(f->rd, &shown, 1 << 20, &f->arena));
    assert_int_equal(shown.value.bytes.len, N * 23 - 2);
}

static void a_subject_has_two_parts(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *subject, *prefix, *rest; /* as given; NULL: not */
        const char *want[3];
    } cases[] = {
        {"RE: hi", NULL, NULL, {"RE: hi", "RE: ", "hi"}},
        {"hi", NULL, NULL, {"hi", "", "hi"}},
        {"Odd prefix: hi", "Odd prefix: ", "hi", {"Odd prefix: hi", "Odd prefix: ", "hi"}},
        {"FW: new", "RE: ", "old", {"FW: new", "FW: ", "new"}},
        {NULL, "RE: ", "hi", {"RE: hi", "RE: ", "hi"}},
        {NULL, NULL, "hi", {"hi", NULL, "hi"}},
        {"hi", NULL, "hi", {"hi", "", "hi"}},
        {NULL, NULL, NULL, {NULL, NULL, NULL}},
    };
    static const uint32_t tags[] = {PR_SUBJECT, PR_SUBJECT_PREFIX, PR_NORMALIZED_SUBJECT};

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *given[] = {cases[i].subject, cases[i].prefix, cases[i].rest};
        struct store_prop_change changes[3];
        size_t n = 0;

        for (size_t k = 0; k < 3; k++)
            if (given[k])
                changes[n++] = (struct store_prop_change){.prop = text_prop(tags[k], given[k])};
        struct saved s = save(f, 0, NULL, changes, n, NULL, 0);

        assert_ok(s.err);
        for (size_t k = 0; k < 3; k++) {
            struct store_prop prop;

            if (cases[i].want[k])
                assert_text(f, s.rq.saved_mid, tags[k], cases[i].want[k]);
            else
                assert_code(store_object_get(open_object(f, s.rq.saved_mid), tags[k], &prop),
                            ERR_NOT_FOUND);
        }
    }
}

/* ---- who makes it ready ---- */

static void (*prepare_for_real)(struct store_op *op);
static pthread_t prepared_on;

static void prepare_and_tell_where(struct store_op *op)
{
    prepared_on = pthread_self();
    prepare_for_real(op);
}

/* Save a body of so many bytes; was it made ready by this thread? */
static bool is_made_ready_here(struct fixture *f, size_t bytes)
{
    struct buf body = buf_make(SIZE_MAX);
    struct store_save_message rq;

    while (body.len < bytes)
        buf_puts(&body, "Sixteen letters.");
    struct store_prop_change change = {.prop = {.tag = PR_BODY, .value.bytes = buf_slice(&body)}};

    unread(f);
    store_save_message_init(&rq);
    rq.fid = SPECIAL_DRAFTS;
    rq.changes = &change;
    rq.n = 1;
    prepare_for_real = rq.op.prepare;
    rq.op.prepare = prepare_and_tell_where;
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_int_equal(get(f, rq.saved_mid, PR_BODY).len,
                     body.len > STORE_PROP_INLINE ? body.len : 0);
    buf_done(&body);
    return pthread_equal(prepared_on, pthread_self());
}

/* The thread that asks has other sessions to see to. */
static void a_large_message_is_made_ready_by_another_thread(void **state)
{
    assert_true(is_made_ready_here(*state, 1000));
    assert_true(is_made_ready_here(*state, STORE_PREPARE_INLINE));
    assert_false(is_made_ready_here(*state, STORE_PREPARE_INLINE + 1));
    assert_false(is_made_ready_here(*state, 4 << 20));
}

int main(void)
{
#define IN_A_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_A_BED(a_message_of_properties_is_read_back_whole),
        IN_A_BED(nothing_is_derived_of_the_bytes),
        IN_A_BED(a_large_message_is_made_ready_by_another_thread),
        IN_A_BED(a_delivered_message_has_what_is_derived),
        IN_A_BED(a_replaced_message_keeps_its_mid_and_gets_a_new_uid),
        IN_A_BED(what_a_message_refers_to_is_let_go_with_it),
        IN_A_BED(a_message_is_saved_again_with_the_blobs_that_it_has),
        IN_A_BED(the_bytes_are_made_of_the_properties),
        IN_A_BED(state_that_is_set_later_leaves_the_content_alone),
        IN_A_BED(a_save_is_refused_whole),
        IN_A_BED(a_full_mailbox_takes_no_longer_message),
        IN_A_BED(the_names_of_recipients_are_shown),
        IN_A_BED(a_long_list_of_recipients_is_shown_whole),
        IN_A_BED(a_subject_has_two_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
