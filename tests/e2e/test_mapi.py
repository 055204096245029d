"""MAPI/HTTP on a running daemon, by a client that was written from the specifications alone."""
import http.client
import struct
import threading

import mapi_client as mc
import pytest


@pytest.fixture
def g(own_gate):
    return own_gate


@pytest.fixture(params=["mapi", "mapis"])
def alice(g, request):
    tls = g.tls_context() if request.param == "mapis" else None
    with mc.Mapi(g.ports[request.param], "alice", "secret", tls) as m:
        yield m


def test_a_logon_names_the_special_folders(g, alice):
    logon = alice.logon()
    assert logon.flags == 1 and logon.response_flags & 0x07 == 0x07
    assert logon.replica_id == 1 and len(set(logon.folders)) == 13
    assert all(fid & 0xFFFF == 1 for fid in logon.folders)


def test_it_is_recorded_as_any_other_logon(g, alice):
    [record] = [r for r in g.records() if r["protocol"] == "mapi"]
    assert (record["reason"], record["mechanism"]) == ("ok", "BASIC")


def test_refusals(g):
    with pytest.raises(AssertionError, match="HTTP 401"):
        mc.Mapi(g.mapi, "alice", "wrong")
    [record] = [r for r in g.records() if r["protocol"] == "mapi"]
    assert record["reason"] == "wrong-secret"


def test_a_session_is_its_makers(g, alice):
    g.add_user("mallory", "hers")
    other = mc.Mapi(g.mapi, "mallory", "hers", connect=False)
    other.cookies = dict(alice.cookies)
    with pytest.raises(mc.ResponseCode) as refused:
        other.request("Execute", b"")
    assert refused.value.code == 10


def test_two_connections_share_a_session(g, alice):
    """A context outlives its connection and may go on over another one, on another worker."""
    logon = alice.logon()
    for _ in range(8):
        alice.http.close()
        alice.http = http.client.HTTPConnection("127.0.0.1", g.mapi, timeout=60)
        alice.open_folder(logon, logon.folders[mc.INBOX])
    alice.ping()


def test_delivered_mail_is_read(g, alice):
    g.deliver("alice", b"From: Ann <ann@example.net>\r\nTo: alice@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
                       b"\r\nHello there.\r\n")
    logon = alice.logon()
    fid = logon.folders[mc.INBOX]
    [row] = alice.rows(alice.contents_table(alice.open_folder(logon, fid)), [mc.PR_MID, mc.PR_SUBJECT, mc.PR_READ])
    assert row[mc.PR_SUBJECT] == "Grüße" and row[mc.PR_READ] is False
    message = alice.open_message(logon, fid, row[mc.PR_MID])
    props = alice.get_props(message, [mc.PR_BODY, mc.PR_MESSAGE_CLASS, mc.PR_SENT_REPRESENTING_NAME])
    assert props == {mc.PR_BODY: "Hello there.\r\n", mc.PR_MESSAGE_CLASS: "IPM.Note",
                     mc.PR_SENT_REPRESENTING_NAME: "Ann"}


def test_what_is_made_here_is_the_same_everywhere(g, alice):
    """Sizes agree at every door, and the bytes stay as they are."""
    logon = alice.logon()
    message = alice.create_message(logon, logon.folders[mc.INBOX])
    assert alice.set_props(message, {mc.PR_SUBJECT: "Made by MAPI", mc.PR_BODY: "One line\r\n"}) == []
    alice.add_recipients(message, "bob@example.org")
    mid = alice.save(message)
    imap = g.imap("alice", "secret")
    imap.select("INBOX")
    _, [(head, body), _] = imap.fetch("1", "(RFC822.SIZE BODY.PEEK[])")
    assert b"RFC822.SIZE %d " % len(body) in head
    assert b"Subject: Made by MAPI\r\n" in body and b"bob@example.org" in body
    pop3 = g.pop("alice", "secret")
    assert int(pop3.list(1).split()[-1]) == len(body)
    [row] = alice.rows(alice.contents_table(alice.open_folder(logon, logon.folders[mc.INBOX])),
                       [mc.PR_MID, mc.PR_MESSAGE_SIZE])
    assert row[mc.PR_MID] == mid


def test_a_change_wakes_a_waiting_client(g, alice):
    logon = alice.logon()
    alice.subscribe(logon, 0x0002 | 0x0004, whole=True)
    waiter = mc.Mapi(g.mapi, "alice", "secret", connect=False)
    waiter.cookies = dict(alice.cookies)
    answer = []
    thread = threading.Thread(target=lambda: answer.append(waiter.wait()))
    thread.start()
    g.deliver("alice", b"Subject: news\r\n\r\nx\r\n")
    thread.join(60)
    assert answer == [True]
    assert {n.type for n in alice.poll()} & {2, 4}
    waiter.http.close()


def test_a_change_by_mapi_wakes_idle(g, alice):
    logon = alice.logon()
    imap = g.imap("alice", "secret")
    imap.select("INBOX")
    imap.send(b"x IDLE\r\n")
    assert imap.readline().startswith(b"+ ")
    message = alice.create_message(logon, logon.folders[mc.INBOX])
    alice.set_props(message, {mc.PR_SUBJECT: "x"})
    alice.save(message)
    assert imap.readline() == b"* 1 EXISTS\r\n"
    imap.send(b"DONE\r\n")
    while not imap.readline().startswith(b"x OK"):
        pass


def test_streams_carry_what_is_large(g, alice):
    logon = alice.logon()
    data = bytes(range(256)) * 1000
    message = alice.create_message(logon, logon.folders[mc.INBOX])
    alice.set_props(message, {mc.PR_SUBJECT: "large"})
    _, attachment = alice.create_attachment(message)
    alice.set_props(attachment, {mc.PR_ATTACH_METHOD: 1, mc.PR_ATTACH_LONG_FILENAME: "all.bin"})
    stream = alice.open_stream(attachment, mc.PR_ATTACH_DATA, 2)
    alice.write_stream(stream, data)
    alice.commit_stream(stream)
    alice.save_attachment(message, attachment)
    mid = alice.save(message)
    again = alice.open_message(logon, logon.folders[mc.INBOX], mid)
    r, attachment = alice.opener(struct.pack("<BBBBBI", 0x22, 0, 0, 1, 0, 0), again)
    assert alice.read_stream(alice.open_stream(attachment, mc.PR_ATTACH_DATA)) == data
