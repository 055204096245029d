"""What one session, protocol or command changes, another sees: in IDLE at once, elsewhere when the RFC allows it.
Nothing is polled here: the line that must come is waited for, and nothing else may come before it."""
import re

import pytest

import gate as gates

MESSAGE = b"Subject: hello\r\n\r\nHello.\r\n"


@pytest.fixture
def gate(shared_gate):
    return shared_gate


class Session:
    """An IMAP session with INBOX selected, that can wait in IDLE."""

    def __init__(self, g, tls=False, enable=None, folder="INBOX"):
        self.raw = g.raw("imaps" if tls else "imap", tls)
        self.raw.line()
        self.ok("LOGIN alice secret")
        if enable:
            self.ok("ENABLE " + enable)
        self.ok(f'SELECT "{folder}"')

    def ok(self, command):
        status, line, before = self.raw.imap(command)
        assert status == "OK", line
        return before

    def idle(self):
        self.raw.send("i1 IDLE\r\n")
        assert self.raw.line().startswith(b"+ ")
        return self

    def told(self, *lines):
        """The next lines of the server are these (regular expressions, in order)."""
        for wanted in lines:
            line = self.raw.line()
            assert re.fullmatch(wanted, line), (line, wanted)

    def done(self):
        """End IDLE; returns what was told on the way out."""
        self.raw.send("DONE\r\n")
        status, _, before = self.raw.imap_answer("i1")
        assert status == "OK"
        return before


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def watcher(gate, request):
    """A session that waits in IDLE, in a mailbox of three messages."""
    client = gate.imap("alice", "secret")
    for n in range(3):
        client.append("INBOX", r"(\Seen)" if n else None, None, MESSAGE)
    client.logout()
    session = Session(gate, request.param)
    session.idle()
    yield session
    assert session.done() == b""
    session.raw.close()


@pytest.fixture
def other(gate):
    session = Session(gate)
    yield session
    session.raw.close()


# Who of two sessions hears of a message first has it as \\Recent.
EXISTS_4 = (rb"\* 4 EXISTS", rb"\* \d RECENT")


def test_idle_sees_what_another_session_appends(watcher, other):
    message = b"{%d+}\r\n%s" % (len(MESSAGE), MESSAGE)
    other.ok(b"APPEND INBOX " + message)
    watcher.told(*EXISTS_4)


def test_idle_sees_flags(watcher, other):
    other.ok(r"STORE 2 +FLAGS (\Flagged $Later)")
    watcher.told(rb"\* FLAGS \(.*\$Later.*\)", rb"\* OK \[PERMANENTFLAGS .*\$Later.*",
                 rb"\* 2 FETCH \(FLAGS \(.*\\Flagged.*\)\)")
    other.ok(r"STORE 1:3 FLAGS.SILENT ()")
    watcher.told(*(rb"\* %d FETCH \(FLAGS \([^F]*\)\)" % n for n in (2, 3)))


def test_idle_sees_expunges(watcher, other):
    other.ok(r"STORE 1,3 +FLAGS.SILENT (\Deleted)")
    watcher.told(rb"\* 1 FETCH \(FLAGS \(.*\\Deleted.*\)\)", rb"\* 3 FETCH \(FLAGS \(.*\\Deleted.*\)\)")
    other.ok("EXPUNGE")
    watcher.told(rb"\* 3 EXPUNGE", rb"\* 1 EXPUNGE")


def test_idle_sees_moves_and_copies(watcher, other):
    other.ok("COPY 1 INBOX")
    watcher.told(*EXISTS_4)
    other.ok("MOVE 2 Archive")
    watcher.told(rb"\* 2 EXPUNGE")


def test_idle_sees_pop3_delete_at_quit_and_not_before(gate, watcher):
    pop = gate.pop("alice", "secret")
    pop.dele(1)
    pop.dele(2)
    pop.rset()
    pop.dele(2)
    # Had DELE done something, it would come before this delivery.
    gate.deliver("alice", MESSAGE)
    watcher.told(*EXISTS_4)
    pop.quit()
    watcher.told(rb"\* 2 EXPUNGE")


def test_idle_sees_lmtp(gate, watcher):
    gate.deliver(["bob", "alice"], MESSAGE)
    watcher.told(*EXISTS_4)


def test_idle_sees_import(gate, watcher):
    file = gate.work / "new.eml"
    file.write_bytes(b"Subject: imported\n\nImported.\n")
    gate.command("import", "alice", file)
    watcher.told(*EXISTS_4)
    gate.command("import", "alice", file)  # it is there already
    gate.deliver("alice", MESSAGE)
    watcher.told(rb"\* 5 EXISTS", rb"\* \d RECENT")


def test_idle_goes_on_while_commands_read_the_store(gate, watcher):
    gate.command("store", "verify")
    gate.command("export", "alice", gate.work / "out")
    gate.command("store", "backup", gate.work / "backup")
    gate.command("user", "set", "alice", "display-name=Alice")
    gate.deliver("alice", MESSAGE)
    watcher.told(*EXISTS_4)


def test_idle_with_qresync_is_told_uids_and_modseqs(gate, other):
    gate.deliver("alice", MESSAGE)
    gate.deliver("alice", MESSAGE)
    session = Session(gate, enable="QRESYNC").idle()
    other.ok("NOOP")
    other.ok(r"UID STORE 2 +FLAGS.SILENT (\Deleted)")
    session.told(rb"\* 2 FETCH \(UID 2 MODSEQ \(\d+\) FLAGS \(.*\\Deleted.*\)\)|"
                 rb"\* 2 FETCH \(.*UID 2 .*\)")
    other.ok("UID EXPUNGE 2")
    session.told(rb"\* VANISHED 2")
    assert session.done() == b""
    session.raw.close()


def test_a_user_who_is_deleted_is_told_goodbye(gate):
    gate.command("user", "del", "carol", check=False)
    gate.add_user("carol", "secret")
    with gate.raw("imap") as c:
        c.line()
        assert c.imap("LOGIN carol secret")[0] == "OK" and c.imap("SELECT INBOX")[0] == "OK"
        c.send("i1 IDLE\r\n")
        assert c.line().startswith(b"+ ")
        gate.command("user", "del", "carol")
        assert c.line().startswith(b"* BYE") and c.rest() == b""


def test_a_mailbox_that_is_deleted_ends_the_sessions_that_have_it_open(gate, other):
    other.ok("CREATE Gone")
    session = Session(gate, folder="Gone").idle()
    other.ok("DELETE Gone")
    assert session.raw.line().startswith(b"* BYE")
    session.raw.close()


# ---- not in IDLE ----

def test_expunges_wait_until_sequence_numbers_may_change(gate, other):
    for _ in range(3):
        gate.deliver("alice", MESSAGE)
    assert b"* 3 EXISTS" in other.ok("NOOP")
    session = Session(gate)
    other.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    other.ok("EXPUNGE")
    gate.deliver("alice", MESSAGE)
    # RFC 9051 7.5.1: not while FETCH, STORE or SEARCH run; numbers still mean what they meant.
    for command in ("FETCH 3 UID", "SEARCH ALL", r"STORE 2 +FLAGS.SILENT (\Seen)"):
        said = session.ok(command)
        assert b"EXPUNGE" not in said, (command, said)
    assert b"* 3 FETCH (UID 3)\r\n" in session.ok("FETCH 3 UID")
    # The message is gone, and its number still stands for it.
    status, line, before = session.raw.imap("FETCH 1 BODY.PEEK[]")
    assert b"BODY[]" not in before, (status, line, before)
    said = session.ok("NOOP")
    assert re.search(rb"\* 1 EXPUNGE\r\n(?s:.*)\* 3 EXISTS\r\n", said) or said.startswith(b"* 1 EXPUNGE\r\n"), said
    assert b"* 2 FETCH (UID 3)\r\n" in session.ok("FETCH 2 UID")
    session.raw.close()


@pytest.mark.parametrize("command", ["NOOP", "CHECK", "STATUS Archive (MESSAGES)", 'LIST "" INBOX', "UID SEARCH ALL",
                                     "UID FETCH 1 FLAGS", "APPEND Archive {1+}\r\nx", "COPY 1 Archive"])
def test_every_command_that_may_tells_of_news(gate, other, command):
    gate.deliver("alice", MESSAGE)
    other.ok("NOOP")
    gate.deliver("alice", MESSAGE)
    assert b"* 2 EXISTS\r\n" in other.ok(command)
    assert b"EXISTS" not in other.ok("NOOP")


def test_pop3_keeps_its_numbers_while_imap_expunges(gate, other):
    for _ in range(3):
        gate.deliver("alice", MESSAGE)
    pop = gate.pop("alice", "secret")
    size = pop.stat()[1] // 3
    other.ok("NOOP")
    other.ok(r"STORE 2 +FLAGS.SILENT (\Deleted)")
    other.ok("EXPUNGE")
    gate.deliver("alice", MESSAGE)
    assert [line.split()[0] for line in pop.list()[1]] == [b"1", b"3"] and pop.stat()[0] == 2
    assert pop.retr(3)[2] == size
    pop.dele(3)
    pop.quit()
    assert b"* 2 EXPUNGE\r\n" in other.ok("NOOP")
    assert gate.pop("alice", "secret").stat()[0] == 2


def test_new_folders_flags_and_counts_are_seen_by_others(gate, other):
    session = Session(gate)
    other.ok("CREATE New/Folder")
    assert b"New/Folder" in session.ok('LIST "" "*"')
    other.ok(b"APPEND New/Folder {%d+}\r\n%s" % (len(MESSAGE), MESSAGE))
    assert b"MESSAGES 1 UNSEEN 1" in session.ok("STATUS New/Folder (MESSAGES UNSEEN)")
    other.ok("SELECT New/Folder")
    other.ok(r"STORE 1 +FLAGS.SILENT (\Seen)")
    assert b"MESSAGES 1 UNSEEN 0" in session.ok("STATUS New/Folder (MESSAGES UNSEEN)")
    other.ok("RENAME New/Folder New/Name")
    assert b"New/Name" in session.ok('LIST "" "New/*"')
    session.raw.close()


def test_a_change_of_secret_counts_at_once(gate):
    gate.command("user", "passwd", "alice", "--password-stdin", input="other\n")
    with gate.raw("imap") as c:
        c.line()
        assert c.imap("LOGIN alice secret")[0] == "NO"
        assert c.imap("LOGIN alice other")[0] == "OK"
    gate.command("user", "set", "alice", "locked=yes")
    with gate.raw("pop3") as c:
        c.line()
        c.cmd("USER alice")
        assert c.cmd("PASS other").startswith(b"-ERR [AUTH]")


def test_a_restore_into_a_running_daemons_store_is_refused(gate):
    gate.command("store", "backup", gate.work / "backup")
    done = gate.command("store", "restore", gate.work / "backup", check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
