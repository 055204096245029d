"""TLS of the running daemon: versions, certificates by listener and by name, reload, tickets, and nothing that
came in clear before the handshake is ever answered."""
import os
import signal
import socket
import ssl

import gate as gates
import pytest

EXTRA = '''
certificate "other" {{ file = "{0.dir}/other.pem" key = "{0.dir}/other-key.pem" }}
listener "named" {{ protocol = imap address = "127.0.0.1" port = {1} tls = implicit
    certificates = {{"localhost", "other"}} }}
listener "lmtptls" {{ protocol = lmtp address = "127.0.0.1" port = {2} tls = starttls }}
listener "bare" {{ protocol = imap address = "127.0.0.1" port = {3} plaintext = true }}
listener "popbare" {{ protocol = pop3 address = "127.0.0.1" port = {4} plaintext = true }}
'''


class TlsGate(gates.Gate):
    """A second certificate, for the name other.example.org."""

    def __init__(self, directory):
        super().__init__(directory)
        gates.make_certificate(self.dir, "other.example.org", "other")
        names = ("named", "lmtptls", "bare", "popbare")
        self.ports.update(zip(names, gates.free_ports(len(names))))
        self.extra = EXTRA.format(self, *(self.ports[n] for n in names))
        self.write_config()


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    g = TlsGate(tmp_path_factory.mktemp("tls"))
    g.add_user("alice", "secret")
    with g:
        yield g


@pytest.fixture
def own_gate(tmp_path):
    """For tests that change the configuration."""
    g = TlsGate(tmp_path)
    g.add_user("alice", "secret")
    with g:
        yield g


def anybody(version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    return context


START = {  # listener: (what asks for TLS, what the server says before it starts)
    "imap": ("a STARTTLS\r\n", b"a OK"),
    "pop3": ("STLS\r\n", b"+OK"),
    "lmtptls": ("STARTTLS\r\n", b"220"),
}


def connect(g, listener):
    """A connection on which the next thing said may ask for TLS."""
    raw = gates.Raw(g, listener)
    raw.line()
    if listener.startswith("lmtp"):
        raw.send("LHLO test\r\n")
        while raw.line()[3:4] == b"-":
            pass
    return raw


def wrap(raw, context=None, name="localhost"):
    raw.file.close()
    raw.socket = (context or anybody()).wrap_socket(raw.socket, server_hostname=name)
    raw.file = raw.socket.makefile("rb")


def implicit(g, listener, context=None, name="localhost", session=None):
    s = socket.create_connection(("127.0.0.1", g.ports[listener]), gates.DEADLINE)
    return (context or anybody()).wrap_socket(s, server_hostname=name, session=session)


VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("listener", ["imaps", "pop3s", *START])
def test_both_versions_on_every_listener(gate, listener, version):
    context = anybody(VERSIONS[version])
    if listener in START:
        raw = connect(gate, listener)
        assert raw.cmd(START[listener][0].strip()).startswith(START[listener][1])
        wrap(raw, context)
        assert raw.socket.version() == version
        raw.send("LHLO again\r\n" if listener.startswith("lmtp") else "b NOOP\r\n")
        assert raw.line()
        raw.close()
    else:
        with implicit(gate, listener, context) as s:
            assert s.version() == version
            assert s.recv(100).startswith((b"* OK", b"+OK"))


def test_older_versions_are_refused(gate):
    context = anybody()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        implicit(gate, "imaps", context)


def test_the_certificate_follows_the_name_that_the_client_asks_for(gate):
    for name, stem in (("localhost", "cert"), ("other.example.org", "other"),
                       ("OTHER.Example.Org", "other"), ("nobody.example.org", "cert")):
        want = ssl.PEM_cert_to_DER_cert((gate.dir / f"{stem}.pem").read_text())
        with implicit(gate, "named", name=name) as s:
            assert s.getpeercert(True) == want, name


def certificate_of(g, listener):
    with implicit(g, listener) as s:
        return s.getpeercert(True)


def reload(g, word):
    before = g.log_text().count(word)
    g.process.send_signal(signal.SIGHUP)
    gates.until(lambda: g.log_text().count(word) > before, word)


def test_a_new_certificate_is_taken_over_and_no_session_ends(own_gate):
    g = own_gate
    before = certificate_of(g, "imaps")
    plain, sealed = g.imap("alice", "secret"), g.imap("alice", "secret", tls=True)
    pop = g.pop("alice", "secret", tls=True)
    g.cert, g.key = gates.make_certificate(g.dir)
    reload(g, "config.reloaded")
    after = certificate_of(g, "imaps")
    assert after != before and after == ssl.PEM_cert_to_DER_cert(g.cert.read_text())
    for client in (plain, sealed):
        assert client.select("INBOX")[0] == "OK"
    assert pop.noop().startswith(b"+OK")
    assert g.imap("alice", "secret", tls=True).noop()[0] == "OK"


@pytest.mark.parametrize("fault", ["certificate", "syntax", "port", "listeners"])
def test_a_faulty_configuration_is_refused_and_the_old_one_goes_on(own_gate, fault):
    g = own_gate
    session, before = g.imap("alice", "secret"), certificate_of(g, "imaps")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if fault == "certificate":
            g.cert.write_text("nothing")
        elif fault == "syntax":
            g.config.write_text(g.config.read_text() + "\nlimits { lines = 3 }\n")
        elif fault == "port":
            g.config.write_text(g.config.read_text() + 'listener "new" { protocol = imap address = "127.0.0.1" '
                                f'port = {taken.getsockname()[1]} plaintext = true }}\n')
        else:
            g.config.write_text(f'store {{ directory = "{g.dir}/store" }}\n')
        reload(g, "config.refused")
    assert session.select("INBOX")[0] == "OK"
    assert certificate_of(g, "imaps") == before
    assert g.imap("alice", "secret").noop()[0] == "OK"
    assert "config.reloaded" not in g.log_text()


def test_listeners_come_and_go_with_the_configuration(own_gate):
    g = own_gate
    session = gates.Raw(g, "bare")
    session.line()
    port = gates.free_ports(1)[0]
    gone = g.ports["bare"]
    g.config.write_text(g.config.read_text().replace(f"port = {gone} ", f"port = {port} "))
    reload(g, "config.reloaded")
    with socket.create_connection(("127.0.0.1", port)) as s:
        assert s.recv(100).startswith(b"* OK")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gone))
    assert session.imap("NOOP")[0] == "OK"  # came by the listener that is gone


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_resumed_where_it_began_and_nowhere_else(own_gate, version):
    g, context = own_gate, anybody(VERSIONS[version])
    with implicit(g, "imaps", context) as s:
        s.recv(100)  # the ticket of TLS 1.3 comes with the greeting
        session = s.session
    with implicit(g, "imaps", context, session=session) as s:
        assert s.session_reused
    with implicit(g, "named", context, session=session) as s:
        assert not s.session_reused
        assert s.recv(100).startswith(b"* OK")
    reload(g, "config.reloaded")
    with implicit(g, "imaps", context, session=session) as s:
        assert s.session_reused


# ---- STARTTLS ----

INJECTED = {"imap": "b NOOP\r\nc LOGOUT\r\n", "pop3": "CAPA\r\nQUIT\r\n", "lmtptls": "NOOP\r\nQUIT\r\n"}


def answers_to(raw, listener):
    """What the server says to one command of ours under TLS: a single line."""
    raw.send({"imap": "z NOOP\r\n", "pop3": "USER alice\r\n", "lmtptls": "RSET\r\n"}[listener])
    return raw.line()


@pytest.mark.parametrize("listener", START)
def test_what_comes_in_one_segment_behind_the_command_is_dropped(gate, listener):
    command, answer = START[listener]
    expected = {"imap": b"z OK", "pop3": b"+OK", "lmtptls": b"250"}[listener]
    for cut in range(len(command)):
        raw = connect(gate, listener)
        if cut:
            raw.send(command[:cut])
        raw.send(command[cut:] + INJECTED[listener] * 100)
        assert raw.line().startswith(answer), cut
        wrap(raw)
        assert answers_to(raw, listener).startswith(expected), cut
        raw.socket.unwrap()  # nothing else was said
        raw.close()


@pytest.mark.parametrize("listener", START)
def test_what_comes_in_clear_after_the_answer_is_never_answered(gate, listener):
    """The injected bytes stand where a handshake should: an alert at most (RFC 8446 6), then the end."""
    for cut in range(1, len(INJECTED[listener])):
        raw = connect(gate, listener)
        assert raw.cmd(START[listener][0].strip()).startswith(START[listener][1])
        raw.send(INJECTED[listener][:cut])
        raw.send(INJECTED[listener][cut:] + INJECTED[listener] * 10)
        try:
            said = raw.rest()
        except ConnectionResetError:
            said = b""
        assert said == b"" or said[0] == 21, said
        raw.close()


@pytest.mark.parametrize("listener", START)
def test_tls_is_offered_once_and_started_once(gate, listener):
    def offers(raw):
        raw.send({"imap": "o CAPABILITY\r\n", "pop3": "CAPA\r\n", "lmtptls": "LHLO x\r\n"}[listener])
        lines = [raw.line()]
        ends = {"imap": lambda l: l.startswith(b"o "), "pop3": lambda l: l == b".",
                "lmtptls": lambda l: l[3:4] == b" "}[listener]
        while not ends(lines[-1]):
            lines.append(raw.line())
        return any(word in (b"STARTTLS", b"STLS", b"250-STARTTLS") for l in lines for word in l.split())

    raw = connect(gate, listener)
    assert offers(raw)
    assert raw.cmd(START[listener][0].strip()).startswith(START[listener][1])
    wrap(raw)
    assert not offers(raw)
    assert raw.cmd(START[listener][0].strip()).split()[1 if listener == "imap" else 0] in (
        b"BAD", b"NO", b"-ERR", b"503", b"502", b"500", b"554")
    assert answers_to(raw, listener)
    raw.close()


@pytest.mark.parametrize("listener,command,noop", [("bare", "a STARTTLS", "z NOOP"),
                                                   ("popbare", "STLS", "NOOP2"), ("lmtp", "STARTTLS", "NOOP")])
def test_without_a_certificate_there_is_no_tls_and_one_answer(gate, listener, command, noop):
    raw = gates.Raw(gate, listener)
    assert b"STARTTLS" not in raw.line()
    if listener == "popbare":
        assert raw.cmd("CAPA").startswith(b"+OK")
        assert b"STLS" not in raw.lines()
    elif listener == "lmtp":
        raw.send("LHLO x\r\n")
        while (line := raw.line())[3:4] == b"-":
            assert b"STARTTLS" not in line
    else:
        assert b"STARTTLS" not in raw.imap("CAPABILITY")[2]
    assert raw.cmd(command).split()[1 if listener == "bare" else 0] in (b"BAD", b"NO", b"-ERR", b"500", b"502", b"503", b"454")
    answer = raw.cmd(noop)  # the next line is the answer to the next command
    assert answer.startswith({"bare": b"z OK", "popbare": b"-ERR", "lmtp": b"250"}[listener])
    raw.close()


# ---- memory ----

def test_random_names_and_half_handshakes_leave_no_memory_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=1")
    g = TlsGate(tmp_path)
    with g:
        def resident():
            status = open(f"/proc/{g.process.pid}/status").read()
            return int(status.split("VmRSS:")[1].split()[0])

        def hello(n):
            """ClientHellos with a name that was never heard before; nothing follows."""
            for i in range(n):
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = anybody().wrap_bio(incoming, outgoing, server_hostname=f"{os.urandom(20).hex()}.example.org")
                with pytest.raises(ssl.SSLWantReadError):
                    tls.do_handshake()
                with socket.create_connection(("127.0.0.1", g.ports["imaps"])) as s:
                    s.sendall(outgoing.read())
                    assert s.recv(1)
            gates.until(lambda: not g.open_sessions(), "the sessions to end")

        hello(1200)  # each leaves a record, and of so many all that is kept for a while is kept
        before = resident()
        hello(900)
        assert resident() - before < 4000, "kB for 900 names"
