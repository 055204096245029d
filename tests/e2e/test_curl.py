"""curl: imap, imaps, pop3, pop3s, STARTTLS and STLS, and the mechanisms that it knows."""
import re

import pytest

import clients
import mails

IMAP = {"plain": ("imap", "imap", []), "STARTTLS": ("imap", "plain", ["--ssl-reqd"]), "IMAPS": ("imaps", "imaps", [])}
POP3 = {"plain": ("pop3", "pop3", []), "STLS": ("pop3", "pop3plain", ["--ssl-reqd"]), "POP3S": ("pop3s", "pop3s", [])}
SELECT_FAILED = LOGIN_DENIED = 67
WEIRD_SERVER_REPLY, QUOTE_ERROR, UPLOAD_FAILED, REMOTE_FILE_NOT_FOUND = 8, 21, 25, 78


@pytest.fixture
def gate(shared_gate):
    return shared_gate


class Curl:
    def __init__(self, g, door, user="alice:secret"):
        self.gate = g
        self.scheme, self.listener, self.options = door
        self.user = user

    def __call__(self, path="", *options, status=0, **run):
        url = f"{self.scheme}://localhost:{self.gate.ports[self.listener]}/{path}"
        return clients.run(self.gate.work, "curl", "-sS", "-v", "--cacert", self.gate.cert, *self.options,
                           *(["-u", self.user] if self.user else []), *options, url, status=status, **run)

    def out(self, *arguments, **run):
        return self(*arguments, **run).stdout


@pytest.fixture(params=IMAP)
def imap(gate, request):
    return Curl(gate, IMAP[request.param])


@pytest.fixture(params=POP3)
def pop3(gate, request):
    return Curl(gate, POP3[request.param])


@pytest.fixture
def three(gate):
    """Three messages in alice's Inbox, as they are stored."""
    folder = gate.work / "three"
    folder.mkdir()
    messages = [mails.ODD["dots"], mails.ODD["8-bit"], mails.ODD["large"]]
    for i, m in enumerate(messages):
        (folder / f"{i}.eml").write_bytes(m)
    gate.command("import", "alice", folder)
    return messages


# ---- IMAP ----

def test_imap_lists_folders(imap):
    listed = imap.out()
    assert b'* LIST (\\HasNoChildren) "/" INBOX\r\n' in listed, listed
    assert b'\\Sent) "/" "Sent Items"\r\n' in listed and b'\\Trash) "/" "Deleted Items"\r\n' in listed
    assert b"Drafts" in imap.out("", "-X", 'LIST "" "%r%"') and imap.out("", "-X", 'LSUB "" "x*"') == b""


def test_imap_fetches_messages_byte_for_byte(imap, three):
    for i, m in enumerate(three, 1):
        assert imap.out(f"INBOX;UID={i}") == m
        assert imap.out(f"INBOX;MAILINDEX={i}") == m
    header, _, text = three[0].partition(b"\r\n\r\n")
    assert imap.out("INBOX;UID=1;SECTION=TEXT") == text
    assert imap.out("INBOX;UID=1;SECTION=HEADER") == header + b"\r\n\r\n"
    assert imap.out("INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)") == b"Subject: dots\r\n\r\n"
    imap("INBOX;UID=9", status=REMOTE_FILE_NOT_FOUND)
    imap("Nowhere;UID=1", status=SELECT_FAILED)


def test_imap_takes_the_uidvalidity_of_the_url_seriously(imap, three):
    validity = re.search(rb"UIDVALIDITY (\d+)", imap.out("", "-X", "STATUS INBOX (UIDVALIDITY)"))[1].decode()
    assert imap.out(f"INBOX;UIDVALIDITY={validity};UID=1") == three[0]
    imap(f"INBOX;UIDVALIDITY={int(validity) + 1};UID=1", status=REMOTE_FILE_NOT_FOUND)


def test_imap_searches(imap, three):
    assert imap.out("INBOX?SUBJECT%20dots") == b"* SEARCH 1\r\n"
    assert imap.out("INBOX?UID%202:3%20LARGER%20100000") == b"* SEARCH 3\r\n"
    assert imap.out("INBOX?NOT%20ALL") == b"* SEARCH\r\n"
    imap("INBOX?GIBBERISH", status=QUOTE_ERROR)


@pytest.mark.parametrize("name", ["dots", "8-bit", "nul", "lone-cr", "lone-lf", "no-end", "large"])
def test_imap_appends_what_is_uploaded(imap, name):
    file = imap.gate.work / "upload.eml"
    file.write_bytes(mails.ODD[name])
    imap("Drafts", "-T", file)
    assert imap.out("Drafts;UID=1") == mails.ODD[name]
    imap("Nowhere", "-T", file, status=UPLOAD_FAILED)


def test_imap_runs_any_command(imap, three):
    stored = imap.out("INBOX", "-X", "UID STORE 1 +Flags \\Answered")
    assert stored == b"* 1 FETCH (UID 1 FLAGS (\\Answered \\Recent))\r\n"
    assert imap.out("INBOX", "-X", "FETCH 1 (UID FLAGS RFC822.SIZE)") == \
        b"* 1 FETCH (UID 1 FLAGS (\\Answered) RFC822.SIZE %d)\r\n" % len(three[0])
    assert imap.out("", "-X", "STATUS INBOX (MESSAGES UNSEEN)") == b"* STATUS INBOX (MESSAGES 3 UNSEEN 3)\r\n"
    imap("", "-X", 'CREATE "Entw&APw-rfe"')
    imap("INBOX", "-X", 'COPY 1:2 "Entw&APw-rfe"')
    assert imap.out("Entw%26APw-rfe;UID=2") == three[1]
    imap("INBOX", "-X", "MOVE 3 Archive")
    imap("INBOX", "-X", "STORE 1 +FLAGS (\\Deleted)")
    assert b"* 1 EXPUNGE\r\n" in imap.out("INBOX", "-X", "EXPUNGE")
    assert imap.out("INBOX", "-X", "EXAMINE INBOX").count(b"* 1 EXISTS") == 1
    imap("INBOX", "-X", "NOSUCH", status=QUOTE_ERROR)


def test_several_urls_go_over_one_connection(imap, three):
    port = imap.gate.ports[imap.listener]
    more = [f"{imap.scheme}://localhost:{port}/INBOX;UID={n}" for n in (2, 3)]
    assert imap.out("INBOX;UID=1", *more) in (three[1] + three[2] + three[0], three[0] + three[1] + three[2])
    records = [r for r in imap.gate.records() if r["listener"] == imap.listener]
    assert len(records) == 1, records


# ---- POP3 ----

def test_pop3_lists_and_retrieves_byte_for_byte(pop3, three):
    assert pop3.out() == b"".join(b"%d %d\r\n" % (i, len(m)) for i, m in enumerate(three, 1))
    for i, m in enumerate(three, 1):
        assert pop3.out(str(i)) == m
    pop3("4", status=WEIRD_SERVER_REPLY)


def test_pop3_runs_any_command(pop3, three):
    head = three[0].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert pop3.out("", "-X", "TOP 1 0") == head
    assert pop3.out("", "-X", "TOP 1 2") == head + b".\r\n..\r\n"
    uids = pop3.out("", "-X", "UIDL").splitlines()
    assert [u.split()[0] for u in uids] == [b"1", b"2", b"3"] and len({u.split()[1] for u in uids}) == 3
    assert b"PIPELINING\r\n" in pop3.out("", "-X", "CAPA")
    pop3("", "-l", "-X", "STAT", "-I")
    pop3("", "-X", "NOSUCH", "-I", status=WEIRD_SERVER_REPLY)
    pop3("1", "-X", "DELE", "-I")
    assert len(pop3.out().splitlines()) == 2


@pytest.mark.parametrize("name", sorted(mails.ODD))
def test_pop3_finds_the_end_of_odd_mail(gate, name):
    """What a client of CRLF sees: all of it, with a dot behind a bare LF doubled (docs/protocols/pop3.md)."""
    (gate.work / "one.eml").write_bytes(mails.ODD[name])
    client = gate.imap("alice", "secret")
    client.append("INBOX", None, None, mails.ODD[name].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                  if mails.without_lone(mails.ODD[name]) else b"Subject: other\r\n\r\nOther.\r\n")
    client.logout()
    curl = Curl(gate, IMAP["IMAPS"])
    curl("Archive", "-T", gate.work / "one.eml")
    curl("Archive", "-X", "MOVE 1 INBOX")
    stored = mails.ODD[name]
    seen = re.sub(rb"(?<=[^\r]\n)\.", b"..", stored)
    end = b"" if stored.endswith(b"\r\n") else b"\r\n"
    assert Curl(gate, POP3["POP3S"]).out("2") == seen + end


# ---- mechanisms ----

@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_imap_mechanisms(imap, mechanism):
    """With an initial response, for the server has said SASL-IR."""
    said = imap("", "--login-options", f"AUTH={mechanism}")
    line = re.search(rb"(?m)^> A00\d AUTHENTICATE .*$", said.stderr)[0].split()
    assert line[3] == mechanism.encode() and len(line) == 5
    assert imap.gate.records()[-1]["mechanism"] == mechanism and imap.gate.records()[-1]["reason"] == "ok"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_imap_refuses_a_wrong_secret(imap, mechanism):
    imap.user = "alice:wrong"
    said = imap("", "--login-options", f"AUTH={mechanism}", status=LOGIN_DENIED)
    assert b"NO [AUTHENTICATIONFAILED]" in said.stderr


@pytest.mark.parametrize("initial", [[], ["--sasl-ir"]], ids=["", "ir"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_pop3_mechanisms(pop3, mechanism, initial):
    said = pop3("", "--login-options", f"AUTH={mechanism}", *initial)
    line = re.search(rb"(?m)^> AUTH .*?\r?$", said.stderr)[0].split()
    assert line[2] == mechanism.encode() and (len(line) == 4) == bool(initial), line
    assert pop3.gate.records()[-1]["mechanism"] == mechanism and pop3.gate.records()[-1]["reason"] == "ok"


def test_pop3_refuses_a_wrong_secret(pop3):
    pop3.user = "alice:wrong"
    assert b"-ERR [AUTH]" in pop3(status=LOGIN_DENIED).stderr


def test_pop3_apop_is_not_tried(pop3):
    """There is no `<…>` in the greeting, which would make clients try it."""
    assert b"APOP" not in pop3().stderr


@pytest.mark.parametrize("scheme", ["imap", "pop3"])
def test_a_token_is_refused_where_no_mechanism_takes_one(gate, scheme):
    curl = Curl(gate, (IMAP["IMAPS"] if scheme == "imap" else POP3["POP3S"]), user="alice")
    curl("", "--oauth2-bearer", "token", status=LOGIN_DENIED)


def test_a_user_may_name_itself_as_the_one_to_act_for(imap):
    imap("", "--login-options", "AUTH=PLAIN", "--sasl-authzid", "alice")
    imap("", "--login-options", "AUTH=PLAIN", "--sasl-authzid", "bob", status=LOGIN_DENIED)


def test_plaintext_is_refused_where_tls_is_asked_for(gate):
    for door in (("imap", "plain", []), ("pop3", "pop3plain", [])):
        curl = Curl(gate, door)
        curl("", status=(LOGIN_DENIED, WEIRD_SERVER_REPLY))
    assert {r["reason"] for r in gate.records()} <= {"tls_required", "privacy_required"} or not gate.records()


def test_names_and_secrets_of_any_characters(gate):
    gate.command("user", "add", "jürgen", "--password-stdin", input='p"ä\\s s{3}%\n')
    for door in [*IMAP.values(), *POP3.values()]:
        for how in ([], ["--login-options", "AUTH=PLAIN"], ["--login-options", "AUTH=LOGIN"]):
            Curl(gate, door, user='jürgen:p"ä\\s s{3}%')("", *how)
