"""GNU SASL's own client: every mechanism that we offer, by another implementation than the one we use."""
import pytest

import clients


@pytest.fixture
def gate(shared_gate):
    return shared_gate


def gsasl(g, mechanism, *options, listener="imap", tls, secret="secret", user="alice", status=0):
    security = ["--starttls", f"--x509-ca-file={g.cert}"] if tls else ["--no-starttls"]
    return clients.run(g.work, "gsasl", "--imap", f"--connect=localhost:{g.ports[listener]}", f"--mechanism={mechanism}",
                       f"--authentication-id={user}", f"--password={secret}", *security, *options, status=status)


def outcome(g):
    record = g.records()[-1]
    return record["mechanism"], record["reason"], bool(record["tls"])


PLAIN = ["PLAIN", "LOGIN"]
SCRAM = ["SCRAM-SHA-1", "SCRAM-SHA-256"]
BOUND = ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]
# Where it could bind the channel, gsasl refuses to do without.
ALL = [(m, False) for m in PLAIN + SCRAM] + [(m, True) for m in PLAIN + BOUND]


@pytest.mark.parametrize("mechanism,tls", ALL)
def test_a_mechanism_logs_on(gate, mechanism, tls):
    gsasl(gate, mechanism, tls=tls)
    assert outcome(gate) == (mechanism, "ok", tls)
    gsasl(gate, mechanism, "--no-client-first", tls=tls)
    assert outcome(gate) == (mechanism, "ok", tls)
    gsasl(gate, mechanism, tls=tls, secret="wrong", status=1)
    assert outcome(gate) == (mechanism, "wrong-secret", tls)


@pytest.mark.parametrize("version,priority", [("TLSv1.3", "NORMAL"), ("TLSv1.2", "NORMAL:-VERS-TLS1.3")])
@pytest.mark.parametrize("mechanism", BOUND)
def test_a_mechanism_binds_the_channel_of_each_version(gate, mechanism, version, priority):
    gsasl(gate, mechanism, f"--priority={priority}", tls=True)
    assert outcome(gate) == (mechanism, "ok", True) and gate.records()[-1]["tls"] == version


@pytest.mark.parametrize("mechanism", BOUND)
def test_channel_binding_is_not_offered_in_the_clear(gate, mechanism):
    gsasl(gate, mechanism, tls=False, status=1)
    assert not [r for r in gate.records() if r["reason"] == "ok"]


def test_the_best_mechanism_is_chosen_from_what_is_offered(gate):
    clients.run(gate.work, "gsasl", "--imap", f"--connect=localhost:{gate.ports['plain']}", "--starttls",
                f"--x509-ca-file={gate.cert}", "--authentication-id=alice", "--password=secret")
    assert outcome(gate)[0].startswith("SCRAM-SHA-") and outcome(gate)[1:] == ("ok", True)


@pytest.mark.parametrize("mechanism,tls", ALL)
def test_a_user_that_does_not_exist_is_refused_as_a_wrong_secret_is(gate, mechanism, tls):
    wrong = gsasl(gate, mechanism, tls=tls, secret="wrong", status=1)
    nobody = gsasl(gate, mechanism, tls=tls, user="nobody", status=1)
    answer = b"NO [AUTHENTICATIONFAILED]"
    assert answer in wrong.stdout and answer in nobody.stdout


@pytest.mark.parametrize("mechanism,tls", [a for a in ALL if a[0] != "LOGIN"])
def test_acting_for_another_takes_the_right_to(gate, mechanism, tls):
    gsasl(gate, mechanism, "--authorization-id=alice", tls=tls)
    assert outcome(gate) == (mechanism, "ok", tls)
    gsasl(gate, mechanism, "--authorization-id=bob", tls=tls, status=1)
    assert outcome(gate)[1] == "not-authorized"


@pytest.mark.parametrize("mechanism,tls", ALL)
def test_names_and_secrets_beyond_ascii(gate, mechanism, tls):
    gate.command("user", "del", "jürgen", check=False)
    gate.add_user("jürgen", "pässwörd €")
    gsasl(gate, mechanism, tls=tls, user="jürgen", secret="pässwörd €")
    assert outcome(gate) == (mechanism, "ok", tls)


@pytest.mark.parametrize("mechanism", ["CRAM-MD5", "DIGEST-MD5", "NTLM", "ANONYMOUS", "GSSAPI", "SECURID"])
def test_what_is_not_offered_is_refused_with_a_clear_answer(gate, mechanism):
    said = gsasl(gate, mechanism, "--realm=localhost", tls=True, status=(1, 2))
    assert b"AUTH=" + mechanism.encode() not in said.stdout
    assert not [r for r in gate.records() if r["reason"] == "ok"]
