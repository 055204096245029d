"""Who must wait after wrong secrets is seen, and need not any more, by command."""
import itertools
import json
import os
import signal
import socket

import pytest

import gate as gates

EVIL = "nobody\x1b[2j"
serial = itertools.count()


@pytest.fixture
def g(tmp_path):
    g = gates.Gate(tmp_path)
    g.config.write_text(g.config.read_text().replace('"127.0.0.0/8"', '"127.0.0.1"'))
    g.add_user("alice", "secret")
    with g:
        yield g


def attempt(g, address, user, secret):
    with socket.create_connection(("127.0.0.1", g.ports["pop3"]), gates.DEADLINE, source_address=(address, 0)) as s:
        file = s.makefile("rb")
        file.readline()
        s.sendall(f"USER {user}\r\nPASS {secret}\r\nQUIT\r\n".encode())
        file.readline()
        return file.readline().decode()


def rows(g):
    return json.loads(g.command("auth", "throttled", "--json").stdout)


def throttled(g):
    return {(row["address"], row["name"]) for row in rows(g)}


def wait_long(g, *pairs):
    """Guess until each has to wait for so long that the rest of the test sees it, however slow the machine is."""
    def are_waiting():
        long = {(row["address"], row["name"].lower()) for row in rows(g) if row["wait_ms"] > 7000}
        for address, user in pairs:
            if (address, user.split("@")[0].lower()) not in long:
                attempt(g, address, user, f"guess{next(serial)}")
        return len(long) == len(pairs)
    gates.until(are_waiting, "long waits")


def test_who_waits_is_told_and_who_is_lifted_gets_in(g):
    assert throttled(g) == set()
    wait_long(g, ("127.0.0.2", "alice"), ("127.0.0.3", "Alice@example.org"), ("127.0.0.4", EVIL))
    assert throttled(g) == {("127.0.0.2", "alice"), ("127.0.0.3", "alice"), ("127.0.0.4", EVIL)}
    assert all(5 <= row["failures"] <= 10 and 0 < row["wait_ms"] <= 300000 for row in rows(g))
    shown = g.command("auth", "throttled").stdout
    assert "127.0.0.2" in shown and "alice" in shown and "\x1b" not in shown and r"\x1b" in shown
    assert attempt(g, "127.0.0.2", "alice", "secret").startswith("-ERR [SYS/TEMP]")

    assert json.loads(g.command("auth", "lift", "--address", "127.0.0.9", "--json").stdout) == {"lifted": 0}
    assert len(throttled(g)) == 3
    assert g.command("auth", "lift", "--address", "127.0.0.2").stdout == "1 lifted\n"
    assert attempt(g, "127.0.0.2", "alice", "secret").startswith("+OK")
    assert g.command("auth", "lift", "--user", "ALICE").stdout == "1 lifted\n"
    assert attempt(g, "127.0.0.3", "alice", "secret").startswith("+OK")
    assert throttled(g) == {("127.0.0.4", EVIL)}
    g.command("auth", "lift", "--all")
    assert throttled(g) == set()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_who_must_wait_waits_after_a_restart_too(g, how):
    wait_long(g, ("127.0.0.2", "alice"))
    penalties = g.dir / "store" / "penalties"
    gates.until(lambda: how == signal.SIGTERM or penalties.exists(), "what is counted to be written down")
    before = rows(g)
    g.stop(how)
    assert os.stat(penalties).st_mode & 0o777 == 0o600
    g.start()
    (after,) = [row for row in rows(g) if row["name"] == "alice"]
    assert after["failures"] >= before[0]["failures"] - 1 >= 4 and after["wait_ms"] > 0
    assert attempt(g, "127.0.0.2", "alice", "secret").startswith("-ERR [SYS/TEMP]")
    assert attempt(g, "127.0.0.3", "alice", "secret").startswith("+OK")
    g.command("auth", "lift", "--all")
    g.stop()
    g.start()
    assert attempt(g, "127.0.0.2", "alice", "secret").startswith("+OK")


def test_penalties_that_are_damaged_keep_nobody_from_starting(g):
    g.stop()
    (g.dir / "store" / "penalties").write_bytes(b"GPBO\x01 and nonsense")
    g.start()
    assert "penalties.lost" in g.log_text()
    assert attempt(g, "127.0.0.2", "alice", "secret").startswith("+OK")


@pytest.mark.parametrize("words", [[], ["--all", "--user", "alice"]])
def test_what_is_to_be_lifted_must_be_said(gate, words):
    assert gate.command("auth", "lift", *words, check=False).returncode == 2


def test_what_is_no_address_is_said(gate):
    done = gate.command("auth", "lift", "--address", "example.org", check=False)
    assert done.returncode == 1 and "not an address" in done.stderr


def test_without_a_daemon_there_is_nobody_to_ask(tmp_path):
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    for words in (["throttled"], ["lift", "--all"]):
        done = g.command("auth", *words, check=False)
        assert done.returncode == 1 and "no daemon serves this store" in done.stderr


def test_the_socket_is_the_daemons_own_and_goes_with_it(tmp_path):
    """Also in a directory whose path is longer than an address of a Unix socket can be."""
    g = gates.Gate(tmp_path / ("d" * 120))
    path = g.dir / "store" / "control"
    with g:
        assert os.stat(path).st_mode & 0o777 == 0o600
    assert not path.exists()
    g.start()
    g.stop(9)
    assert path.exists()
    with g:
        g.command("auth", "throttled")


def test_nonsense_is_answered_or_left_and_harms_nobody(gate):
    for said in (b"", b"\n", b"{\n", b"[]\n", b'{"do": 7}\n', b'{"do":"stop"}\n', b"x" * 100000, b'{"do":"lift","address":7}\n'):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(gates.DEADLINE)
            s.connect(str(gate.dir / "store" / "control"))
            try:
                s.sendall(said)
                s.shutdown(socket.SHUT_WR)
                answer = s.recv(1000)
            except (BrokenPipeError, ConnectionResetError):
                answer = b""
            assert not answer or "error" in json.loads(answer)
    assert throttled(gate) == set()
