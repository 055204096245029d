"""Mail that a MAPI client sends: to users of this store, to a next hop, and what becomes of what cannot be sent."""
import email
import socketserver
import threading

import gate as gates
import mapi_client
import pytest

OUTBOX, SENT = 5, 6
SUBJECT, BODY, CONTENT_COUNT = 0x0037001F, 0x1000001F, 0x36020003
NO_RECIPIENTS, ACCESS_DENIED = 0x80040607, 0x80070005


class Hop(socketserver.StreamRequestHandler):
    """A mail server that takes what it is given, but nothing for refused@."""

    def handle(self):
        self.wfile.write(b"220 next.test\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            if verb == b"EHLO":
                self.wfile.write(b"250-next.test\r\n250 8BITMIME\r\n")
            elif b"refused@" in line:
                self.wfile.write(b"550 5.1.1 not here\r\n")
            elif verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.server.mails.append((self.server.envelope, self.mail()))
                self.server.envelope = []
                self.wfile.write(b"250 taken\r\n")
            else:
                self.server.envelope.append(line.strip().decode())
                self.wfile.write(b"250 good\r\n")

    def mail(self):
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b"..") else line)


@pytest.fixture(scope="module")
def hop():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Hop) as server:
        server.mails, server.envelope = [], []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def gate(directory, extra=""):
    g = gates.Gate(directory, extra=extra)
    for name in ("alice", "bob"):
        g.add_user(f"{name}@example.org", "secret")
    return g


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    with gate(tmp_path_factory.mktemp("alone")) as g:
        yield g


@pytest.fixture(scope="module")
def relayed(tmp_path_factory, hop):
    extra = f'transport {{ next-hop = "smtp://127.0.0.1:{hop.server_address[1]}" }}'
    with gate(tmp_path_factory.mktemp("relayed"), extra) as g:
        yield g


def send(g, subject, *recipients):
    with mapi_client.Mapi(g.mapi, "alice@example.org", "secret") as c:
        logon = c.logon()
        message = c.create_message(logon, logon.folders[OUTBOX])
        assert not c.set_props(message, {SUBJECT: subject, BODY: "Grüße\r\n.\r\nfrom MAPI\r\n"})
        c.add_recipients(message, *recipients)
        c.save(message)
        c.submit(message)


def mails(g, user, folder):
    with g.imap(user, "secret") as c:
        assert c.select(f'"{folder}"', readonly=True)[0] == "OK"
        numbers = c.search(None, "ALL")[1][0].split()
        return [email.message_from_bytes(c.fetch(n, "(RFC822)")[1][0][1]) for n in numbers]


def subjects(g, user, folder):
    return [m["Subject"] for m in mails(g, user, folder)]


def in_outbox(g):
    """How many messages; IMAP does not show that folder."""
    with mapi_client.Mapi(g.mapi, "alice@example.org", "secret") as c:
        logon = c.logon()
        return c.get_props(c.open_folder(logon, logon.folders[OUTBOX]), [CONTENT_COUNT])[CONTENT_COUNT]


def test_a_user_of_this_store_has_it_in_the_inbox(alone):
    send(alone, "hello bob", "bob@example.org")
    (got,) = [m for m in mails(alone, "bob@example.org", "INBOX") if m["Subject"] == "hello bob"]
    assert "alice@example.org" in got["From"] and got["Message-ID"]
    assert got.get_payload(decode=True).decode() == "Grüße\r\n.\r\nfrom MAPI\r\n"
    assert "hello bob" in subjects(alone, "alice@example.org", "Sent Items")
    assert in_outbox(alone) == 0
    alone.verify()


def test_without_a_next_hop_nobody_else_can_be_written_to(alone):
    with pytest.raises(mapi_client.RopError) as refused:
        send(alone, "into the void", "bob@example.org", "eve@elsewhere.test")
    assert refused.value.code == NO_RECIPIENTS
    assert "into the void" not in subjects(alone, "bob@example.org", "INBOX")
    assert "into the void" not in subjects(alone, "alice@example.org", "Sent Items")
    assert in_outbox(alone) == 1


def test_the_next_hop_has_it(relayed, hop):
    send(relayed, "over there", "eve@elsewhere.test", "bob@example.org")
    ((envelope, mail),) = hop.mails
    assert envelope[0].startswith("MAIL FROM:<alice@example.org>")
    assert envelope[1:3] == ["RCPT TO:<eve@elsewhere.test>", "RCPT TO:<bob@example.org>"]
    assert email.message_from_bytes(mail).get_payload(decode=True).decode() == "Grüße\r\n.\r\nfrom MAPI\r\n"
    assert subjects(relayed, "alice@example.org", "Sent Items") == ["over there"]


def test_what_the_next_hop_refuses_stays(relayed, hop):
    before = len(hop.mails)
    with pytest.raises(mapi_client.RopError) as refused:
        send(relayed, "not wanted", "refused@elsewhere.test")
    assert refused.value.code == ACCESS_DENIED
    assert len(hop.mails) == before
    assert "not wanted" not in subjects(relayed, "alice@example.org", "Sent Items")
    assert in_outbox(relayed) == 1
    gates.until(lambda: "transport.failed" in relayed.log_text() and "550" in relayed.log_text(), "the log")
