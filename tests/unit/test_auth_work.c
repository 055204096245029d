/*
 * What the check of a secret costs must not tell whether the name exists. No time is measured:
 * rounds of PBKDF2 and questions to the source of accounts are what it is made of.
 */
#include "tests/support/auth_fixture.h"

#include <dlfcn.h>
#include <openssl/evp.h>

#include "tests/support/scram_client.h"

struct work {
    unsigned long rounds, lookups, nears;
};

static struct work done;

typedef int pbkdf2(const char *, int, const unsigned char *, int, int, const EVP_MD *, int,
                   unsigned char *);

/* In front of OpenSSL's, which it calls. */
int PKCS5_PBKDF2_HMAC(const char *pass, int passlen, const unsigned char *salt, int saltlen,
                      int iter, const EVP_MD *digest, int keylen, unsigned char *out)
{
    static pbkdf2 *real;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "PKCS5_PBKDF2_HMAC");
    done.rounds += (unsigned long)iter;
    return real(pass, passlen, salt, saltlen, iter, digest, keylen, out);
}

/* The fixture's source, counted. */
static struct auth_source fixtures;

static struct err counted_lookup(struct auth_source *source, struct slice name, struct arena *in,
                                 struct auth_account *out)
{
    done.lookups++;
    return fixtures.lookup(source, name, in, out);
}

static struct err counted_near(struct auth_source *source, const uint8_t point[8], struct arena *in,
                               struct auth_account *out)
{
    unsigned long lookups = done.lookups;
    struct err e = fixtures.near(source, point, in, out);

    done.lookups = lookups;
    done.nears++;
    return e;
}

static void count(struct fixture *f)
{
    fixtures = f->source;
    f->source.lookup = counted_lookup;
    f->source.near = counted_near;
}

static struct work work_of_password(struct fixture *f, const char *name)
{
    done = (struct work){0};
    assert_int_not_equal(fixture_password(f, slice_str(name), S("wrong")), AUTH_OK);
    return done;
}

static struct work work_of_scram(struct fixture *f, const char *name)
{
    struct scram_client c = {
        .mechanism = "SCRAM-SHA-256", .header = "n,,", .name = name, .secret = "wrong"};

    done = (struct work){0};
    assert_int_not_equal(scram_log_on(f, &c), AUTH_OK);
    return done;
}

static void a_name_that_exists_costs_what_a_strangers_does(void **state)
{
    struct fixture *f = *state;
    static const char *const forms[] = {"%s",           "%s@example.org", "%s@example.net",
                                        "%s@elsewhere", "EXAMPLE\\%s",    "EXAMPLE/%s",
                                        "OTHER\\%s",    "%s\\%s"};
    static const char *const names[] = {"alice", "bob", "dora", "ed", "fay", "nora", "root"};

    count(f);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char text[64];

        snprintf(text, sizeof text, forms[i], "nobody", "nobody");
        struct work password = work_of_password(f, text), scram = work_of_scram(f, text);
        assert_int_equal(password.rounds, 4096);
        assert_int_equal(password.nears, 1);
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            snprintf(text, sizeof text, forms[i], names[k], names[k]);
            struct work w = work_of_password(f, text);
            assert_memory_equal(&w, &password, sizeof w);
            w = work_of_scram(f, text);
            assert_memory_equal(&w, &scram, sizeof w);
        }
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_name_that_exists_costs_what_a_strangers_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
