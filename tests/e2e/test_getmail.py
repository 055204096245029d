"""getmail6, over POP3 and IMAP, plain and over TLS. (It knows neither STLS nor STARTTLS.)

It hands over what it fetched by LMTP, to bob: where it starts a program for each message it can miss that
the program has ended, and then waits for minutes."""
import re

import pytest

import clients
import mails
from test_fetchmail import delivered, on_the_server

DOORS = {
    "POP3": ("SimplePOP3Retriever", "pop3"),
    "POP3S": ("SimplePOP3SSLRetriever", "pop3s"),
    "IMAP": ("SimpleIMAPRetriever", "imap"),
    "IMAPS": ("SimpleIMAPSSLRetriever", "imaps"),
}


@pytest.fixture
def gate(shared_gate):
    shared_gate.command("user", "del", "bob")
    shared_gate.add_user("bob", "secret")
    return shared_gate


def bare(message):
    """getmail takes a message apart and makes one of the parts: with fields of its own, without Return-Path
    where there are two, with `>From `, and with white space that differs. And it was delivered once more."""
    message = message.replace(b"\n>From ", b"\nFrom ")
    message = re.sub(rb"(?m)^Received: .*\n\tby localhost with LMTP .*\n(?:\t.*\n)*", b"", message)
    return b" ".join(re.sub(rb"(?m)^(X-getmail-|Return-Path:|Delivered-To:).*\n", b"", message).split())


def wanted(messages):
    return sorted(map(bare, messages))


class Getmail:
    def __init__(self, g, door, options, more=""):
        retriever, listener = DOORS[door]
        self.gate = g
        self.home = g.work / "home"
        self.home.mkdir()
        tls = f"ca_certs = {g.cert}" if "SSL" in retriever else ""
        self.rc = clients.write_private(self.home / "rc", f"""\
[retriever]
type = {retriever}
server = localhost
port = {g.ports[listener]}
username = alice
password = secret
{tls}
{more}

[destination]
type = MDA_lmtp
host = 127.0.0.1
port = {g.lmtp}
override = bob

[options]
delivered_to = false
received = false
{options}
""")

    def run(self, status=0):
        return clients.run(self.home, "getmail", f"--getmaildir={self.home}", "--rcfile=rc", status=status)

    def fetched(self):
        client = self.gate.imap("bob", "secret")
        n = int(client.select("INBOX", readonly=True)[1][0])
        found = client.fetch(f"1:{n}", "BODY.PEEK[]")[1] if n else []
        client.logout()
        return wanted(item[1] for item in found if isinstance(item, tuple))


@pytest.mark.parametrize("door", DOORS)
def test_mail_that_is_kept_is_fetched_once(gate, door):
    mail = delivered(gate, mails.samples())
    client = Getmail(gate, door, "read_all = false")
    client.run()
    assert client.fetched() == wanted(mail)
    client.run()
    assert len(client.fetched()) == len(mail) == on_the_server(gate)
    gate.deliver("alice", b"Subject: later\r\n\r\nLater.\r\n")
    client.run()
    assert len(client.fetched()) == len(mail) + 1


@pytest.mark.parametrize("door", DOORS)
def test_mail_that_is_not_kept_is_gone_from_the_server(gate, door):
    mail = delivered(gate, mails.samples())
    client = Getmail(gate, door, "delete = true")
    client.run()
    assert client.fetched() == wanted(mail) and on_the_server(gate) == 0


@pytest.mark.parametrize("door", ["IMAP", "IMAPS"])
def test_mail_can_be_moved_where_it_was_and_several_folders_be_read(gate, door):
    mail = delivered(gate, mails.samples()[:4])
    client = gate.imap("alice", "secret")
    client.append('"Sent Items"', None, None, b"Subject: sent\r\n\r\nSent.\r\n")
    getmail = Getmail(gate, door, "delete = true",
                      'mailboxes = ("INBOX", "Sent Items")\nmove_on_delete = Archive')
    getmail.run()
    assert len(getmail.fetched()) == len(mail) + 1
    assert client.select("Archive")[1] == [b"5"] and client.select("INBOX")[1] == [b"0"]
    client.logout()


@pytest.mark.parametrize("door", ["POP3S", "IMAPS"])
def test_odd_mail_does_not_put_it_out_of_step(gate, door):
    mail = delivered(gate, mails.ODD.values())
    client = Getmail(gate, door, "delete = true")
    client.run()
    assert len(client.fetched()) == len(mail) and on_the_server(gate) == 0


@pytest.mark.parametrize("door", DOORS)
def test_a_wrong_secret_is_told_as_one(gate, door):
    client = Getmail(gate, door, "read_all = false")
    client.rc.write_text(client.rc.read_text().replace("password = secret", "password = wrong"))
    said = client.run(status=None)
    assert b"AUTH" in said.stdout + said.stderr, said
    assert client.fetched() == []
