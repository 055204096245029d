"""Time-outs and limits of the running daemon: each ends in the protocol's own answer."""
import socket

import gate as gates
import pytest

HELLO = "LHLO test\r\n"
LOGON = "a LOGIN alice secret\r\n"


def connect(g, listener, *said):
    raw = gates.Raw(g, listener)
    for text in said:
        raw.send(text)
    return raw


def text_of(g, listener, *said):
    """All that the server says until it ends the connection, which is what the test waits for."""
    with connect(g, listener, *said) as raw:
        return raw.rest()


# ---- time-outs ----

@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    g = gates.Gate(tmp_path_factory.mktemp("impatient"),
                   limits="logon-timeout = 1500ms idle-timeout = 2s handshake-timeout = 1s")
    g.add_user("alice", "secret")
    with g:
        yield g


@pytest.mark.parametrize("listener,said,last", [
    ("imap", "", b"* BYE [UNAVAILABLE] Log on sooner next time\r\n"),
    ("imap", "a NOOP\r\n", b"* BYE [UNAVAILABLE] Log on sooner next time\r\n"),
    ("imap", "a AUTHENTICATE PLAIN\r\n", b"* BYE [UNAVAILABLE] Log on sooner next time\r\n"),
    ("pop3", "", b")\r\n"),  # RFC 1939 3: it says nothing
    ("lmtp", "", b"421 4.4.2 Timeout\r\n"),
    ("imap", LOGON, b"* BYE [UNAVAILABLE] Idle for too long\r\n"),
    ("imap", LOGON + "b SELECT INBOX\r\nc IDLE\r\n", b"* BYE [UNAVAILABLE] Idle for too long\r\n"),
    ("pop3", "USER alice\r\nPASS secret\r\n", b"+OK 0 messages (0 octets)\r\n"),
    ("lmtp", HELLO, b"421 4.4.2 Timeout\r\n"),
    ("lmtp", HELLO + "MAIL FROM:<>\r\nRCPT TO:<alice@localhost>\r\nDATA\r\nhalf a message\r\n",
     b"421 4.4.2 Timeout\r\n"),
])
def test_who_says_nothing_is_told_and_left(impatient, listener, said, last):
    assert text_of(impatient, listener, said).endswith(last)


@pytest.mark.parametrize("listener,said", [("imaps", b""), ("imaps", b"\x16\x03\x01\x02\x00\x01"),
                                           ("pop3s", b""), ("imap", b"a STARTTLS\r\n"), ("pop3", b"STLS\r\n")])
def test_an_unfinished_handshake_is_ended(impatient, listener, said):
    with connect(impatient, listener, said) as raw:
        assert b"BYE" not in raw.rest()


def test_a_peer_that_takes_nothing_is_left(tmp_path):
    with gates.Gate(tmp_path, limits="write-timeout = 500ms") as g:
        g.add_user("alice", "secret")
        g.deliver("alice", b"Subject: big\r\n\r\n" + (b"z" * 76 + b"\r\n") * 100_000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", g.ports["imap"]))
            s.sendall(b"a LOGIN alice secret\r\nb SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\n")
            gates.until(lambda: [line for line in g.log_text().splitlines() if "session.end" in line
                                 and 'user="alice"' in line and 'end="timeout"' in line], "the time-out")


def test_the_log_tells_time_outs(impatient):
    text_of(impatient, "lmtp")
    ended = [line for line in impatient.log_text().splitlines() if "session.end" in line]
    assert any('protocol="lmtp"' in line and 'end="timeout"' in line for line in ended)


# ---- before log-on ----

@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    g = gates.Gate(tmp_path_factory.mktemp("strict"),
                   limits="message = 100K literal = 2K line = 1K command = 5K before-logon = 4K attempts = 2")
    g.add_user("alice", "secret")
    with g:
        yield g


@pytest.mark.parametrize("listener,said,last", [
    ("imap", "a X\r\nb X\r\nc X\r\nd X\r\n", b"c BAD Unknown command\r\n* BYE Too many bad commands\r\n"),
    ("pop3", "X\r\n" * 4, b")\r\n" + b"-ERR No such command\r\n" * 3),
    ("lmtp", "X\r\n" * 4, b"500 5.5.1 No such command\r\n421 4.7.0 Too many commands that make no sense\r\n"),
    ("imap", "a LOGIN alice no\r\nb LOGIN alice no\r\nc LOGIN alice no\r\n",
     b"b NO [AUTHENTICATIONFAILED] LOGIN FAILURE\r\n* BYE Too many attempts to log on\r\n"),
    ("pop3", "USER alice\r\nPASS no\r\n" * 3, b"-ERR [AUTH] LOGIN FAILURE\r\n"),
    ("imap", "a LOGIN alice " + "x" * 9000, b"* BYE [TOOBIG] The line is too long\r\n"),
])
def test_what_makes_no_sense_before_log_on_ends_soon(strict, listener, said, last):
    assert text_of(strict, listener, said).endswith(last)


@pytest.mark.parametrize("listener", ["imap", "pop3", "lmtp"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
def test_a_browser_is_turned_away_and_nothing_of_its_comes_back(strict, listener, method):
    request = f"{method} /<script>mine</script> HTTP/1.1\r\nHost: mine\r\nX: mine\r\n\r\nmine\r\nmine\r\n"
    assert b"mine" not in text_of(strict, listener, request)


@pytest.mark.parametrize("said,answer", [
    ("a LOGIN {3000}\r\n", b"a BAD [TOOBIG] The literal is too big"),
    ("a LOGIN {3000+}\r\n" + "x" * 3000 + " {3+}\r\nabc\r\n", b"a BAD [TOOBIG] The literal is too big"),
    ("a LOGIN " + "{1500+}\r\n%s " % ("x" * 1500) * 3 + "\r\n", b"a BAD [TOOBIG] The literal is too big"),
])
def test_a_big_argument_before_log_on_is_refused(strict, said, answer):
    with connect(strict, "imap", said) as raw:
        raw.line()
        assert raw.line() == answer
        assert raw.imap("NOOP", "z")[0] == "OK"


# ---- after log-on ----

@pytest.mark.parametrize("said,answer", [
    ("a LIST \"\" " + "x" * 1100 + "\r\n", b"a BAD [TOOBIG] The command is too long"),
    ("a STATUS {3000}\r\n", b"a BAD [TOOBIG] The literal is too big"),
    ("a STATUS {4294967296}\r\n", b"a BAD [TOOBIG] The literal is too big"),
    ("a STATUS {-1}\r\n", b"a BAD A literal is malformed"),
    ("a LIST (" + "\"\" {1500+}\r\n%s " % ("x" * 1500) * 5 + ")\r\n", b"a BAD [TOOBIG] The literal is too big"),
    ("a APPEND INBOX {200000}\r\n", b"a NO [TOOBIG] The message is too big"),
    ("a APPEND INBOX {200000+}\r\n" + "x" * 200000 + "\r\n", b"a NO [TOOBIG] The message is too big"),
])
def test_what_is_too_big_is_refused_and_the_session_goes_on(strict, said, answer):
    with connect(strict, "imap", "l LOGIN alice secret\r\n") as raw:
        raw.imap_answer("l")
        raw.send(said)
        assert raw.line() == answer
        assert raw.imap("NOOP", "z")[0] == "OK"


def test_a_message_that_is_too_big_is_refused_by_lmtp(strict):
    with connect(strict, "lmtp") as raw:
        raw.line()
        raw.send(HELLO)
        while raw.line() != b"250 SIZE 102400":
            pass
        assert raw.cmd("MAIL FROM:<> SIZE=200000") == b"552 5.3.4 The message is too big for this server"
        raw.send("MAIL FROM:<>\r\nRCPT TO:<alice@localhost>\r\nDATA\r\n")
        assert [raw.line()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        raw.send("x\r\n" * 70000 + ".\r\n")
        assert raw.line() == b"552 5.3.4 The message is too big for this server"
        assert raw.cmd("NOOP").startswith(b"250")


# ---- connections ----

BUSY = {"imap": b"* BYE [UNAVAILABLE] Too many connections\r\n", "pop3": b"-ERR [SYS/TEMP] Too many connections\r\n",
        "lmtp": b"421 4.3.2 Too many connections\r\n"}


def test_more_connections_than_allowed_are_told_so(tmp_path):
    with gates.Gate(tmp_path, limits="connections = 3") as g:
        gates.until(lambda: not g.open_sessions(), "the first look to end")
        taken = [connect(g, "imap") for _ in range(3)]
        for raw in taken:
            assert raw.line().startswith(b"* OK")
        for listener, answer in BUSY.items():
            assert text_of(g, listener) == answer
        assert text_of_implicit(g) == b""
        taken.pop().close()
        gates.until(lambda: text_of(g, "imap", "a LOGOUT\r\n").startswith(b"* OK"), "room for another one")


def text_of_implicit(g):
    """Before a handshake there is nobody to tell anything to."""
    with socket.create_connection(("127.0.0.1", g.imaps)) as s:
        return s.recv(100)


def test_one_address_may_have_its_share_and_another_one_its_own(tmp_path):
    g = gates.Gate(tmp_path, limits="connections-per-address = 2")
    g.config.write_text(g.config.read_text().replace('trusted-networks = {"127.0.0.0/8"}', ""))
    with g:
        gates.until(lambda: not g.open_sessions(), "the first look to end")
        taken = [connect(g, "imap") for _ in range(2)]
        for raw in taken:
            assert raw.line().startswith(b"* OK")
        for listener, answer in BUSY.items():
            assert text_of(g, listener) == answer
        with socket.create_connection(("127.0.0.1", g.pop3), source_address=("127.0.0.2", 0)) as other:
            assert other.recv(100).startswith(b"+OK")


# ---- the PROXY protocol, a Unix socket ----

PROXIED = '''
listener "proxied" {{ protocol = imap address = "127.0.0.1" port = {} plaintext = true
    proxy-protocol = true proxy-from = {{"127.0.0.1"}} }}
listener "closed" {{ protocol = imap address = "127.0.0.1" port = {} plaintext = true
    proxy-protocol = true proxy-from = {{"192.0.2.0/24"}} }}
listener "local" {{ protocol = lmtp socket = "{}/lmtp.sock" socket-mode = 0666 }}
'''


class ProxyGate(gates.Gate):
    def __init__(self, directory):
        super().__init__(directory)
        self.proxy = gates.free_ports(2)
        self.extra = PROXIED.format(*self.proxy, self.dir)
        self.write_config()

    def through(self, which, header):
        s = socket.create_connection(("127.0.0.1", self.proxy[which]), gates.DEADLINE)
        s.sendall(header)
        return s


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    g = ProxyGate(tmp_path_factory.mktemp("proxy"))
    g.add_user("alice", "secret")
    with g:
        yield g


V2 = b"\r\n\r\n\0\r\nQUIT\n"
V2_TCP4 = V2 + b"\x21\x11\x00\x0c" + bytes([192, 0, 2, 77, 198, 51, 100, 1]) + b"\x04\xd2\x00\x8f"


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.77 198.51.100.1 1234 143\r\n", V2_TCP4])
def test_the_address_that_a_proxy_tells_is_the_one_in_the_record(proxy, header):
    with proxy.through(0, header + b"a LOGIN alice secret\r\nb LOGOUT\r\n") as s:
        said = s.makefile("rb").read()
    assert said.startswith(b"* OK") and b"a OK" in said
    record = [r for r in proxy.records() if r["listener"] == "proxied"][-1]
    assert (record["client"], record["client_port"], record["reason"]) == ("192.0.2.77", 1234, "ok")


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", V2 + b"\x20\x00\x00\x00"])
def test_a_proxy_may_speak_for_itself(proxy, header):
    with proxy.through(0, header) as s:
        assert s.recv(100).startswith(b"* OK")


@pytest.mark.parametrize("header", [
    b"a NOOP\r\n", b"PROXY TCP4 192.0.2.77 198.51.100.1 1234\r\n", b"PROXY TCP4 192.0.2.777 198.51.100.1 1234 143\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n", b"PROXY TCP4 192.0.2.77 198.51.100.1 99999 143\r\n", b"PROXY " + b"x" * 200,
    V2[:-1] + b"X\x21\x11\x00\x0c" + b"\0" * 12, V2 + b"\x31\x11\x00\x0c" + b"\0" * 12, V2 + b"\x21\x11\xff\xff",
    V2 + b"\x21\x11\x00\x04\0\0\0\0"])
def test_a_bad_header_is_answered_with_nothing(proxy, header):
    with proxy.through(0, header) as s:
        s.shutdown(socket.SHUT_WR)
        try:
            assert s.recv(100) == b""
        except ConnectionResetError:
            pass


def test_who_is_no_proxy_may_not_say_so(proxy):
    with socket.create_connection(("127.0.0.1", proxy.proxy[1]), gates.DEADLINE) as s:
        try:
            s.sendall(V2_TCP4)
            assert s.recv(100) == b""
        except (ConnectionResetError, BrokenPipeError):
            pass


def test_mail_comes_in_by_a_unix_socket(proxy):
    path = proxy.dir / "lmtp.sock"
    assert path.stat().st_mode & 0o777 == 0o666
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(gates.DEADLINE)
        s.connect(str(path))
        s.sendall(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@localhost>\r\nDATA\r\nSubject: local\r\n\r\n.\r\nQUIT\r\n")
        said = s.makefile("rb").read()
    assert b"\r\n250 2.0.0" in said or b"\r\n250 2.1.5" in said
    pop = proxy.pop("alice", "secret")
    assert b"Subject: local" in b"\n".join(pop.retr(pop.stat()[0])[1])
