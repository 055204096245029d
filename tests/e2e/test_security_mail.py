"""Mail that was made to hurt, through every door by which mail comes in, and out again by every door. What grew
faster than the mail would not end before the test's own limit; memory is measured."""
import re

import pytest

import gate as gates

MIB = 1 << 20
N = 10000


def nested(n, subtype="mixed"):
    head = b"".join(b'Content-Type: multipart/%s; boundary="b%d"\r\n\r\n--b%d\r\n' % (subtype.encode(), i, i) for i in range(n))
    tail = b"".join(b"\r\n--b%d--\r\n" % i for i in reversed(range(n)))
    return head + b"\r\ninnermost\r\n" + tail


MAIL = {
    "nested multiparts": lambda: nested(N),
    "nested digests": lambda: nested(N, "digest"),
    "nested messages": lambda: b"Content-Type: message/rfc822\r\n\r\n" * N + b"\r\ninnermost\r\n",
    "one boundary for all": lambda: b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' * N,
    "prefixes of a boundary": lambda: b"".join(b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' %
                                               (b"b" * (i % 70 + 1), b"b" * (i % 70 + 1)) for i in range(N)),
    "many parts": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * (10 * N) + b"--b--\r\n",
    "dashes": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--\r\n" * (100 * N),
    "addresses": lambda: b"To: " + b", ".join([b"a@b"] * (30 * N)) + b"\r\n\r\nx",
    "address fields": lambda: b"To: a@b\r\n" * (30 * N) + b"\r\nx",
    "groups": lambda: b"To: " + b"g:" * (30 * N) + b"\r\n\r\nx",
    "comments": lambda: b"From: " + b"(" * (100 * N) + b"\r\n\r\nx",
    "encoded words": lambda: b"Subject: " + b"=?utf-8?q?=C3=A4?=\r\n " * (10 * N) + b"\r\n\r\nx",
    "parameters": lambda: b"Content-Type: text/plain" + b"".join(b";\r\n p*%d*=%%41" % i for i in range(10 * N)) + b"\r\n\r\nx",
    "parameters of one name": lambda: b"Content-Type: text/plain" + b"; p*0*=a" * (10 * N) + b"\r\n\r\nx",
    "references": lambda: b"Message-ID: <x>\r\nReferences:" + b" <a@b>" * (10 * N) + b"\r\n\r\nx",
    "one long header line": lambda: b"X: " + b"y" * (10 * MIB) + b"\r\n\r\nx",
    "a header and nothing else": lambda: b"X: y\r\n" * (100 * N),
    "folded without end": lambda: b"X: y\r\n" + b" z\r\n" * (100 * N),
    "NULs": lambda: b"\0" * MIB,
    "NULs in a header": lambda: b"Subject: a\0b\r\nFrom: \0\0@\0\r\n\r\n\0",
    "line feeds": lambda: b"\n" * MIB,
    "carriage returns": lambda: b"\r" * MIB,
    "dots": lambda: b"S: x\r\n\r\n" + b".\r\n" * (10 * N),
    "8-bit": lambda: b"Subject: \xff\xfe\r\nFrom: \x80 <\xc3\x28@\xe2\x82>\r\n\r\n" + bytes(range(256)),
    "nothing": lambda: b"",
    "one byte": lambda: b"x",
    "cyclic ids": lambda: b"Message-ID: <a>\r\nIn-Reply-To: <a>\r\nReferences: <a> <a> <b> <a>\r\n\r\nx",
}


def peak(g):
    return 1024 * int(re.search(r"^VmHWM:\s+(\d+)", open(f"/proc/{g.process.pid}/status").read(), re.M)[1])


def chunked(g, message):
    """By BDAT, so that every byte comes in as it is."""
    with g.raw("lmtp") as c:
        c.line()
        c.send("LHLO test\r\n")
        while c.line()[3:4] == b"-":
            pass
        assert c.cmd("MAIL FROM:<> BODY=BINARYMIME").startswith(b"250")
        assert c.cmd("RCPT TO:<alice>").startswith(b"250")
        c.send(b"BDAT %d LAST\r\n" % len(message) + message)
        assert c.line().startswith(b"250"), "LMTP"


def appended(c, message):
    c.send(b"a1 APPEND INBOX {%d+}\r\n" % len(message) + message + b"\r\n")
    assert c.imap_answer()[0] == "OK", "APPEND"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    g = gates.Gate(tmp_path_factory.mktemp("hostile"))
    g.add_user("alice", "secret")
    g.add_user("bob", "secret")
    with g:
        yield g
        g.verify()


@pytest.mark.parametrize("what", MAIL)
def test_hostile_mail_comes_in_by_every_door_and_goes_out_as_it_came(hostile, tmp_path, what):
    message = MAIL[what]()
    base = peak(hostile)
    with hostile.raw("imap") as c:
        c.line()
        assert c.imap("LOGIN alice secret")[0] == "OK"
        assert c.imap("SELECT INBOX")[0] == "OK"
        c.imap("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        c.imap("EXPUNGE")
        chunked(hostile, message)
        if message:
            appended(c, message)
        file = tmp_path / "mail.eml"
        file.write_bytes(message)
        hostile.command("import", "alice", file, timeout=200)
        assert c.imap("NOOP")[0] == "OK"

        # What is said of it is bounded, and the next client is served.
        status, line, told = c.imap("FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE)")
        assert status == "OK", line
        sizes = [int(n) for n in re.findall(rb"RFC822\.SIZE (\d+)", told)]
        assert len(sizes) >= 2
        assert len(told) < 3 * (4 * len(message) + MIB)
        bodies = bodies_of(c, len(sizes))
        assert [len(b) for b in bodies] == sizes
        assert bodies[0].endswith(message)
        if message:
            assert bodies[1] == message
        for search in ("SUBJECT x", "TO nobody@example.org", "BODY zzzz", "TEXT zzzz", "HEADER References zzzz",
                       "SENTSINCE 1-Jan-2020"):
            assert c.imap("SEARCH " + search)[0] == "OK"

    pop = hostile.pop("alice", "secret")
    assert [int(l.split()[1]) for l in pop.list()[1]] == sizes
    pop.quit()
    with hostile.raw("pop3") as p:
        p.line()
        p.cmd("USER alice")
        p.cmd("PASS secret")
        for number, body in enumerate(bodies, 1):
            assert p.cmd(f"RETR {number}").startswith(b"+OK")
            assert unstuffed(p, body)
            assert p.cmd(f"TOP {number} 0").startswith(b"+OK")
            p.lines()
    # The sanitizers keep what was freed for a while, so this is much, and still far from quadratic.
    assert peak(hostile) - base < 40 * len(message) + 400 * MIB
    hostile.imap("bob", "secret").logout()


def bodies_of(c, n):
    bodies = []
    for number in range(1, n + 1):
        c.send(f"a1 FETCH {number} BODY.PEEK[]\r\n")
        line = c.file.readline()
        size = re.search(rb"\{(\d+)\}\r\n$", line)
        quoted = re.search(rb'BODY\[\] "(.*)"\)\r\n$', line)
        if size:
            bodies.append(c.file.read(int(size[1])))
            assert c.file.readline() == b")\r\n"
        else:
            assert quoted, line
            bodies.append(quoted[1])
        assert c.imap_answer()[0] == "OK"
    return bodies


def unstuffed(p, body):
    """Read a RETR as a client does that ends lines at LF; is it the body?"""
    got = p.lines()
    return got == body or got == body + b"\r\n"
