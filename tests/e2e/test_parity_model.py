"""Any name and any secret at every door: one verdict, one stage, one reason, and one record for each attempt.

An example is an account in some state, a secret that it is given, and what a client then sends as name and secret:
the right one, one that nearly fits, or any bytes. It is sent through every door that can carry it (protocol, listener,
mechanism, way of writing it down), whole, byte by byte or with the next command behind it. The doors are compared with
each other and with what the bytes say: these are right, and nothing else is.

GATEPOST_PARITY examples are tried (15 here), from GATEPOST_SEED, which is printed as well; what fails is made small.
"""
import base64
import hashlib
import hmac
import json
import os
import random
import re
import unicodedata

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import gate as gates

EXAMPLES = int(os.environ.get("GATEPOST_PARITY", "15"))
SEED = int(os.environ.get("GATEPOST_SEED", random.SystemRandom().randrange(1 << 32)))


def b64(data):
    return base64.b64encode(data)


# ---- what a client sends ----

class Line:
    """A connection that sends a client's turns whole, byte by byte, or with another command right behind."""

    def __init__(self, g, listener, how):
        self.c = g.raw(listener, listener.endswith("s"))
        self.how = how

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.c.close()

    def line(self):
        return self.c.line()

    def send(self, data, behind=b""):
        if self.how == "bytes":
            for i in range(len(data)):
                self.c.send(data[i:i + 1])
        else:
            self.c.send(data + (behind if self.how == "pipelined" else b""))

    def turn(self, data):
        self.send(data + b"\r\n")
        return self.line()


class Imap(Line):
    """A log-on's answer is the line of its tag; a NOOP behind it is answered too."""

    def last(self, data):
        self.send(data + b"\r\n", b"a2 NOOP\r\n")
        line = self.c.imap_answer("a1")[1]
        if self.how == "pipelined":
            assert self.c.imap_answer("a2")[0] == "OK"
        return self.word(line)

    @staticmethod
    def word(line):
        """ok, the code of a refusal, or its status where it has none."""
        status = line.split()[1].decode()
        code = re.search(rb"\[([A-Z]+)[\] ]", line)
        return "ok" if status == "OK" else code[1].decode() if code else status


class Pop(Line):
    def last(self, data):
        self.send(data + b"\r\n", b"CAPA\r\n")
        line = self.line()
        if self.how == "pipelined":
            assert self.line().startswith(b"+OK")
            self.c.lines()
        return self.word(line)

    @staticmethod
    def word(line):
        code = re.match(rb"-ERR \[([A-Z/]+)\]", line)
        return "ok" if line.startswith(b"+OK") else code[1].decode() if code else "-ERR"


def pop_user(g, listener, how, name, secret):
    with Pop(g, listener, how) as c:
        c.line()
        assert c.turn(b"USER " + name).startswith(b"+OK")
        return c.last(b"PASS " + secret)


def pop_auth(mechanism, initial=False):
    def door(g, listener, how, name, secret):
        with Pop(g, listener, how) as c:
            c.line()
            if mechanism == b"LOGIN":
                assert c.turn(b"AUTH LOGIN").startswith(b"+ ")
                line = c.turn(b64(name))
                return c.last(b64(secret)) if line.startswith(b"+ ") else c.word(line)
            response = b64(b"\0" + name + b"\0" + secret)
            if initial and len(response) < 240:  # RFC 5034 4: no longer than a line may be
                return c.last(b"AUTH PLAIN " + response)
            assert c.turn(b"AUTH PLAIN") == b"+ "
            return c.last(response)
    return door


def imap_login(form):
    def word(c, data):
        if form == "atom":
            return data
        if form == "quoted":
            return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        c.send(b"{%d%s}\r\n" % (len(data), b"+" if form == "literal+" else b""))
        if form == "literal":
            assert c.line().startswith(b"+")
        return data

    def door(g, listener, how, name, secret):
        with Imap(g, listener, how) as c:
            c.line()
            c.send(b"a1 LOGIN ")
            c.send(word(c, name) + b" ")
            return c.last(word(c, secret))
    return door


def imap_authenticate(mechanism, initial=False):
    def door(g, listener, how, name, secret):
        with Imap(g, listener, how) as c:
            c.line()
            if mechanism == b"LOGIN":
                assert c.turn(b"a1 AUTHENTICATE LOGIN").startswith(b"+ ")
                line = c.turn(b64(name))
                return c.last(b64(secret)) if line.startswith(b"+ ") else c.word(line)
            response = b64(b"\0" + name + b"\0" + secret)
            if initial:
                return c.last(b"a1 AUTHENTICATE PLAIN " + response)
            assert c.turn(b"a1 AUTHENTICATE PLAIN") == b"+ "
            return c.last(response)
    return door


def scram(digest):
    """RFC 5802 on IMAP, without binding; the client prepares the secret by RFC 8265 4.2."""
    def door(g, listener, how, name, secret):
        saslname = name.replace(b"=", b"=3D").replace(b",", b"=2C")
        bare = b"n=" + saslname + b",r=0123456789"
        with Imap(g, listener, how) as c:
            c.line()
            first = c.turn(b"a1 AUTHENTICATE SCRAM-%s " % digest.encode() + b64(b"n,," + bare))
            if not first.startswith(b"+ "):
                return c.word(first)
            first = base64.b64decode(first[2:])
            fields = dict(part.split(b"=", 1) for part in first.split(b","))
            hashed = digest.replace("-", "").lower()
            salted = hashlib.pbkdf2_hmac(hashed, opaque(secret), base64.b64decode(fields[b"s"]), int(fields[b"i"]))
            key = hmac.digest(salted, b"Client Key", hashed)
            final = b"c=biws,r=" + fields[b"r"]
            signature = hmac.digest(hashlib.new(hashed, key).digest(), b",".join((bare, first, final)), hashed)
            proof = bytes(a ^ b for a, b in zip(key, signature))
            c.send(b64(final + b",p=" + b64(proof)) + b"\r\n")
            line = c.line()
            if line.startswith(b"+ "):
                c.send(b"\r\n")
                line = c.line()
            return c.word(line)
    return door


def basic(path, body, kind):
    def door(g, listener, how, name, secret):
        with Line(g, listener, how) as c:
            c.send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
                   b"Content-Length: %d\r\nAuthorization: Basic %s\r\n\r\n%s"
                   % (path, kind, len(body), b64(name + b":" + secret), body))
            status = c.c.rest().split()[1].decode()
            return {"200": "ok"}.get(status, status)
    return door


MAPI_KIND = (b"Content-Type: application/mapi-http\r\nX-RequestType: PING\r\n"
             b"X-RequestId: {C715155F-2BE8-44E0-BD34-2960065754C8}:1\r\n")


# ---- the doors, and what each can carry ----

def is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def in_line(name, secret):
    """No line can carry its own end, nor IMAP and POP3 a NUL (RFC 9051 9, RFC 1939 3)."""
    return not set(b"\r\n\0") & set(name + secret)


def in_pop(name, secret):
    return in_line(name, secret) and name and secret and b" " not in name


def in_atom(name, secret):
    return all(re.fullmatch(rb"[!#$&',./0-9:;<=>?@A-Z\[\]^_`a-z|}~+-]+", word) for word in (name, secret))


def without_nul(name, secret):
    """As in PLAIN (RFC 4616 2) and in literals (RFC 9051 9)."""
    return b"\0" not in name + secret


def in_scram(name, secret):
    return bool(name) and is_utf8(name) and opaque(secret) is not None and b"\0" not in name


def in_basic(name, _secret):
    return b":" not in name  # RFC 7617 2


def anything(_name, _secret):
    return True


DOORS = {
    "USER/PASS": ("pop3", in_pop, pop_user),
    "AUTH PLAIN, initial": ("pop3", without_nul, pop_auth(b"PLAIN", True)),
    "AUTH PLAIN": ("pop3", without_nul, pop_auth(b"PLAIN")),
    "AUTH LOGIN": ("pop3", anything, pop_auth(b"LOGIN")),
    "LOGIN atom": ("imap", in_atom, imap_login("atom")),
    "LOGIN quoted": ("imap", in_line, imap_login("quoted")),
    "LOGIN literal": ("imap", without_nul, imap_login("literal")),
    "LOGIN literal+": ("imap", without_nul, imap_login("literal+")),
    "AUTHENTICATE PLAIN, initial": ("imap", without_nul, imap_authenticate(b"PLAIN", True)),
    "AUTHENTICATE PLAIN": ("imap", without_nul, imap_authenticate(b"PLAIN")),
    "AUTHENTICATE LOGIN": ("imap", anything, imap_authenticate(b"LOGIN")),
    "SCRAM-SHA-256": ("imap", in_scram, scram("SHA-256")),
    "SCRAM-SHA-1": ("imap", in_scram, scram("SHA-1")),
    "MAPI, Basic": ("mapi", in_basic, basic(b"/mapi/emsmdb/", b"", MAPI_KIND)),
}
HOW = ["whole", "bytes", "pipelined"]


# ---- accounts ----

STATES = {
    "fine": [], "locked": ["locked=yes"], "expired": ["expires=2020-01-01"],
    "nopop": ["pop3=off"], "noimap": ["imap=off"], "nomapi": ["mapi=off"],
}
OFF = {"nopop": "pop3", "noimap": "imap", "nomapi": "mapi"}


def opaque(secret):
    """OpaqueString (RFC 8265 4.2) of what a test may give to an account; None: no secret at all."""
    if not secret or not is_utf8(secret) or any(unicodedata.category(c) == "Cc" for c in secret.decode()):
        return None
    text = unicodedata.normalize("NFC", "".join(
        " " if unicodedata.category(c) == "Zs" else c for c in secret.decode()))
    return text.encode()


def forms(user):
    """Every way to write an account's name."""
    return [user, user.upper(), user.title(), f"{user}@example.org", f"{user}@EXAMPLE.ORG", f"CORP\\{user}",
            f"corp/{user}", f"CORP\\{user}\\{user}", f"CORP/{user}/{user}x", f"{user}x"]


class Accounts:
    """An account in each state, whose secrets change; and what was recorded since one looked last."""

    def __init__(self, g):
        self.g, self.at = g, 0
        for state, settings_ in STATES.items():
            g.add_user(state, "secret", "nt-domain=CORP", f"alias+={state}x", *settings_)

    def give(self, user, secret):
        """False: no account can have such a secret, and it keeps the one it has."""
        done = self.g.command("user", "passwd", user, "--password-stdin", check=False, input=secret + "\n")
        return done.returncode == 0

    def records(self):
        with open(self.g.audit, "rb") as f:
            f.seek(self.at)
            lines = f.read()
        self.at += len(lines)
        return [json.loads(line) for line in lines.splitlines()]


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    g = gates.Gate(tmp_path_factory.mktemp("parity"))
    a = Accounts(g)
    with g:
        yield a


# ---- names and secrets ----

ODD = [" ", "  ", '"', "\\", "%", "*", "{5}", "{3+}", "(", ")", "+", "=", ":", "/", "@", ",", "\t", "\x01", "\x7f", "~",
       "ä", "a\u0308", "\u212b", "\ufb01", "€", "😀", "\u00a0", "\u3000", "א", "ש\u05c1", "\u200d", "ß", "İ", "ǆ"]
PIECES = st.one_of(st.sampled_from(ODD), st.text("abcXYZ019._-", min_size=1, max_size=6),
                   st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n\0"), max_size=3))
SECRETS = st.one_of(st.lists(PIECES, min_size=1, max_size=6).map("".join),
                    st.integers(1, 1000).map(lambda n: "x" * n),
                    st.sampled_from(["x", " ", "   ", "x" * 1000, " x", "x ", "ä" * 499, "."]))


@st.composite
def near(draw, secret):
    """Secrets that another server may take for this one, or that may be cut short to it."""
    text = secret.decode(errors="replace")
    tries = [text + " ", " " + text, text.strip(), text + "\0", text + "\0x", text + "\n", text[:-1], text + "x",
             text.upper(), text.lower(), text.swapcase(), text.split(" ")[0], text.replace("\\", ""),
             text.replace('"', ""), unicodedata.normalize("NFD", text), unicodedata.normalize("NFKC", text),
             text.replace(" ", "\u00a0"), text.replace("%", "%25"), text[:256], text[:72], text * 2, ""]
    return draw(st.sampled_from(tries)).encode()


@st.composite
def attempts(draw):
    state = draw(st.sampled_from(list(STATES)))
    secret = draw(SECRETS)
    sent = draw(st.one_of(st.just(secret.encode()), st.just(secret.encode()), near(secret.encode()),
                          st.binary(max_size=40)))
    name = draw(st.one_of(st.sampled_from(forms(state)).map(str.encode),
                          st.sampled_from(["nobody", state + " ", " " + state, state + "\0", "OTHER\\" + state, state + "\0x",
                                           state + "@elsewhere.example", "", "CORP\\", "\\" + state]).map(str.encode),
                          st.binary(max_size=20)))
    return state, secret, name, sent, draw(st.sampled_from(HOW)), draw(st.booleans())


def expected(state, had, name, sent):
    """The reason, where it can be said from the bytes alone, for a protocol that is not off."""
    if name.decode(errors="replace") not in forms(state):
        return None
    right = had is not None and opaque(sent) is not None and opaque(sent) == opaque(had.encode())
    if not right:
        return None
    return state if state in ("locked", "expired") else "ok"


def outcome_of(record):
    """Who it was is known of a broken exchange only where the name came in a turn of its own."""
    broken = record["reason"] == "bad-exchange"
    return record["stage"], record["reason"], record["event"], None if broken else record["identity"]


WORDS = {"ok": {"ok"}, "expired": {"EXPIRED", "AUTH", "AUTHENTICATIONFAILED", "401", "403"},
         "protocol-off": {"AUTH", "AUTHORIZATIONFAILED", "403"},
         "bad-exchange": {"-ERR", "AUTH", "BAD", "NO", "400", "401"}}
REFUSED = {"AUTH", "AUTHENTICATIONFAILED", "401"}


def through_every_door(accounts, name, sent, how, tls):
    """{door: (its protocol, its word, the verdict in its one record)}"""
    found = {}
    for title, (protocol, can_carry, door) in DOORS.items():
        if not can_carry(name, sent):
            continue
        accounts.records()
        word = door(accounts.g, protocol + ("s" if tls else ""), how, name, sent)
        records = [r for r in accounts.records() if r["reason"] != "lost"]
        assert len(records) == 1, (title, records)
        assert records[0]["protocol"] == protocol
        found[title] = (protocol, word, outcome_of(records[0]))
    return found


@hypothesis.seed(SEED)
@settings(max_examples=EXAMPLES, deadline=None, database=None, print_blob=False,
          suppress_health_check=list(HealthCheck))
@given(attempts())
def check_one(accounts, secrets, attempt):
    state, secret, name, sent, how, tls = attempt
    if accounts.give(state, secret):
        secrets[state] = secret
    found = through_every_door(accounts, name, sent, how, tls)
    reason = expected(state, secrets[state], name, sent)
    verdicts = {verdict for protocol, _, verdict in found.values()
                if not (OFF.get(state) == protocol and verdict[1] == "protocol-off")}
    # With a NUL it is no exchange at all, but where the name comes first it may be that which is told.
    assert len(verdicts) <= 1 or b"\0" in name + sent, found
    for protocol, word, verdict in found.values():
        if reason == "ok" and OFF.get(state) == protocol:
            assert verdict[:2] == ("policy", "protocol-off"), found
        elif reason:
            assert verdict[1] == reason, found
        else:
            assert verdict[1] != "ok", found
        assert word in WORDS.get(verdict[1], REFUSED), (found, verdict)


def test_any_name_and_secret_has_one_verdict_at_every_door(accounts):
    print(f"GATEPOST_SEED={SEED}")
    check_one(accounts, dict.fromkeys(STATES, "secret"))
