"""A file system of 24 MB under the store, the log and the audit file, and more mail than fits.

Needs root and the right to mount; where that is not given (a container without it), it says so."""
import os
import pathlib
import re
import subprocess

import gate as gates
import pytest

PIECE = 100_000


def mount(kind, where, image):
    """Why it cannot be, or None."""
    if os.geteuid() != 0:
        return "only root can mount a small file system"
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", where]
    else:
        with open(image, "wb") as file:
            file.truncate(32 << 20)
        if subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], capture_output=True).returncode != 0:
            return "there is no mkfs.ext4"
        command = ["mount", "-o", "loop", image, where]
    done = subprocess.run(command, capture_output=True, text=True)
    return f"cannot mount here: {done.stderr.strip()}" if done.returncode else None


class SmallGate(gates.Gate):
    def __init__(self, directory, small, reserve):
        super().__init__(directory)
        self.small = pathlib.Path(small)
        self.audit = self.small / "audit.jsonl"
        self.own_log = self.small / "gatepost.log"
        self.config.write_text(
            self.config.read_text().replace(f'{directory}/store" reserve = "0"', f'{small}/store" reserve = "{reserve}"')
            .replace(f"{directory}/audit.jsonl", str(self.audit)).replace("log {", f'log {{ file = "{self.own_log}"'))

    def free(self):
        fs = os.statvfs(self.small)
        return fs.f_bavail * fs.f_frsize

    def fill(self):
        """Whatever the store left, behind the filler that make_room() removes."""
        with open(self.small / "filler", "ab", buffering=0) as file:
            for size in (1 << 20, 4096, 512, 1):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    continue

    def make_room(self):
        (self.small / "filler").unlink(missing_ok=True)


@pytest.fixture(params=[("tmpfs", "0"), ("ext4", "0"), ("tmpfs", "4M")], ids=lambda p: f"{p[0]}-reserve-{p[1]}")
def small(request, tmp_path):
    kind, reserve = request.param
    where = tmp_path / "small"
    where.mkdir()
    why = mount(kind, where, tmp_path / "image")
    if why:
        pytest.skip(why)
    g = SmallGate(tmp_path, where, reserve)
    try:
        g.add_user("alice", "secret")
        g.add_user("bob", "secret")
        (where / "filler").write_bytes(bytes(1 << 20))
        g.start()
        yield g
        g.verify()
        assert g.stop() == 0
    finally:
        if g.process:
            g.process.kill()
            g.process.wait()
        subprocess.run(["umount", where], check=True)


class Book:
    """What APPEND acknowledged: UID and bytes."""

    def __init__(self, g):
        self.raw = gates.Raw(g, "imap")
        self.raw.line()
        assert self.raw.imap("LOGIN alice secret")[0] == "OK"
        self.mails = {}

    def append(self, size=PIECE):
        mail = b"Subject: full\r\n\r\n" + os.urandom(size // 2).hex().encode() + b"\r\n"
        status, line, _ = self.raw.imap(b"APPEND INBOX {%d+}\r\n" % len(mail) + mail)
        if status == "OK":
            self.mails[int(line.split(b"]")[0].split()[-1])] = mail
        return status, line

    def until_full(self):
        for _ in range(400):
            status, line = self.append()
            if status != "OK":
                assert line == b"a1 NO [UNAVAILABLE] The server has no space left"
                return
        raise AssertionError("it does not get full")

    def expunge(self, n):
        doomed = sorted(self.mails)[:n]
        listed = ",".join(map(str, doomed))
        assert self.raw.imap(f"UID STORE {listed} +FLAGS.SILENT (\\Deleted)")[0] == "OK"
        assert self.raw.imap(f"UID EXPUNGE {listed}")[0] == "OK"
        for uid in doomed:
            del self.mails[uid]

    def holds(self, g):
        """Nothing that was acknowledged is lost, nothing that was refused is there."""
        client = g.imap("alice", "secret")
        client.select("INBOX")
        uids = client.uid("SEARCH", "ALL")[1][0].split()
        assert [int(u) for u in uids] == sorted(self.mails)
        for uid in uids[:3] + uids[-3:]:
            assert client.uid("FETCH", uid.decode(), "(BODY.PEEK[])")[1][0][1] == self.mails[int(uid)]
        client.logout()


def lmtp(g, size, *users):
    raw = gates.Raw(g, "lmtp")
    raw.line()
    raw.send("LHLO test\r\n")
    while raw.line()[3:4] == b"-":
        pass
    raw.send("MAIL FROM:<>\r\n" + "".join(f"RCPT TO:<{u}@localhost>\r\n" for u in users) + "DATA\r\n")
    for _ in range(len(users) + 2):
        raw.line()
    raw.send(b"Subject: full\r\n\r\n" + os.urandom(size // 2).hex().encode() + b"\r\n.\r\n")
    answers = [raw.line() for _ in users]
    raw.close()
    return answers


def test_a_full_disk_refuses_new_mail_and_nothing_else(small):
    g, book = small, Book(small)
    book.until_full()
    assert len(book.mails) > 100
    assert lmtp(g, 2 * PIECE, "alice", "bob") == [b"452 4.3.1 The server has no space left"] * 2
    book.raw.imap("SELECT INBOX")
    assert book.raw.imap("STORE 1:* +FLAGS.SILENT (\\Seen)")[0] == "OK"
    assert g.imap("bob", "secret").select("INBOX") == ("OK", [b"0"])
    book.expunge(5)
    pop = g.pop("alice", "secret")
    assert pop.stat()[0] == len(book.mails)
    for n in range(1, 6):
        pop.dele(n)
    assert pop.quit().startswith(b"+OK")
    for uid in sorted(book.mails)[:5]:
        del book.mails[uid]
    book.holds(g)
    g.verify()


def test_what_is_deleted_makes_room(small):
    g, book = small, Book(small)
    book.until_full()
    for _ in range(3):
        book.raw.imap("SELECT INBOX")
        book.expunge(60)
        gates.until(lambda: book.append()[0] == "OK", "room for another message")
        assert [book.append()[0] for _ in range(20)] == ["OK"] * 20
        gates.until(lambda: lmtp(g, PIECE, "bob") == [b"250 2.0.0 Delivered"], "room for a delivery")
    book.holds(g)


def test_who_logs_on_is_answered_although_nothing_can_be_written(small):
    """Records that cannot be written are counted, and it is told how many when there is room again."""
    g, book = small, Book(small)
    book.until_full()
    answered = 0

    def recorded():
        return sum(r["reason"] == "wrong-secret" for r in g.records())

    while recorded() == answered:  # a file may have some room behind its end
        assert answered < 1000
        g.fill()
        for _ in range(10):
            assert g.imap("bob", "secret").logout()[0] == "BYE"
            with gates.Raw(g, "pop3") as raw:
                raw.line(), raw.cmd("USER bob")
                assert raw.cmd("PASS wrong") == b"-ERR [AUTH] LOGIN FAILURE"
            answered += 1
    g.make_room()
    g.imap("bob", "secret").logout()
    log = g.own_log.read_text()
    assert int(re.search(r"audit.file.recovered lost=(\d+)", log)[1]) >= answered - recorded()
    for line in log.splitlines():  # no line is half a line
        assert re.match(r"20\S+ (debug|info|warn|error) [a-z0-9._]+( |$)", line), line
    assert g.records()[-1]["identity"] == "bob"
    book.holds(g)


def test_a_full_disk_is_no_reason_not_to_start(small):
    g, book = small, Book(small)
    book.until_full()
    g.fill()
    g.process.kill()
    g.process.wait()
    g.start()
    book.holds(g)
    g.make_room()
    again = Book(g)
    again.mails = book.mails
    assert again.append()[0] == "OK" or g.free() < 4 << 20
    again.holds(g)
