/* cert.h - certificates made on the spot, for tests of TLS. */
#ifndef GATEPOST_TESTS_SUPPORT_CERT_H
#define GATEPOST_TESTS_SUPPORT_CERT_H

struct test_cert {
    char *certificate, *key; /* paths of PEM files */
};

/*
 * A self-signed P-256 certificate for `host`, in dir/host.crt and dir/host.key. Valid from
 * `from_days` (negative: in the past) to `to_days` from now.
 */
struct test_cert test_cert_new(const char *dir, const char *host, long from_days, long to_days);
void test_cert_free(struct test_cert *cert);

#endif
