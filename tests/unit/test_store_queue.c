/* test_store_queue.c - outgoing mail is kept until it is taken out, and counted with what it refers
 * to. */
#include "store/queue.h"

#include "tests/support/session_fixture.h"

static struct store_prepared *prepared_of(struct fixture *fx, const char *text)
{
    struct store_spool *spool = store_spool_new(fx->store);
    struct store_prepared *prepared;

    assert_ok(store_spool_put(spool, slice_str(text)));
    assert_ok(store_prepare(fx->store, spool, &prepared));
    return prepared;
}

static struct queue_entry entry_of(struct queue_recipient *recipients, size_t n, uint64_t mid,
                                   uint64_t due)
{
    return (struct queue_entry){
        .owner = S("alice"),
        .sender = S("alice@here.test"),
        .mailbox_id = FIXTURE_ALICE,
        .fid = 5,
        .mid = mid,
        .to = 6,
        .created = 1000,
        .since = 1000,
        .due = due,
        .recipients = recipients,
        .n_recipients = n,
    };
}

static uint64_t add(struct fixture *fx, uint64_t mid, uint64_t due)
{
    struct queue_recipient recipients[] = {{.address = S("a@x.test")}, {.address = S("b@x.test")}};
    struct queue_entry entry = entry_of(recipients, 2, mid, due);
    struct store_prepared *prepared = prepared_of(fx, "Subject: x\r\n\r\nx\r\n");

    assert_ok(store_queue_add(fx->store, &entry, prepared));
    store_prepared_free(prepared);
    return entry.id;
}

static void finding(void *ctx, const char *text)
{
    (void)ctx;
    print_error("%s\n", text);
}

static void assert_sound(struct fixture *fx)
{
    struct store_verify_report report;

    assert_ok(store_verify(fx->store, finding, NULL, &report));
    assert_int_equal(report.faults, 0);
}

static void what_is_put_in_comes_out_as_it_was(void **state)
{
    struct fixture *fx = fixture_new();
    struct arena arena = ARENA_INIT;
    struct queue_entry e;
    struct slice bytes;
    uint64_t id = add(fx, 42, 2000), n, oldest;

    (void)state;
    assert_ok(store_queue_get(fx->store, id, &arena, &e));
    assert_int_equal(e.id, id);
    assert_slice(e.owner, "alice");
    assert_slice(e.sender, "alice@here.test");
    assert_int_equal(e.mailbox_id, FIXTURE_ALICE);
    assert_int_equal(e.fid, 5);
    assert_int_equal(e.mid, 42);
    assert_int_equal(e.to, 6);
    assert_int_equal(e.n_recipients, 2);
    assert_slice(e.recipients[1].address, "b@x.test");
    assert_int_equal(e.recipients[1].state, QUEUE_WAITS);
    assert_ok(store_queue_bytes(fx->store, &e, &arena, &bytes));
    assert_slice(bytes, "Subject: x\r\n\r\nx\r\n");
    assert_ok(store_queue_count(fx->store, &n, &oldest));
    assert_int_equal(n, 1);
    assert_int_equal(oldest, 1000);
    assert_sound(fx);
    assert_ok(store_queue_remove(fx->store, id));
    assert_code(store_queue_get(fx->store, id, &arena, &e), ERR_NOT_FOUND);
    assert_code(store_queue_find(fx->store, FIXTURE_ALICE, 42, &arena, &e), ERR_NOT_FOUND);
    assert_code(store_queue_remove(fx->store, id), ERR_NOT_FOUND);
    assert_sound(fx);
    arena_done(&arena);
    fixture_free(fx);
}

/* Those of one message are one; ids are never given twice. */
static void a_message_is_in_the_queue_once(void **state)
{
    struct fixture *fx = fixture_new();
    struct arena arena = ARENA_INIT;
    struct queue_recipient to = {.address = S("a@x.test")};
    struct queue_entry again = entry_of(&to, 1, 42, 1), e;
    struct store_prepared *prepared = prepared_of(fx, "Subject: y\r\n\r\n");
    uint64_t first = add(fx, 42, 2000), second = add(fx, 43, 2000), third = add(fx, 0, 2000);

    (void)state;
    assert_true(first != second && second != third && first != third);
    assert_code(store_queue_add(fx->store, &again, prepared), ERR_EXISTS);
    assert_ok(store_queue_find(fx->store, FIXTURE_ALICE, 42, &arena, &e));
    assert_int_equal(e.id, first);
    e.mid = 0; /* it is filed: its MID is nobody's */
    assert_ok(store_queue_update(fx->store, &e));
    assert_code(store_queue_find(fx->store, FIXTURE_ALICE, 42, &arena, &e), ERR_NOT_FOUND);
    assert_ok(store_queue_add(fx->store, &again, prepared));
    assert_sound(fx);
    store_prepared_free(prepared);
    arena_done(&arena);
    fixture_free(fx);
}

/* Who changes when it is tried may have read it long before: nobody is sent it twice for that. */
static void another_time_changes_no_result(void **state)
{
    struct fixture *fx = fixture_new();
    struct arena arena = ARENA_INIT;
    struct queue_entry e;
    uint64_t id = add(fx, 7, 2000), due = 0, found = 0;
    const struct queue_times times = {.since = 1500, .due = 4000, .locked_until = 4000};

    (void)state;
    assert_ok(store_queue_get(fx->store, id, &arena, &e));
    e.recipients[0].state = QUEUE_SENT;
    e.mid = 0;
    assert_ok(store_queue_update(fx->store, &e));
    assert_ok(store_queue_reschedule(fx->store, id, &times));
    assert_ok(store_queue_get(fx->store, id, &arena, &e));
    assert_int_equal(e.recipients[0].state, QUEUE_SENT);
    assert_int_equal(e.recipients[1].state, QUEUE_WAITS);
    assert_int_equal(e.mid, 0);
    assert_int_equal(e.since, 1500);
    assert_int_equal(e.locked_until, 4000);
    assert_ok(store_queue_due(fx->store, &due, &found));
    assert_int_equal(due, 4000);
    assert_int_equal(found, id);
    assert_code(store_queue_due(fx->store, &due, &found), ERR_NOT_FOUND);
    assert_ok(store_queue_remove(fx->store, id));
    assert_code(store_queue_reschedule(fx->store, id, &times), ERR_NOT_FOUND);
    assert_sound(fx);
    arena_done(&arena);
    fixture_free(fx);
}

static void they_are_due_in_the_order_of_their_times(void **state)
{
    struct fixture *fx = fixture_new();
    struct arena arena = ARENA_INIT;
    struct queue_entry e;
    uint64_t late = add(fx, 1, 3000), soon = add(fx, 2, 2000), due = 0, id = 0;

    (void)state;
    assert_ok(store_queue_due(fx->store, &due, &id));
    assert_int_equal(id, soon);
    assert_int_equal(due, 2000);
    assert_ok(store_queue_due(fx->store, &due, &id));
    assert_int_equal(id, late);
    assert_code(store_queue_due(fx->store, &due, &id), ERR_NOT_FOUND);
    assert_ok(store_queue_get(fx->store, soon, &arena, &e));
    e.due = 4000;
    e.attempts = 3;
    e.recipients[0].state = QUEUE_SENT;
    e.recipients[0].told = true;
    e.recipients[1].reply = S("450 later");
    assert_ok(store_queue_update(fx->store, &e));
    due = id = 0;
    assert_ok(store_queue_due(fx->store, &due, &id));
    assert_int_equal(id, late);
    assert_ok(store_queue_next(fx->store, soon - 1, &arena, &e));
    assert_int_equal(e.attempts, 3);
    assert_int_equal(e.recipients[0].state, QUEUE_SENT);
    assert_true(e.recipients[0].told);
    assert_slice(e.recipients[1].reply, "450 later");
    assert_int_equal(e.recipients[1].state, QUEUE_WAITS);
    arena_done(&arena);
    fixture_free(fx);
}

/* The longest envelope, with the longest replies, fits. */
static void a_thousand_recipients_fit(void **state)
{
    enum { N = QUEUE_MAX_RECIPIENTS };
    struct fixture *fx = fixture_new();
    struct arena arena = ARENA_INIT;
    struct queue_recipient *to = arena_array(&arena, N + 1, sizeof *to);
    struct queue_entry entry = entry_of(to, N, 1, 1);
    struct store_prepared *prepared = prepared_of(fx, "Subject: y\r\n\r\n");
    char address[QUEUE_ADDRESS_MAX], reply[QUEUE_REPLY_MAX];

    (void)state;
    memset(address, 'a', sizeof address);
    memset(reply, 'r', sizeof reply);
    for (size_t i = 0; i < N; i++)
        to[i] = (struct queue_recipient){.address = slice_of(address, sizeof address),
                                         .reply = slice_of(reply, sizeof reply)};
    assert_ok(store_queue_add(fx->store, &entry, prepared));
    assert_ok(store_queue_get(fx->store, entry.id, &arena, &entry));
    assert_int_equal(entry.n_recipients, N);
    entry.n_recipients = N + 1;
    assert_code(store_queue_add(fx->store, &entry, prepared), ERR_LIMIT);
    store_prepared_free(prepared);
    arena_done(&arena);
    fixture_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_in_comes_out_as_it_was),
        cmocka_unit_test(a_message_is_in_the_queue_once),
        cmocka_unit_test(another_time_changes_no_result),
        cmocka_unit_test(they_are_due_in_the_order_of_their_times),
        cmocka_unit_test(a_thousand_recipients_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
