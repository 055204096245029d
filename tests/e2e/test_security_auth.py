"""Log-on under attack: secrets stay out of memory and logs, one client's rubbish is no other's trouble, names
cannot be told from strangers, and everything a client drops in the middle leaves one record and nothing else."""
import base64
import contextlib
import hashlib
import hmac
import json
import re
import signal

import pytest

import gate as gates

CANARY = b"CANARYxyzzy"


def b64(data):
    return base64.b64encode(data)


def memory_of(pid):
    """What the process has in memory, region by region."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            region, rights = line.split()[:2]
            start, end = (int(x, 16) for x in region.split("-"))
            if not rights.startswith("rw") or "[v" in line or end - start > 1 << 30:
                continue  # the largest are the sanitizers' own
            with contextlib.suppress(OSError):
                memory.seek(start)
                yield memory.read(end - start)


def give_secrets(g, tls):
    """Wrong ones and right ones, in every way in which a client can say them."""
    def wrong(number):
        return CANARY + b"-%d-%d" % (tls, number)

    with g.raw("imaps" if tls else "imap", tls) as c:
        c.line()
        c.imap(b"LOGIN alice " + wrong(1))
        c.send(b"a LOGIN {5}\r\n")
        c.line()
        c.send(b"alice {%d}\r\n" % len(wrong(2)))
        c.line()
        c.send(wrong(2) + b"\r\n")
        c.line()
        assert c.imap(b"LOGIN alice {17+}\r\n" + CANARY + b"-right")[0] == "OK"
        c.imap(b"NOOP")
    with g.raw("imaps" if tls else "imap", tls) as c:
        c.line()
        c.imap(b'LOGIN alice "' + wrong(3) + b'" extra')
        c.imap(b"AUTHENTICATE PLAIN " + b64(b"\0alice\0" + wrong(4)))
        c.send(b"a LOGIN alice " + wrong(5))  # and nothing more comes
    with g.raw("pop3s" if tls else "pop3", tls) as c:
        c.line()
        c.cmd("USER alice")
        c.cmd(b"PASS " + wrong(6))
        c.cmd("AUTH LOGIN")
        c.cmd(b64(b"alice"))
        c.cmd(b64(wrong(7)))
        c.send(b"USER alice\r\nPASS " + CANARY + b"-right\r\nNOOP\r\nQUIT\r\n")  # all at once
        assert b"+OK Nothing done" in c.rest()


def test_no_secret_stays_in_memory_in_a_log_or_in_the_store(tmp_path):
    """Nor in what was freed: the sanitizers keep that for a while."""
    g = gates.Gate(tmp_path)
    g.add_user("alice", (CANARY + b"-right").decode())
    with g:
        for tls in (False, True):
            give_secrets(g, tls)
        gates.until(lambda: len(g.records()) >= 10, "the records")
        g.imap("alice", (CANARY + b"-right").decode()).logout()
        wanted = [CANARY, b64(b"\0alice\0" + CANARY)[:-4], b64(CANARY)[:-4]]
        pattern = re.compile(b"|".join(re.escape(w) for w in wanted))
        found = []

        def nothing_found():
            found[:] = [data[max(0, m.start() - 40):m.end() + 20] for data in memory_of(g.process.pid)
                        for m in pattern.finditer(data)]
            return not found

        with contextlib.suppress(AssertionError):  # the last connection may just be closing
            gates.until(nothing_found, "no secret in memory")
        assert not found, found[:3]
        for where in (g.log, g.audit, *(tmp_path / "store").glob("*.mdb")):
            assert not pattern.search(where.read_bytes()), where


# ---- SCRAM by hand ----

class Scram:
    """SCRAM-SHA-256 on an IMAP connection, a turn at a time."""

    def __init__(self, connection, name, secret, tag="s"):
        self.c, self.name, self.secret, self.tag = connection, name, secret, tag

    def begin(self):
        self.bare = f"n={self.name},r=0123456789".encode()
        self.c.send(f"{self.tag} AUTHENTICATE SCRAM-SHA-256 ".encode() + b64(b"n,," + self.bare) + b"\r\n")
        line = self.c.line()
        assert line.startswith(b"+ "), line
        self.first = base64.b64decode(line[2:])
        fields = dict(part.split(b"=", 1) for part in self.first.split(b","))
        self.nonce, self.salt, self.count = fields[b"r"], base64.b64decode(fields[b"s"]), int(fields[b"i"])
        return self

    def end(self):
        salted = hashlib.pbkdf2_hmac("sha256", self.secret.encode(), self.salt, self.count)
        key = hmac.digest(salted, b"Client Key", "sha256")
        final = b"c=biws,r=" + self.nonce
        message = b",".join((self.bare, self.first, final))
        signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.c.send(b64(final + b",p=" + b64(proof)) + b"\r\n")
        line = self.c.line()
        if line.startswith(b"+ "):
            self.c.send("\r\n")
            line = self.c.line()
        return line


def shown_count(g, name):
    with g.raw("imap") as c:
        c.line()
        return Scram(c, name, "").begin().count


def test_a_change_of_iterations_tells_no_stranger_from_a_user(tmp_path):
    g = gates.Gate(tmp_path)
    names = [f"user{i}" for i in range(6)]
    for name in names:
        g.add_user(name, "secret")
    strangers = [f"stranger{i}" for i in range(12)]
    with g:
        before = {name: shown_count(g, name) for name in names + strangers}
        assert set(before.values()) == {4096}
        g.auth = "iterations = 6000"
        g.write_config()
        g.process.send_signal(signal.SIGHUP)
        gates.until(lambda: "reload" in g.log_text(), "the reload")
        # Nobody has the new count before somebody has it, and then strangers have it too.
        assert {name: shown_count(g, name) for name in names + strangers} == before
        for name in names:
            g.imap(name, "secret").logout()
        assert {shown_count(g, name) for name in names + strangers} == {6000}
        for name in names:
            with g.raw("imap") as c:
                c.line()
                assert b" OK " in Scram(c, name, "secret").begin().end()


# ---- dropped and mangled exchanges ----

EXCHANGES = {
    "pop3 user": ("pop3s", [b"USER alice"]),
    "pop3 user, half a pass": ("pop3s", [b"USER alice", b"!PASS sec"]),
    "pop3 pass and gone": ("pop3s", [b"USER alice", b"!PASS secret\r\n"]),
    "pop3 plain": ("pop3s", [b"AUTH PLAIN"]),
    "pop3 plain and gone": ("pop3s", [b"!AUTH PLAIN " + b64(b"\0alice\0secret") + b"\r\n"]),
    "pop3 login": ("pop3s", [b"AUTH LOGIN"]),
    "pop3 login, name": ("pop3s", [b"AUTH LOGIN", b64(b"alice")]),
    "pop3 scram": ("pop3s", [b"AUTH SCRAM-SHA-256"]),
    "pop3 scram, first": ("pop3s", [b"AUTH SCRAM-SHA-1 " + b64(b"n,,n=alice,r=0123456789")]),
    "imap login": ("imaps", [b"!a LOGIN alice {6}\r\n"]),
    "imap login, half": ("imaps", [b"!a LOGIN alice {6}\r\nsec"]),
    "imap login and gone": ("imaps", [b"!a LOGIN alice secret\r\n"]),
    "imap plain": ("imaps", [b"a AUTHENTICATE PLAIN"]),
    "imap scram, first": ("imaps", [b"a AUTHENTICATE SCRAM-SHA-256 " + b64(b"n,,n=alice,r=0123456789")]),
    "imap scram plus": ("imaps", [b"a AUTHENTICATE SCRAM-SHA-256-PLUS"]),
    "imap scram plus, first": ("imaps", [b"a AUTHENTICATE SCRAM-SHA-256-PLUS " +
                                         b64(b"p=tls-exporter,,n=alice,r=0123456789")]),
}


def drop(g, listener, steps):
    """Say the steps and vanish; one that begins with "!" is not waited for."""
    with g.raw(listener, True) as c:
        c.line()
        for step in steps:
            if step.startswith(b"!"):
                c.send(step[1:])
            else:
                assert c.cmd(step)


def test_clients_that_vanish_anywhere_leave_one_record_each_and_nothing_else(gate):
    rounds = 5
    for _ in range(rounds):
        for listener, steps in EXCHANGES.values():
            drop(gate, listener, steps)
    want = rounds * len(EXCHANGES)
    all_records = lambda: [json.loads(line) for line in gate.audit.read_text().splitlines()]  # noqa: E731
    # answers() of the fixture connects to the ports, too: those connections say nothing on other listeners
    mine = lambda: [r for r in all_records() if r["listener"] in ("pop3s", "imaps") and  # noqa: E731
                    (r["name"] or r["mechanism"] or r["tls"])]
    gates.until(lambda: len(mine()) >= want, "the records")
    assert len(mine()) == want
    gate.imap("alice", "secret").logout()


RUBBISH = [b"====", b"A", b"AA", b"AAA", b"AA=A", b"A=AA", b"AAAA====", b"\xff\xfe\xfd", b"AGFsaWNl AHNlY3JldA==",
           b"AGFsaWNlAHNlY3JldA", b"-_-_", b"A" * 8000, b"A" * 20000, b"*x", b" *", b"+ ", b"%s%n%n", b64(b"\0" * 3000)]


def test_rubbish_in_base64_is_no_other_clients_trouble(gate):
    honest = gate.raw("imaps", True)
    honest.line()
    scram = Scram(honest, "alice", "secret").begin()  # in the middle of it all
    for rubbish in RUBBISH:
        for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1"):
            with gate.raw("pop3s", True) as c:
                c.line()
                assert c.cmd(f"AUTH {mechanism}").startswith(b"+ ")
                assert c.cmd(rubbish).startswith(b"-ERR")
            with gate.raw("imaps", True) as c:
                c.line()
                c.send(f"a AUTHENTICATE {mechanism} ".encode() + rubbish + b"\r\n")
                assert c.line().startswith((b"a BAD", b"a NO", b"+ ", b"* BAD", b"* BYE"))
        gate.pop("bob", "secret", tls=True).quit()
    assert b" OK " in scram.end()
    honest.close()


# ---- names as weapons ----

NASTY = [b"%s%s%n%x", b"alice\r\n2026 user=<admin> ok", b"\x1b[31mred\x1b[0m", b'"}{"reason":"ok"', b"user=<x>, rip=1.2.3.4",
         b"'; drop table users; --", b"*)(uid=*", b"${jndi:ldap://x}", b"../../../etc/passwd", b"%{user}", b"\xff\xfe",
         b"\xe2\x80\xae evil", b"a" * 1024, b"alice@example.org@example.org", b"\\\\\\", b"", b" ", b"\t", b"@", b"x@", b"\x7f"]


def test_what_is_in_a_name_stays_in_one_escaped_line_of_the_record_and_of_the_log(gate):
    for name in NASTY:
        with gate.raw("imap") as c:
            c.line()
            status = c.imap(b"LOGIN {%d+}\r\n%s secret" % (len(name), name))[0]
            assert status == "NO", name
    with gate.raw("imap") as c:
        c.line()
        assert c.imap(b"LOGIN {9+}\r\nali\0ce\r\n\n secret")[0] in ("NO", "BAD")
    lines = gate.audit.read_bytes().splitlines()
    records = [json.loads(line) for line in lines]  # each line is one record
    said = [r for r in records if r["mechanism"] == "LOGIN-COMMAND"]
    assert len(said) == len(NASTY) + 1
    assert all(r["reason"] != "ok" for r in said)
    assert all(re.fullmatch(rb"[\x20-\x7e]*", line) for line in lines)
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", gate.log.read_bytes())
    assert b"\n2026 user=<admin>" not in gate.log.read_bytes()


@pytest.mark.parametrize("name", ["", " ", "alice ", " alice", "alice\\", "alice/", "\\alice", "/alice", "x\\y\\z\\alice",
                                  "alice@", "@example.org", "alice@example.org@localhost", "alice\u200b", "аlice"])
def test_a_name_that_is_nearly_one_is_none(gate, name):
    with gate.raw("imap") as c:
        c.line()
        data = name.encode()
        assert c.imap(b"LOGIN {%d+}\r\n%s secret" % (len(data), data))[1].startswith(b"a1 NO [AUTHENTICATIONFAILED]")


# ---- storms ----

def test_a_storm_of_guesses_from_one_address_is_slowed_and_its_victim_is_not_kept_out(tmp_path):
    """By the PROXY protocol every client has an address of its own."""
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    g.add_user("bob", "secret")
    text = g.config.read_text().replace('trusted-networks = {"127.0.0.0/8"}', "trusted-networks = {}")
    text = text.replace('listener "imap" {', 'listener "imap" { proxy-protocol = true proxy-from = {"127.0.0.0/8"} ')
    g.config.write_text(text)

    def attempt(address, name, secret):
        with g.raw("imap") as c:
            c.send(f"PROXY TCP4 {address} 192.0.2.1 4711 143\r\n")
            c.line()
            return c.imap(f"LOGIN {name} {secret}")[1]

    with g:
        answers = [attempt("198.51.100.7", "alice", f"guess{i}") for i in range(30)]
        refused = [a for a in answers if b"[UNAVAILABLE]" in a]
        assert len(refused) >= 20 and b"[AUTHENTICATIONFAILED]" in answers[0]
        # the guesser learns nothing more, even with the right secret
        assert b"[UNAVAILABLE]" in attempt("198.51.100.7", "alice", "secret")
        # who has the secret gets in from elsewhere, and others too
        assert b"OK" in attempt("203.0.113.9", "alice", "secret")
        assert b"OK" in attempt("203.0.113.9", "bob", "secret")
        # a name sprayed from many addresses, too
        for i in range(60):
            attempt(f"198.51.100.{i + 10}", "bob", f"guess{i}")
        assert b"OK" in attempt("203.0.113.10", "bob", "secret")
        # unknown names wait like known ones
        unknown = [attempt("198.51.100.8", "nobody", f"guess{i}") for i in range(30)]
        assert [a.split(b"]")[0] for a in unknown] == [a.split(b"]")[0] for a in answers]


def test_one_session_too_many_is_told_after_the_secret_was_right(tmp_path):
    g = gates.Gate(tmp_path, auth="max-sessions-per-user = 3")
    g.add_user("alice", "secret")
    with g:
        kept = [g.imap("alice", "secret") for _ in range(2)] + [g.pop("alice", "secret")]
        with g.raw("imap") as c:
            c.line()
            assert b"NO [AUTHENTICATIONFAILED]" in c.imap("LOGIN alice wrong")[1]
            assert b"NO [LIMIT]" in c.imap("LOGIN alice secret")[1]
        with g.raw("pop3") as c:
            c.line()
            c.cmd("USER alice")
            assert c.cmd("PASS secret").startswith(b"-ERR [IN-USE]")
        kept.pop().quit()
        gates.until(lambda: try_log_on(g), "the place that was given back")


def try_log_on(g):
    with g.raw("imap") as c:
        c.line()
        return c.imap("LOGIN alice secret")[0] == "OK"


# ---- libsasl2 ----

def test_no_file_and_no_variable_tells_libsasl2_what_to_load_or_to_do(tmp_path, monkeypatch):
    """The plugins are three, whatever lies in its directories and whatever the environment says."""
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("gatepost.conf", "smtpd.conf"):
        (evil / name).write_text("pwcheck_method: alwaystrue\nmech_list: ANONYMOUS PLAIN\nlog_level: 7\n")
    (evil / "libevil.so").write_bytes(b"no library")
    for variable in ("SASL_PATH", "SASL_CONF_PATH", "SASL_PLUGIN_PATH"):
        monkeypatch.setenv(variable, str(evil))
    with gates.Gate(tmp_path / "g") as g:
        g.add_user("alice", "secret")
        loaded = {line.split("/")[-1].strip() for line in open(f"/proc/{g.process.pid}/maps") if "/sasl2/" in line}
        assert {re.sub(r"\.so.*", "", name) for name in loaded} == {"libplain", "liblogin"}
        with g.raw("imaps", True) as c:
            c.line()
            capabilities = c.imap("CAPABILITY")[2]
            assert set(re.findall(rb"AUTH=(\S+)", capabilities)) == {
                b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-1-PLUS", b"SCRAM-SHA-256", b"SCRAM-SHA-1", b"PLAIN", b"LOGIN"}
        for mechanism in ("ANONYMOUS", "CRAM-MD5", "DIGEST-MD5", "NTLM", "EXTERNAL", "GSSAPI", "GS2-KRB5", "OTP"):
            with g.raw("imaps", True) as c:
                c.line()
                assert c.imap(f"AUTHENTICATE {mechanism} =")[0] == "NO", mechanism
        with g.raw("imap") as c:
            c.line()
            assert c.imap("LOGIN alice wrong")[0] == "NO"


def test_a_listener_offers_what_it_is_told_to_and_takes_nothing_else(tmp_path):
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    text = g.config.read_text()
    for name in ("imap", "pop3"):
        text = text.replace(f'listener "{name}" {{', f'listener "{name}" {{ mechanisms = {{SCRAM-SHA-256}} ')
    g.config.write_text(text)
    with g:
        with g.raw("imap") as c:
            c.line()
            capabilities = c.imap("CAPABILITY")[2]
            assert b"LOGINDISABLED" in capabilities
            assert re.findall(rb"AUTH=(\S+)", capabilities) == [b"SCRAM-SHA-256"]
            assert c.imap("LOGIN alice secret")[0] == "NO"
            assert c.imap(b"AUTHENTICATE PLAIN " + b64(b"\0alice\0secret"))[0] == "NO"
            assert b" OK " in Scram(c, "alice", "secret").begin().end()
        with g.raw("pop3") as c:
            c.line()
            assert c.cmd("CAPA").startswith(b"+OK")
            capa = c.lines().splitlines()
            assert b"SASL SCRAM-SHA-256" in capa and b"USER" not in capa
            assert c.cmd("USER alice").startswith(b"-ERR") and c.cmd("PASS secret").startswith(b"-ERR")
        g.pop("alice", "secret", tls=True).quit()  # the other listeners are as they were
        reasons = [r["reason"] for r in g.records() if r["listener"] in ("imap", "pop3")]
        assert reasons == ["bad-mechanism", "bad-mechanism", "ok", "bad-mechanism"], reasons
