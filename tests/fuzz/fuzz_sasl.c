/*
 * fuzz_sasl.c - whatever a client sends in AUTH, there is one verdict and one record.
 *
 * First byte: low bits the mechanism, then the transport, whether the lines are given as they are
 * or encoded for the fuzzer, so that it need not find out what base64 is, and whether the client
 * has a certificate. Then lines, by LF; the first one is the initial response, and "-" there is
 * none.
 */
#include <jansson.h>

#include "tests/support/auth_fixture.h"

#include "base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fixture *fixture;

static struct fixture *the_fixture(void)
{
    if (!fixture) {
        fixture = auth_fixture_new();
        fixture->config.inline_steps = true;
        fixture->config.legacy_charset = "latin1";
        fixture->config.master_separator = "*";
        fixture_start(fixture);
    }
    return fixture;
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct slice as_sent(struct slice line, bool encode, struct buf *out)
{
    buf_clear(out);
    if (!encode)
        return line;
    base64_encode(line, out);
    return buf_slice(out);
}

static void check_record(struct fixture *f)
{
    json_error_t error;

    must(f->n_records == 1);
    json_t *record = json_loads(f->records[0].line, JSON_ALLOW_NUL, &error);
    must(record != NULL);
    json_decref(record);
    fixture_forget_records(f);
    f->log_len = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[8] = {"PLAIN",
                                         "LOGIN",
                                         "SCRAM-SHA-256",
                                         "SCRAM-SHA-1",
                                         "SCRAM-SHA-256-PLUS",
                                         "SCRAM-SHA-1-PLUS",
                                         "EXTERNAL",
                                         ""};
    struct fixture *f = the_fixture();
    struct buf coded = buf_make(SIZE_MAX / 2);
    struct slice rest = slice_of(data, size);
    uint8_t how = size ? data[0] : 0;
    bool encode = how & 0x20;

    rest = slice_from(rest, 1);
    f->peer.tls = how & 0x08;
    f->peer.plaintext_ok = how & 0x10;
    if (f->peer.tls)
        fixture_use_tls(f);
    f->peer.certificate_name = how & 0x40 ? S("root") : SLICE_EMPTY;
    struct auth_attempt *a = fixture_begin(f);
    struct slice line = slice_cut(&rest, '\n');
    bool absent = slice_eq(line, S("-"));
    struct slice initial = as_sent(line, encode, &coded);
    enum auth_state state = fixture_send_initial(f, a, names[how & 7], absent ? NULL : &initial);
    for (int lines = 0; state == AUTH_CHALLENGE && (rest.len || lines < 2); lines++) {
        must(slice_is_ascii(auth_attempt_challenge(a)));
        line = slice_cut(&rest, '\n');
        state = fixture_send(f, a, as_sent(line, encode, &coded));
        must(lines < 20);
    }
    auth_attempt_free(a);
    check_record(f);
    buf_done(&coded);
    return 0;
}
