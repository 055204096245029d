"""mbsync: one mailbox in two places. Each test makes changes at one side or both and looks at both sides
after a run; a run after that finds nothing to do."""
import os
import re

import pytest

import clients
import mails

SECURITY = {
    "plain": ("imap", "None"),
    "STARTTLS": ("plain", "STARTTLS"),
    "IMAPS": ("imaps", "IMAPS"),
}


@pytest.fixture
def gate(shared_gate):
    return shared_gate


class Copy:
    """A Maildir that mbsync keeps equal with alice's mailbox."""

    def __init__(self, g, security="IMAPS", mechanism="*", name="copy"):
        listener, ssl = SECURITY[security]
        # An empty line would end the section.
        certificate = f"CertificateFile {g.cert}" if ssl != "None" else "# no TLS"
        self.gate, self.home = g, g.work / name
        self.mail = self.home / "mail"
        self.mail.mkdir(parents=True)
        self.config = clients.write_private(self.home / "mbsyncrc", f"""\
IMAPStore far
Host localhost
Port {g.ports[listener]}
User alice
Pass secret
SSLType {ssl}
{certificate}
AuthMechs {mechanism}

MaildirStore near
Path {self.mail}/
Inbox {self.mail}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState *
""")

    def run(self, *options, **how):
        # mbsync waits until no directory was changed within the last second; nobody else changes them here.
        for part in (p for name in ("cur", "new") for p in self.mail.rglob(name)):
            os.utime(part, (1_000_000_000, 1_000_000_000))
        return clients.run(self.home, "mbsync", "-c", self.config, *options, "-a", **how)

    def folder(self, name="INBOX"):
        return self.mail / name

    def bodies(self, name="INBOX"):
        """Messages as they were before mbsync wrote its mark into them and ended lines with LF."""
        return sorted(re.sub(rb"(?m)^X-TUID: .*\n", b"", m) for m in clients.maildir(self.folder(name)))

    def file(self, word, name="INBOX"):
        """The one file of the folder that has this word in it."""
        found = [f for f in clients.maildir_files(self.folder(name)) if word in f.read_bytes()]
        assert len(found) == 1, found
        return found[0]

    def flag(self, word, letters, name="INBOX"):
        """Give a message these flags, as a mail reader does: by its name in cur/."""
        file = self.file(word, name)
        file.rename(file.parent.parent / "cur" / (file.name.split(":2,")[0] + ":2," + letters))

    def add(self, message, name="INBOX", letters=""):
        (self.folder(name) / "cur" / f"new{abs(hash(message))}.here:2,{letters}").write_bytes(message)

    def letters(self, word, name="INBOX"):
        return self.file(word, name).name.split(":2,")[1]

    def state(self):
        return sorted((str(f), f.read_bytes()) for f in self.mail.rglob("*:2,*"))


def message(word):
    return b"From: a@example.net\r\nSubject: %s\r\nMessage-ID: <%s@test>\r\n\r\n%s.\r\n" % (word, word, word)


def local(text):
    return text.replace(b"\r", b"")


@pytest.fixture
def far(gate):
    client = gate.imap("alice", "secret")
    yield client
    client.logout()


def ask(client, method, *arguments):
    status, data = getattr(client, method)(*arguments)
    assert status == "OK", (method, arguments, data)
    return data


def subjects(client, folder="INBOX"):
    """What a folder of the server has: {subject: flags}."""
    n = int(ask(client, "select", folder)[0])
    found = {}
    for item in ask(client, "fetch", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])") if n else []:
        if isinstance(item, tuple):
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", item[0])[1].split()) - {rb"\Recent"}
            found[item[1].split(b":", 1)[1].strip()] = flags
    return found


def store(client, word, how, flags, folder="INBOX"):
    ask(client, "select", folder)
    uid = ask(client, "uid", "SEARCH", "SUBJECT", word.decode())[0]
    ask(client, "uid", "STORE", uid.decode(), how, flags)
    return uid.decode()


def versions(client):
    """What no change leaves as it was, for every folder."""
    names = [line.decode().rsplit(' "/" ', 1)[1] for line in ask(client, "list")]
    items = "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)"
    return {name: ask(client, "status", name, items) for name in names}


def settle(copy, client):
    """Run once more and see that it changed nothing on either side."""
    before = copy.state(), versions(client)
    copy.run()
    assert (copy.state(), versions(client)) == before


@pytest.mark.parametrize("security", SECURITY)
@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_a_mailbox_is_copied_and_a_second_run_does_nothing(gate, far, security, mechanism):
    for mail in mails.samples():
        gate.deliver("alice", mail)
    copy = Copy(gate, security, mechanism)
    copy.run()
    assert len(copy.bodies()) == len(mails.samples())
    for mail in mails.samples():
        assert sum(m.endswith(local(mail)) for m in copy.bodies()) == 1
    settle(copy, far)
    recorded = "LOGIN-COMMAND" if mechanism == "LOGIN" else mechanism
    used = [r for r in gate.records() if r["mechanism"] == recorded
            and bool(r["tls"]) == (security != "plain")]
    others = 1 if (mechanism, security) == ("LOGIN", "plain") else 0  # `far`
    assert [r["reason"] for r in used] == ["ok"] * (2 + others)


def test_flags_go_both_ways(gate, far):
    for word in (b"one", b"two", b"three", b"four"):
        gate.deliver("alice", message(word))
    copy = Copy(gate)
    copy.run()
    store(far, b"one", "+FLAGS", r"(\Seen \Flagged)")
    store(far, b"two", "+FLAGS", r"(\Answered)")
    copy.flag(b"three.", "FS")
    copy.flag(b"four.", "RS")
    copy.run()
    assert subjects(far) == {b"one": {rb"\Seen", rb"\Flagged"}, b"two": {rb"\Answered"},
                             b"three": {rb"\Seen", rb"\Flagged"}, b"four": {rb"\Seen", rb"\Answered"}}
    assert [copy.letters(w) for w in (b"one.", b"two.", b"three.", b"four.")] == ["FS", "R", "FS", "RS"]
    settle(copy, far)
    # and back again
    store(far, b"three", "-FLAGS", r"(\Flagged)")
    copy.flag(b"one.", "S")
    copy.run()
    assert subjects(far)[b"one"] == {rb"\Seen"} and copy.letters(b"three.") == "S"
    settle(copy, far)


def test_the_same_message_changed_on_both_sides_gets_both_changes(gate, far):
    gate.deliver("alice", message(b"one"))
    copy = Copy(gate)
    copy.run()
    store(far, b"one", "+FLAGS", r"(\Flagged)")
    copy.flag(b"one.", "S")
    copy.run()
    assert subjects(far) == {b"one": {rb"\Seen", rb"\Flagged"}} and copy.letters(b"one.") == "FS"
    settle(copy, far)


def test_new_mail_goes_both_ways(gate, far):
    copy = Copy(gate)
    copy.run()
    gate.deliver("alice", message(b"from-far"))
    copy.add(local(message(b"from-near")), letters="FS")
    ask(far, "append", "INBOX", r"(\Draft)", '"01-Feb-2003 04:05:06 +0700"', message(b"appended"))
    copy.run()
    assert subjects(far) == {b"from-far": set(), b"from-near": {rb"\Seen", rb"\Flagged"},
                             b"appended": {rb"\Draft"}}
    assert len(copy.bodies()) == 3
    assert copy.file(b"appended.").stat().st_mtime == 1044047106
    settle(copy, far)


def test_deletions_go_both_ways(gate, far):
    for word in (b"one", b"two", b"three", b"four"):
        gate.deliver("alice", message(word))
    copy = Copy(gate)
    copy.run()
    copy.file(b"one.").unlink()
    copy.flag(b"two.", "T")
    uid = store(far, b"three", "+FLAGS", r"(\Deleted)")
    ask(far, "uid", "EXPUNGE", uid)
    copy.run()
    assert set(subjects(far)) == {b"four"} and [b"four." in m for m in copy.bodies()] == [True]
    settle(copy, far)


def test_one_side_deletes_what_the_other_flags(gate, far):
    for word in (b"one", b"two"):
        gate.deliver("alice", message(word))
    copy = Copy(gate)
    copy.run()
    # A deletion wins over flags, on whichever side; the other message stays what it is.
    store(far, b"one", "+FLAGS", r"(\Flagged)")
    copy.file(b"one.").unlink()
    copy.flag(b"two.", "FS")
    uid = store(far, b"two", "+FLAGS", r"(\Deleted)")
    ask(far, "uid", "EXPUNGE", uid)
    gate.deliver("alice", message(b"three"))
    copy.run()
    copy.run()
    assert set(subjects(far)) == {b"three"} and len(copy.bodies()) == 1
    settle(copy, far)


def test_moves_go_both_ways(gate, far):
    for word in (b"one", b"two", b"three"):
        gate.deliver("alice", message(word))
    ask(far, "create", "Archive/2026")
    copy = Copy(gate)
    copy.run()
    uid = store(far, b"one", "+FLAGS", r"(\Seen)")
    ask(far, "uid", "MOVE", uid, "Archive/2026")
    moved = copy.file(b"two.")
    moved.rename(copy.folder("Archive/2026") / "cur" / "moved.here:2,F")
    copy.run()
    copy.run()
    assert set(subjects(far)) == {b"three"}
    assert subjects(far, "Archive/2026") == {b"one": {rb"\Seen"}, b"two": {rb"\Flagged"}}
    assert len(copy.bodies()) == 1 and len(copy.bodies("Archive/2026")) == 2
    settle(copy, far)


NAMES = {"Entwürfe": "Entw&APw-rfe", "日本語": "&ZeVnLIqe-", "R&D": "R&-D", "a b/c d": "a b/c d",
         "😀 smile": "&2D3eAA- smile", "Ωμέγα/παλιά": "&A6kDvAOtA7MDsQ-/&A8ADsQO7A7kDrA-"}


def test_folders_of_any_name_go_both_ways(gate, far):
    """mbsync 1.4 takes names as they are on the wire, so near sides have modified UTF-7; a server that takes
    names in UTF-8 as well gives them out in the one form."""
    wire = list(NAMES.values())
    for name in wire[:3]:
        ask(far, "create", f'"{name}"')
        ask(far, "append", f'"{name}"', None, None, message(b"far"))
    copy = Copy(gate)
    for name in wire[3:]:
        for part in ("cur", "new", "tmp"):
            (copy.folder(name) / part).mkdir(parents=True)
        copy.add(local(message(b"near")), name)
    copy.run()
    listed = {line.decode().rsplit(' "/" ', 1)[1].strip('"') for line in ask(far, "list")}
    assert set(wire) <= listed
    for name in wire:
        assert len(subjects(far, f'"{name}"')) == 1 and len(copy.bodies(name)) == 1
    settle(copy, far)
    out = gate.work / "out"
    gate.command("export", "alice", out)
    assert all(len(clients.maildir(out / name)) == 1 for name in NAMES), list(out.iterdir())


def test_an_empty_folder_that_one_side_removes_goes_on_the_other(gate, far):
    ask(far, "create", "Old")
    ask(far, "create", "Older")
    copy = Copy(gate)
    copy.run()
    assert copy.folder("Old").is_dir() and copy.folder("Older").is_dir()
    ask(far, "delete", "Old")
    for part in ("cur", "new", "tmp"):
        (copy.folder("Older") / part).rmdir()
    copy.run()
    copy.run()
    listed = b" ".join(ask(far, "list"))
    assert b"Old" not in listed and not (copy.folder("Old") / "cur").exists()
    settle(copy, far)


def test_two_copies_of_one_mailbox_agree(gate, far):
    first, second = Copy(gate, "plain", "LOGIN", "first"), Copy(gate, "STARTTLS", name="second")
    for copy, word in ((first, b"one"), (second, b"two")):
        copy.run()
        copy.add(local(message(word)), letters="S")
    gate.deliver("alice", message(b"three"))
    for copy in (first, second, first):
        copy.run()
    assert first.bodies() == second.bodies() and len(first.bodies()) == 3
    first.file(b"two.").unlink()
    second.flag(b"one.", "F")
    for copy in (first, second, first):
        copy.run()
    assert first.bodies() == second.bodies() and len(first.bodies()) == 2
    assert first.letters(b"one.") == second.letters(b"one.") == "F"
    settle(first, far)
    settle(second, far)


def test_a_mailbox_that_is_restored_is_not_mistaken_for_the_old_one(own_gate):
    """A restored copy has new UIDVALIDITYs: mbsync finds the messages again by their Message-ID and neither
    doubles nor deletes any."""
    for word in (b"one", b"two"):
        own_gate.deliver("alice", message(word))
    copy = Copy(own_gate)
    copy.run()
    own_gate.command("store", "backup", own_gate.work / "backup")
    own_gate.stop()
    (own_gate.work / "store").rename(own_gate.work / "gone")
    own_gate.command("store", "restore", own_gate.work / "backup")
    own_gate.start()
    copy.run()
    client = own_gate.imap("alice", "secret")
    assert set(subjects(client)) == {b"one", b"two"} and len(copy.bodies()) == 2
    settle(copy, client)
    client.logout()


def test_deletions_go_through_the_trash(gate, far):
    for word in (b"one", b"two"):
        gate.deliver("alice", message(word))
    copy = Copy(gate)
    text = copy.config.read_text().replace("IMAPStore far\n", 'IMAPStore far\nTrash "Deleted Items"\n')
    # Left to itself mbsync moves what is in the trash into the trash, at every run.
    copy.config.write_text(text.replace("Patterns INBOX *", 'Patterns INBOX * "!Deleted Items"'))
    copy.run()
    copy.file(b"one.").unlink()
    copy.run()
    assert set(subjects(far)) == {b"two"} and set(subjects(far, '"Deleted Items"')) == {b"one"}
    copy.run()
    settle(copy, far)


@pytest.mark.parametrize("security", SECURITY)
def test_mail_made_near_comes_back_byte_for_byte(gate, far, security):
    """Into the server by APPEND, out of it by FETCH, with mbsync on both ends."""
    # mbsync passes over a message whose header does not end in an empty line.
    wanted = [m for m in mails.ODD.values() if mails.without_lone(m) and b"\r\n\r\n" in m] + mails.samples()
    first, second = Copy(gate, security, name="first"), Copy(gate, security, name="second")
    first.run()
    for mail in wanted:
        first.add(local(mail))
    first.run()
    second.run()
    assert second.bodies() == sorted(local(m) for m in wanted)
    settle(second, far)
