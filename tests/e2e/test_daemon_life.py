"""Starting, stopping and what the daemon says about itself meanwhile."""
import json
import os
import re
import signal
import socket
import subprocess

import gate as gates
import pytest

MESSAGE = b"Subject: hello\r\n\r\n" + b"x" * 70 + b"\r\n"


# ---- stopping ----

@pytest.fixture
def g(tmp_path):
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    g.start()
    yield g
    if g.process:
        g.process.kill()
        g.process.wait()


def ended(g):
    """The daemon ends by itself now, in order."""
    assert g.process.wait(gates.DEADLINE) == 0
    g.process = None
    assert "server.stop" in g.log_text() and "Sanitizer" not in g.log_text()
    g.verify()


def imap(g):
    raw = gates.Raw(g, "imap")
    raw.line()
    assert raw.imap("LOGIN alice secret")[0] == "OK"
    return raw


def lmtp(g):
    raw = gates.Raw(g, "lmtp")
    raw.line()
    raw.send("LHLO test\r\n")
    while raw.line()[3:4] == b"-":
        pass
    return raw


def draining(g):
    g.process.send_signal(signal.SIGTERM)
    gates.until(lambda: "server.drain" in g.log_text(), "the daemon to drain")


def test_everybody_is_told_and_the_daemon_ends(g):
    new, logged_on, idle = gates.Raw(g, "imap"), imap(g), imap(g)
    new.line()
    idle.imap("SELECT INBOX")
    idle.send("i IDLE\r\n")
    assert idle.line() == b"+ idling"
    pop, post = gates.Raw(g, "pop3"), lmtp(g)
    pop.line()
    g.process.send_signal(signal.SIGTERM)
    for client in (new, logged_on, idle):
        assert client.rest() == b"* BYE [UNAVAILABLE] The server is going down\r\n"
    assert pop.rest() == b""
    assert post.rest() == b"421 4.3.2 The server is shutting down\r\n"
    ended(g)


def test_nobody_comes_in_any_more(g):
    post = lmtp(g)
    post.cmd("MAIL FROM:<>")
    draining(g)
    gates.until(lambda: refused(g.ports["imap"]), "the port to close")
    post.send("QUIT\r\n")
    ended(g)


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return False
    except ConnectionRefusedError:
        return True


def test_a_transaction_that_has_begun_may_be_finished(g):
    post = lmtp(g)
    post.send("MAIL FROM:<a@example.net>\r\nRCPT TO:<alice@localhost>\r\n")
    post.line(), post.line()
    draining(g)
    assert post.cmd("DATA").startswith(b"354")
    post.send(MESSAGE + b".\r\n")
    assert post.line().startswith(b"250")
    assert post.rest() == b"421 4.3.2 The server is shutting down\r\n"
    ended(g)
    g.start()
    assert g.pop("alice", "secret").stat()[0] == 1


def big_mail(g):
    g.deliver("alice", b"Subject: big\r\n\r\n" + (b"y" * 76 + b"\r\n") * 100_000)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_an_answer_that_has_begun_is_finished(g, protocol):
    big_mail(g)
    if protocol == "imap":
        raw = imap(g)
        raw.imap("SELECT INBOX")
        raw.send("f FETCH 1 BODY.PEEK[]\r\n")
    else:
        raw = gates.Raw(g, "pop3")
        raw.line(), raw.cmd("USER alice"), raw.cmd("PASS secret")
        raw.send("RETR 1\r\n")
    raw.line()
    draining(g)
    rest = raw.rest()
    assert rest.count(b"y" * 76 + b"\r\n") == 100_000
    last = rb"\r\nf OK [^\r]+\r\n\* BYE [^\r]+\r\n" if protocol == "imap" else rb"\r\n\.\r\n"
    assert re.search(last + rb"\Z", rest)
    ended(g)


def stuck(g):
    """A session that asked for much and reads nothing."""
    big_mail(g)
    raw = imap(g)
    raw.imap("SELECT INBOX")
    raw.send("f FETCH 1 BODY.PEEK[]\r\n" * 20)
    return raw


def test_who_does_not_finish_in_time_is_cut_off(tmp_path):
    g = gates.Gate(tmp_path)
    g.config.write_text(g.config.read_text().replace("drain-timeout = 10s", "drain-timeout = 300ms"))
    g.add_user("alice", "secret")
    g.start()
    raw = stuck(g)
    g.process.send_signal(signal.SIGTERM)
    ended(g)
    assert 'end="shutdown"' in g.log_text()
    raw.close()


def test_a_second_signal_waits_for_nobody(tmp_path):
    g = gates.Gate(tmp_path)
    g.config.write_text(g.config.read_text().replace("drain-timeout = 10s", "drain-timeout = 1h"))
    g.add_user("alice", "secret")
    g.start()
    raw = stuck(g)
    draining(g)
    g.process.send_signal(signal.SIGHUP)  # nothing to reload any more, and no reason to hurry
    g.process.send_signal(signal.SIGTERM)
    ended(g)
    assert "server.hurry" in g.log_text()
    raw.close()


def test_a_long_change_may_be_cut_off(tmp_path):
    """Its steps end in order although nobody waits for them any more."""
    g = gates.Gate(tmp_path)
    g.config.write_text(g.config.read_text().replace("drain-timeout = 10s", "drain-timeout = 1ms"))
    g.add_user("alice", "secret")
    mbox = tmp_path / "mbox"
    mbox.write_bytes(b"".join(b"From x\nSubject: %d\n\nhi\n\n" % i for i in range(6000)))
    g.command("import", "alice", mbox)
    g.start()
    raw = imap(g)
    raw.imap("SELECT INBOX")
    raw.imap("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    raw.send("e EXPUNGE\r\n")
    raw.socket.recv(1)  # it has begun
    g.process.send_signal(signal.SIGTERM)
    ended(g)
    raw.close()


# ---- starting ----

def test_one_store_has_one_daemon(g, tmp_path):
    other = gates.Gate(tmp_path / "other")
    other.config.write_text(other.config.read_text().replace(f"{other.dir}/store", f"{g.dir}/store"))
    done = other.command("serve", check=False)
    assert done.returncode == 1 and "another daemon serves this store" in done.stderr


def test_a_port_is_not_shared_with_another_daemon(g, tmp_path):
    other = gates.Gate(tmp_path / "other")
    other.config.write_text(other.config.read_text().replace(str(other.imaps), str(g.imaps)))
    done = other.command("serve", check=False)
    assert done.returncode == 1 and f"cannot bind 127.0.0.1:{g.imaps}: Address already in use" in done.stderr


def test_a_killed_daemon_leaves_nothing_that_stops_the_next_one(tmp_path):
    g = gates.Gate(tmp_path, extra=f'listener "l" {{ protocol = lmtp socket = "{tmp_path}/l.sock" }}\n')
    g.start()
    g.process.kill()
    g.process.wait()
    assert (tmp_path / "l.sock").exists()
    with g:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f"{tmp_path}/l.sock")
            assert s.recv(100).startswith(b"220")
    assert not (tmp_path / "l.sock").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_is_given_up_after_binding(tmp_path):
    for path in (tmp_path, *tmp_path.parents):
        if str(path).startswith("/tmp/"):
            path.chmod(0o755)
    tmp_path.chmod(0o777)
    g = gates.Gate(tmp_path)
    g.config.write_text(g.config.read_text().replace("server {", 'server { user = "nobody"')
                        .replace("log {", f'log {{ file = "{tmp_path}/own.log"'))
    subprocess.run(["chown", "nobody", g.key], check=True)
    g.add_user("alice", "secret") if (tmp_path / "store").exists() else None
    with g:
        # The kernel accepts connections from binding on; what counts is who serves them.
        g.add_user("alice", "secret")
        assert g.imap("alice", "secret").noop()[0] == "OK"
        status = open(f"/proc/{g.process.pid}/status").read()
        assert re.search(r"^Uid:\t(\d+)\t\1\t\1\t\1$", status, re.M)[1] != "0"
        assert re.search(r"^Gid:\t(\d+)\t\1\t\1\t\1$", status, re.M)[1] != "0"
        assert re.search(r"^CapEff:\t0+$", status, re.M)
        (tmp_path / "own.log").rename(tmp_path / "own.log.1")
        g.process.send_signal(signal.SIGHUP)
        gates.until(lambda: (tmp_path / "own.log").exists() and
                    "config.reloaded" in (tmp_path / "own.log").read_text(), "the new log")
        assert "failed" not in (tmp_path / "own.log").read_text()


# ---- systemd ----

def test_the_service_manager_is_told_each_step(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(gates.DEADLINE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        g = gates.Gate(tmp_path)
        g.start()
        assert notify.recv(1000) == b"READY=1"
        g.process.send_signal(signal.SIGHUP)
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", notify.recv(1000))
        assert notify.recv(1000) == b"READY=1"
        g.process.send_signal(signal.SIGTERM)
        assert notify.recv(1000) == b"STOPPING=1"
        ended(g)


def test_who_is_ready_can_be_reached(tmp_path, monkeypatch):
    """READY=1 comes when every port answers, not before."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(gates.DEADLINE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        g = gates.Gate(tmp_path)
        g.process = subprocess.Popen([gates.BINARY, "serve", "-c", g.config], stderr=open(g.log, "ab"))
        assert notify.recv(1000) == b"READY=1"
        for port in g.ports.values():
            socket.create_connection(("127.0.0.1", port)).close()
        assert g.stop() == 0


# ---- what it says ----

def session_lines(g, key):
    return [line for line in g.log_text().splitlines() if "session.end" in line and key in line]


def test_one_line_tells_what_a_session_did_and_cost(g):
    g.deliver("alice", MESSAGE)
    gates.until(lambda: session_lines(g, "appended=1"), "the line of the delivery")
    client = g.imap("alice", "secret")
    client.select("INBOX")
    client.fetch("1", "(BODY[])")
    client.store("1", "+FLAGS", "\\Deleted")
    client.expunge()
    client.logout()
    gates.until(lambda: session_lines(g, 'user="alice"'), "the line of the session")
    [line] = session_lines(g, 'user="alice"')
    fields = dict(re.findall(r'(\w+)="?([^" ]*)"?', line))
    assert fields["protocol"] == "imap" and fields["listener"] == "imap" and fields["end"] == "logout"
    assert fields["address"] == "127.0.0.1" and fields["tls"] == "none"
    assert (fields["fetched"], fields["expunged"]) == ("1", "1")
    assert int(fields["commands"]) == 6 + 1  # imaplib asks for CAPABILITY first
    assert int(fields["out"]) > int(fields["fetched_bytes"]) > len(MESSAGE)
    assert int(fields["in"]) > 100 and int(fields["ms"]) >= 0


def test_the_log_is_json_where_that_is_asked_for(tmp_path):
    g = gates.Gate(tmp_path)
    g.config.write_text(g.config.read_text().replace("log {", "log { format = json"))
    g.add_user("alice", "secret")
    with g:
        with gates.Raw(g, "imap") as raw:
            raw.line()
            raw.imap(b'LOGIN "a\x01\xff\\"b" {3+}\r\nx\r\n')
        g.imap("alice", "secret").logout()
    lines = [json.loads(line) for line in g.log.read_text().splitlines()]
    assert {"server.start", "session.end", "server.drain", "server.stop"} <= {l["event"] for l in lines}
    assert all({"time", "level", "event"} <= set(l) for l in lines)
    assert any(l["event"] == "session.end" and l.get("user") == "alice" and l["end"] == "logout" for l in lines)


# ---- a new configuration ----

def reload(g, word="config.reloaded"):
    before = g.log_text().count(word)
    g.process.send_signal(signal.SIGHUP)
    gates.until(lambda: g.log_text().count(word) > before, word)


def test_limits_audit_file_and_policy_change_with_the_configuration(g):
    text = g.config.read_text().replace("audit.jsonl", "audit2.jsonl").replace("limits {", "limits { attempts = 1")
    g.config.write_text(text.replace("workers = 2", "workers = 3"))
    reload(g)
    with gates.Raw(g, "imap") as raw:
        raw.send("a LOGIN alice no\r\nb LOGIN alice no\r\n")
        assert raw.rest().endswith(b"a NO [AUTHENTICATIONFAILED] LOGIN FAILURE\r\n* BYE Too many attempts to log on\r\n")
    assert "alice" in (g.dir / "audit2.jsonl").read_text()
    assert "alice" not in g.audit.read_text()
    assert 'config.needs.restart key="server.workers"' in g.log_text()


def test_rotated_files_are_opened_anew(g):
    g.imap("alice", "secret").logout()
    g.audit.rename(g.dir / "audit.1")
    reload(g)
    g.imap("alice", "secret").logout()
    assert g.audit.read_text().count("alice") and (g.dir / "audit.1").read_text().count("alice")


def test_an_audit_file_that_cannot_be_made_is_refused(g):
    g.config.write_text(g.config.read_text().replace("/audit.jsonl", "/none/audit.jsonl"))
    reload(g, "config.refused")
    g.imap("alice", "secret").logout()
    assert [r["identity"] for r in g.records()] == ["alice"]
