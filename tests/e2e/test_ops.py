"""What operators see, by clients that we did not write: curl and Python's http.client."""
import base64
import http.client
import json
import re
import signal
import socket
import subprocess
import time

import gate as gates
import pytest

MESSAGE = b"From: a@example.org\r\nTo: alice@example.org\r\nSubject: hello\r\n\r\nText.\r\n"


class OpsGate(gates.Gate):
    """`ops` needs no log-on from here; `opss` is the same with TLS. In `StrictGate` all must log on."""

    LISTENERS = {**gates.Gate.LISTENERS, "ops": ("ops", "none", True), "opss": ("ops", "implicit", False)}


class StrictGate(OpsGate):
    LISTENERS = {**OpsGate.LISTENERS, "opsplain": ("ops", "none", False)}

    def __init__(self, directory, **more):
        super().__init__(directory, extra="ops { without-logon = {} }", **more)


@pytest.fixture
def gate(tmp_path):
    g = OpsGate(tmp_path)
    g.add_user("alice", "secret")
    with g:
        yield g
        g.verify()


@pytest.fixture
def strict(tmp_path):
    g = StrictGate(tmp_path)
    g.add_user("root", "sesame", "admin=yes")
    g.add_user("jörg", "gehe:im", "admin=yes")
    g.add_user("alice", "secret")
    with g:
        yield g


def get(g, path, port="ops", headers=None, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", g.ports[port], timeout=gates.DEADLINE)
    connection.request(method, path, body=body, headers=headers or {})
    response = connection.getresponse()
    response.text = response.read().decode()
    connection.close()
    return response


def curl(*args):
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", str(gates.DEADLINE), *args],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def basic(user, secret):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


# ---- metrics ----

SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def parse_metrics(text):
    """The text format, strictly: {(name, labels): value}. Every rule that is broken fails the test."""
    assert text.endswith("\n")
    types, helps, samples, closed, current = {}, {}, {}, set(), None
    for line in text.splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            assert what in ("HELP", "TYPE") and name not in closed
            table = helps if what == "HELP" else types
            assert name not in table, f"{what} of {name} twice"
            table[name] = rest
            if what == "TYPE":
                assert rest in ("counter", "gauge", "histogram")
            if current and current != name:
                closed.add(current)
            current = name
            continue
        match = SAMPLE.match(line)
        assert match, line
        name, labels, value = match[1], match[2], float(match[3])
        base = re.sub(r"_(bucket|sum|count)$", "", name) if current and types.get(current) == "histogram" else name
        assert base == current and base in types and base in helps, f"{name} is not in its group"
        pairs = []
        at = 0
        while labels and at < len(labels):
            label = LABEL.match(labels, at)
            assert label, labels
            pairs.append((label[1], label[2]))
            at = label.end()
        assert len(dict(pairs)) == len(pairs)
        key = (name, frozenset(pairs))
        assert key not in samples, f"{line} twice"
        assert value >= 0
        assert not (types[base] == "counter") or name.endswith("_total"), name
        samples[key] = value
    for (name, labels), value in samples.items():
        if not name.endswith("_bucket"):
            continue
        base, pairs = name[:-len("_bucket")], dict(labels)
        le = pairs.pop("le")
        same = [(float(dict(l)["le"]), v) for (n, l), v in samples.items()
                if n == name and {k: w for k, w in l if k != "le"} == pairs]
        assert [v for _, v in sorted(same)] == sorted(v for _, v in same), "buckets are cumulative"
        if le == "+Inf":
            assert value == samples[(f"{base}_count", frozenset(pairs.items()))]
    return samples


def metrics(g):
    response = get(g, "/metrics")
    assert response.status == 200
    assert response.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    return parse_metrics(response.text)


def value(samples, name, **labels):
    found = [v for (n, l), v in samples.items() if n == name and labels.items() <= dict(l).items()]
    return sum(found)


def test_metrics_tell_what_happened(gate):
    before = metrics(gate)
    gate.deliver("alice", MESSAGE)
    imap = gate.imap("alice", "secret", tls=True)
    with pytest.raises(Exception):
        gate.imap("alice", "wrong")
    imap.select("INBOX")
    imap.fetch("1", "(BODY[])")
    after = metrics(gate)

    def more(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    assert more("gatepost_logons_total", protocol="imap", verdict="ok", mechanism="LOGIN-COMMAND") == 1
    assert more("gatepost_logons_total", protocol="imap", verdict="refused", stage="credential",
                reason="wrong-secret") == 1
    assert more("gatepost_logon_seconds_count", protocol="imap") == 2
    assert value(after, "gatepost_logon_seconds_sum", protocol="imap") > 0
    assert value(after, "gatepost_connections", listener="imaps", protocol="imap", tls="TLSv1.3") == 1
    assert value(after, "gatepost_connections_logged_on", listener="imaps") == 1
    assert value(after, "gatepost_connections", protocol="ops") == 1
    assert more("gatepost_messages_delivered_total", protocol="lmtp") == 1
    assert more("gatepost_messages_fetched_total", protocol="imap") == 1
    assert more("gatepost_received_bytes_total", protocol="imap") > 0
    assert more("gatepost_sent_bytes_total", protocol="imap") > len(MESSAGE)
    assert more("gatepost_store_commits_total") >= 1
    assert more("gatepost_audit_records_total") >= 2
    assert value(after, "gatepost_audit_file_lost_total") == 0
    assert value(after, "gatepost_workers") == value(after, "gatepost_workers_answering") == 2
    assert value(after, "gatepost_healthy") == value(after, "gatepost_store_writable") == 1
    assert value(after, "gatepost_store_file_bytes") > 0
    assert value(after, "process_resident_memory_bytes") > 1 << 20
    assert value(after, "process_cpu_seconds_total") > 0
    assert value(after, "process_open_fds") > 10
    imap.logout()


def test_a_mechanism_that_a_client_made_up_makes_no_metric(gate):
    with gate.raw("imap") as raw:
        raw.line()
        raw.imap('AUTHENTICATE X-EVIL"{}')
        raw.imap("AUTHENTICATE X-OTHER")
    samples = metrics(gate)
    assert value(samples, "gatepost_logons_total", mechanism="other", reason="bad-mechanism") >= 1
    assert not [l for (n, l) in samples if n == "gatepost_logons_total" and "X-" in dict(l)["mechanism"]]


# ---- health ----

def test_a_server_that_can_serve_is_healthy(gate):
    response = get(gate, "/health")
    assert response.status == 200
    assert json.loads(response.text) == {
        "status": "ok", "version": "0.1.0", "draining": False, "workers": 2, "workers_answering": 2,
        "store": "writable"}
    assert get(gate, "/health/live").text == "alive\n"


def test_a_server_that_drains_says_so_and_still_answers(gate):
    """A session that is in the middle of something keeps the server from ending."""
    with gate.raw("lmtp") as raw:
        raw.line()
        raw.send("LHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: half\r\n")
        while not raw.line().startswith(b"354"):
            pass
        gate.process.send_signal(signal.SIGTERM)
        gates.until(lambda: get(gate, "/health").status == 503, "health to say that it drains")
        assert json.loads(get(gate, "/health").text)["draining"] is True
        assert get(gate, "/health/live").status == 200
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", gate.imaps), 5)
        raw.send("\r\nbody\r\n.\r\n")
        assert raw.line().startswith(b"250")
    assert gate.process.wait(gates.DEADLINE) == 0
    gate.process = None


def test_a_store_without_space_is_not_ready(tmp_path):
    g = OpsGate(tmp_path)
    g.config.write_text(g.config.read_text().replace('reserve = "0"', 'reserve = "8000T"'))
    with g:
        response = get(g, "/health")
        assert (response.status, json.loads(response.text)["store"]) == (503, "the disk or the store is full")
        assert overview(g)["server"]["store"] == "the disk or the store is full"


# ---- the page ----

def test_the_page_and_its_parts_come_from_here_alone(gate):
    response = get(gate, "/")
    assert response.status == 200
    assert response.getheader("Content-Type") == "text/html"
    policy = response.getheader("Content-Security-Policy")
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy and "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy and "frame-ancestors 'none'" in policy
    parts = re.findall(r'(?:src|href)="([^"]*)"', response.text)
    assert {"page.css", "page.js", "icon.svg"} <= set(parts)
    texts = [response.text]
    for part in set(parts):
        found = get(gate, "/" + part)
        assert found.status == 200, part
        assert found.getheader("X-Content-Type-Options") == "nosniff"
        texts.append(found.text)
    for text in texts:
        text = text.replace("http://www.w3.org/2000/svg", "")  # a name, not a place
        assert not re.search(r"https?://|url\(|@import|<style|<script>|\son\w+=", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", get(gate, "/page.js").text)
    assert "prefers-color-scheme: dark" in get(gate, "/page.css").text


def overview(g):
    return json.loads(get(g, "/api/overview").text)


def test_the_overview_counts_what_happened_and_a_restart_forgets_nothing(gate):
    gate.imap("alice", "secret").logout()
    with pytest.raises(Exception):
        gate.imap("alice", "wrong")

    def counts():
        now = overview(gate)
        return [sum(now[of]["protocols"]["imap"][what]) for of in ("minutes", "hours") for what in ("ok", "refused")]
    gates.until(lambda: counts() == [1, 1, 1, 1], "the records in the store")
    now = overview(gate)
    assert len(now["minutes"]["protocols"]["pop3"]["ok"]) == 60 and now["minutes"]["step"] == 60
    assert len(now["hours"]["protocols"]["pop3"]["ok"]) == 168 and now["hours"]["step"] == 3600
    wrong = {"stage": "credential", "reason": "wrong-secret", "event": 11310, "protocols": {"imap": 1}}
    assert wrong in now["reasons"]["hour"] and wrong in now["reasons"]["week"]
    gate.stop(signal.SIGKILL)
    gate.start()
    gates.until(lambda: counts() == [1, 1, 1, 1], "the same after a restart")


def test_the_page_and_metrics_tell_of_the_same_users(gate):
    gate.command("user", "set", "alice", "pop3=off")
    with pytest.raises(Exception):
        gate.pop("alice", "secret")
    gate.imap("alice", "secret").logout()
    gates.until(lambda: overview(gate)["differing"]["count"] == 1, "the difference")
    (user,) = overview(gate)["differing"]["users"]
    assert user["user"] == "alice"
    assert {o["protocol"]: o["reason"] for o in user["outcomes"]} == {"pop3": "protocol-off", "imap": "ok"}
    assert value(metrics(gate), "gatepost_users_differing", reason="protocol-off", stage="policy") == 1
    assert value(metrics(gate), "gatepost_users_differing") == 1
    ends = value(metrics(gate), "gatepost_certificate_expiry_timestamp_seconds", listener="imaps")
    assert 28 < (ends - time.time()) / 86400 < 31
    assert value(metrics(gate), "gatepost_disk_free_bytes") > 0


# ---- records as they come ----

def events(raw, n):
    """The next n records of a stream that goes on; what is a chunk and what a sign of life is left away."""
    found = []
    while len(found) < n:
        line = raw.line()
        assert line is not None
        if line.startswith(b"data: {"):
            found.append(json.loads(line[6:]))
    return found


def watch(g):
    raw = g.raw("ops")
    raw.send("GET /api/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert raw.line() == b"HTTP/1.1 200 OK"
    return raw


def test_who_watches_sees_every_record_as_it_was_written(gate):
    with watch(gate) as raw:
        gate.imap("alice", "secret").logout()
        (first,) = events(raw, 1)
        with gate.raw("pop3") as c:
            c.line()
            c.cmd('USER <script>alert("x")</script>')
            c.cmd("PASS x")
        (second,) = events(raw, 1)
        assert [first["identity"], second["name"]] == ["alice", '<script>alert("x")</script>']
        assert gate.records()[:2] == [first, second]


def test_watchers_are_counted_and_the_server_ends_all_the_same(gate):
    watchers = [watch(gate) for _ in range(16)]
    assert get(gate, "/api/tail").status == 503
    watchers.pop().close()
    gates.until(lambda: watchers.append(again) or True if (again := watch_or_none(gate)) else False, "room for one")
    assert gate.stop() == 0
    for raw in watchers:
        raw.close()


def watch_or_none(g):
    try:
        return watch(g)
    except AssertionError:
        return None


def test_only_administrators_watch_where_a_log_on_is_needed(strict):
    assert get(strict, "/api/tail").status == get(strict, "/api/overview").status == get(strict, "/").status == 401
    assert get(strict, "/api/overview", headers=basic("alice", "secret")).status == 403
    assert get(strict, "/api/overview", headers=basic("root", "sesame")).status == 200


# ---- access ----

def test_only_administrators_may_look_where_a_log_on_is_needed(strict):
    assert get(strict, "/metrics").status == 401
    assert get(strict, "/metrics").getheader("WWW-Authenticate") == 'Basic realm="Gatepost ops", charset="UTF-8"'
    assert get(strict, "/metrics", headers=basic("root", "sesame")).status == 200
    assert get(strict, "/metrics", headers=basic("jörg", "gehe:im")).status == 200
    assert get(strict, "/metrics", headers=basic("root", "wrong")).status == 401
    assert get(strict, "/metrics", headers=basic("nobody", "wrong")).status == 401
    assert get(strict, "/metrics", headers=basic("alice", "secret")).status == 403
    assert get(strict, "/metrics", port="opsplain", headers=basic("root", "sesame")).status == 403
    assert get(strict, "/metrics", port="opsplain").status == 403
    verdicts = [(r["protocol"], r["mechanism"], r["reason"]) for r in strict.records()]
    assert verdicts == [("ops", "BASIC", reason) for reason in (
        "ok", "ok", "wrong-secret", "unknown-user", "protocol-off", "needs-tls")]


def test_a_right_that_is_taken_away_ends_with_the_next_request(strict):
    connection = http.client.HTTPConnection("127.0.0.1", strict.ops, timeout=gates.DEADLINE)

    def status():
        connection.request("GET", "/health/live", headers=basic("root", "sesame"))
        response = connection.getresponse()
        response.read()
        return response.status

    assert [status(), status()] == [200, 200]
    assert len(strict.records()) == 1
    strict.command("user", "set", "root", "admin=no")
    assert status() == 403
    strict.command("user", "set", "root", "admin=yes")
    assert status() == 200
    assert [r["reason"] for r in strict.records()] == ["ok", "protocol-off", "ok"]
    connection.close()


def test_a_page_whose_name_was_made_to_lead_here_needs_a_log_on(gate):
    assert get(gate, "/metrics", headers={"Host": "evil.example"}).status == 401
    assert get(gate, "/metrics", headers={"Host": f"localhost:{gate.ops}"}).status == 200


# ---- HTTP ----

def test_a_connection_is_kept(gate):
    connection = http.client.HTTPConnection("127.0.0.1", gate.ops, timeout=gates.DEADLINE)
    connection.connect()
    kept = connection.sock
    for path in ("/", "/health", "/metrics", "/nothing", "/health/live"):
        connection.request("GET", path)
        assert connection.getresponse().read()
        assert connection.sock is kept
    connection.close()


def test_curl_uses_one_connection_for_many(gate):
    url = f"http://127.0.0.1:{gate.ops}/health/live"
    out = curl("--write-out", "%{num_connects}\n", url, url, url)
    assert out == "alive\n1\nalive\n0\nalive\n0\n"


def test_curl_over_tls_with_a_log_on(strict):
    url = f"https://localhost:{strict.opss}/health/live"
    out = curl("--cacert", str(strict.cert), "--user", "root:sesame", "--http1.1", "--write-out", "%{http_code}", url)
    assert out == "alive\n200"
    # curl offers HTTP/2 as well, and takes what it gets.
    assert curl("--cacert", str(strict.cert), "--user", "root:sesame", "--http2", url) == "alive\n"


def test_curl_that_would_rather_speak_http2_is_answered_in_1_1(gate):
    """It asks for an upgrade, which may be ignored (RFC 9110 7.8)."""
    url = f"http://127.0.0.1:{gate.ops}/health/live"
    assert curl("--http2", "--write-out", "%{http_version} %{num_connects}\n", url, url) == "alive\n1.1 1\nalive\n1.1 0\n"


def test_curl_asks_for_the_head_only(gate):
    out = curl("--head", f"http://127.0.0.1:{gate.ops}/metrics")
    assert out.startswith("HTTP/1.1 200 OK\n") and "\nContent-Length: " in out and out.endswith("\n\n")


def test_curl_sends_what_nobody_wants(gate, tmp_path):
    big = tmp_path / "big"
    big.write_bytes(b"x" * 300000)
    url = f"http://127.0.0.1:{gate.ops}/metrics"
    for more in ([], ["--header", "Transfer-Encoding: chunked"], ["--header", "Expect: 100-continue"]):
        out = curl("--data-binary", f"@{big}", *more, "--write-out", "%{http_code}", "--output", "/dev/null", url)
        assert out == "405"


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
    (b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    (b"GET /<script> HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    (b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 501),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 50000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/2.0\r\n", 505),
    (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n", 400),
])
def test_a_bad_request_is_told_so_and_reflects_nothing(gate, request_bytes, status):
    with gate.raw("ops") as raw:
        raw.send(request_bytes)
        if status != 404:
            got = raw.rest()
        else:
            raw.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            got = raw.rest()
        assert got.startswith(b"HTTP/1.1 %d " % status), got
        assert b"<script" not in got and b"aaaa" not in got
    assert get(gate, "/health/live").status == 200


def test_a_client_that_says_half_a_request_and_goes_is_no_trouble(gate):
    for half in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        raw = gate.raw("ops")
        raw.send(half)
        raw.close()
    assert get(gate, "/health").status == 200


def test_a_client_that_closes_its_side_gets_its_answer(gate):
    with gate.raw("ops") as raw:
        raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        raw.socket.shutdown(socket.SHUT_WR)
        assert b'"status":"ok"' in raw.rest()


def test_pipelined_requests_are_answered_in_order(gate):
    with gate.raw("ops") as raw:
        one = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
        raw.send(b"".join(one % p for p in (b"/health", b"/health/live", b"/nothing", b"/health/live"))
                 + b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        statuses = re.findall(rb"^HTTP/1\.1 (\d+) |\"(status)\":|^(alive)", raw.rest(), re.M)
        assert [b"".join(s) for s in statuses] == [b"200", b"status", b"200", b"alive", b"404", b"200", b"alive",
                                                   b"200"]


def test_a_reload_changes_who_needs_a_log_on(gate):
    assert get(gate, "/health/live").status == 200
    gate.config.write_text(gate.config.read_text() + "ops { without-logon = {} }\n")
    gate.process.send_signal(signal.SIGHUP)
    gates.until(lambda: get(gate, "/health/live").status == 401, "the new configuration")


def test_check_tells_what_is_wrong_with_such_a_listener(tmp_path):
    g = gates.Gate(tmp_path, extra='listener "ops" { protocol = ops port = 1 tls = starttls }')
    done = g.command("check", check=False)
    assert done.returncode == 1 and "ops has no STARTTLS" in done.stderr
    g = gates.Gate(tmp_path, extra='ops { without-logon = {} } listener "ops" { protocol = ops port = 1 }')
    assert "nobody can look there" in g.command("check", check=False).stderr
    g = gates.Gate(tmp_path, extra='ops { without-logon = {nonsense} } listener "ops" { protocol = ops port = 1 }')
    assert "expected a network" in g.command("check", check=False).stderr
    g = gates.Gate(tmp_path, extra='listener "ops" { protocol = ops port = 1 }')
    assert "ops" not in g.command("check", check=False).stderr.replace('listener "ops": cannot bind', "")
