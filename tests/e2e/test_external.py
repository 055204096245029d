"""SASL EXTERNAL: a client's certificate instead of a secret."""
import imaplib
import json
import poplib
import ssl
import subprocess

import pytest

import clients
import gate as gates

NAMES = {
    "alice": "email:alice@example.org",
    "alias": "email:ALI@example.org",
    "root": "email:root@example.org",
    "locked": "email:locked@example.org",
    "expired": "email:expired@example.org",
    "nopop": "email:nopop@example.org",
    "stranger": "email:alice@elsewhere.example",
    "nobody": "email:nobody@example.org",
    "dns": "DNS:alice",
    "two": "email:alice@example.org,email:bob@example.org",
}


class CertificateGate(gates.Gate):
    LISTENERS = {"imap": ("imap", "starttls", True), "imaps": ("imap", "implicit", False),
                 "pop3s": ("pop3", "implicit", False), "lmtp": ("lmtp", "none", False)}

    def write_config(self):
        super().write_config()
        text = self.config.read_text()
        for name in ("imap", "imaps", "pop3s"):
            text = text.replace(f'listener "{name}" {{', f'listener "{name}" {{ client-ca = "{self.dir}/ca.pem"')
        self.config.write_text(text)


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def make_client(directory, stem, san, ca="ca", days=30):
    request, cert, extension = (directory / f"{stem}{end}" for end in (".csr", ".pem", ".ext"))
    extension.write_text((f"subjectAltName={san}\n" if san else "") + "extendedKeyUsage=clientAuth\n")
    openssl("req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj",
            "/CN=alice/emailAddress=alice@example.org", "-keyout", directory / f"{stem}.key", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", directory / f"{ca}.pem", "-CAkey", directory / f"{ca}-key.pem",
            "-CAcreateserial", "-days", days, "-extfile", extension, "-out", cert)


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("external")
    for ca in ("ca", "other"):
        openssl("req", "-x509", "-nodes", "-days", "30", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-subj", f"/CN={ca}", "-keyout", directory / f"{ca}-key.pem", "-out", directory / f"{ca}.pem")
    for stem, san in NAMES.items():
        make_client(directory, stem, san)
    make_client(directory, "subject", None)
    make_client(directory, "foreign", NAMES["alice"], ca="other")
    make_client(directory, "old", NAMES["alice"], days=-1)
    g = CertificateGate(directory)
    g.add_user("alice", "secret", "alias+=ali")
    g.add_user("bob", "secret")
    g.add_user("root", "secret", "admin=yes")
    g.add_user("locked", "secret", "locked=yes")
    g.add_user("expired", "secret", "expires=2020-01-01")
    g.add_user("nopop", "secret", "pop3=off")
    with g:
        yield g


def context(g, stem):
    c = g.tls_context()
    if stem:
        c.load_cert_chain(g.dir / f"{stem}.pem", g.dir / f"{stem}.key")
    return c


def imap(g, stem):
    return imaplib.IMAP4_SSL("127.0.0.1", g.imaps, ssl_context=context(g, stem), timeout=gates.DEADLINE)


def by_imap(g, stem, authzid=b""):
    client = imap(g, stem)
    try:
        return client.authenticate("EXTERNAL", lambda _: authzid)[0]
    except imaplib.IMAP4.error as e:
        return str(e)
    finally:
        client.shutdown()


def by_pop3(g, stem):
    client = poplib.POP3_SSL("127.0.0.1", g.pop3s, context=context(g, stem), timeout=gates.DEADLINE)
    try:
        return client._shortcmd("AUTH EXTERNAL =").decode()
    except poplib.error_proto as e:
        return e.args[0].decode()
    finally:
        client.close()


@pytest.mark.parametrize("stem,identity,reason", [
    ("alice", "alice", "ok"), ("alias", "alice", "ok"), ("root", "root", "ok"), ("locked", "locked", "locked"),
    ("expired", "expired", "expired"), ("stranger", "", "unknown-user"), ("nobody", "", "unknown-user")])
def test_the_address_in_the_certificate_is_the_name(gate, stem, identity, reason):
    for door in (by_imap, by_pop3):
        answer = door(gate, stem)
        record = gate.records()[-1]
        assert (record["mechanism"], record["reason"], record["identity"]) == ("EXTERNAL", reason, identity)
        assert record["name"] == NAMES[stem].removeprefix("email:")
        assert (answer[:3] in ("OK", "+OK")) == (reason == "ok"), answer


def test_a_protocol_that_is_off_is_off(gate):
    assert by_imap(gate, "nopop") == "OK"
    assert by_pop3(gate, "nopop").startswith("-ERR [AUTH]")
    assert gate.records()[-1]["reason"] == "protocol-off"


@pytest.mark.parametrize("stem", [None, "dns", "two", "subject"])
def test_without_one_address_it_is_neither_offered_nor_taken(gate, stem):
    client = imap(gate, stem)
    assert "AUTH=EXTERNAL" not in client.capabilities
    assert client.login("bob", "secret")[0] == "OK"
    client.logout()
    assert by_imap(gate, stem) != "OK"
    assert by_imap(gate, stem, b"alice") != "OK"
    assert gate.records()[-1]["reason"] == "bad-mechanism"


@pytest.mark.parametrize("stem", ["foreign", "old"])
def test_a_certificate_that_is_not_good_ends_the_connection(gate, stem):
    before = len(gate.records())
    with pytest.raises((ssl.SSLError, OSError, imaplib.IMAP4.abort)):
        imap(gate, stem)
    assert len(gate.records()) == before


def test_an_authorization_identity_takes_the_right_to(gate):
    assert by_imap(gate, "root", b"bob") == "OK"
    assert (gate.records()[-1]["identity"], gate.records()[-1]["actor"]) == ("bob", "root")
    assert by_imap(gate, "alice", b"alice") == "OK"
    for authzid in (b"bob", b"nobody", b"bob\0x", b"\xff"):
        assert by_imap(gate, "alice", authzid) != "OK"


def test_it_is_offered_after_starttls_and_not_before(gate):
    client = gate.imap()
    assert "AUTH=EXTERNAL" not in client.capabilities
    client.starttls(context(gate, "alice"))
    assert "AUTH=EXTERNAL" in client.capabilities
    assert client.authenticate("EXTERNAL", lambda _: b"")[0] == "OK"
    client.logout()


def test_no_session_is_resumed(gate):
    """What a ticket would bring along is looked at each time; none is given."""
    c = context(gate, "alice")
    client = imaplib.IMAP4_SSL("127.0.0.1", gate.imaps, ssl_context=c, timeout=gates.DEADLINE)
    client.noop()
    session = client.sock.session
    assert session is None or not session.has_ticket
    client.logout()


@pytest.mark.parametrize("url", ["imaps://localhost:{imaps}/INBOX?ALL", "pop3s://localhost:{pop3s}/"])
def test_curl(gate, url):
    clients.run(gate.work, "curl", "-sS", "--cacert", gate.cert, "--cert", gate.dir / "alice.pem", "--key",
                gate.dir / "alice.key", "--login-options", "AUTH=EXTERNAL", "-u", "alice:", url.format(**gate.ports))
    assert (gate.records()[-1]["mechanism"], gate.records()[-1]["reason"]) == ("EXTERNAL", "ok")


def test_explain_tells_it_and_probe_passes_it_over(gate):
    ways = json.loads(gate.command("auth", "explain", "alice", "--json").stdout)["ways"]
    assert {w["listener"] for w in ways if w["mechanism"] == "EXTERNAL" and w["reason"] == "ok"} == \
        {"imap", "imaps", "pop3s"}
    probed = json.loads(gate.command("auth", "probe", "alice", "--password-stdin", "--json", input="secret\n",
                                     check=False).stdout)
    assert probed and all(w["ok"] and w["mechanism"] != "EXTERNAL" for w in probed)
