"""Records of log-ons in the journal and in syslog, by sockets that stand for them; and a record for every way in
which a connection ends before a verdict (event 11103)."""
import json
import re
import signal
import socket

import pytest

import gate as gates

EVIL = "evil\nMESSAGE=forged\n\xe9"


class Taker:
    """What journald and syslog are to us: a socket that takes datagrams."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(gates.DEADLINE)
        self.socket.bind(str(path))

    def next(self):
        return self.socket.recv(1 << 20)


def fields(datagram):
    """systemd's "Journal Native Protocol": {name: value}."""
    found = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
        else:
            name, size = line, int.from_bytes(rest[:8], "little")
            value, rest = rest[8:8 + size], rest[8 + size + 1:]
        assert re.fullmatch(rb"[A-Z][A-Z0-9_]*", name) and name not in found, name
        found[name.decode()] = value
        datagram = rest
    return found


@pytest.fixture
def g(tmp_path):
    g = gates.Gate(tmp_path, auth=f'audit-journal = "{tmp_path}/j" audit-syslog = "{tmp_path}/s"')
    g.add_user("alice", "secret")
    g.journal, g.syslog = Taker(tmp_path / "j"), Taker(tmp_path / "s")
    with g:
        yield g


def test_each_record_is_in_the_journal_in_fields_and_in_syslog_as_a_line(g):
    g.imap("alice", "secret").logout()
    found = fields(g.journal.next())
    (record,) = g.records()
    assert json.loads(found.pop("MESSAGE")) == record
    assert found == {
        "PRIORITY": b"6", "SYSLOG_FACILITY": b"10", "SYSLOG_IDENTIFIER": b"gatepost", "GATEPOST_EVENT": b"11301",
        "GATEPOST_RESULT": b"ok", "GATEPOST_STAGE": b"ok", "GATEPOST_REASON": b"ok", "GATEPOST_PROTOCOL": b"imap",
        "GATEPOST_LISTENER": b"imap", "GATEPOST_SESSION": record["session"].encode(), "GATEPOST_CLIENT": b"127.0.0.1",
        "GATEPOST_CLIENT_PORT": b"%d" % record["client_port"], "GATEPOST_LATENCY_US": b"%d" % record["latency_us"],
        "GATEPOST_MECHANISM": b"LOGIN-COMMAND", "GATEPOST_NAME": b"alice", "GATEPOST_USER": b"alice"}
    line = re.fullmatch(rb"<86>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d gatepost\[(\d+)\]: (\{.*\})", g.syslog.next())
    assert int(line[1]) == g.process.pid and json.loads(line[2]) == record


def test_what_a_client_says_stays_in_its_field(g):
    name = EVIL.encode("latin-1")
    with g.raw("imap") as c:
        c.line()
        c.imap(b"LOGIN {%d+}\r\n%s x" % (len(name), name))
    found = fields(g.journal.next())
    assert found["GATEPOST_NAME"] == name
    assert json.loads(found["MESSAGE"])["event"] == 11310 and found["PRIORITY"] == b"5"
    assert b"\n" not in g.syslog.next()


def test_nobody_waits_for_a_journal_that_does_not_take_any(g):
    def is_full():  # each connection is a record; a socket holds only so many (net.unix.max_dgram_qlen)
        for _ in range(50):
            g.raw("imap").close()
        return "audit.system.failed" in g.log_text()
    gates.until(is_full, "the journal's socket to be full")
    before = len(g.records())
    g.imap("alice", "secret").logout()
    assert len(g.records()) == before + 1  # the file has it
    g.journal.socket.settimeout(0)
    try:
        while g.journal.next():
            pass
    except BlockingIOError:
        pass
    g.imap("alice", "secret").logout()
    assert re.search(r"audit\.system\.recovered to=\"?journal\"? lost=\d", g.log_text())


def test_a_reload_changes_where_they_go(g):
    other = Taker(g.dir / "k")
    g.config.write_text(g.config.read_text().replace(f"{g.dir}/j", f"{g.dir}/k"))
    g.process.send_signal(signal.SIGHUP)
    gates.until(lambda: "config.reloaded" in g.log_text(), "the new configuration")
    g.imap("alice", "secret").logout()
    assert fields(other.next())["GATEPOST_USER"] == b"alice"


def test_a_path_that_is_too_long_is_told(tmp_path):
    g = gates.Gate(tmp_path, auth=f'audit-journal = "/{"x" * 108}"')
    done = g.command("check", check=False)
    assert done.returncode == 1 and "audit-journal: the path is too long for a socket" in done.stderr


# ---- event 11103 ----

def say(g, door, tls=False, *lines):
    with g.raw(door, tls) as c:
        if not door.startswith("mapi"):
            c.line()
        for line in lines:
            c.send(line)
            c.line()


def nothing_under_tls(g, door):
    socket.create_connection(("127.0.0.1", g.ports[door]), gates.DEADLINE).close()


def no_tls_at_all(g, door):
    with socket.create_connection(("127.0.0.1", g.ports[door]), gates.DEADLINE) as s:
        s.sendall(b"USER alice\r\n")
        while s.recv(1000):
            pass


WAYS = {
    "pop3: not a word": ("pop3", lambda g: say(g, "pop3"), ""),
    "pop3: QUIT": ("pop3", lambda g: say(g, "pop3", False, "QUIT\r\n"), ""),
    "pop3: after USER": ("pop3", lambda g: say(g, "pop3", False, "USER alice\r\n"), "alice"),
    "pop3: in mid AUTH": ("pop3", lambda g: say(g, "pop3", False, "AUTH PLAIN\r\n"), ""),
    "pop3: after STLS": ("pop3", lambda g: say(g, "pop3", False, "STLS\r\n"), ""),
    "pop3s: under TLS": ("pop3", lambda g: say(g, "pop3s", True), ""),
    "pop3s: no handshake": ("pop3", lambda g: nothing_under_tls(g, "pop3s"), ""),
    "pop3s: speaks without TLS": ("pop3", lambda g: no_tls_at_all(g, "pop3s"), ""),
    "imap: not a word": ("imap", lambda g: say(g, "imap"), ""),
    "imap: LOGOUT": ("imap", lambda g: say(g, "imap", False, "a LOGOUT\r\n"), ""),
    "imap: in mid AUTHENTICATE": ("imap", lambda g: say(g, "imap", False, "a AUTHENTICATE PLAIN\r\n"), ""),
    "imap: in mid literal": ("imap", lambda g: say(g, "imap", False, "a LOGIN {5}\r\n"), ""),
    "imap: after STARTTLS": ("imap", lambda g: say(g, "imap", False, "a STARTTLS\r\n"), ""),
    "imaps: no handshake": ("imap", lambda g: nothing_under_tls(g, "imaps"), ""),
    "mapi: not a word": ("mapi", lambda g: say(g, "mapi"), ""),
    "mapi: half a request": ("mapi", lambda g: g.raw("mapi").close(), ""),
    "mapi: no credentials": ("mapi", lambda g: say(
        g, "mapi", False, "POST /mapi/emsmdb/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"), ""),
    "mapis: no handshake": ("mapi", lambda g: nothing_under_tls(g, "mapis"), ""),
}


def test_every_way_in_which_a_connection_ends_before_a_verdict_is_recorded_once(gate):
    def records():
        return [json.loads(line) for line in gate.audit.read_text().splitlines()]
    for way, (protocol, end, name) in WAYS.items():
        gate.forget_records()
        end(gate)
        gates.until(records, f"the record of {way}")
        gates.until(lambda: gate.open_sessions() == 0, "the end of the connection")
        (record,) = records()
        assert (record["event"], record["stage"], record["reason"], record["protocol"], record["name"]) == \
            (11103, "transport", "lost", protocol, name), way


def test_where_nobody_logs_on_nothing_is_missed(gate):
    """LMTP has no log-on; and who had his verdict has nothing to lose."""
    gate.forget_records()
    say(gate, "lmtp", False, "LHLO x\r\n")
    gate.imap("alice", "secret").logout()
    gates.until(lambda: gate.open_sessions() == 0, "the end of the connections")
    assert [json.loads(line)["reason"] for line in gate.audit.read_text().splitlines()] == ["ok"]
