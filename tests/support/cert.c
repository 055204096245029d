#include "tests/support/cert.h"

#include "tests/support/test.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static char *path_of(const char *dir, const char *host, const char *suffix)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s.%s", dir, host, suffix);
    return mem_str(path);
}

static void add_name(X509 *x509, const char *host)
{
    X509_NAME *name = X509_get_subject_name(x509);
    char text[300];
    X509V3_CTX ctx;

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)host, -1, -1, 0);
    X509_set_issuer_name(x509, name);
    snprintf(text, sizeof text, "DNS:%s", host);
    X509V3_set_ctx(&ctx, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, text);
    assert_non_null(san);
    X509_add_ext(x509, san, -1);
    X509_EXTENSION_free(san);
}

struct test_cert test_cert_new(const char *dir, const char *host, long from_days, long to_days)
{
    struct test_cert cert = {path_of(dir, host, "crt"), path_of(dir, host, "key")};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    FILE *file;

    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), from_days * 86400);
    X509_gmtime_adj(X509_getm_notAfter(x509), to_days * 86400);
    X509_set_pubkey(x509, key);
    add_name(x509, host);
    assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
    assert_non_null(file = fopen(cert.certificate, "w"));
    PEM_write_X509(file, x509);
    fclose(file);
    assert_non_null(file = fopen(cert.key, "w"));
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(x509);
    EVP_PKEY_free(key);
    return cert;
}

void test_cert_free(struct test_cert *cert)
{
    free(cert->certificate);
    free(cert->key);
}
