"""Commands that are built to cost more than they should: parentheses, wildcards, sets, literals, names, and what is
no IMAP, POP3 or LMTP at all. The daemon answers, stays small, and serves the next client."""
import re
import zlib

import pytest

import gate as gates

MIB = 1 << 20


def resident(g):
    """What the daemon has in memory that is its own, in bytes."""
    text = open(f"/proc/{g.process.pid}/smaps_rollup").read()
    return 1024 * int(re.search(r"^Private_Dirty:\s+(\d+)", text, re.M)[1])


def logged_on(g):
    c = g.raw("imap")
    c.line()
    assert c.imap("LOGIN alice secret")[0] == "OK"
    return c


def say(c, command, tag="a1"):
    """The tagged answer, or b"" where the server hung up."""
    try:
        c.send(tag.encode() + b" " + command + b"\r\n")
    except OSError:
        pass
    last = b""
    try:
        while line := c.file.readline():
            last = line
            if line.startswith(tag.encode() + b" "):
                return line.rstrip(b"\r\n")
            if line.startswith(b"+ "):
                return line.rstrip(b"\r\n")
    except OSError:
        pass
    return last.rstrip(b"\r\n") if last.startswith(b"* BYE") else b""


def still_serves(g):
    imap = g.imap("bob", "secret")
    assert imap.select()[0] == "OK"
    imap.logout()


# ---- before log-on ----

BEFORE = {
    "parentheses": b"(" * 60000,
    "list of parentheses": b"LIST " + b"(" * 60000,
    "brackets": b"FETCH 1 BODY" + b"[" * 60000,
    "braces": b"{" * 60000,
    "quotes": b'LOGIN "' + b'\\"' * 30000,
    "angle": b"<" * 60000,
    "one long word": b"A" * 60000,
    "blanks": b"LOGIN " + b" " * 60000,
    "NULs": b"\0" * 60000,
    "8-bit": b"\xff" * 60000,
}


@pytest.mark.parametrize("what", BEFORE)
def test_nobody_gets_memory_before_log_on(gate, what):
    connections = [gate.raw("imap") for _ in range(20)]
    for c in connections:
        c.line()
    before = resident(gate)
    for c in connections:
        c.send(b"a1 " + BEFORE[what])  # and no line end
    with gate.raw("imap") as c:
        c.line()
        answer = say(c, BEFORE[what])
        assert answer.startswith((b"a1 BAD", b"a1 NO", b"* BYE")), answer
    # 16 KiB each (and the sanitizers' own)
    assert resident(gate) - before < 20 * 64 * 1024 + 4 * MIB
    still_serves(gate)
    for c in connections:
        c.close()


LITERALS = [b"{4294967296}", b"{18446744073709551616}", b"{99999999999999999999+}", b"{-1}", b"{+}", b"{}", b"{ 5}",
            b"{5 }", b"{0x10}", b"{1e3}", b"{5++}", b"{5+-}", b"{000000000000000000000000000000005}", b"{131073}",
            b"{4294967295}"]


@pytest.mark.parametrize("literal", LITERALS)
def test_a_literal_of_an_impossible_size_is_refused_before_it_is_sent(gate, literal):
    for before_logon in (True, False):
        c = gate.raw("imap") if before_logon else logged_on(gate)
        if before_logon:
            c.line()
        answer = say(c, (b"LOGIN " if before_logon else b"STATUS ") + literal)
        if answer.startswith(b"+ "):  # five bytes, with zeroes in front
            assert literal == LITERALS[12] or literal == b"{131073}" and False
            c.send(b"alice x\r\n")
            answer = c.line()
        assert answer.startswith((b"a1 BAD", b"a1 NO", b"* BYE")), (literal, answer)
        c.close()
    still_serves(gate)


def test_a_stranger_who_sends_without_asking_is_cut_off(gate):
    with gate.raw("imap") as c:
        c.line()
        assert say(c, b"LOGIN {2147483648+}").startswith(b"* BYE")


def test_many_literals_are_bounded_together(gate):
    c = logged_on(gate)
    before = resident(gate)
    sent = 0
    c.send(b"a1 SEARCH")
    try:
        for _ in range(200):
            c.send(b" SUBJECT {100000+}\r\n" + b"x" * 100000)
            sent += 100000
    except OSError:
        pass
    answer = say(c, b"")
    assert not answer.startswith(b"a1 OK"), answer
    assert resident(gate) - before < 16 * MIB
    c.close()
    still_serves(gate)


# ---- after log-on ----

def folders(g, n):
    c = logged_on(g)
    for i in range(n):
        c.send(f"c{i} CREATE {'a' * 30}/{i}/{'a' * 60}\r\n")
    c.send("last NOOP\r\n")
    assert c.imap_answer("last")[0] == "OK"
    return c


def test_wildcards_do_not_multiply(gate):
    """Work that grew with a power of the wildcards would not end within the deadline of the connection."""
    c = folders(gate, 50)
    for pattern in (b"%*" * 200, b"*a" * 200 + b"b", b"%a" * 200 + b"b", b"*" * 1000 + b"x", b"%/" * 500 + b"x",
                    b"a*" * 300 + b"%b"):
        for command in (b'LIST "" ', b'LSUB "" ', b'LIST (SUBSCRIBED RECURSIVEMATCH) "" '):
            assert say(c, command + b'"' + pattern + b'"').startswith((b"a1 OK", b"a1 NO", b"a1 BAD"))
    assert say(c, b'LIST "" (' + b" ".join([b"%*%*%*%*x"] * 100) + b")").startswith((b"a1 OK", b"a1 NO", b"a1 BAD"))
    c.close()


DEEP = {
    "parentheses": lambda n: b"SEARCH " + b"(" * n + b"ALL" + b")" * n,
    "open only": lambda n: b"SEARCH " + b"(" * n,
    "NOT": lambda n: b"SEARCH " + b"NOT " * n + b"ALL",
    "OR": lambda n: b"SEARCH " + b"OR " * n + b"ALL " * n + b"ALL",
    "mixed": lambda n: b"SEARCH " + b"OR (NOT " * n + b"ALL" + b") ALL" * n,
    "fetch": lambda n: b"FETCH 1 " + b"(" * n + b"FLAGS" + b")" * n,
    "section": lambda n: b"FETCH 1 BODY[" + b"1." * n + b"1]",
    "fields": lambda n: b"FETCH 1 BODY[HEADER.FIELDS (" + b"X " * n + b"X)]",
    "store": lambda n: b"STORE 1 FLAGS " + b"(" * n + b")" * n,
    "status": lambda n: b"STATUS INBOX " + b"(" * n + b"MESSAGES" + b")" * n,
    "id": lambda n: b"ID (" + b'"a" "b" ' * n + b'"a" "b")',
    "keys": lambda n: b"SEARCH " + b"ALL " * n + b"ALL",
    "return": lambda n: b"SEARCH RETURN (" + b"MIN " * n + b"MAX) ALL",
}


@pytest.mark.parametrize("what", DEEP)
def test_nesting_is_bounded_and_said_to_be(gate, what):
    gate.deliver("alice", b"Subject: x\r\n\r\nbody\r\n")
    c = logged_on(gate)
    assert say(c, b"SELECT INBOX").startswith(b"a1 OK")
    for n in (10, 1000, 10000):
        answer = say(c, DEEP[what](n))
        assert answer.startswith((b"a1 OK", b"a1 NO", b"a1 BAD", b"* BYE")), (n, answer)
        if not answer.startswith(b"a1"):
            c.close()
            c = logged_on(gate)
            say(c, b"SELECT INBOX")
    assert say(c, b"NOOP").startswith(b"a1 OK")
    c.close()
    still_serves(gate)


SETS = [b"4294967295", b"1:4294967295", b"4294967295:1", b"*:4294967295", b"4294967295:*", b"*:*", b"*",
        b"4294967296", b"0", b"1:0", b"18446744073709551617", b"1:*:2", b"1,", b",1", b"1:", b"-1", b"1::2", b"$",
        b",".join(b"%d" % (2 * i + 1) for i in range(9000)), b",".join([b"1:*"] * 10000),
        b",".join(b"%d:1" % i for i in range(1, 6000)), b",".join([b"4294967295:1"] * 4000)]


def test_sets_of_any_shape_cost_their_length(gate):
    for i in range(3):
        gate.deliver("alice", b"Subject: %d\r\n\r\nbody\r\n" % i)
    c = logged_on(gate)
    assert say(c, b"SELECT INBOX").startswith(b"a1 OK")
    before = resident(gate)
    for numbers in SETS:
        for command in (b"UID FETCH %s FLAGS", b"FETCH %s FLAGS", b"UID SEARCH UID %s", b"SEARCH %s", b"UID COPY %s Drafts",
                        b"UID STORE %s +FLAGS.SILENT (\\Seen)", b"UID EXPUNGE %s"):
            answer = say(c, command % numbers)
            assert answer.startswith((b"a1 OK", b"a1 NO", b"a1 BAD")), (command, numbers[:40], answer)
    for partial in (b"<4294967295.4294967295>", b"<0.4294967295>", b"<18446744073709551615.1>", b"<0.0>", b"<1.0>",
                    b"<-1.5>", b"<5>", b"<4294967296.1>"):
        assert say(c, b"FETCH 1 BODY.PEEK[]" + partial).startswith((b"a1 OK", b"a1 NO", b"a1 BAD")), partial
    assert resident(gate) - before < 32 * MIB
    c.close()


def test_keywords_made_to_collide_are_only_keywords(gate):
    """As many as are allowed, alike in length and all but some bytes; and no more than are allowed."""
    gate.deliver("alice", b"Subject: x\r\n\r\nbody\r\n")
    c = logged_on(gate)
    say(c, b"SELECT INBOX")
    refused = 0
    for i in range(0, 6000, 100):
        names = b" ".join(b"k%05d%s" % (n, b"x" * 20) for n in range(i, i + 100))
        answer = say(c, b"STORE 1 +FLAGS.SILENT (" + names + b")")
        assert answer.startswith((b"a1 OK", b"a1 NO")), answer
        refused += answer.startswith(b"a1 NO")
    assert say(c, b"FETCH 1 FLAGS").startswith(b"a1 OK")
    assert say(c, b"STORE 1 FLAGS ()").startswith(b"a1 OK")
    c.close()


NAMES = [b"..", b"../../etc/passwd", b"/etc/passwd", b"a/../../b", b"a//b", b"/", b"//", b"a/", b"./a", b"~root/x", b"#news",
         b"INBOX/../x", b"&AGE-", b"&", b"&&&&", b"&AAA-", b"&2ADcAA-", b"&ACoALw-", b"\xff\xfe", b"a\x7fb",
         b"x" * 255, b"x" * 512, b"x" * 5000, b"/".join([b"d"] * 1000), b"/".join([b"d" * 200] * 50), b"%", b"*", b"a*b",
         b"accounts", b"data.mdb", b"lock.mdb", b"con", b"nul\0x", b"a\r\nb", b" ", b"", b"\xe2\x80\xae"]


def test_names_of_folders_lead_nowhere(gate):
    c = logged_on(gate)
    files = lambda: {p.relative_to(gate.dir) for p in gate.dir.rglob("*")}  # noqa: E731
    before = files()
    for name in NAMES:
        if b"\0" in name:
            c.close()
            c = logged_on(gate)
        for command in (b"CREATE ", b"SUBSCRIBE ", b"EXAMINE ", b"STATUS ", b"RENAME INBOX ", b"DELETE "):
            rest = b" (MESSAGES)" if command == b"STATUS " else b""
            c.send(b"a1 " + command + b"{%d+}\r\n" % len(name) + name + rest + b"\r\n")
            answer = c.imap_answer()[1]
            assert answer.startswith((b"a1 OK", b"a1 NO", b"a1 BAD")), (name, command, answer)
    status, _, listed = c.imap(b'LIST "" "*"')
    assert status == "OK" and b"\0" not in listed
    assert c.imap(b"SELECT INBOX")[0] == "OK"
    assert files() == before, "a name became a file"
    c.close()


# ---- COMPRESS ----

def test_a_compressed_flood_is_a_long_line_and_no_more(gate):
    c = logged_on(gate)
    assert c.imap(b"COMPRESS DEFLATE")[0] == "OK"
    before = resident(gate)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(deflate.compress(b"a" * MIB) for _ in range(256)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < MIB
    inflate = zlib.decompressobj(-15)
    answer = b""
    try:
        c.socket.sendall(bomb)
        c.socket.sendall(deflate.compress(b"\r\nb1 LOGOUT\r\n") + deflate.flush(zlib.Z_SYNC_FLUSH))
        while data := c.socket.recv(65536):
            answer += inflate.decompress(data)
            if b"BYE" in answer:
                break
    except OSError:
        pass
    assert b"BAD" in answer or b"BYE" in answer, answer
    assert resident(gate) - before < 8 * MIB
    c.close()
    still_serves(gate)


def test_what_is_not_compressed_ends_a_compressed_connection(gate):
    for rubbish in (b"\xff" * 100, b"a1 NOOP\r\n" * 10, zlib.compress(b"a1 NOOP\r\n"), b"\x06\x07"):
        c = logged_on(gate)
        assert c.imap(b"COMPRESS DEFLATE")[0] == "OK"
        c.send(rubbish)
        c.socket.shutdown(1)
        while c.socket.recv(65536):
            pass
        c.close()
    still_serves(gate)


# ---- other protocols ----

HTTP = {
    "get": b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
    "post": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 70\r\n\r\n"
            b"a1 LOGIN alice secret\r\na2 SELECT INBOX\r\nUSER alice\r\nPASS secret\r\n",
    "script": b"POST /<script>alert(1)</script> HTTP/1.1\r\n<script>alert(2)</script>\r\n"
              b"X: <script>alert(3)</script>\r\n\r\n",
    "smtp": b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\nDATA\r\nx\r\n.\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(range(200)),
    "ssh": b"SSH-2.0-x\r\n",
    "rdp": b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
    "noise": bytes(range(256)) * 20,
}


@pytest.mark.parametrize("what", HTTP)
@pytest.mark.parametrize("listener", ["imap", "pop3", "lmtp"])
def test_another_protocol_is_turned_away_and_not_echoed(gate, listener, what):
    with gate.raw(listener) as c:
        answer = b""
        try:
            c.send(HTTP[what])
            c.socket.shutdown(1)
            answer = c.rest()
        except OSError:
            pass
        assert b"script" not in answer and b"HTTP" not in answer
        assert b"Logged on" not in answer and b"messages" not in answer and b"354" not in answer
        assert answer.count(b"\r\n") <= 8, answer
    still_serves(gate)


# ---- dates ----

DATES = ["01-Jan-1970 00:00:00 +0000", "01-Jan-1900 00:00:00 +0000", "31-Dec-9999 23:59:59 +1400",
         "19-Jan-2038 03:14:08 +0000", "19-Jan-2038 03:14:07 -1200", "29-Feb-2024 12:00:00 +0545",
         "27-Oct-2024 02:30:00 +0200", "27-Oct-2024 02:30:00 +0100", "31-Mar-2024 02:30:00 -0330",
         " 1-Jul-2024 00:00:00 +0000"]
NO_DATES = ["30-Feb-2024 00:00:00 +0000", "1-Jan-2024 24:00:00 +0000", "1-Jan-2024 00:60:00 +0000", "0-Jan-2024 00:00:00 +0000",
            "1-Jan-2024 00:00:00", "1-Foo-2024 00:00:00 +0000", "1-Jan-24 00:00:00 +0000", "1-Jan-2024 00:00:00 +9999",
            "1-Jan-10000 00:00:00 +0000", ""]


def test_a_date_comes_back_as_it_was_given(gate):
    c = logged_on(gate)
    for date in DATES:
        c.send(f'a1 APPEND INBOX "{date}" {{3+}}\r\nabc\r\n')
        assert c.imap_answer()[0] == "OK", date
    c.imap("SELECT INBOX")
    answer = c.imap("FETCH 1:* INTERNALDATE")[2]
    shown = [date.decode().replace("01-Jul", " 1-Jul") for date in re.findall(rb'INTERNALDATE "([^"]+)"', answer)]
    assert shown == DATES
    for date in NO_DATES:
        c.send(f'a1 APPEND INBOX "{date}" {{3+}}\r\nabc\r\n')
        assert c.imap_answer()[0] in ("BAD", "NO"), date
    c.close()
