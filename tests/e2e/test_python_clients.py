"""imaplib and poplib: every command that they have."""
import imaplib
import poplib
import re
import time

import pytest

import mails

MESSAGE = mails.samples()[0]


@pytest.fixture
def gate(shared_gate):
    return shared_gate


@pytest.fixture(params=["plain", "STARTTLS", "TLS"])
def imap(gate, request):
    client = gate.imap(tls=request.param == "TLS")
    if request.param == "STARTTLS":
        assert client.starttls(gate.tls_context())[0] == "OK"
    assert client.login("alice", "secret")[0] == "OK"
    yield client
    if client.state != "LOGOUT":
        client.logout()


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def refused(client, method, *arguments):
    """The text of the NO."""
    status, data = getattr(client, method)(*arguments)
    assert status == "NO", (status, data)
    return data[0]


def bodies(data):
    return [item[1] for item in data if isinstance(item, tuple)]


def test_imap_authenticate(gate):
    client = gate.imap()
    assert ok(client.authenticate("PLAIN", lambda _: b"\0alice\0secret"))[0].endswith(b"Logged on")
    client.logout()
    client, said = gate.imap(tls=True), iter([b"alice", b"secret"])
    ok(client.authenticate("LOGIN", lambda _: next(said)))
    client.logout()
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        gate.imap().authenticate("PLAIN", lambda _: b"\0alice\0wrong")
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        gate.imap().login("alice", "wrong")
    with pytest.raises(imaplib.IMAP4.error):
        gate.imap().login_cram_md5("alice", "secret")


def test_imap_folders(imap):
    ok(imap.create("Work/2026"))
    assert refused(imap, "create", "Work/2026").startswith(b"[ALREADYEXISTS]")
    assert ok(imap.list("Work", "*")) == [b'(\\HasChildren) "/" Work', b'(\\HasNoChildren) "/" Work/2026']
    assert ok(imap.list('""', "Work/%")) == [b'(\\HasNoChildren) "/" Work/2026']
    ok(imap.subscribe("Work/2026"))
    assert ok(imap.lsub()) == [b'() "/" Work/2026']
    ok(imap.unsubscribe("Work/2026"))
    assert ok(imap.lsub()) == [None]
    ok(imap.rename("Work/2026", "Work/2027"))
    assert refused(imap, "delete", "Work/2026").startswith(b"[NONEXISTENT]")
    assert ok(imap.status("Work/2027", "(MESSAGES RECENT UIDNEXT UNSEEN)")) == \
        [b"Work/2027 (MESSAGES 0 RECENT 0 UIDNEXT 1 UNSEEN 0)"]
    ok(imap.delete("Work/2027"))
    assert ok(imap.namespace()) == [b'(("" "/")) NIL NIL']
    assert refused(imap, "select", "Nowhere").startswith(b"[NONEXISTENT]")


def test_imap_messages(imap):
    said = ok(imap.append("INBOX", r"(\Seen $Work)", imaplib.Time2Internaldate(1_000_000_000), MESSAGE))
    assert re.match(rb"\[APPENDUID \d+ 1\]", said[0])
    ok(imap.append("INBOX", None, None, mails.ODD["dots"]))
    ok(imap.append("INBOX", None, None, mails.ODD["8-bit"]))
    assert ok(imap.select()) == [b"3"] and imap.response("READ-WRITE")
    assert ok(imap.recent()) == [b"3"]
    assert bodies(ok(imap.fetch("1:*", "(BODY.PEEK[])"))) == [MESSAGE, mails.ODD["dots"], mails.ODD["8-bit"]]
    assert bodies(ok(imap.uid("FETCH", "2", "(RFC822)"))) == [mails.ODD["dots"]]
    assert ok(imap.search(None, "SEEN", "SUBJECT", "dots")) == [b"2"]
    assert ok(imap.uid("SEARCH", "KEYWORD", "$Work")) == [b"1"]
    assert ok(imap.search("UTF-8", "UNSEEN")) == [b"3"]
    date = imaplib.Internaldate2tuple(ok(imap.fetch("1", "(INTERNALDATE)"))[0])
    assert time.mktime(date) == 1_000_000_000
    assert set(imaplib.ParseFlags(ok(imap.fetch("1", "(FLAGS)"))[0])) == {rb"\Seen", b"$Work", rb"\Recent"}
    assert b"\\Flagged" in ok(imap.store("2", "+FLAGS", r"(\Flagged)"))[0]
    ok(imap.copy("1:2", "Archive"))
    ok(imap.uid("COPY", "3", "Archive"))
    ok(imap.store("1,3", "+FLAGS.SILENT", r"(\Deleted)"))
    assert ok(imap.expunge()) == [b"3", b"1"]
    ok(imap.check())
    ok(imap.noop())
    ok(imap.store("1", "FLAGS", r"(\Deleted)"))
    ok(imap.close())
    assert ok(imap.select("INBOX", readonly=True)) == [b"0"]
    assert ok(imap.select("Archive")) == [b"3"]
    ok(imap.unselect())


def test_imap_is_told_what_a_mailbox_opened_for_reading_does_not_allow(imap):
    ok(imap.append("INBOX", None, None, MESSAGE))
    ok(imap.select("INBOX", readonly=True))
    assert bodies(ok(imap.fetch("1", "(RFC822)"))) == [MESSAGE]
    assert b"\\Seen" not in ok(imap.fetch("1", "(FLAGS)"))[0]
    refused(imap, "store", "1", "+FLAGS", r"(\Seen)")
    refused(imap, "expunge")


def test_imap_extensions(imap):
    # imaplib asks before log-on, and never again.
    assert {"IDLE", "ENABLE", "ID", "IMAP4REV1"} <= set(imap.capabilities)
    ok(imap.append("INBOX", None, None, MESSAGE))
    ok(imap.enable("UTF8=ACCEPT"))
    ok(imap.create('"Entwürfe"'))
    assert any("Entwürfe".encode() in line for line in ok(imap.list()))
    ok(imap.append('"Entwürfe"', None, None, "Subject: ü\r\n\r\nü\r\n".encode()))
    ok(imap.select("INBOX"))
    status, data = imap.xatom("UID MOVE", "1", '"Entwürfe"')
    assert status == "OK"
    assert ok(imap.select('"Entwürfe"')) == [b"2"]
    assert ok(imap.xatom("ID", "NIL")) is not None


def test_imap_refuses_what_is_not_offered(imap):
    """Each of them with a tagged answer, so that the client goes on."""
    def bad(method, *arguments):
        with pytest.raises(imaplib.IMAP4.error, match="BAD"):
            getattr(imap, method)(*arguments)

    bad("proxyauth", "bob")
    ok(imap.select())
    for method, arguments in [("getacl", ("INBOX",)), ("setacl", ("INBOX", "bob", "lr")), ("deleteacl", ("INBOX", "bob")),
                              ("myrights", ("INBOX",)), ("getquota", ("INBOX",)),
                              ("getquotaroot", ("INBOX",)), ("setquota", ("INBOX", "(STORAGE 1)")),
                              ("getannotation", ("INBOX", '"/comment"', '"value"')),
                              ("setannotation", ("INBOX", '"/comment"', '("value" "x")')),
                              ("partial", ("1", "RFC822", "0", "10")),
                              ("sort", ("(SUBJECT)", "UTF-8", "ALL")), ("thread", ("REFERENCES", "UTF-8", "ALL"))]:
        bad(method, *arguments)
    ok(imap.noop())


# ---- POP3 ----

@pytest.fixture(params=["plain", "STLS", "TLS"])
def pop(gate, request):
    """A client that has not logged on yet."""
    client = gate.pop(tls=request.param == "TLS")
    if request.param == "STLS":
        assert client.stls(gate.tls_context()).startswith(b"+OK")
    yield client
    client.close()


def log_on(client):
    client.user("alice")
    client.pass_("secret")
    return client


def fill(gate, *messages):
    client = gate.imap("alice", "secret")
    for m in messages:
        ok(client.append("INBOX", None, None, m))
    client.logout()


def test_pop3_reads(gate, pop):
    fill(gate, MESSAGE, mails.ODD["dots"], mails.ODD["large"])
    assert pop.getwelcome().startswith(b"+OK") and b"<" not in pop.getwelcome()
    assert {"TOP", "UIDL", "USER", "SASL", "PIPELINING"} <= set(pop.capa())
    log_on(pop)
    sizes = [len(MESSAGE), len(mails.ODD["dots"]), len(mails.ODD["large"])]
    assert pop.stat() == (3, sum(sizes))
    assert pop.list()[1] == [b"%d %d" % pair for pair in enumerate(sizes, 1)]
    assert pop.list(2) == b"+OK 2 %d" % sizes[1]
    for n, m in enumerate((MESSAGE, mails.ODD["dots"], mails.ODD["large"]), 1):
        _, lines, _ = pop.retr(n)
        assert b"\r\n".join(lines) + b"\r\n" == m
    header, _, text = MESSAGE.partition(b"\r\n\r\n")
    wanted = header.split(b"\r\n") + [b""] + text.split(b"\r\n")[:2]
    assert pop.top(1, 2)[1] == wanted and pop.top(1, 0)[1] == wanted[:-2]
    assert b"\r\n".join(pop.top(1, 10_000)[1]) + b"\r\n" == MESSAGE
    uids = [line.split() for line in pop.uidl()[1]]
    assert [n for n, _ in uids] == [b"1", b"2", b"3"] and len({u for _, u in uids}) == 3
    assert pop.uidl(2) == b"+OK 2 " + uids[1][1] and all(0 < len(u) <= 70 for _, u in uids)
    assert pop.noop().startswith(b"+OK")
    with pytest.raises(poplib.error_proto, match="No such message"):
        pop.retr(4)
    assert pop.quit().startswith(b"+OK")


def test_pop3_deletes_at_quit(gate, pop):
    fill(gate, *mails.samples()[:3])
    log_on(pop)
    pop.dele(1)
    pop.dele(3)
    with pytest.raises(poplib.error_proto):
        pop.dele(1)
    assert pop.stat()[0] == 1 and [line.split()[0] for line in pop.list()[1]] == [b"2"]
    pop.rset()
    assert pop.stat()[0] == 3
    pop.dele(2)
    other = log_on(gate.pop())
    assert other.stat()[0] == 3
    other.close()
    pop.quit()
    other = log_on(gate.pop())
    assert other.stat()[0] == 2
    other.quit()


def test_pop3_utf8_and_refusals(gate, pop):
    assert pop.utf8().startswith(b"+OK")
    with pytest.raises(poplib.error_proto):
        pop.apop("alice", "secret")
    with pytest.raises(poplib.error_proto):
        pop.rpop("alice")
    pop.user("alice")
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\]"):
        pop.pass_("wrong")
    log_on(pop)
    assert pop.stat() == (0, 0) and pop.list()[1] == [] and pop.uidl()[1] == []
    with pytest.raises(poplib.error_proto):
        pop.user("alice")
    pop.quit()
