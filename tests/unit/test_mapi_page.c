/* test_mapi_page.c - docs/protocols/mapi.md has every operation, and says of each whether it is
 * served. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/mapi.h"

static const char path[] = "docs/protocols/mapi.md";
#define BEGIN "<!-- made by tests/unit/test_mapi_page.c: run it with GATEPOST_WRITE_PAGE=1 -->\n"
#define END "<!-- end -->\n"

static void read_page(struct buf *out)
{
    FILE *f = fopen(path, "r");
    char piece[4096];
    size_t n;

    assert_non_null(f);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_put(out, slice_of(piece, n));
    fclose(f);
}

static void put_fields(struct buf *out, const struct rop_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i ? ", " : "", fields[i].name);
    if (n == 0)
        buf_puts(out, "–");
}

static const char *state_of(const struct mapi *mapi, const struct rop_def *def)
{
    const struct rop_handler *h = mapi->handlers[def->id];

    if (def->id == ROP_Release)
        return "";
    if (!h || h->run == mapi_not_served)
        return "not served (ecNotImplemented)";
    return h->run == mapi_refused ? "refused (ecNotSupported)" : "";
}

static void put_table(const struct mapi *mapi, struct buf *out)
{
    buf_puts(
        out,
        "| id | operation | [MS-OXCROPS] | request | response | |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < rop_n_defs; i++) {
        const struct rop_def *def = &rop_defs[i];

        buf_printf(out, "| 0x%02X | %s | %s | ", def->id, def->name, def->section);
        put_fields(out, def->request, def->n_request);
        buf_puts(out, " | ");
        put_fields(out, def->response, def->n_response);
        buf_printf(out, " | %s |\n", state_of(mapi, def));
    }
}

static void write_page(struct slice before, struct slice table, struct slice after)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fprintf(f, "%.*s%.*s%.*s", SLICE_ARG(before), SLICE_ARG(table), SLICE_ARG(after));
    assert_int_equal(fclose(f), 0);
}

static void test_the_page_has_every_operation(void **state)
{
    struct mapi *mapi = mapi_new(&(struct mapi_config){0});
    struct buf page = buf_make(1 << 20), table = buf_make(1 << 20);

    (void)state;
    read_page(&page);
    put_table(mapi, &table);
    struct slice all = buf_slice(&page);
    size_t begin = slice_find(all, S(BEGIN)) + strlen(BEGIN), end = slice_find(all, S(END));
    assert_true(begin < all.len && end < all.len && begin <= end);
    struct slice there = slice_sub(all, begin, end - begin);
    if (getenv("GATEPOST_WRITE_PAGE"))
        write_page(slice_head(all, begin), buf_slice(&table), slice_from(all, end));
    else if (!slice_eq(there, buf_slice(&table)))
        fail_msg("%s does not have the table of operations as it is: %s", path, END);
    buf_done(&page);
    buf_done(&table);
    mapi_free(mapi);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_page_has_every_operation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
