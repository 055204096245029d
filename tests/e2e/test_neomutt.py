"""neomutt, which wants a terminal and gets one: it reads, flags, moves, deletes and saves over IMAP and POP3."""
import os
import pty
import re
import subprocess
import threading

import pytest

import clients
import gate as gates
import mails


@pytest.fixture
def gate(shared_gate):
    return shared_gate


DOORS = {"IMAP": ("imap", "imap", False), "IMAP, STARTTLS": ("imap", "plain", True), "IMAPS": ("imaps", "imaps", True),
         "POP3": ("pop", "pop3", False), "POP3, STLS": ("pop", "pop3plain", True), "POP3S": ("pops", "pop3s", True)}


class Neomutt:
    def __init__(self, g, door, more=""):
        scheme, listener, tls = DOORS[door]
        self.gate = g
        self.home = g.work / "home"
        self.home.mkdir(exist_ok=True)
        self.url = f"{scheme}://localhost:{g.ports[listener]}/"
        self.rc = clients.write_private(self.home / "rc", f"""\
set imap_user=alice imap_pass=secret pop_user=alice pop_pass=secret
set certificate_file={g.cert} ssl_force_tls={"yes" if tls else "no"} ssl_starttls={"yes" if tls else "no"}
set ssl_verify_host=yes ssl_verify_dates=yes
set folder={self.url} spoolfile={self.url}
set confirmappend=no confirmcreate=no delete=yes quit=yes move=no mark_old=no wait_key=no sort=mailbox-order
set pop_delete=yes pop_last=no header_cache= message_cachedir= mail_check=600 timeout=600
# Left to itself it takes SCRAM-SHA-256-PLUS, cannot bind the channel, and does not read the answer to its `*`.
set pop_authenticators=user
set mbox_type=Maildir copy=no beep=no tmpdir={self.home}
{more}
""")

    def run(self, keys, folder="", status=0):
        """Press these keys in this folder. What it draws on the terminal is returned."""
        ours, its = pty.openpty()
        process = subprocess.Popen(["neomutt", "-n", "-F", self.rc, "-f", self.url + folder, "-e", f'push "{keys}"'],
                                   stdin=its, stdout=its, stderr=its, cwd=self.home, start_new_session=True,
                                   env={"PATH": os.environ["PATH"], "HOME": str(self.home), "TERM": "xterm",
                                        "LC_ALL": "C.UTF-8", "LINES": "50", "COLUMNS": "150"})
        os.close(its)
        drawn = []

        def read():
            try:
                while piece := os.read(ours, 65536):
                    drawn.append(piece)
            except OSError:  # the other end is closed
                pass

        reader = threading.Thread(target=read)
        reader.start()
        try:
            ended = process.wait(gates.DEADLINE)
        finally:
            process.kill()
            reader.join()
            os.close(ours)
        screen = b"".join(drawn)
        assert status is None or ended == status, screen[-3000:].decode(errors="replace")
        return screen

    def saved(self, name):
        """Messages of a Maildir, without the two fields that neomutt adds."""
        return sorted(re.sub(rb"(?m)^(Content-Length|Lines): \d+\n", b"", m) for m in clients.maildir(self.home / name))


def fill(g, *messages):
    client = g.imap("alice", "secret")
    for m in messages:
        assert client.append("INBOX", None, None, m)[0] == "OK"
    client.logout()


def contents(g, folder="INBOX"):
    """{subject: flags} of a folder on the server."""
    client = g.imap("alice", "secret")
    n = int(client.select(f'"{folder}"', readonly=True)[1][0])
    found = {}
    for i in client.fetch(f"1:{n}", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if n else []:
        if isinstance(i, tuple):
            flags = {f for f in (b"Seen", b"Flagged", b"Answered", b"Deleted", b"Draft") if b"\\" + f in i[0]}
            found[i[1].split(b":", 1)[1].strip().decode()] = flags
    client.logout()
    return found


ALL = "<tag-pattern>~A<enter>"
IMAP = [d for d in DOORS if d.startswith("IMAP")]
POP3 = [d for d in DOORS if d.startswith("POP")]
MESSAGES = [mails.odd(word, b"Text of " + word + b".\r\n") for word in (b"one", b"two", b"three", b"four")]


@pytest.mark.parametrize("door", IMAP)
def test_imap_reads_flags_moves_and_deletes(gate, door):
    fill(gate, *MESSAGES)
    client = Neomutt(gate, door)
    client.run(
        "<first-entry><display-message><pipe-message>cat >piped<enter><exit>"
        "<limit>~s two<enter><flag-message>"
        "<limit>~s three<enter><first-entry><save-message>=Archive<enter>"
        "<limit>~s four<enter><first-entry><delete-message>"
        "<limit>~A<enter><sync-mailbox><quit>")
    assert b"\n\nText of one.\n" in (client.home / "piped").read_bytes()
    assert contents(gate) == {"one": {b"Seen"}, "two": {b"Flagged"}}
    assert set(contents(gate, "Archive")) == {"three"}


@pytest.mark.parametrize("door", IMAP)
def test_imap_saves_every_message_into_a_maildir(gate, door):
    wanted = [m for m in [*mails.samples(), *MESSAGES] if mails.without_lone(m)]
    fill(gate, *wanted)
    client = Neomutt(gate, door)
    client.run(f"{ALL}<tag-prefix><copy-message>{client.home}/saved<enter><quit>")
    assert client.saved("saved") == sorted(local(m) for m in wanted)
    assert len(contents(gate)) == len(wanted)


def local(text):
    return text.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("door", IMAP)
def test_imap_searches_and_makes_folders(gate, door):
    """`~b` looks into what it fetches, `=b` has the server search."""
    fill(gate, *MESSAGES)
    client = Neomutt(gate, door)
    client.run(f"<limit>~b 'of two'<enter>{ALL}<tag-prefix><copy-message>=Projekte/Grün<enter>"
               "<limit>=b 'of three'<enter><save-message>=Projekte/Grün<enter><limit>~A<enter><sync-mailbox><quit>")
    assert set(contents(gate, "Projekte/Gr&APw-n")) == {"two", "three"}
    assert set(contents(gate)) == {"one", "two", "four"}


@pytest.mark.parametrize("door", POP3)
def test_pop3_reads_saves_and_deletes(gate, door):
    wanted = [m for m in [*mails.samples(), *MESSAGES] if mails.without_lone(m)]
    fill(gate, *wanted)
    client = Neomutt(gate, door)
    client.run(f"{ALL}<tag-prefix><copy-message>{client.home}/saved<enter>"
               "<limit>~s three<enter><first-entry><delete-message><limit>~A<enter><sync-mailbox><quit>")
    assert client.saved("saved") == sorted(local(m) for m in wanted)
    left = contents(gate)
    assert len(left) == len({m.split(b"\nSubject: ")[1].split(b"\r")[0] for m in wanted}) - 1 and "three" not in left


@pytest.mark.parametrize("door", POP3)
def test_pop3_quits_without_deleting(gate, door):
    fill(gate, *MESSAGES)
    Neomutt(gate, door).run("<delete-message><exit>", status=None)
    assert len(contents(gate)) == 4


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_imap_mechanisms(gate, mechanism):
    fill(gate, MESSAGES[0])
    Neomutt(gate, "IMAPS", f"set imap_authenticators={mechanism}").run("<quit>")
    record = [r for r in gate.records() if r["listener"] == "imaps"][-1]
    assert record["reason"] == "ok" and record["mechanism"].lower() in (mechanism, mechanism + "-command"), record
