"""Every message comes out as it went in, by every door. The messages are the project's samples and the odd ones
of mails.py, and, where GATEPOST_MAIL_CORPUS names a directory, all that is in it: loose files, mbox files, and
packed ones (.tar.zst, .mboxrd.zst)."""
import io
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import zlib

import pytest

import clients
import gate as gates
import mails
from test_mbsync import Copy

sys.path.insert(0, str(gates.ROOT / "tests" / "oracle"))
import compare_oracle  # noqa: E402

pytestmark = pytest.mark.timeout(1800)  # a corpus can be large
FOLDER = "Projekte/Corpus & more"
MBOX = b"""From somebody Mon Nov  2 09:00:00 2026
Subject: first of an mbox

From the beginning; this is no separator.
>From here one goes, >From there none.
>>From here one as well.

From somebody Tue Nov  3 10:00:00 2026
Subject: second of an mbox

Its last line.

"""


# ---- the messages, and what must become of them ----

def unpack(archive, directory):
    """A packed set as files that import reads."""
    directory.mkdir(parents=True)
    data = subprocess.run(["zstd", "-dc", archive], check=True, capture_output=True).stdout
    if archive.name.endswith(".tar.zst"):
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in filter(tarfile.TarInfo.isfile, tar):
                (directory / (member.name.replace("/", "_") + ".eml")).write_bytes(tar.extractfile(member).read())
    else:
        (directory / "all.mbox").write_bytes(data)


def sources(directory):
    """Directories to import, some of them made below `directory`."""
    made = directory / "made"
    (made / "deep" / "er").mkdir(parents=True)
    for i, mail in enumerate(mails.ODD.values()):
        (made / f"{i:02}.eml").write_bytes(mail)
    for i, mail in enumerate(mails.samples()):
        (made / "deep" / "er" / f"{i:02}.eml").write_bytes(mail.replace(b"\r\n", b"\n"))
    (made / "deep" / "some.mbox").write_bytes(MBOX)
    (made / "deep" / "twice-1.eml").write_bytes(b"Subject: twice\n\nThe same.\n")
    (made / "deep" / "twice-2.eml").write_bytes(b"Subject: twice\n\nThe same.\n")
    if not mails.CORPUS:
        return [made, mails.SAMPLES]
    corpus = pathlib.Path(mails.CORPUS)
    for archive in sorted(corpus.rglob("*.zst")):
        unpack(archive, directory / "packed" / archive.name.split(".")[0])
    return [made, mails.SAMPLES, corpus, directory / "packed"]


def split_mbox(data):
    """A line that begins with `From ` and has a colon between digits separates, where an empty line is before it;
    that empty line and the last one are the mbox's."""
    found, empty = [], True
    for line in re.findall(rb"[^\n]*\n|[^\n]+\Z", data):
        if empty and re.match(rb"From .*\d:\d", line):
            found.append([])
        else:
            found[-1].append(line)
        empty = line in (b"\n", b"\r\n")
    for message in found:
        if message and message[-1] in (b"\n", b"\r\n"):
            message.pop()
        yield mails.with_crlf(re.sub(rb"(?m)^>(>*From )", rb"\1", b"".join(message)))


def expectation(paths):
    """The messages of all files, sorted: directories are read with all that is below them, into one folder."""
    found = []
    for top in paths:
        for file in sorted(p for p in top.rglob("*") if p.suffix in (".eml", ".mbox")):
            data = file.read_bytes()
            separated = re.match(rb"From .*\d:\d", data) and file.suffix == ".mbox"
            found += split_mbox(data) if separated else [mails.canonical(data)]
    return sorted(found)


class Filled:
    """A daemon, in which alice has all messages in one folder, and bob has them, sorted, in his Inbox."""

    def __init__(self, directory):
        self.gate = gates.Gate(directory / "gate", limits="message = 1G")
        self.paths = sources(directory)
        self.messages = expectation(self.paths)
        self.count = len(self.messages)

    def fill(self):
        self.gate.add_user("alice", "secret")
        self.gate.add_user("bob", "secret")
        self.first = self.imports()
        flat = self.gate.dir / "flat"
        for part in ("cur", "new", "tmp"):
            (flat / part).mkdir(parents=True)
        for i, mail in enumerate(self.messages):
            (flat / "cur" / f"{i:06}:2,").write_bytes(mail)
        self.gate.command("import", "bob", flat, timeout=900)

    def imports(self):
        done = self.gate.command("import", "alice", *self.paths, "--folder", FOLDER, "--json", timeout=900)
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    found = Filled(tmp_path_factory.mktemp("corpus"))
    with found.gate:
        found.fill()
        print(f"{found.count} messages, {sum(map(len, found.messages)):,} bytes")
        yield found
        found.gate.verify()


def fetched(client, folder, items="(RFC822.SIZE BODY.PEEK[])"):
    n = int(client.select('"' + folder.replace("&", "&-") + '"', readonly=True)[1][0])
    for low in range(1, n + 1, 500):
        for item in client.fetch(f"{low}:{min(n, low + 499)}", items)[1]:
            if isinstance(item, tuple):
                yield item
            elif b"BODY[" in item:
                assert item.endswith(b' "")'), item  # the empty string is no literal
                yield item, b""


# ---- the tests ----

def test_import_takes_every_message_and_can_be_repeated(filled):
    assert [filled.first[k] for k in ("imported", "already_there", "failed")] == [filled.count, 0, 0]
    again = filled.imports()
    assert (again["imported"], again["already_there"]) == (0, filled.count)


def test_imap_gives_every_message_back_and_knows_its_size(filled):
    client = filled.gate.imap("alice", "secret", tls=True)
    found = list(fetched(client, FOLDER))
    client.logout()
    assert all(int(re.search(rb"RFC822\.SIZE (\d+)", head)[1]) == len(body) for head, body in found)
    same(sorted(body for _, body in found), filled.messages)


def same(found, wanted):
    """Equal, and if not, which is not: pytest would take hours to show it."""
    differ = [i for i, pair in enumerate(itertools.zip_longest(found, wanted)) if pair[0] != pair[1]][:1]
    assert not differ, (len(found), len(wanted), [(found[i:][:1], wanted[i:][:1]) for i in differ])


def test_pop3_gives_every_message_back_and_agrees_on_sizes(filled):
    g = filled.gate
    client = g.imap("bob", "secret")
    sizes = [int(re.search(rb"RFC822\.SIZE (\d+)", head)[1]) for head, _ in fetched(client, "INBOX", "(RFC822.SIZE BODY.PEEK[]<0.1>)")]
    client.logout()
    with g.raw("pop3") as c:
        c.line()
        c.cmd("USER bob")
        assert c.cmd("PASS secret").startswith(b"+OK")
        assert c.cmd("STAT") == b"+OK %d %d" % (filled.count, sum(map(len, filled.messages)))
        assert c.cmd("LIST").startswith(b"+OK")
        assert [int(line.split()[1]) for line in c.lines().splitlines()] == sizes == list(map(len, filled.messages))
        for low in range(0, filled.count, 20):
            some = filled.messages[low:low + 20]
            c.send(b"".join(b"RETR %d\r\nTOP %d 3\r\n" % (n, n) for n in range(low + 1, low + 1 + len(some))))
            for mail in some:
                assert c.line() == b"+OK %d octets" % len(mail)
                assert c.lines() == ended(mail)
                assert c.line().startswith(b"+OK")
                assert c.lines() == ended(top(mail, 3)), mail[:300]


def ended(mail):
    """What of this comes over POP3 to a client that ends lines at LF (docs/protocols/pop3.md)."""
    return mail if not mail or mail.endswith(b"\r\n") else mail + b"\r\n"


def top(mail, n):
    """The header with its empty line, and n lines."""
    end = re.search(rb"(?:\A|\n)\r?\n", mail)
    if not end:
        return mail
    return mail[:end.end()] + b"".join(re.findall(rb"[^\n]*\n|[^\n]+\Z", mail[end.end():])[:n])


def test_mbsync_gives_every_message_back(filled):
    """It drops every CR, writes a mark into the header, and passes over messages whose header does not end."""
    copy = Copy(filled.gate, name="mbsync")
    name = FOLDER.replace("&", "&-")
    text = copy.config.read_text().replace("Patterns INBOX *", f'Patterns "{name}"')
    # Some are imported with \\Deleted, from a field of their mbox; they stay.
    copy.config.write_text("FSync no\n\n" + text.replace("Expunge Both", "Expunge None"))
    copy.run(deadline=900)
    kept = [m.replace(b"\r", b"") for m in filled.messages if re.search(rb"(?:\A|\n)\r?\n", m)]
    same(copy.bodies(name), sorted(re.sub(rb"(?m)^X-TUID: .*\n", b"", m) for m in kept))
    before = copy.state()
    copy.run(deadline=900)
    assert copy.state() == before


def test_export_gives_every_message_back_and_import_reads_it(filled):
    out = filled.gate.dir / "out"
    filled.gate.command("export", "alice", out, timeout=900)
    same(clients.maildir(out / FOLDER), filled.messages)
    filled.gate.add_user("carol", "secret")
    filled.gate.command("import", "carol", out, timeout=900)
    client = filled.gate.imap("carol", "secret")
    same(sorted(body for _, body in fetched(client, FOLDER)), filled.messages)
    client.logout()


class Folder:
    """A folder of bob's that is filled by APPEND, and read back in every way that IMAP has."""

    def __init__(self, g, name):
        self.raw = g.raw("imaps", True)
        self.raw.line()
        self.name = name
        for command in ("LOGIN bob secret", f"CREATE {name}", f"SELECT {name}"):
            assert self.raw.imap(command)[0] == "OK"

    def append(self, mail):
        """Its UID."""
        status, line, _ = self.raw.imap(b"APPEND %s {%d+}\r\n" % (self.name.encode(), len(mail)) + mail)
        assert status == "OK", line
        return int(re.search(rb"APPENDUID \d+ (\d+)", line)[1])

    def fetch(self, uid, item):
        """The value of one item: bytes, None for NIL, "broken" for a NO."""
        status, line, before = self.raw.imap(f"UID FETCH {uid} ({item})")
        if status == "NO":
            return "broken"
        assert status == "OK", line
        name = item.replace(".PEEK", "").encode()
        name = re.sub(rb"<(\d+)\.\d+>$", rb"<\1>", name)
        head = re.match(rb"\* \d+ FETCH \(UID %d %s " % (uid, re.escape(name)), before, re.I)
        assert head, before[:300]
        value = before[head.end():before.rindex(b")")]
        literal = re.match(rb"~?\{(\d+)\}\r\n", value)
        if literal:
            return value[literal.end():literal.end() + int(literal[1])]
        return None if value == b"NIL" else value[1:-1] if re.fullmatch(rb'"[^"]*"', value) else value


def test_structures_are_those_that_another_server_found(filled):
    """The answers of an oracle that comes with a corpus; docs/mime.md says where and why ours differ."""
    if not mails.CORPUS or not os.path.exists(compare_oracle.oracle_file(mails.CORPUS)):
        return
    folder = Folder(filled.gate, "Oracle")

    def ask(mail, items):
        uid = folder.append(mail)
        return {item: folder.fetch(uid, item.replace("[", ".PEEK[", 1)) for item in items}

    differ = compare_oracle.Differences()
    compare_oracle.compare_structures(mails.CORPUS, ask, differ)
    print(dict(differ.counts))
    assert differ.counts["mails"] > 100 and differ.counts["UNEXPLAINED"] == 0


def test_odd_mail_is_the_same_however_it_is_asked_for(filled):
    folder = Folder(filled.gate, "Odd")
    for name, mail in mails.ODD.items():
        uid = folder.append(mail)
        assert folder.fetch(uid, "BODY.PEEK[]") == folder.fetch(uid, "RFC822") == mail, name
        assert folder.fetch(uid, "BINARY.PEEK[]") == mail, name
        assert folder.fetch(uid, "RFC822.SIZE") == folder.fetch(uid, "BINARY.SIZE[]") == b"%d" % len(mail), name
        header, text = folder.fetch(uid, "BODY.PEEK[HEADER]"), folder.fetch(uid, "BODY.PEEK[TEXT]")
        assert (header or b"") + (text or b"") == mail, name
        step = max(1, len(mail) // 7)
        pieces = [folder.fetch(uid, f"BODY.PEEK[]<{at}.{step}>") for at in range(0, len(mail), step)]
        assert b"".join(pieces) == mail, name
    folder.raw.close()


def test_odd_mail_is_the_same_when_it_is_compressed(filled):
    """RFC 4978: what is inflated is what would have been sent."""
    folder = Folder(filled.gate, "Compressed")
    uids = {folder.append(mail): mail for mail in mails.ODD.values()}
    assert folder.raw.imap("COMPRESS DEFLATE")[0] == "OK"
    deflate, inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
    for uid, mail in uids.items():
        command = deflate.compress(b"c1 UID FETCH %d BODY.PEEK[]\r\n" % uid) + deflate.flush(zlib.Z_SYNC_FLUSH)
        folder.raw.send(command)
        said = b""
        while not said.endswith(b"c1 OK FETCH completed\r\n"):
            piece = folder.raw.file.read1(65536)
            assert piece, said[-200:]
            said += inflate.decompress(piece)
        assert b"BODY[] {%d}\r\n%s)\r\n" % (len(mail), mail) in said
    folder.raw.close()
