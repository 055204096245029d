"""auth report and auth compare: what operations see of log-ons, protocol by protocol."""
import json
import poplib
import re
import socket
import threading

import pytest

import gate as gates

pytestmark = pytest.mark.timeout(300)


def table(g, *words):
    return json.loads(g.command("auth", *words, "--json").stdout)


def wait_for(g, n):
    """The store's copy of the records may lag behind the answers."""
    gates.until(lambda: sum(line["attempts"] for line in table(g, "report")) >= n, f"{n} attempts")


def refused_by_pop3(g, user, secret):
    client = g.pop()
    client.user(user)
    with pytest.raises(poplib.error_proto):
        client.pass_(secret)
    client.close()


def refused_by_imap(g, user, secret):
    client = g.imap()
    with pytest.raises(client.error):
        client.login(user, secret)
    client.shutdown()


def test_a_report_counts_every_attempt_once_with_its_stage_and_reason(gate):
    for _ in range(3):
        gate.imap("alice", "secret").logout()
    refused_by_imap(gate, "alice", "wrong")
    gate.pop("bob", "secret").quit()
    refused_by_pop3(gate, "nobody", "secret")
    wait_for(gate, 6)

    lines = {(line["protocol"], line["mechanism"]): line for line in table(gate, "report")}
    imap, pop3 = lines["imap", "LOGIN-COMMAND"], lines["pop3", "USER"]
    assert (imap["attempts"], imap["ok"], imap["failed"]) == (4, 3, 1)
    assert imap["reasons"] == [{"stage": "credential", "reason": "wrong-secret", "event": 11310, "count": 1}]
    assert (pop3["attempts"], pop3["ok"], pop3["failed"]) == (2, 1, 1)
    assert pop3["reasons"][0]["reason"] == "unknown-user"
    assert 0 < imap["latency_ms"]["p50"] <= imap["latency_ms"]["p95"] <= imap["latency_ms"]["p99"]


def test_a_report_is_of_the_time_user_and_protocol_asked_for(gate):
    gate.imap("alice", "secret").logout()
    gate.pop("bob", "secret").quit()
    wait_for(gate, 2)
    assert [line["protocol"] for line in table(gate, "report", "--user", "ALICE") if line["attempts"]] == ["imap"]
    assert {line["protocol"] for line in table(gate, "report", "--protocol", "pop3")} == {"pop3"}
    assert table(gate, "report", "--until", "2020-01-01") == []
    assert sum(line["attempts"] for line in table(gate, "report", "--since", "1h")) == 2
    assert gate.command("auth", "report", "--since", "yesterday", check=False).returncode == 2


def test_a_user_whom_one_protocol_refuses_and_another_lets_in_stands_out(gate):
    gate.command("user", "set", "alice", "pop3=off")
    for _ in range(2):
        refused_by_pop3(gate, "alice", "secret")
    gate.imap("alice@example.org", "secret").logout()
    gate.pop("bob", "secret").quit()
    gate.imap("bob", "secret").logout()
    wait_for(gate, 5)

    [alice] = table(gate, "compare")
    assert alice["user"] == "alice"
    pop3, imap = alice["protocols"]["pop3"], alice["protocols"]["imap"]
    assert (pop3["stage"], pop3["reason"], pop3["ok"], pop3["failed"]) == ("policy", "protocol-off", 0, 2)
    assert (imap["stage"], imap["reason"], imap["ok"], imap["failed"]) == ("ok", "ok", 1, 0)
    text = gate.command("auth", "compare").stdout
    assert "policy/protocol-off" in text and "bob" not in text
    assert table(gate, "compare", "--user", "bob") == []


def test_what_worked_before_does_not_hide_that_it_does_not_now(gate):
    gate.pop("alice", "secret").quit()
    gate.imap("alice", "secret").logout()
    gate.command("user", "set", "alice", "pop3=off")
    refused_by_pop3(gate, "alice", "secret")
    wait_for(gate, 3)
    [alice] = table(gate, "compare")
    assert (alice["protocols"]["pop3"]["reason"], alice["protocols"]["pop3"]["ok"]) == ("protocol-off", 1)


def test_nothing_differs_once_the_policy_is_the_same_again(gate):
    gate.command("user", "set", "alice", "pop3=off")
    refused_by_pop3(gate, "alice", "secret")
    gate.imap("alice", "secret").logout()
    gate.command("user", "set", "alice", "pop3=on")
    gate.pop("alice", "secret").quit()
    wait_for(gate, 3)
    assert table(gate, "compare") == []
    assert "the same on all protocols" in gate.command("auth", "compare").stdout


def test_names_of_any_bytes_are_told_as_they_can_be(gate):
    name = 'ev\xe9l "\\'
    with gate.raw("pop3") as raw:
        raw.line()
        raw.cmd(b"USER " + name.encode("latin-1"))
        assert raw.cmd("PASS x").startswith(b"-ERR")
    with gate.raw("imap") as raw:
        raw.line()
        raw.imap(b"LOGIN {6+}\r\n" + name.encode("latin-1")[:6] + b" x")
    wait_for(gate, 2)
    gate.command("auth", "compare")
    assert isinstance(table(gate, "compare"), list)


def test_counts_survive_a_restart_and_are_made_up_from_the_file(gate):
    gate.imap("alice", "secret").logout()
    gate.stop(gates.signal.SIGKILL)  # before the store's copy was due
    gate.start()
    wait_for(gate, 1)
    [line] = [line for line in table(gate, "report") if line["attempts"]]
    assert line["attempts"] == 1


def test_what_a_client_calls_itself_does_not_reach_the_terminal(gate):
    evil = b"ev\x1b]0;gone\x07il\xc2\x9b2J"
    with gate.raw("imap") as c:
        c.line()
        c.imap(b"LOGIN {%d+}\r\n%s secret" % (len(evil), evil))
    wait_for(gate, 1)
    for words in (("auth", "log"), ("auth", "compare")):
        shown = gate.command(*words).stdout
        assert not any(ord(c) < 0x20 and c != "\n" or 0x7f <= ord(c) < 0xa0 for c in shown), repr(shown)
    assert r"ev\x1b]0;gone\x07il\xc2\x9b2J" in gate.command("auth", "log").stdout


# ---- user show ----

def last(g, user):
    return json.loads(g.command("user", "show", user, "--json").stdout)["last"]


def test_an_account_shows_its_last_log_on_by_each_protocol(gate):
    assert last(gate, "alice") == {}
    assert "never" in gate.command("user", "show", "alice").stdout
    with gate.raw("imap") as c:
        c.line()
        c.imap('ID ("name" "Th\xfcnder" "version" "1")'.encode())
        c.imap("LOGIN alice secret")
    with gate.raw("imap") as c:
        c.line()
        c.imap("LOGIN alice wrong")
    gate.pop("alice", "secret", tls=True).quit()
    gates.until(lambda: set(last(gate, "alice")) == {"imap", "pop3"}, "both log-ons")
    imap, pop3 = last(gate, "alice")["imap"], last(gate, "alice")["pop3"]
    records = [r for r in gate.records() if r["result"] == "ok"]
    assert [imap["time"], pop3["time"]] == [r["time"] for r in records]
    assert (imap["mechanism"], imap["client"], imap["tls"]) == ("LOGIN-COMMAND", "127.0.0.1", "")
    assert (pop3["mechanism"], pop3["tls"]) == ("USER", "TLSv1.3")
    text = gate.command("user", "show", "alice").stdout
    assert f'last-imap      {imap["time"]} LOGIN-COMMAND 127.0.0.1 clear "Th\xfcnder 1"' in text
    assert f'last-pop3      {pop3["time"]} USER 127.0.0.1 TLSv1.3' in text


def test_another_account_of_the_same_name_begins_anew(gate):
    gate.add_user("carol", "secret")
    gate.imap("carol", "secret").logout()
    gates.until(lambda: last(gate, "carol"), "the log-on")
    gate.command("user", "del", "carol")
    gate.add_user("carol", "secret")
    assert last(gate, "carol") == {}


# ---- auth explain ----

def ways(g, user):
    answer = table(g, "explain", user)
    return answer, {(w["listener"], w["tls"], w["mechanism"]): (w["stage"], w["reason"]) for w in answer["ways"]}


def test_an_explanation_says_what_would_succeed_where(gate):
    answer, found = ways(gate, "ALICE@example.org")
    assert (answer["user"], answer["password"]) == ("alice", True)
    assert found["imap", False, "LOGIN command"] == ("ok", "ok")
    assert found["plain", False, "LOGIN command"] == ("transport", "needs-tls")
    assert found["plain", True, "LOGIN command"] == ("ok", "ok")
    assert found["pop3plain", False, "USER/PASS"] == ("transport", "needs-tls")
    assert found["pop3s", True, "SCRAM-SHA-256-PLUS"] == ("ok", "ok")
    assert ("pop3", False, "SCRAM-SHA-256-PLUS") not in found  # nothing to bind to
    assert ("imap", False, "SCRAM-SHA-256") in found
    assert not any(listener == "lmtp" for listener, _, _ in found)


@pytest.mark.parametrize("setting, stage, reason, protocols", [
    ("pop3=off", "policy", "protocol-off", {"pop3"}),
    ("locked=yes", "policy", "locked", {"pop3", "imap"}),
    ("expires=2020-01-01", "policy", "expired", {"pop3", "imap"}),
])
def test_an_explanation_agrees_with_what_happens(gate, setting, stage, reason, protocols):
    gate.command("user", "set", "alice", setting)
    _, found = ways(gate, "alice")
    for protocol, command in (("imap", "LOGIN command"), ("pop3", "USER/PASS")):
        refused = protocol in protocols
        assert found[protocol, False, command] == ((stage, reason) if refused else ("ok", "ok"))
    if "pop3" in protocols:
        refused_by_pop3(gate, "alice", "secret")
    if "imap" in protocols:
        refused_by_imap(gate, "alice", "secret")
    last = [r for r in gate.records() if r["identity"] == "alice"]
    assert {(r["stage"], r["reason"]) for r in last} == {(stage, reason)}


def test_who_is_nobody_is_said_in_one_line(gate):
    done = gate.command("auth", "explain", "nobody", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "gatepost: auth explain: there is no user 'nobody'\n"
    text = gate.command("auth", "explain", "bob").stdout
    assert "'bob' is the account bob" in text and "after STLS" in text


def test_the_command_line_takes_every_form_of_a_name(gate):
    gate.command("user", "set", "alice", "nt-domain=CORP", "alias+=al")
    for name in ("alice", "al", "ALICE", "alice@example.org", "CORP\\alice", "corp/alice"):
        assert json.loads(gate.command("user", "show", name, "--json").stdout)["user"] == "alice"


# ---- auth probe ----

def probe(g, user, secret):
    done = g.command("auth", "probe", user, "--password-stdin", "--json", check=False, input=secret + "\n")
    return done, json.loads(done.stdout)


def test_the_right_secret_gets_in_by_every_way_and_each_is_recorded_once(gate):
    done, found = probe(gate, "alice@example.org", "secret")
    assert {w["mechanism"] for w in found} >= {"USER/PASS", "LOGIN command", "PLAIN", "LOGIN", "SCRAM-SHA-1",
                                               "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"}
    for way in found:
        needs_tls = way["listener"] in ("plain", "pop3plain") and not way["tls"] and \
            way["mechanism"] in ("USER/PASS", "LOGIN command")
        assert (way["ok"], way["reason"]) == ((False, "needs-tls") if needs_tls else (True, "ok")), way
    assert done.returncode == 1 and "refused on 2 of" in done.stderr  # the two listeners that want TLS first
    records = [r for r in gate.records() if r["name"] == "alice@example.org"]
    assert len(records) == len(found)


def test_a_wrong_secret_is_refused_everywhere_for_one_reason(gate):
    _, found = probe(gate, "alice", "wrong")
    assert not any(way["ok"] for way in found)
    assert {way["reason"] for way in found} == {"wrong-secret", "needs-tls"}


def test_a_protocol_that_is_off_is_seen_beside_one_that_is_on(gate):
    gate.command("user", "set", "alice", "pop3=off")
    _, found = probe(gate, "alice", "secret")
    assert {way["reason"] for way in found if way["protocol"] == "pop3"} == {"protocol-off", "needs-tls"}
    assert {way["reason"] for way in found if way["protocol"] == "imap"} == {"ok", "needs-tls"}
    text = gate.command("auth", "probe", "alice", "--password-stdin", check=False, input="secret\n")
    assert "policy/protocol-off" in text.stdout and "secret" not in text.stdout


class StrictGate(gates.Gate):
    LISTENERS = {**gates.Gate.LISTENERS, "mapiplain": ("mapi", "none", False)}


def test_the_door_of_mapi_is_tried_too(tmp_path):
    with StrictGate(tmp_path) as g:
        g.add_user("alice", "secret")

        def door(listener, secret):
            (way,) = [w for w in probe(g, "alice", secret)[1] if w["listener"] == listener]
            assert (way["protocol"], way["mechanism"]) == ("mapi", "Basic")
            return way["ok"], way["reason"], way["answer"].split()[1]
        assert door("mapis", "secret") == (True, "ok", "200")
        assert door("mapiplain", "secret") == (False, "needs-tls", "403")
        assert door("mapis", "wrong") == (False, "wrong-secret", "401")
        g.command("user", "set", "alice", "mapi=off")
        assert door("mapis", "secret") == (False, "protocol-off", "403")


def test_a_probe_of_a_server_that_does_not_run_says_so(gate):
    gate.stop()
    done, found = probe(gate, "alice", "secret")
    assert done.returncode == 1 and all("refused" in way["answer"] for way in found)
    gate.start()


# ---- whose daemon it is ----

def test_a_greeting_tells_which_daemon_it_is(gate):
    (started,) = [line for line in gate.log_text().splitlines() if "server.start" in line]
    (instance,) = re.findall(r'instance="?([0-9a-f]{8})\b', started)
    for listener in ("imap", "pop3", "lmtp"):
        with gate.raw(listener) as c:
            assert c.line().endswith(b" ready (%s)" % instance.encode())


def test_a_secret_is_not_for_whoever_has_taken_the_port(tmp_path):
    """The daemon listens, and so does somebody on one of its addresses; or on all of them, where it does not run."""
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    heard = []

    def stranger(server):
        while True:
            try:
                client = server.accept()[0]
            except OSError:
                return
            with client:
                client.sendall(b"+OK Gatepost POP3 ready (00000000)\r\n")
                heard.append(client.recv(1000))

    with socket.create_server(("127.0.0.1", g.ports["pop3"])) as server:
        thread = threading.Thread(target=stranger, args=(server,))
        thread.start()
        done = g.command("auth", "probe", "alice", "--password-stdin", "--json", check=False, input="secret\n")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    answers = [w["answer"] for w in json.loads(done.stdout) if w["listener"] == "pop3"]
    assert done.returncode == 1 and answers
    assert set(answers) == {"another server answers here than the one that serves this store"}
    assert heard and set(heard) == {b""}
