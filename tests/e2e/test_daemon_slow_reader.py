"""A client that asks for much and reads a byte now and then: it costs one buffer, and it keeps nothing back."""
import socket

import gate as gates

BIG = b"Subject: big\r\n\r\n" + (b"z" * 76 + b"\r\n") * 200_000  # 15.6 MB


def resident(g):
    status = open(f"/proc/{g.process.pid}/status").read()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def slow_client(g):
    """A socket with a small window."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(gates.DEADLINE)
    s.connect(("127.0.0.1", g.ports["imap"]))
    return s


def test_a_slow_reader_costs_a_buffer_and_lets_the_store_use_its_pages_again(tmp_path, monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=1")
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    g.add_user("bob", "secret")
    with g:
        g.deliver("alice", BIG)
        g.deliver("bob", b"Subject: small\r\n\r\n")
        busy = gates.Raw(g, "imap")
        busy.line()
        busy.imap("LOGIN bob secret")
        busy.imap("SELECT INBOX")

        def change(times):
            for i in range(times):
                assert busy.imap(f"STORE 1 {'+-'[i % 2]}FLAGS.SILENT (\\Seen)")[0] == "OK"

        change(50)
        memory, file = resident(g), (tmp_path / "store" / "data.mdb").stat().st_size
        readers = [slow_client(g) for _ in range(5)]
        for s in readers:
            s.sendall(b"a LOGIN alice secret\r\nb SELECT INBOX\r\n" + b"c FETCH 1 (BODY.PEEK[])\r\n" * 10)
            while b" FETCH " not in s.recv(1000):
                pass
        for _ in range(100):
            for s in readers:
                assert len(s.recv(1)) == 1
            change(3)
        assert resident(g) - memory < 12_000_000  # of 780 MB that were asked for
        # A snapshot that is kept open would cost 24 KB a change.
        assert (tmp_path / "store" / "data.mdb").stat().st_size - file < 1_000_000
        last = readers.pop()
        for s in readers:
            s.close()
        rest = last.makefile("rb")
        for _ in range(10):
            while b"c OK" not in (line := rest.readline()):
                assert line.endswith(b"\n")
        last.close()
        g.verify()


def test_what_a_slow_reader_is_sent_may_be_deleted_meanwhile(tmp_path):
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    with g:
        g.deliver("alice", BIG)
        s = slow_client(g)
        s.sendall(b"a LOGIN alice secret\r\nb SELECT INBOX\r\nc FETCH 1 (BODY.PEEK[])\r\nd LOGOUT\r\n")
        said = b""
        while b" FETCH " not in said:
            said += s.recv(1000)
        other = g.imap("alice", "secret")
        other.select("INBOX")
        other.store("1", "+FLAGS", "\\Deleted")
        assert other.expunge()[0] == "OK"
        assert other.select("INBOX") == ("OK", [b"0"])
        with s.makefile("rb") as rest:
            said += rest.read()
        s.close()
        assert said.count(b"z" * 76 + b"\r\n") == 200_000
        assert b"\r\nc OK" in said and said.rstrip().splitlines()[-1].startswith(b"d OK")
