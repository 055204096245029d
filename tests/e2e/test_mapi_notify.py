"""What one protocol changes a MAPI session hears of at once, by NotificationWait, and the other way round by IDLE.
Nothing is polled: the answer that must come is waited for."""
import mapi_client
import pytest

NEW_MAIL, CREATED, DELETED, MODIFIED, MOVED, TABLE = 2, 4, 8, 0x10, 0x20, 0x100
MESSAGE = b"From: a@example.net\r\nSubject: hello\r\n\r\nHello.\r\n"


@pytest.fixture
def gate(shared_gate):
    return shared_gate


@pytest.fixture
def session(gate):
    """alice's session, and its log-on."""
    m = mapi_client.Mapi(gate.mapi, "alice", "secret")
    logon = m.logon()
    yield m, logon
    m.http.close()


def start_waiting(m):
    m.send("NotificationWait", bytes(8))


def is_woken(m):
    return m.wait_result(m.receive())


def deliver(gate):
    gate.deliver("alice", MESSAGE)


def append(gate):
    gate.imap("alice", "secret").append("INBOX", None, None, MESSAGE)


@pytest.mark.parametrize("how, kinds", [(deliver, [CREATED, NEW_MAIL, MODIFIED]), (append, [CREATED, MODIFIED])])
def test_mail_wakes_who_waits(gate, session, how, kinds):
    m, logon = session
    m.register(logon, NEW_MAIL | CREATED | MODIFIED)
    start_waiting(m)
    how(gate)
    assert is_woken(m)
    told = m.poll()
    assert [n.type for n in told] == kinds
    assert all(n.folder_id == logon.folders[mapi_client.INBOX] for n in told)
    assert (told[-1].total, told[-1].unread) == (1, 1)
    assert m.poll() == []


def test_flags_and_expunge_by_imap_wake_who_waits(gate, session):
    m, logon = session
    deliver(gate)
    m.register(logon, DELETED | MODIFIED, logon.folders[mapi_client.INBOX])
    imap = gate.imap("alice", "secret")
    imap.select("INBOX")
    start_waiting(m)
    imap.store("1", "+FLAGS", r"(\Seen \Deleted)")
    assert is_woken(m)
    told = m.poll()
    assert [(n.type, n.unread) for n in told] == [(MODIFIED, None), (MODIFIED, 0)]
    start_waiting(m)
    imap.expunge()
    assert is_woken(m)
    deleted, folder = m.poll()
    assert (deleted.type, deleted.message_id) == (DELETED, told[0].message_id)
    assert (folder.type, folder.total) == (MODIFIED, 0)


def test_pop3_wakes_who_waits(gate, session):
    m, logon = session
    deliver(gate)
    m.register(logon, DELETED)
    start_waiting(m)
    pop = gate.pop("alice", "secret")
    pop.dele(1)
    pop.quit()
    assert is_woken(m)
    assert [n.type for n in m.poll()] == [DELETED]


def test_a_table_that_was_read_wakes_who_waits(gate, session):
    m, logon = session
    inbox = m.open_folder(logon, logon.folders[mapi_client.INBOX])
    table = m.contents_table(inbox)
    assert m.rows(table, [mapi_client.PR_MID]) == []
    start_waiting(m)
    deliver(gate)
    assert is_woken(m)
    row, = m.poll()
    assert (row.type, row.event, row.handle) == (TABLE, 3, table)
    assert row.row_folder == logon.folders[mapi_client.INBOX]
    seen, = m.rows(m.contents_table(inbox), [mapi_client.PR_MID])
    assert row.row_message == seen[mapi_client.PR_MID]


def test_another_session_of_the_mailbox_is_woken_and_another_mailbox_is_not(gate, session):
    m, logon = session
    with mapi_client.Mapi(gate.mapi, "alice", "secret") as other, mapi_client.Mapi(gate.mapi, "bob", "secret") as bob:
        bob.register(bob.logon(), CREATED)
        m.register(logon, CREATED)
        start_waiting(m)
        there = other.logon()
        top = other.open_folder(there, there.folders[mapi_client.IPM_SUBTREE])
        fid, _ = other.create_folder(top, "News")
        assert is_woken(m)
        created, = m.poll()
        assert (created.type, created.folder_id, created.message) == (CREATED, fid, False)
        assert created.parent_id == there.folders[mapi_client.IPM_SUBTREE]
        assert bob.poll() == []


def test_who_goes_away_while_waiting_may_wait_again(gate, session):
    m, logon = session
    m.register(logon, CREATED)
    start_waiting(m)
    m.http.close()
    deliver(gate)
    assert m.wait()
    assert [n.type for n in m.poll()] == [CREATED]


def test_mapi_wakes_idle(gate, session):
    m, logon = session
    deliver(gate)
    raw = gate.raw("imap")
    raw.line()
    assert raw.imap("LOGIN alice secret")[0] == "OK"
    assert raw.imap("SELECT INBOX")[0] == "OK"
    raw.send("i1 IDLE\r\n")
    assert raw.line().startswith(b"+ ")
    inbox = m.open_folder(logon, logon.folders[mapi_client.INBOX])
    row, = m.rows(m.contents_table(inbox), [mapi_client.PR_MID])
    m.set_read(inbox, [row[mapi_client.PR_MID]])
    assert raw.line() in (rb"* 1 FETCH (FLAGS (\Seen))", rb"* 1 FETCH (FLAGS (\Seen \Recent))",
                          rb"* 1 FETCH (FLAGS (\Recent \Seen))")
    m.delete_messages(inbox, [row[mapi_client.PR_MID]])
    assert raw.line() == b"* 1 EXPUNGE"
    raw.close()
