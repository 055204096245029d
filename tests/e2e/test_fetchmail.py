"""fetchmail, over POP3 and IMAP, in the clear, with STLS or STARTTLS, and over TLS from the start."""
import re

import pytest

import clients
import mails

# protocol, listener, and what is said of TLS
DOORS = {
    "POP3": ("pop3", "pop3", "sslproto ''"),
    "POP3, STLS": ("pop3", "pop3plain", "sslproto 'auto' sslcertck sslcertfile {cert}"),
    "POP3S": ("pop3", "pop3s", "ssl sslcertck sslcertfile {cert}"),
    "IMAP": ("imap", "imap", "sslproto ''"),
    "IMAP, STARTTLS": ("imap", "plain", "sslproto 'auto' sslcertck sslcertfile {cert}"),
    "IMAPS": ("imap", "imaps", "ssl sslcertck sslcertfile {cert}"),
}
NOTHING_NEW = 1


@pytest.fixture
def gate(shared_gate):
    return shared_gate


class Fetchmail:
    def __init__(self, g, door, how, mda=None):
        protocol, listener, tls = DOORS[door]
        self.home = g.work / "home"
        self.box = self.home / "box"
        self.box.mkdir(parents=True, exist_ok=True)
        mda = mda or f"cat >$(mktemp {self.box}/XXXXXX)"
        uidl = "uidl" if protocol == "pop3" else ""
        self.rc = clients.write_private(self.home / "rc", f"""\
set no syslog
set invisible
poll localhost service {g.ports[listener]} proto {protocol} {uidl} bad-header accept
  user alice there with password secret {tls.format(cert=g.cert)}
  {how} no rewrite mda "{mda}"
""")

    def run(self, *options, status=0):
        return clients.run(self.home, "fetchmail", "-f", self.rc, "-i", self.home / "ids", "--pidfile",
                           self.home / "pid", "-v", *options, status=status)

    def fetched(self):
        return sorted(f.read_bytes() for f in self.box.iterdir())


def local(text):
    return text.replace(b"\r\n", b"\n")


def delivered(g, messages):
    """Deliver these; what the mailbox then has, with the fields that delivery puts in front."""
    for m in messages:
        g.deliver("alice", m)
    client = g.imap("alice", "secret")
    n = int(client.select("INBOX", readonly=True)[1][0])
    found = [item[1] for item in client.fetch(f"1:{n}", "BODY.PEEK[]")[1] if isinstance(item, tuple)]
    client.logout()
    return found


def on_the_server(g):
    client = g.imap("alice", "secret")
    n = int(client.select("INBOX", readonly=True)[1][0])
    client.logout()
    return n


@pytest.mark.parametrize("door", DOORS)
def test_mail_that_is_kept_is_fetched_once(gate, door):
    mail = delivered(gate, mails.samples())
    client = Fetchmail(gate, door, "keep")
    client.run()
    assert client.fetched() == sorted(map(local, mail))
    client.run(status=NOTHING_NEW)
    assert len(client.fetched()) == len(mail) == on_the_server(gate)
    gate.deliver("alice", b"Subject: later\r\n\r\nLater.\r\n")
    client.run()
    new = [m for m in client.fetched() if b"Subject: later" in m]
    assert len(new) == 1 and len(client.fetched()) == len(mail) + 1
    records = [r for r in gate.records() if r["protocol"] == DOORS[door][0] and r["listener"] == DOORS[door][1]
               and bool(r["tls"]) == (DOORS[door][1] not in ("pop3", "imap"))]
    assert len(records) >= 3 and {r["reason"] for r in records} == {"ok"}


@pytest.mark.parametrize("door", DOORS)
def test_mail_that_is_not_kept_is_gone_from_the_server(gate, door):
    mail = delivered(gate, mails.samples())
    client = Fetchmail(gate, door, "no keep")
    client.run()
    assert client.fetched() == sorted(map(local, mail)) and on_the_server(gate) == 0
    client.run(status=NOTHING_NEW)
    assert len(client.fetched()) == len(mail)


@pytest.mark.parametrize("door", ["POP3S", "IMAPS"])
def test_odd_mail_does_not_put_it_out_of_step(gate, door):
    """fetchmail ends lines at LF, has its own ideas of NUL and lone CR, and breaks lines of more than 8,192
    bytes; but it must find the end of each message, and those that any client can read come through whole."""
    mail = delivered(gate, mails.ODD.values())
    client = Fetchmail(gate, door, "no keep")
    client.run()
    assert len(client.fetched()) == len(mail) and on_the_server(gate) == 0
    whole = [m for m in mail if mails.without_lone(m) and b"\r\n\r\n" in m and b"x" * 8192 not in m]
    assert len(whole) >= 6
    for m in whole:
        assert local(m) in client.fetched(), m[:200]


@pytest.mark.parametrize("door", ["POP3", "POP3S"])
def test_the_unique_ids_are_the_same_for_ever(own_gate, door):
    delivered(own_gate, mails.samples()[:3])
    client = Fetchmail(own_gate, door, "keep")
    client.run()
    kept = re.findall(r"(?m)^alice@localhost (\S+)", (client.home / "ids").read_text())
    own_gate.stop()
    own_gate.start()
    pop = own_gate.pop("alice", "secret")
    assert [line.split()[1].decode() for line in pop.uidl()[1]] == kept and len(kept) == 3
    pop.quit()
    client.run(status=NOTHING_NEW)


def test_a_client_that_dies_before_quit_deletes_nothing(gate):
    """RFC 1939 6: only QUIT enters the UPDATE state."""
    delivered(gate, mails.samples()[:4])
    # The third message finds two in the box, and kills fetchmail, which has said DELE twice.
    dying = Fetchmail(gate, "POP3", "no keep", mda="sh deliver $PPID")
    (dying.home / "deliver").write_text(
        'set -- "$PPID" box/*\n[ $# -lt 3 ] || kill -9 "$(cat parent)"\ncat >"$(mktemp box/XXXXXX)"\n')
    dying.rc.write_text(dying.rc.read_text().replace("sh deliver $PPID", "echo $PPID >parent; sh deliver"))
    died = dying.run(status=-9)
    assert died.stdout.count(b"> DELE ") == 2, died.stdout
    assert on_the_server(gate) == 4
    client = Fetchmail(gate, "POP3", "no keep")
    client.run()
    assert on_the_server(gate) == 0


@pytest.mark.parametrize("door", ["POP3", "IMAP"])
def test_what_cannot_be_delivered_stays_on_the_server(gate, door):
    delivered(gate, mails.samples()[:3])
    client = Fetchmail(gate, door, "no keep", mda="exit 75")
    client.run(status=None)
    assert on_the_server(gate) == 3


def test_a_limit_leaves_the_rest_on_the_server(gate):
    delivered(gate, mails.samples()[:5])
    client = Fetchmail(gate, "POP3", "no keep fetchlimit 2")
    client.run(status=None)
    assert len(client.fetched()) == 2 and on_the_server(gate) == 3


@pytest.mark.parametrize("door", ["POP3", "IMAP"])
def test_large_mail_is_passed_over(gate, door):
    delivered(gate, [mails.ODD["large"], *mails.samples()[:2]])
    client = Fetchmail(gate, door, "no keep limit 100000")
    client.run(status=None)
    assert len(client.fetched()) == 2 and on_the_server(gate) == 1


@pytest.mark.parametrize("door", ["POP3", "IMAP"])
def test_it_checks_without_fetching(gate, door):
    delivered(gate, mails.samples()[:3])
    said = Fetchmail(gate, door, "keep").run("--check")
    assert b"3 messages" in said.stdout and on_the_server(gate) == 3


@pytest.mark.parametrize("door", DOORS)
def test_a_wrong_secret_is_told_as_one(gate, door):
    client = Fetchmail(gate, door, "keep")
    client.rc.write_text(client.rc.read_text().replace("password secret", "password wrong"))
    authentication_failure = 3
    client.run(status=authentication_failure)
