"""One credential, every door: the same bytes as name and secret get one verdict, and leave exactly one
record, whether they come by USER/PASS, AUTH, LOGIN (atom, quoted, literal, literal+), AUTHENTICATE
(with and without initial response) or HTTP's Basic. The cases are those in which other servers' doors disagree."""
import base64
import contextlib

import pytest

import gate as gates

SECRETS = {
    "plain": b"secret",
    "leading blank": b" secret",
    "trailing blank": b"secret ",
    "inner blanks": b"se  cret x",
    "only blanks": b"   ",
    "quote": b'se"cret',
    "backslashes": b"se\\cret\\\\",
    "percent and star": b"100%*s%n",
    "braces": b"{5}secret{3+}",
    "parentheses": b"(secret)",
    "long": b"x" * 900,
    "past 256": b"y" * 300,
    "utf-8": "pässwörd€😀".encode(),
    "dot": b".",
    "starts with plus": b"+secret",
}
NAMES = ["alice", "ALICE", "alice@example.org", "CORP\\alice", "CORP/alice", "CORP\\alice\\ali",
         "CORP/alice/ali", "ali"]


def b64(data):
    return base64.b64encode(data)


def quoted(data):
    return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def literal(data, plus=False):
    return b"{%d%s}\r\n%s" % (len(data), b"+" if plus else b"", data)


# ---- the doors: each returns "ok", "auth" (refused), or another word for another answer ----

def pop3_word(line):
    if line.startswith(b"+OK"):
        return "ok"
    return "auth" if line.startswith(b"-ERR [AUTH]") else line.decode()


def by_user_pass(g, name, secret, listener="pop3", tls=False):
    with g.raw(listener, tls) as c:
        c.line()
        assert c.cmd(b"USER " + name).startswith(b"+OK")
        return pop3_word(c.cmd(b"PASS " + secret))


def by_pop3_plain(initial):
    def door(g, name, secret):
        with g.raw("pop3s", True) as c:
            c.line()
            response = b64(b"\0" + name + b"\0" + secret)
            # An initial response that makes the line longer than 255 octets goes in a turn of its own
            # (RFC 5034 4).
            if initial and len(response) < 240:
                return pop3_word(c.cmd(b"AUTH PLAIN " + response))
            assert c.cmd("AUTH PLAIN") == b"+ "
            return pop3_word(c.cmd(response))
    return door


def by_pop3_login(g, name, secret):
    with g.raw("pop3s", True) as c:
        c.line()
        assert c.cmd("AUTH LOGIN").startswith(b"+ ")
        assert c.cmd(b64(name)).startswith(b"+ ")
        return pop3_word(c.cmd(b64(secret)))


def imap_word(status, line):
    if status == "OK":
        return "ok"
    return "auth" if b"NO [AUTHENTICATIONFAILED]" in line else line.decode()


def by_imap_login(form):
    def door(g, name, secret):
        with g.raw("imaps", True) as c:
            c.line()
            if form == "literal":
                c.send(b"a1 LOGIN {%d}\r\n" % len(name))
                assert c.line().startswith(b"+")
                c.send(name + b" {%d}\r\n" % len(secret))
                assert c.line().startswith(b"+")
                c.send(secret + b"\r\n")
                return imap_word(*c.imap_answer()[:2])
            if form == "literal+":
                return imap_word(*c.imap(b"LOGIN " + literal(name, True) + b" " + literal(secret, True))[:2])
            return imap_word(*c.imap(b"LOGIN " + quoted(name) + b" " + quoted(secret))[:2])
    return door


def by_imap_plain(initial):
    def door(g, name, secret):
        with g.raw("imaps", True) as c:
            c.line()
            response = b64(b"\0" + name + b"\0" + secret)
            if initial:
                return imap_word(*c.imap(b"AUTHENTICATE PLAIN " + response)[:2])
            c.send("a1 AUTHENTICATE PLAIN\r\n")
            assert c.line() == b"+ "
            c.send(response + b"\r\n")
            return imap_word(*c.imap_answer()[:2])
    return door


def by_imap_login_mechanism(g, name, secret):
    with g.raw("imaps", True) as c:
        c.line()
        c.send("a1 AUTHENTICATE LOGIN\r\n")
        assert c.line().startswith(b"+ ")
        c.send(b64(name) + b"\r\n")
        assert c.line().startswith(b"+ ")
        c.send(b64(secret) + b"\r\n")
        return imap_word(*c.imap_answer()[:2])


def by_basic(g, name, secret):
    with g.raw("opss", True) as c:
        c.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
               b"Authorization: Basic " + b64(name + b":" + secret) + b"\r\n\r\n")
        status = c.rest().split()[1].decode()
        return {"200": "ok", "401": "auth"}.get(status, status)


DOORS = {
    "USER/PASS": by_user_pass,
    "USER/PASS, TLS": lambda g, n, s: by_user_pass(g, n, s, "pop3s", True),
    "AUTH PLAIN, initial": by_pop3_plain(True),
    "AUTH PLAIN": by_pop3_plain(False),
    "AUTH LOGIN": by_pop3_login,
    "LOGIN quoted": by_imap_login("quoted"),
    "LOGIN literal": by_imap_login("literal"),
    "LOGIN literal+": by_imap_login("literal+"),
    "AUTHENTICATE PLAIN, initial": by_imap_plain(True),
    "AUTHENTICATE PLAIN": by_imap_plain(False),
    "AUTHENTICATE LOGIN": by_imap_login_mechanism,
    "Basic": by_basic,
}


class ParityGate(gates.Gate):
    LISTENERS = {**gates.Gate.LISTENERS, "opss": ("ops", "implicit", False)}


@pytest.fixture(scope="module")
def parity(tmp_path_factory):
    """All may look at ops but `noops`: so Basic is a door for everybody, as the others are."""
    g = ParityGate(tmp_path_factory.mktemp("parity"), extra="ops { without-logon = {} }")
    g.add_user("alice", "secret", "admin=yes", "nt-domain=CORP", "alias+=ali")
    for i, secret in enumerate(SECRETS.values()):
        g.command("user", "add", f"user{i}", "admin=yes", "--password-stdin", input=secret.decode() + "\n")
    g.add_user("locked", "secret", "admin=yes", "locked=yes")
    g.add_user("expired", "secret", "admin=yes", "expires=2020-01-01")
    g.add_user("nopop", "secret", "admin=yes", "pop3=off")
    g.add_user("noimap", "secret", "admin=yes", "imap=off")
    g.add_user("noops", "secret")
    with g:
        yield g


@contextlib.contextmanager
def one_record(g):
    """What happens inside leaves exactly one record; it is yielded as a list that is filled at the end."""
    before, found = len(g.records()), []
    yield found
    found += g.records()[before:]
    assert len(found) == 1, found


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", SECRETS)
def test_a_right_secret_is_right_at_every_door(parity, kind, door):
    name = b"user%d" % list(SECRETS).index(kind)
    with one_record(parity) as records:
        assert DOORS[door](parity, name, SECRETS[kind]) == "ok"
    assert records[0]["identity"] == name.decode()
    assert (records[0]["reason"], records[0]["event"]) == ("ok", 11301)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("wrong", [b"secre", b"secret ", b" secret", b"SECRET", b"secretx", b"x"])
def test_a_secret_that_nearly_fits_is_wrong_at_every_door(parity, wrong, door):
    with one_record(parity) as records:
        assert DOORS[door](parity, b"alice", wrong) == "auth"
    assert (records[0]["stage"], records[0]["reason"], records[0]["event"]) == \
        ("credential", "wrong-secret", 11310)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", NAMES)
def test_every_form_of_the_name_is_the_same_account(parity, name, door):
    with one_record(parity) as records:
        assert DOORS[door](parity, name.encode(), b"secret") == "ok"
    assert records[0]["identity"] == "alice"
    assert records[0]["name"] == name


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name, reason", [
    ("nobody", "unknown-user"), ("alice@elsewhere.example", "unknown-user"),
    ("OTHER\\alice", "unknown-user"), ("alice.", "unknown-user"), ("alice+x", "unknown-user"),
    ("locked", "locked"),
])
def test_who_may_not_come_in_is_told_the_same_everywhere(parity, name, reason, door):
    with one_record(parity) as records:
        assert DOORS[door](parity, name.encode(), b"secret") == "auth"
    assert (records[0]["reason"], records[0]["event"]) == (reason, 11310)


@pytest.mark.parametrize("door", DOORS)
def test_an_expired_secret_is_told_as_such_when_it_is_right(parity, door):
    with one_record(parity) as records:
        answer = DOORS[door](parity, b"expired", b"secret")
    assert records[0]["reason"] == "expired" and records[0]["event"] == 11311
    assert answer == "auth" or "[EXPIRED]" in answer
    with one_record(parity) as records:
        assert DOORS[door](parity, b"expired", b"wrong") == "auth"
    assert records[0]["reason"] == "wrong-secret"


@pytest.mark.parametrize("door", DOORS)
def test_a_protocol_that_is_off_is_a_policy_and_named(parity, door):
    protocol = "ops" if door == "Basic" else "pop3" if "AUTH " in door or "USER" in door else "imap"
    closed, open_ = {"pop3": (b"nopop", b"noimap"), "imap": (b"noimap", b"nopop"),
                     "ops": (b"noops", b"nopop")}[protocol]
    with one_record(parity) as records:
        answer = DOORS[door](parity, closed, b"secret")
    assert (records[0]["stage"], records[0]["reason"], records[0]["event"]) == \
        ("policy", "protocol-off", 11312)
    assert {"pop3": "auth", "imap": "[AUTHORIZATIONFAILED]", "ops": "403"}[protocol] in answer
    with one_record(parity):
        assert DOORS[door](parity, open_, b"secret") == "ok"


def test_plaintext_without_tls_is_refused_before_the_secret_is_looked_at(parity):
    with one_record(parity) as records, parity.raw("pop3plain") as c:
        c.line()
        c.send("CAPA\r\n")
        assert b"USER\r\n" not in c.lines().splitlines(True)
        answer = c.cmd("USER alice")
        if answer.startswith(b"+OK"):
            answer = c.cmd("PASS secret")
        assert answer.startswith(b"-ERR [SYS/PERM]")
    assert (records[0]["reason"], records[0]["event"]) == ("needs-tls", 11313)
    with one_record(parity) as records, parity.raw("plain") as c:
        assert b"LOGINDISABLED" in c.line() + c.imap("CAPABILITY", "a0")[2]
        status, line, _ = c.imap("LOGIN alice secret")
        assert status == "NO" and b"[PRIVACYREQUIRED]" in line
    assert (records[0]["reason"], records[0]["event"]) == ("needs-tls", 11313)


@pytest.mark.parametrize("tls", [False, True])
def test_nul_and_malformed_base64_are_refused_and_shorten_nothing(parity, tls):
    listener = "imaps" if tls else "imap"
    for response in (b64(b"\0alice\0secret\0x"), b64(b"\0al\0ice\0secret"), b"%%%%", b64(b"\0alice"),
                     b64(b"")):
        with one_record(parity) as records, parity.raw(listener, tls) as c:
            c.line()
            status, line, _ = c.imap(b"AUTHENTICATE PLAIN " + (response or b"="))
            assert status in ("NO", "BAD"), line
        assert records[0]["reason"] != "ok"
    with one_record(parity) as records, parity.raw(listener, tls) as c:
        c.line()
        status, line, _ = c.imap(b"LOGIN alice {7+}\r\nsecret\0")
        assert status in ("NO", "BAD"), line
    assert records[0]["reason"] != "ok"


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_cancelled_exchange_leaves_one_record_and_can_be_repeated(parity, protocol):
    with one_record(parity) as records, parity.raw(protocol + "s", True) as c:
        c.line()
        if protocol == "imap":
            c.send("a1 AUTHENTICATE PLAIN\r\n")
            c.line()
            c.send("*\r\n")
            assert c.imap_answer()[0] == "BAD"
        else:
            c.cmd("AUTH PLAIN")
            assert c.cmd("*").startswith(b"-ERR")
    assert records[0]["reason"] == "cancelled"


def test_three_attempts_are_served_before_the_connection_ends(parity):
    with parity.raw("imaps", True) as c:
        c.line()
        assert c.imap("LOGIN alice wrong1")[0] == "NO"
        assert c.imap("LOGIN alice wrong2")[0] == "NO"
        assert c.imap("LOGIN alice secret")[0] == "OK"
    with parity.raw("pop3s", True) as c:
        c.line()
        for secret in ("wrong1", "wrong2"):
            c.cmd("USER alice")
            assert c.cmd(f"PASS {secret}").startswith(b"-ERR")
        c.cmd("USER alice")
        assert c.cmd("PASS secret").startswith(b"+OK")


def test_a_connection_lost_before_a_verdict_is_event_11103(parity):
    before = len(parity.records())
    with parity.raw("pop3s", True) as c:
        c.line()
        c.cmd("USER alice")
    gates.until(lambda: len(parity.records()) > before, "the record")
    record = parity.records()[before]
    assert (record["event"], record["reason"], record["name"]) == (11103, "lost", "alice")


def test_no_secret_is_in_any_log_or_in_the_store(parity):
    """Canaries in every place where a client may put a secret."""
    canary = b"CANARY-%s-xyzzy"
    doors = 0
    for door in DOORS.values():
        doors += 1
        door(parity, b"alice", canary % str(doors).encode())
    with parity.raw("imap") as c:  # a slip of the fingers: the secret where the name belongs
        c.line()
        c.imap(b"LOGIN alice CANARY-unquoted-xyzzy extra")
        c.imap(b"CANARY-verb-xyzzy")
    log, audit = parity.log.read_bytes(), parity.audit.read_bytes()
    store = b"".join(p.read_bytes() for p in (parity.dir / "store").glob("*.mdb"))
    for where, data in (("log", log), ("audit", audit), ("store", store)):
        assert b"xyzzy" not in data, where
        assert b64(b"\0alice\0CANARY")[:12] not in data, where
