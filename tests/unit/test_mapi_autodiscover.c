/* Autodiscover ([MS-OXDSCLI]): what a client sends and gets, and what is refused. */
#include "protocols/mapi/mapi.h"
#include "tests/support/session_fixture.h"

static struct fixture *fx;
static struct fixture_session *fs;

static struct err find(struct mapi_directory *self, struct slice name, struct arena *in,
                       struct mapi_person *out)
{
    (void)self, (void)in;
    if (!slice_eq(name, S("alice@example.org")) && !slice_eq(name, S("alice")))
        return ERR(ERR_NOT_FOUND, "nobody");
    *out = (struct mapi_person){.identity = S("alice"),
                                .display_name = S("Alice <&> \"A\""),
                                .address = S("alice@example.org"),
                                .mailbox_id = 1001};
    return OK;
}

static struct mapi_directory directory = {.find = find};

static int set_up_at(const char *base_url)
{
    fx = fixture_new();
    mapi_free(fx->mapi);
    fx->mapi = mapi_new(
        &(struct mapi_config){.store = fx->store, .directory = &directory, .base_url = base_url});
    fs = fixture_connect(fx, mapi_session_new, AUTH_MAPI);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_at(NULL);
}

static int set_up_with_url(void **state)
{
    (void)state;
    return set_up_at("https://mail.example.org");
}

static int tear_down(void **state)
{
    (void)state;
    fixture_session_free(fs);
    fixture_free(fx);
    return 0;
}

static bool has(struct slice text, const char *part)
{
    return slice_find(text, slice_str(part)) < text.len;
}

static struct slice post(const char *headers, struct slice body)
{
    struct buf rq = buf_make(1 << 20);

    buf_printf(&rq,
               "POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: here:1443\r\n"
               "Authorization: Basic YWxpY2U6Z2F0ZXBvc3Q=\r\nContent-Type: text/xml\r\n%s"
               "Content-Length: %zu\r\n\r\n",
               headers, body.len);
    buf_put(&rq, body);
    struct slice got = fixture_say_bytes(fs, buf_slice(&rq));
    buf_done(&rq);
    return got;
}

#define NS "http://schemas.microsoft.com/exchange/autodiscover/outlook/"
#define REQUEST(fields)                                                                            \
    "<?xml version=\"1.0\"?><Autodiscover xmlns=\"" NS "requestschema/2006\"><Request>" fields     \
    "</Request></Autodiscover>"
#define SCHEMA "<AcceptableResponseSchema>" NS "responseschema/2006a</AcceptableResponseSchema>"

static void an_address_gives_both_doors(void **state)
{
    (void)state;
    struct slice got = post("X-MapiHttpCapability: 1\r\n",
                            S(REQUEST("<EMailAddress> alice@example.org </EMailAddress>" SCHEMA)));

    assert_true(slice_starts(got, S("HTTP/1.1 200 ")));
    assert_true(has(got, "Content-Type: text/xml; charset=utf-8\r\n"));
    assert_true(has(got, "<DisplayName>Alice &lt;&amp;&gt; &quot;A&quot;</DisplayName>"));
    assert_true(has(got, "<LegacyDN>/o=Gatepost/ou=Exchange Administrative Group "
                         "(FYDIBOHF23SPDLT)/cn=Recipients/cn=alice</LegacyDN>"));
    assert_true(has(got, "<Protocol Type=\"mapiHttp\" Version=\"1\">"));
    assert_true(has(got, "<MailStore>\r\n<InternalUrl>http://here:1443/mapi/emsmdb/?MailboxId="
                         "00000000-0000-03e9-8000-000000000000@example.org</InternalUrl>"));
    assert_true(has(got, "<AddressBook>\r\n<InternalUrl>http://here:1443/mapi/nspi/?MailboxId="));
}

static void a_configured_url_goes_before_what_was_asked(void **state)
{
    (void)state;
    assert_true(has(post("X-MapiHttpCapability: 2\r\n",
                         S(REQUEST("<LegacyDN>/o=X/cn=Recipients/cn=alice</LegacyDN>" SCHEMA))),
                    "<InternalUrl>https://mail.example.org/mapi/emsmdb/?MailboxId="));
}

static void a_client_without_the_capability_gets_no_door(void **state)
{
    (void)state;
    struct slice got =
        post("", S(REQUEST("<EMailAddress>alice@example.org</EMailAddress>" SCHEMA)));

    assert_true(has(got, "<Action>settings</Action>"));
    assert_false(has(got, "mapiHttp"));
}

static void errors_have_their_codes(void **state)
{
    (void)state;
    assert_true(has(post("", S(REQUEST("<EMailAddress>eve@example.org</EMailAddress>" SCHEMA))),
                    "<ErrorCode>500</ErrorCode>"));
    assert_true(has(post("", S(REQUEST("<EMailAddress>alice@example.org</EMailAddress>"
                                       "<AcceptableResponseSchema>x</AcceptableResponseSchema>"))),
                    "<ErrorCode>601</ErrorCode>"));
    assert_true(has(post("", S("<Autodiscover/>")), "<ErrorCode>600</ErrorCode>"));
    assert_true(has(post("", S("")), "<ErrorCode>600</ErrorCode>"));
}

static void hostile_xml_is_no_request(void **state)
{
    struct buf deep = buf_make(1 << 20), big = buf_make(1 << 20);

    (void)state;
    assert_true(has(post("", S("<!DOCTYPE a [<!ENTITY b \"alice@example.org\">]>" REQUEST(
                                 "<EMailAddress>&b;</EMailAddress>" SCHEMA))),
                    "<ErrorCode>600</ErrorCode>"));
    assert_true(has(post("", S("<!DOCTYPE a SYSTEM \"file:///etc/passwd\">" REQUEST(
                                 "<EMailAddress>alice@example.org</EMailAddress>" SCHEMA))),
                    "<ErrorCode>600</ErrorCode>"));
    for (int i = 0; i < 10000; i++)
        buf_puts(&deep, "<a>");
    assert_true(has(post("", buf_slice(&deep)), "<ErrorCode>600</ErrorCode>"));
    buf_puts(&big, "<?xml version=\"1.0\"?><Autodiscover xmlns=\"" NS "requestschema/2006\">"
                   "<Request><EMailAddress>");
    for (int i = 0; i < 2000; i++)
        buf_putc(&big, 'a');
    assert_true(has(post("", buf_slice(&big)), "<ErrorCode>600</ErrorCode>"));
    for (int i = 0; i < 70000; i++)
        buf_putc(&big, 'a');
    assert_true(slice_starts(post("", buf_slice(&big)), S("HTTP/1.1 413 ")));
    buf_done(&deep);
    buf_done(&big);
}

static void nobody_asks_without_a_log_on(void **state)
{
    (void)state;
    assert_true(slice_starts(fixture_say(fs, "POST /autodiscover/autodiscover.xml HTTP/1.1\r\n"
                                             "Host: x\r\nContent-Length: 0\r\n\r\n"),
                             S("HTTP/1.1 401 ")));
}

static void json_says_where_the_xml_is(void **state)
{
    (void)state;
    assert_true(has(fixture_say(fs, "GET /autodiscover/autodiscover.json?Email=a%40b&"
                                    "Protocol=AutodiscoverV1 HTTP/1.1\r\nHost: here\r\n\r\n"),
                    "{\"Protocol\":\"AutodiscoverV1\",\"Url\":"
                    "\"http://here/autodiscover/autodiscover.xml\"}"));
    struct slice got =
        fixture_say(fs, "GET /autodiscover/autodiscover.json/v1.0/a@b?Protocol=EWS HTTP/1.1\r\n"
                        "Host: here\r\n\r\n");
    assert_true(slice_starts(got, S("HTTP/1.1 400 ")) && has(got, "\"ProtocolNotSupported\""));
    got = fixture_say(fs, "GET /autodiscover/autodiscover.json HTTP/1.1\r\nHost: here\r\n\r\n");
    assert_true(slice_starts(got, S("HTTP/1.1 400 ")) && has(got, "\"MissingProtocol\""));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_address_gives_both_doors),
        cmocka_unit_test_setup_teardown(a_configured_url_goes_before_what_was_asked,
                                        set_up_with_url, tear_down),
        TEST(a_client_without_the_capability_gets_no_door),
        TEST(errors_have_their_codes),
        TEST(hostile_xml_is_no_request),
        TEST(nobody_asks_without_a_log_on),
        TEST(json_says_where_the_xml_is),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
