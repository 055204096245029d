"""A Postfix of the test's own hands mail over by LMTP; what Gatepost refuses comes back to the sender as a report."""
import email
import os
import pathlib
import re
import shutil
import smtplib
import subprocess
import tempfile

import pytest

import gate as gates
import mails
import test_mapi_submit

AS_ROOT = [] if os.geteuid() == 0 else ["sudo"]

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
lmtp      unix - - n - - lmtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


def open_directory():
    """A directory that Postfix's daemons may pass through, which a test's own is not."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatepost-postfix-"))
    directory.chmod(0o755)
    return directory


class Postfix:
    def __init__(self, nexthop, more=""):
        self.dir = open_directory()
        self.port, = gates.free_ports(1)
        self.log = self.dir / "log"
        for name in ("etc", "queue", "data"):
            (self.dir / name).mkdir()
        (self.dir / "etc" / "master.cf").write_text(MASTER.format(port=self.port))
        (self.dir / "etc" / "main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {self.dir}/queue
data_directory = {self.dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {self.log}
maillog_file_prefixes = {self.dir}
myhostname = mx.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.org
virtual_mailbox_maps = static:all
virtual_transport = lmtp:{nexthop}
default_transport = error:this is a test
lmtp_line_length_limit = 0
message_size_limit = 0
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtputf8_enable = yes
{more}
""")

    def control(self, command):
        return subprocess.run([*AS_ROOT, "postfix", "-c", str(self.dir / "etc"), command], capture_output=True,
                              text=True, timeout=gates.DEADLINE)

    def __enter__(self):
        subprocess.run([*AS_ROOT, "chown", "postfix", str(self.dir / "data")], check=True)
        done = self.control("start")
        assert done.returncode == 0, done.stdout + done.stderr + self.log_text()
        return self

    def __exit__(self, *_):
        self.control("stop")
        if AS_ROOT:
            subprocess.run([*AS_ROOT, "rm", "-rf", str(self.dir)], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def log_text(self):
        return self.log.read_text() if self.log.exists() else ""

    def send(self, recipients, message, sender="bob@example.org", options=()):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=gates.DEADLINE) as smtp:
            refused = smtp.sendmail(sender, recipients, message, options)
        assert not refused, refused

    def wait_for(self, pattern, times=1):
        gates.until(lambda: len(re.findall(pattern, self.log_text())) >= times, f"{pattern} in\n{self.log_text()}")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    sockets = open_directory()
    g = gates.Gate(tmp_path_factory.mktemp("daemon"), extra=f"""
listener "lmtp-unix" {{ protocol = lmtp socket = "{sockets}/lmtp" socket-mode = 0666 }}
""")
    g.socket = sockets / "lmtp"
    for name in ("alice", "bob", "small", "jürgen"):
        g.add_user(name, "secret")
    g.command("user", "set", "small", "quota=2000")
    with g, Postfix(f"inet:127.0.0.1:{g.lmtp}") as postfix:
        g.postfix = postfix
        yield g
    g.verify()
    shutil.rmtree(sockets)


@pytest.fixture
def gate(shared_gate):
    shared_gate.command("user", "del", "bob")
    shared_gate.add_user("bob", "secret")
    return shared_gate


def inbox(g, user="alice", n=1):
    """At least n messages of a mailbox, waited for."""
    client = g.imap()
    client.authenticate("PLAIN", lambda _: f"\0{user}\0secret".encode())

    def there():
        return int(client.select("INBOX", readonly=True)[1][0])

    gates.until(lambda: there() >= n, f"{n} messages for {user}:\n{g.postfix.log_text()}")
    last = there()
    found = [i[1] for i in client.fetch(f"1:{last}", "BODY.PEEK[]")[1] if isinstance(i, tuple)] if last else []
    client.logout()
    return found


def content(message):
    """What was sent: behind the fields of Gatepost and of Postfix."""
    start = re.match(rb"(?:Return-Path: <[^>]*>\r\n|Delivered-To: .*\r\n|Received: .*\r\n(?:[ \t].*\r\n)*)+", message)
    return message[start.end():]


def received(g, recipient, message, **how):
    g.postfix.send([recipient], message, **how)
    return content(inbox(g)[-1])


@pytest.mark.parametrize("name", ["dots", "8-bit", "long-line", "large", "no-body"])
def test_mail_arrives_byte_for_byte(gate, name):
    message = mails.ODD[name]
    if name == "8-bit":
        message = message.replace(b"Subject", b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=x-y\r\nSubject")
    # Postfix adds fields that are missing; these are all there.
    message = b"Date: Mon, 02 Nov 2026 09:00:00 +0100\r\nX-Test: yes\r\n" + message
    if b"Message-ID" not in message:
        message = b"Message-ID: <x@test>\r\nTo: alice@example.org\r\n" + message
    assert received(gate, "alice@example.org", message, options=["BODY=8BITMIME"]) == message


def test_the_sample_mail_arrives_byte_for_byte(gate):
    wanted = [m for m in mails.samples() if not m.startswith((b"Return-Path", b"Received"))]
    for message in wanted:
        gate.postfix.send(["alice@example.org", "bob@example.org"], message)
    for user in ("alice", "bob"):
        assert sorted(map(content, inbox(gate, user, len(wanted)))) == sorted(wanted)


def test_the_envelope_sender_is_kept(gate):
    gate.postfix.send(["alice@example.org"], mails.samples()[1], sender="")
    gate.postfix.send(["alice@example.org"], mails.samples()[1], sender="bob+x@example.org")
    paths = {re.match(rb"Return-Path: (<[^>]*>)\r\n", m)[1] for m in inbox(gate, n=2)}
    assert paths == {b"<>", b"<bob+x@example.org>"}


def test_names_beyond_ascii_get_mail(gate):
    message = "Subject: Grüße\r\nDate: Mon, 02 Nov 2026 09:00:00 +0100\r\nMessage-ID: <u@test>\r\n\r\nÜ\r\n".encode()
    before = len(inbox(gate, "jürgen", 0))
    gate.postfix.send(["jürgen@example.org"], message, options=["SMTPUTF8", "BODY=8BITMIME"])
    assert content(inbox(gate, "jürgen", before + 1)[-1]).endswith(b"\r\n\r\n\xc3\x9c\r\n")


def report(g):
    """The report on one failed recipient in bob's Inbox: {field: value}."""
    message = email.message_from_bytes(content(inbox(g, "bob")[0]))
    assert message.get_content_type() == "multipart/report"
    status = [part for part in message.walk() if part.get_content_type() == "message/delivery-status"][0]
    _, recipient = status.get_payload()
    return recipient


@pytest.mark.parametrize("recipient,status,code,size", [
    ("nobody", "5.1.1", "550", 100),
    ("small", "5.2.2", "552", 5000),  # too large by its SIZE already
    ("small", "5.2.2", "552", 1700),  # too large when all of it is there
])
def test_the_sender_gets_a_report_of_what_is_refused(gate, recipient, status, code, size):
    message = mails.odd(b"refused", b"z" * size + b"\r\n")
    gate.postfix.send([f"{recipient}@example.org", "alice@example.org"], message)
    fields = report(gate)
    assert fields["Action"] == "failed" and fields["Status"] == status
    assert fields["Final-Recipient"].endswith(f"{recipient}@example.org")
    assert code in fields["Diagnostic-Code"] and status in fields["Diagnostic-Code"]
    assert content(inbox(gate)[0]).endswith(b"z\r\n")  # the other one has it


def test_sendmail_brings_mail_in_too(gate):
    subprocess.run([*AS_ROOT, "sendmail", "-C", str(gate.postfix.dir / "etc"), "-i", "-f", "bob@example.org",
                    "alice@example.org"], input=mails.samples()[1].replace(b"\r\n", b"\n"), check=True,
                   timeout=gates.DEADLINE)
    gate.postfix.wait_for(r"postfix/pickup\[")
    assert content(inbox(gate)[0]) == mails.samples()[1]


def test_mail_waits_while_the_server_is_away(own_gate):
    """A recipient that cannot be reached is no bounce: the mail is kept, and comes when the server is back."""
    own_gate.stop()
    with Postfix(f"inet:127.0.0.1:{own_gate.lmtp}", "minimal_backoff_time = 1s\nqueue_run_delay = 1s") as postfix:
        own_gate.postfix = postfix
        postfix.send(["alice@example.org"], mails.samples()[1])
        postfix.wait_for("status=deferred")
        own_gate.start()
        subprocess.run([*AS_ROOT, "postqueue", "-c", str(postfix.dir / "etc"), "-f"], check=True)
        assert content(inbox(own_gate)[0]) == mails.samples()[1]


def test_delivery_over_a_unix_socket(gate):
    with Postfix(f"unix:{gate.socket}") as postfix:
        postfix.send(["alice@example.org"], mails.samples()[2])
        assert content(inbox(gate)[0]) == mails.samples()[2]


def test_mapi_clients_send_by_way_of_postfix(tmp_path):
    """Out by SMTP, back by LMTP; what Postfix cannot deliver comes back as its own report."""
    with gates.Gate(tmp_path) as g, Postfix(f"inet:127.0.0.1:{g.lmtp}") as postfix:
        g.postfix = postfix
        for name in ("alice@example.org", "bob@example.org"):
            g.add_user(name, "secret")
        g.extra = f'transport {{ next-hop = "smtp://127.0.0.1:{postfix.port}" }}'
        g.write_config()
        g.stop()
        g.start()
        test_mapi_submit.send(g, "by way of postfix", "bob@example.org", "eve@elsewhere.test",
                              props={test_mapi_submit.WANTS_REPORT: True})
        test_mapi_submit.await_mail(g, "bob@example.org", "by way of postfix")
        test_mapi_submit.await_mail(g, "alice@example.org", "by way of postfix", "Sent Items")
        gates.until(lambda: len(test_mapi_submit.mails(g, "alice@example.org")) == 2, "both reports")
        reports = test_mapi_submit.mails(g, "alice@example.org")
        fields = {name: f for report in reports for name, f in test_mapi_submit.status_of(report).items()}
        assert fields["eve@elsewhere.test"]["Action"] == "failed"
        assert fields["bob@example.org"]["Action"] in ("delivered", "relayed")
        g.verify()
