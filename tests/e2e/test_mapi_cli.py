"""gatepost mapi: the client that comes with the daemon, against the daemon."""
import json
import subprocess

import gate as gates
import pytest

MAIL = (b"From: Bob <bob@example.org>\r\nTo: alice@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n"
        b"First line\r\nSecond \x1b[31mline\r\n")


class MapiGate(gates.Gate):
    LISTENERS = {**gates.Gate.LISTENERS, "mapi": ("mapi", "implicit", False)}


@pytest.fixture
def gate(tmp_path):
    g = MapiGate(tmp_path)
    g.add_user("alice", "secret")
    g.add_user("bob", "secret")
    (tmp_path / "secret").write_text("secret\n")
    with g:
        yield g
        g.verify()


def mapi(g, *args, check=True, **more):
    return g.command("mapi", "alice", *args, "--password-file", g.dir / "secret", check=check, **more)


def rows(g, folder):
    return json.loads(mapi(g, "list", folder, "--json").stdout)


def test_a_message_is_listed_read_moved_and_deleted(gate):
    gate.deliver("alice", MAIL)
    (row,) = rows(gate, "inbox")
    assert (row["subject"], row["from"], row["read"]) == ("Grüße", "Bob", False)
    text = mapi(gate, "read", "Inbox", row["id"]).stdout
    assert "From: Bob\nAddress: bob@example.org\n" in text and "\nSubject: Grüße\n" in text
    assert text.endswith("\n\nFirst line\nSecond \\u001b[31mline\n")

    mapi(gate, "move", "Inbox", row["id"], "Archive")
    assert rows(gate, "Inbox") == []
    (moved,) = rows(gate, "Archive")
    assert moved["subject"] == "Grüße"
    imap = gate.imap("alice", "secret")
    assert imap.select("Archive")[1] == [b"1"]
    mapi(gate, "delete", "Archive", moved["id"])
    assert rows(gate, "Archive") == []


def test_what_is_sent_comes_to_everybody_and_stays_in_sent_items(gate):
    mapi(gate, "send", "bob@example.org, alice@example.org", "Grüße", input="Hello,\nBob\n")
    for user in ("bob", "alice"):
        imap = gate.imap(user, "secret")
        gates.until(lambda: imap.select()[1] == [b"1"], "the mail")
        text = imap.fetch("1", "(BODY[TEXT])")[1][0][1]
        assert b"Hello" in text and b"Bob" in text
    gates.until(lambda: [row["subject"] for row in rows(gate, "Sent Items")] == ["Grüße"], "the copy")
    assert rows(gate, "Outbox") == []


def test_folders_are_those_that_imap_has(gate):
    imap = gate.imap("alice", "secret")
    imap.create("Work/2026/Q1")
    gate.deliver("alice", MAIL)
    folders = {f["path"]: f for f in json.loads(mapi(gate, "folders", "--json").stdout)}
    assert {"Inbox", "Work", "Work/2026", "Work/2026/Q1", "Sent Items"} <= set(folders)
    assert (folders["Inbox"]["messages"], folders["Inbox"]["unread"]) == (1, 1)
    assert mapi(gate).stdout.splitlines()[0].split() == ["id", "messages", "unread", "folder"]


def test_what_happens_is_told_while_one_watches(gate):
    mapi(gate)  # the mailbox is there
    watch = subprocess.Popen([gates.BINARY, "mapi", "alice", "watch", "--count", "1", "--password-file",
                              gate.dir / "secret", "-c", gate.config], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    assert watch.stderr.readline() == "watching\n"
    gate.deliver("alice", MAIL)
    out, err = watch.communicate(timeout=gates.DEADLINE)
    (row,) = rows(gate, "Inbox")
    assert watch.returncode == 0 and err == ""
    assert f" message {row['id']}" in out and out.split()[0] in ("new-mail", "created", "modified")


def test_operations_are_told_both_ways(gate):
    out = mapi(gate, "rops", "270000", "49504d2e4e6f746500", "010000").stdout
    assert "> RopGetReceiveFolder [MS-OXCROPS] 2.2.3.2, logon 0, in 0, out -1\n  MessageClass IPM.Note\n" in out
    assert "\n> RopRelease " in out and "\n< RopGetReceiveFolder handle 0, 0x00000000\n  FolderId 05000" in out


@pytest.mark.parametrize("args, why", [
    (("list", "nowhere"), 'there is no folder "nowhere"'),
    (("read", "Inbox", "xyz"), '"xyz" is no message id'),
    (("read", "Inbox", "7700000000000001"), "ecNotFound"),
    (("rops", "270"), "not hexadecimal digits in pairs"),
    (("rops", "99"), "ecRpcFormat"),
])
def test_what_goes_wrong_is_said_in_a_line(gate, args, why):
    done = mapi(gate, *args, check=False)
    assert done.returncode == 1 and why in done.stderr and done.stderr.count("\n") == 1


def test_a_wrong_secret_and_a_wrong_server_are_told_apart(gate):
    (gate.dir / "secret").write_text("wrong\n")
    done = mapi(gate, check=False)
    assert done.returncode == 1 and "refuses this name and secret (401)" in done.stderr
    (port,) = gates.free_ports(1)
    done = mapi(gate, "--url", f"http://127.0.0.1:{port}", check=False)
    assert done.returncode == 1 and "onnect" in done.stderr


def test_the_secret_goes_to_no_server_with_another_key(gate, tmp_path):
    """The daemon has the certificate that it was started with; the configuration names another one."""
    gates.make_certificate(gate.dir)
    done = mapi(gate, check=False)
    assert done.returncode == 1 and "pinned" in done.stderr
    assert gate.records() == []


def test_a_word_that_is_none_says_how_to_use_it(gate):
    done = mapi(gate, "frobnicate", check=False)
    assert done.returncode == 2 and done.stderr.startswith("usage: gatepost mapi USER ")
