"""msmtp, swaks and smtplib deliver by LMTP: over TCP, with STARTTLS, and over a Unix socket."""
import re
import smtplib

import pytest

import clients
import gate as gates
import mails


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    directory = tmp_path_factory.mktemp("daemon")
    port = gates.free_ports(1)[0]
    g = gates.Gate(directory, limits="message = 3M", extra=f"""
listener "lmtp-unix" {{ protocol = lmtp socket = "{directory}/lmtp.sock" }}
listener "lmtp-tls" {{ protocol = lmtp address = "127.0.0.1" port = {port} tls = starttls }}
""")
    g.socket, g.ports["lmtp-tls"] = directory / "lmtp.sock", port
    for name in ("alice", "bob", "small", "jürgen"):
        g.add_user(name, "secret")
    g.command("user", "set", "small", "quota=2000")
    with g:
        yield g
        g.verify()


@pytest.fixture
def gate(shared_gate):
    for name in ("bob", "small"):
        shared_gate.command("user", "del", name)
        shared_gate.add_user(name, "secret")
    shared_gate.command("user", "set", "small", "quota=2000")
    return shared_gate


def inbox(g, user="alice"):
    client = g.imap()
    client.authenticate("PLAIN", lambda _: f"\0{user}\0secret".encode())
    n = int(client.select("INBOX", readonly=True)[1][0])
    found = [i[1] for i in client.fetch(f"1:{n}", "BODY.PEEK[]")[1] if isinstance(i, tuple)] if n else []
    client.logout()
    return found


def content(message):
    """What was sent: behind the fields of delivery."""
    start = re.match(rb"Return-Path: <[^>]*>\r\n(?:Delivered-To: .*\r\n)?Received: .*\r\n(?:[ \t].*\r\n)*", message)
    assert start, message[:300]
    return message[start.end():]


WAYS = ["TCP", "STARTTLS", "Unix socket"]


def msmtp(g, way, message, *recipients, status=0):
    where = {"TCP": ["--host=127.0.0.1", f"--port={g.lmtp}"],
             "STARTTLS": ["--host=localhost", f"--port={g.ports['lmtp-tls']}", "--tls=on", "--tls-starttls=on",
                          f"--tls-trust-file={g.cert}"],
             "Unix socket": [f"--socket={g.socket}", "--host=localhost", "--port=24"]}[way]
    return clients.run(g.work, "msmtp", "--protocol=lmtp", *where, "--from=sender@example.net",
                       "--set-date-header=off", "--set-from-header=off", "--set-msgid-header=off", "--",
                       *recipients, input=message.replace(b"\r\n", b"\n"), status=status)


def swaks(g, way, message, *recipients, options=(), status=0):
    where = {"TCP": ["--server", "127.0.0.1", "--port", g.lmtp],
             "STARTTLS": ["--server", "127.0.0.1", "--port", g.ports["lmtp-tls"], "-tls"],
             "Unix socket": ["--socket", g.socket]}[way]
    data = g.work / "data"
    stuffed = re.sub(rb"(?:\A|(?<=\r\n))\.", b"..", message)
    data.write_bytes(stuffed + (b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n"))
    return clients.run(g.work, "swaks", "--protocol", "LMTP", *where, "--from", "sender@example.net", "--to",
                       ",".join(recipients), "--data", f"@{data}", "--no-data-fixup", "--timeout", "60", *options, status=status)


@pytest.mark.parametrize("way", WAYS)
def test_msmtp_delivers_byte_for_byte(gate, way):
    wanted = [m for m in [*mails.samples(), mails.ODD["dots"], mails.ODD["8-bit"]] if not m.startswith(b"Return-Path")]
    for message in wanted:
        msmtp(gate, way, message, "alice@example.org")
    assert list(map(content, inbox(gate))) == wanted


@pytest.mark.parametrize("way", WAYS)
def test_msmtp_delivers_large_mail_up_to_the_limit(gate, way):
    large = mails.odd(b"large", b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 40_000)
    msmtp(gate, way, large, "alice@example.org", "bob@example.org")
    assert list(map(content, inbox(gate))) == list(map(content, inbox(gate, "bob"))) == [large]
    said = msmtp(gate, way, large + large, "alice@example.org", status=None)
    assert said.returncode and b"5.3.4" in said.stderr, said.stderr
    assert len(inbox(gate)) == 1


# It fits into the mailbox of "small" by its SIZE, and does not with the fields of delivery.
ALMOST = mails.odd(b"several", b"z" * 1850 + b"\r\n")


@pytest.mark.parametrize("way", WAYS)
def test_msmtp_hears_of_each_recipient(gate, way):
    said = msmtp(gate, way, ALMOST, "alice@example.org", "small@example.org", "bob@example.org", status=None)
    assert said.returncode and b"small@example.org" in said.stderr and b"5.2.2" in said.stderr, said.stderr
    assert [len(inbox(gate, u)) for u in ("alice", "small", "bob")] == [1, 0, 1]
    said = msmtp(gate, way, ALMOST, "alice@example.org", "nobody@example.org", status=None)
    assert said.returncode and b"5.1.1" in said.stderr, said.stderr
    assert len(inbox(gate)) == 1  # msmtp gives up when one recipient is refused at RCPT


@pytest.mark.parametrize("way", WAYS)
def test_swaks_delivers_to_those_who_exist(gate, way):
    said = swaks(gate, way, mails.samples()[3], "alice@example.org", "nobody@example.org", "bob@example.org",
                 status=None)
    assert b"550 5.1.1" in said.stdout and said.stdout.count(b" 250 2.0.0") >= 2, said.stdout
    assert list(map(content, inbox(gate))) == list(map(content, inbox(gate, "bob"))) == [mails.samples()[3]]


@pytest.mark.parametrize("way", WAYS)
def test_swaks_gets_one_reply_for_each_recipient(gate, way):
    message = mails.odd(b"several", (b"z" * 70 + b"\r\n") * 50)
    said = swaks(gate, way, message, "alice@example.org", "small@example.org", "bob@example.org", status=None)
    assert re.search(rb"250 2\.0\.0[^\n]*\n(?s:.)*552 5\.2\.2[^\n]*\n(?s:.)*250 2\.0\.0", said.stdout), said.stdout
    assert [len(inbox(gate, u)) for u in ("alice", "small", "bob")] == [1, 0, 1]


def test_swaks_sends_odd_mail_as_it_is(gate):
    for name in ("nul", "lone-cr", "lone-lf", "dots-behind-lf", "long-line", "all-bytes", "no-empty-line"):
        swaks(gate, "TCP", mails.ODD[name], "alice@example.org")
        # DATA ends lines with CRLF, so the last line gets an end.
        stored, sent = content(inbox(gate)[-1]), mails.ODD[name]
        assert stored == sent or stored == sent + b"\r\n", name


def test_smtplib_delivers_and_hears_of_each_recipient(gate):
    """Python's LMTP client speaks 8BITMIME, SMTPUTF8 and SIZE, which a mailbox that is too small answers at RCPT."""
    lmtp = smtplib.LMTP("127.0.0.1", gate.lmtp)
    lmtp.ehlo()
    for extension in ("8bitmime", "pipelining", "enhancedstatuscodes", "chunking", "binarymime", "smtputf8", "size"):
        assert lmtp.has_extn(extension)
    message = "Subject: ünicode\r\n\r\n".encode() + b"z" * 3000 + b"\r\n"
    refused = lmtp.sendmail("sender@example.net", ["alice", "small", "nobody@example.org", "jürgen@example.org"],
                            message, ["SMTPUTF8", "BODY=8BITMIME"])
    assert {name: code for name, (code, _) in refused.items()} == {"small": 552, "nobody@example.org": 550}
    assert [content(m) for m in inbox(gate)] == [message] == [content(inbox(gate, "jürgen")[-1])]
    lmtp.quit()


def test_smtplib_over_a_unix_socket(gate):
    lmtp = smtplib.LMTP(str(gate.socket))
    assert lmtp.sendmail("", ["alice"], mails.samples()[1]) == {}
    assert b"Return-Path: <>\r\n" in inbox(gate)[0]
    lmtp.quit()


def test_chunks_are_put_together(gate):
    """No client of Debian's sends BDAT; this one is written down."""
    message = mails.ODD["all-bytes"]
    with gate.raw("lmtp") as c:
        c.line()
        c.send("LHLO test\r\n")
        while c.line()[3:4] == b"-":
            pass
        assert c.cmd("MAIL FROM:<> BODY=BINARYMIME").startswith(b"250")
        assert c.cmd("RCPT TO:<alice>").startswith(b"250") and c.cmd("RCPT TO:<bob>").startswith(b"250")
        for piece in (message[:100], b"", message[100:]):
            last = b" LAST" if piece == message[100:] else b""
            c.send(b"BDAT %d%s\r\n" % (len(piece), last) + piece)
            assert c.line().startswith(b"250")
        assert c.line().startswith(b"250 2.0.0")
        assert c.cmd("QUIT").startswith(b"221")
    assert [content(m) for m in inbox(gate)] == [content(m) for m in inbox(gate, "bob")] == [message]
