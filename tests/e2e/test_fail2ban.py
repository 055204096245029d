"""The filter for fail2ban finds every guess and nothing else, whatever names the guessers use."""
import json
import re
import subprocess

import gate as gates

FILTER = gates.ROOT / "packaging" / "fail2ban" / "filter.d" / "gatepost.conf"


def hosts_found(g):
    done = subprocess.run(["fail2ban-regex", "--print-all-matched", "--raw", str(g.audit), str(FILTER)],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b0 ignored", done.stdout)
    counts = re.search(r"Lines: (\d+) lines, \d+ ignored, (\d+) matched, (\d+) missed", done.stdout)
    assert counts, done.stdout
    return int(counts[1]), int(counts[2])


def test_guesses_are_found_and_nothing_else(tmp_path):
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    g.add_user("old", "secret", "expires=2020-01-01")
    names = ["alice", "nobody", '","client":"203.0.113.9","x":"', "x\r\ny", "\xe4", "}{", "<HOST>", "alice\x7f",
             '{"v":1,"time":"2026-01-01T00:00:00.000Z","event":11310']
    with g:
        for name in names:
            data = name.encode()
            with g.raw("imap") as c:
                c.line()
                c.imap(b"LOGIN {%d+}\r\n%s wrong" % (len(data), data))
        for door in (g.imap, g.pop):
            client = door("alice", "secret")  # good ones
            client.logout() if door == g.imap else client.quit()
        with g.raw("imap") as c:
            c.line()
            assert b"[EXPIRED]" in c.imap("LOGIN old secret")[1]
        with g.raw("plain") as c:
            c.line()
            assert b"[PRIVACYREQUIRED]" in c.imap("LOGIN alice secret")[1]
        g.raw("imap").close()
    records = [json.loads(line) for line in g.audit.read_text().splitlines()]
    lines, matched = hosts_found(g)
    assert lines == len(records)
    assert matched == sum(r["event"] in (11310, 11314) for r in records) == len(names)


def test_the_jail_reads_what_the_filter_is_for(tmp_path):
    jail = (FILTER.parents[1] / "jail.d" / "gatepost.conf").read_text()
    assert re.search(r"^filter\s*=\s*gatepost$", jail, re.M) and FILTER.stem == "gatepost"
