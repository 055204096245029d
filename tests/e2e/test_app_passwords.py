"""App passwords, masters and delegates: one verdict at every door, and both names on record."""
import json

import pytest

import clients
import gate as gates
import test_parity
from test_parity import DOORS, one_record


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    g = test_parity.ParityGate(tmp_path_factory.mktemp("apps"), extra="ops { without-logon = {} }",
                               auth='master-separator = "*"')
    for name, *settings in (("alice", "admin=yes"), ("bob",), ("carol",), ("boss", "master=yes")):
        g.add_user(name, "secret", *settings)
    g.command("user", "set", "bob", "delegate+=CAROL@example.org")
    with g:
        yield g


def make(g, user, name, *settings):
    return g.command("user", "app-password", "add", user, name, *settings).stdout.strip()


def names(g, user):
    return [one["name"] for one in json.loads(g.command("user", "app-password", "list", user, "--json").stdout)]


MAIL_DOORS = [door for door in DOORS if door != "Basic"]


def by_mapi(g, name, secret):
    """A PING on the mapi endpoint."""
    with g.raw("mapis", True) as c:
        c.send(b"POST /mapi/emsmdb/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n"
               b"Content-Type: application/mapi-http\r\nX-RequestType: PING\r\n"
               b"X-RequestId: {5F0A4F7E-6C0B-4E0C-9C0E-8E7D4C7A6B52}:1\r\n"
               b"Authorization: Basic " + test_parity.b64(name + b":" + secret) + b"\r\n\r\n")
        return {"200": "ok", "401": "auth"}.get(status := c.rest().split()[1].decode(), status)


def protocol_of(door):
    return "pop3" if "AUTH " in door or "USER" in door else "imap"


@pytest.mark.parametrize("door", MAIL_DOORS)
def test_an_app_password_is_right_at_every_door_until_it_is_revoked(gate, door):
    secret = make(gate, "bob", f"one for {door}").encode()
    with one_record(gate) as records:
        assert DOORS[door](gate, b"bob", secret) == "ok"
    assert (records[0]["identity"], records[0]["app_password"], records[0]["actor"]) == ("bob", f"one for {door}", "")
    with one_record(gate) as records:
        assert DOORS[door](gate, b"bob", b"secret") == "ok"
    assert "app_password" not in records[0]
    with one_record(gate):
        assert DOORS[door](gate, b"carol", secret) == "auth"
    gate.command("user", "app-password", "revoke", "bob", f"one for {door}")
    with one_record(gate) as records:
        assert DOORS[door](gate, b"bob", secret) == "auth"
    assert records[0]["reason"] == "wrong-secret"


@pytest.mark.parametrize("door", MAIL_DOORS)
def test_an_app_password_is_for_the_protocols_it_was_made_for(gate, door):
    other = "imap" if protocol_of(door) == "pop3" else "pop3"
    only, without = (make(gate, "carol", f"{door}{i}", f"{protocol}=off") for i, protocol in
                     enumerate((other, protocol_of(door))))
    with one_record(gate):
        assert DOORS[door](gate, b"carol", only.encode()) == "ok"
    with one_record(gate) as records:
        assert DOORS[door](gate, b"carol", without.encode()) != "ok"
    assert (records[0]["reason"], records[0]["app_password"]) == ("protocol-off", f"{door}1")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "PLAIN", "LOGIN"])
def test_gnu_sasls_client_logs_on_with_app_passwords(gate, mechanism):
    secret = make(gate, "bob", f"gsasl {mechanism}")
    for given, status, reason in ((secret, 0, "ok"), (secret + "x", 1, "wrong-secret"), ("secret", 0, "ok")):
        clients.run(gate.work, "gsasl", "--imap", f"--connect=localhost:{gate.ports['imap']}", f"--mechanism={mechanism}",
                    "--authentication-id=bob", f"--password={given}", "--starttls",
                    f"--x509-ca-file={gate.cert}", status=status)
        assert (gate.records()[-1]["mechanism"], gate.records()[-1]["reason"]) == (mechanism, reason)


def test_mapi_takes_app_passwords_and_the_ops_listener_none(gate):
    secret, not_mapi = make(gate, "alice", "outlook"), make(gate, "alice", "phone", "mapi=off")
    assert by_mapi(gate, b"alice", secret.encode()) == "ok"
    assert gate.records()[-1]["app_password"] == "outlook"
    assert by_mapi(gate, b"alice", not_mapi.encode()) == "403"
    assert DOORS["Basic"](gate, b"alice", b"secret") == "ok"
    assert DOORS["Basic"](gate, b"alice", secret.encode()) == "403"


def test_making_listing_and_revoking(gate):
    made = json.loads(gate.command("user", "app-password", "add", "boss", "Füllhorn", "pop3=off",
                                   "expires=2020-01-01", "--json").stdout)
    assert (made["user"], made["name"]) == ("boss", "Füllhorn") and len(made["secret"]) == 24
    listed = gate.command("user", "app-password", "list", "boss").stdout
    assert "Füllhorn" in listed and "imap,mapi" in listed and "2020-01-01" in listed and made["secret"] not in listed
    with one_record(gate) as records:
        DOORS["LOGIN quoted"](gate, b"boss", made["secret"].encode())
    assert records[0]["reason"] == "expired"
    for wrong in ("Füllhorn", "", "x" * 65, "a\tb"):
        assert gate.command("user", "app-password", "add", "boss", wrong, check=False).returncode == 1
    assert gate.command("user", "app-password", "add", "boss", "x", "admin=yes", check=False).returncode == 2
    assert gate.command("user", "app-password", "revoke", "boss", "other", check=False).returncode == 1
    assert gate.command("user", "app-password", "list", "nobody", check=False).returncode == 1
    assert names(gate, "boss") == ["Füllhorn"]
    assert json.loads(gate.command("user", "show", "boss", "--json").stdout)["app-passwords"] == ["Füllhorn"]
    gate.command("user", "passwd", "boss", "--password-stdin", input="changed\n")
    assert DOORS["LOGIN quoted"](gate, b"boss", b"changed") == "ok"
    gate.command("user", "passwd", "boss", "--password-stdin", input="secret\n")


ACTING = [("bob", "carol", "ok"), ("bob", "boss", "ok"), ("bob", "alice", "ok"), ("carol", "bob", "not-authorized"),
          ("alice", "boss", "not-authorized"), ("nobody", "alice", "unknown-user"), ("bob", "nobody", "unknown-user"), ("nobody", "bob", "not-authorized")]


def word(answer):
    """IMAP tells those whose secret was right that it is a matter of rights (RFC 5530)."""
    return "auth" if "[AUTHORIZATIONFAILED]" in answer else answer


@pytest.mark.parametrize("door", MAIL_DOORS)
@pytest.mark.parametrize("target,actor,reason", ACTING)
def test_another_mailbox_by_a_name_with_a_separator(gate, door, target, actor, reason):
    with one_record(gate) as records:
        answer = DOORS[door](gate, f"{target}*{actor}".encode(), b"secret")
        assert word(answer) == ("ok" if reason == "ok" else "auth")
    assert records[0]["reason"] == reason
    if reason == "ok":
        assert (records[0]["identity"], records[0]["actor"]) == (target, actor)
    with one_record(gate) as records:
        assert DOORS[door](gate, f"{target}*{actor}".encode(), b"wrong") == "auth"
    assert records[0]["reason"] == ("unknown-user" if actor == "nobody" else "wrong-secret")


def test_the_mailbox_is_the_targets(gate):
    gate.deliver("bob", b"Subject: to bob\r\n\r\nhello\r\n")
    box = gate.imap('"bob*carol"', "secret")  # it quotes no names
    box.select()
    assert b"to bob" in box.fetch("1", "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0][1]
    box.logout()
    shown = json.loads(gate.command("user", "show", "bob", "--json").stdout)
    assert shown["delegates"] == ["carol"]


@pytest.mark.parametrize("target,reason", [("bob", "ok"), ("boss", "not-authorized")])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "PLAIN"])
def test_an_authorization_identity_is_the_same_question(gate, mechanism, target, reason):
    clients.run(gate.work, "gsasl", "--imap", f"--connect=localhost:{gate.ports['imap']}", f"--mechanism={mechanism}",
                "--authentication-id=carol", "--password=secret", f"--authorization-id={target}", "--starttls",
                f"--x509-ca-file={gate.cert}", status=0 if reason == "ok" else 1)
    assert (gate.records()[-1]["reason"], gate.records()[-1]["actor"]) == (reason, "carol")


def test_a_delegate_is_an_account_and_not_a_name(gate):
    gate.add_user("dave", "secret")
    gate.command("user", "set", "bob", "delegate+=dave")
    assert DOORS["LOGIN quoted"](gate, b"bob*dave", b"secret") == "ok"
    gate.command("user", "del", "dave")
    gate.add_user("dave", "secret")
    assert word(DOORS["LOGIN quoted"](gate, b"bob*dave", b"secret")) == "auth"
    assert gate.records()[-1]["reason"] == "not-authorized"
    gate.command("user", "set", "bob", "delegate-=dave")
    assert gate.command("user", "set", "bob", "delegate+=stranger", check=False).returncode == 1
    assert json.loads(gate.command("user", "show", "bob", "--json").stdout)["delegates"] == ["carol"]


def explain(g, *args):
    ways = json.loads(g.command("auth", "explain", *args, "--json").stdout)["ways"]
    return {(w["listener"], w["reason"]) for w in ways if w["listener"] in ("imaps", "pop3s", "opss")}


def test_explain_tells_what_each_secret_gets_for_each_mailbox(gate):
    make(gate, "alice", "explained", "imap=off")
    assert explain(gate, "alice", "--app-password", "explained") == \
        {("imaps", "protocol-off"), ("pop3s", "ok"), ("opss", "protocol-off")}
    assert explain(gate, "carol", "--for", "bob") == {("imaps", "ok"), ("pop3s", "ok"), ("opss", "protocol-off")}
    assert {reason for _, reason in explain(gate, "bob", "--for", "carol")} == {"not-authorized"}
    assert gate.command("auth", "explain", "bob", "--app-password", "none", check=False).returncode == 1


def test_probe_takes_app_passwords_and_names_with_a_separator(gate):
    secret = make(gate, "bob", "probe")
    for name, given in (("bob", secret), ("bob*carol", "secret")):
        done = gate.command("auth", "probe", name, "--password-stdin", "--json", input=given + "\n", check=False)
        ways = json.loads(done.stdout)
        assert all(w["reason"] == ("ok" if w["ok"] else "needs-tls") for w in ways), ways
        assert {w["mechanism"] for w in ways if w["ok"]} >= {"SCRAM-SHA-256-PLUS", "PLAIN", "USER/PASS", "Basic"}


def test_no_app_password_is_in_a_log_or_in_the_store(gate):
    secret = make(gate, "bob", "canary")
    for door in MAIL_DOORS:
        assert DOORS[door](gate, b"bob", secret.encode()) == "ok"
    store = b"".join(p.read_bytes() for p in (gate.dir / "store").glob("*.mdb"))
    for data in (gate.log.read_bytes(), gate.audit.read_bytes(), store):
        assert secret.encode() not in data
