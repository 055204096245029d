"""The alert rules for Prometheus and the dashboard for Grafana: they are well-formed, they fire when they should,
and each metric and label in them is one that a running daemon has."""
import http.client
import json
import re
import subprocess

import pytest

import gate as gates

RULES = gates.ROOT / "share" / "prometheus" / "gatepost.rules.yml"
DASHBOARD = gates.ROOT / "share" / "grafana" / "gatepost.json"
METRIC = re.compile(r"\b((?:gatepost|process)_[a-z0-9_]+)\b(?:\{([^}]*)\})?")
FROM_PROMETHEUS = {"instance", "job"}


class OpsGate(gates.Gate):
    LISTENERS = {**gates.Gate.LISTENERS, "ops": ("ops", "none", True)}


def promtool(*args, **more):
    done = subprocess.run(["promtool", *map(str, args)], capture_output=True, text=True, timeout=120, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def exposed(tmp_path_factory):
    """The metrics of a daemon at which somebody was let in and somebody refused, as text."""
    g = OpsGate(tmp_path_factory.mktemp("alerts"))
    g.add_user("alice", "secret")
    with g:
        g.imap("alice", "secret").logout()
        with pytest.raises(Exception):
            g.imap("alice", "wrong")
        connection = http.client.HTTPConnection("127.0.0.1", g.ops, timeout=gates.DEADLINE)
        connection.request("GET", "/metrics")
        yield connection.getresponse().read().decode()
        connection.close()


def labels_of(exposed):
    found = {}
    for line in exposed.splitlines():
        match = re.match(r"([a-z_0-9]+)(?:\{(.*)\})? ", line)
        if match and not line.startswith("#"):
            found.setdefault(match[1], set()).update(re.findall(r'(\w+)="', match[2] or ""))
    return found


def check_expression(expression, there):
    metrics = METRIC.findall(expression)
    assert metrics, expression
    for name, matchers in metrics:
        assert name in there, f"{name} is no metric: {expression}"
        unknown = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) - there[name] - FROM_PROMETHEUS
        assert not unknown, f"{name} has no label {unknown}: {expression}"
    grouped = {label.strip() for by in re.findall(r"\bby \(([^)]*)\)", expression) for label in by.split(",")}
    assert grouped <= set().union(*(there[name] for name, _ in metrics)) | FROM_PROMETHEUS, expression


def rule_expressions():
    text = RULES.read_text()
    return [" ".join(e.split()) for e in re.findall(r"^ +expr: (?:\|\n)?((?:.|\n)*?)\n +(?:for|labels):", text, re.M)]


def dashboard_expressions():
    return [t["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for t in panel["targets"]]


def test_the_rules_are_well_formed_and_fire_when_they_should():
    promtool("check", "rules", RULES)
    promtool("test", "rules", "gatepost.rules.test.yml", cwd=RULES.parent)


def test_each_metric_of_a_rule_is_one_of_the_daemons(exposed):
    there = labels_of(exposed)
    expressions = rule_expressions()
    assert len(expressions) == RULES.read_text().count("- alert:")
    for expression in expressions:
        if not expression.startswith("up{"):
            check_expression(expression, there)


def test_each_metric_of_the_dashboard_is_one_of_the_daemons(exposed):
    there = labels_of(exposed)
    for expression in dashboard_expressions():
        check_expression(expression, there)


def test_what_the_dashboard_asks_prometheus_understands(tmp_path):
    rules = [{"record": f"panel:{n}", "expr": e.replace("$__rate_interval", "5m").replace("$instance", ".*")}
             for n, e in enumerate(dashboard_expressions())]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    promtool("check", "rules", path)


def test_the_dashboard_hangs_together():
    dashboard = json.loads(DASHBOARD.read_text())
    variables = {v["name"] for v in dashboard["templating"]["list"]}
    assert {"datasource", "instance"} <= variables
    assert set(re.findall(r"\$\{?([a-z]+)\b", json.dumps(dashboard))) <= variables
    taken = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_prometheus_finds_nothing_wrong_with_the_metrics(exposed):
    promtool("check", "metrics", input=exposed)
