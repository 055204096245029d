"""One story at every door: random changes by IMAP, POP3, LMTP and MAPI, and after each of them what IMAP, POP3 and
MAPI see is compared with each other and with a model.

GATEPOST_MODEL_SEED repeats a run, GATEPOST_MODEL_STEPS makes it longer.
"""
import os
import random
import re

import away
import gate as gates
import mapi_client as mc
import pytest

STEPS = int(os.environ.get("GATEPOST_MODEL_STEPS", 80))
SEED = int(os.environ.get("GATEPOST_MODEL_SEED", 0)) or random.randrange(1 << 32)
FOLDERS = ["INBOX", "Work"]
COLUMNS = [mc.PR_MID, mc.PR_SUBJECT, mc.PR_READ, mc.PR_FLAG_STATUS, mc.PR_MESSAGE_SIZE, mc.PR_ARTICLE_NUMBER,
           mc.PR_CHANGE_NUMBER]


def counter(wire_id):
    """The global counter of an id: big-endian behind the replica id ([MS-OXCDATA] 2.2.1)."""
    return int.from_bytes(wire_id.to_bytes(8, "little")[2:], "big")


class Doors:
    """The same mailbox by all protocols."""

    def __init__(self, gate):
        self.gate, self.rng, self.n = gate, random.Random(SEED), 0
        self.model = {name: {} for name in FOLDERS}  # subject -> [seen, flagged]
        self.imap = gate.imap("alice", "secret")
        self.imap.create("Work")
        self.mapi = mc.Mapi(gate.mapi, "alice", "secret")
        self.logon = self.mapi.logon()
        self.fids = {"INBOX": self.logon.folders[mc.INBOX]}
        tree = self.mapi.open_folder(self.logon, self.logon.folders[mc.IPM_SUBTREE])
        table = self.mapi.hierarchy_table(tree)
        for row in self.mapi.rows(table, [mc.PR_FOLDER_ID, mc.PR_DISPLAY_NAME]):
            if row[mc.PR_DISPLAY_NAME] == "Work":
                self.fids["Work"] = row[mc.PR_FOLDER_ID]
        self.mapi.release(table)  # it would be told of its own rows
        self.folders = {name: self.mapi.open_folder(self.logon, fid) for name, fid in self.fids.items()}
        self.mapi.subscribe(self.logon, 0x7E, whole=True)
        self.mapi.poll()

    # ---- changes ----

    def subject(self):
        self.n += 1
        return f"message {self.n}"

    def body(self, subject):
        return f"From: a@example.net\r\nTo: alice@example.org\r\nSubject: {subject}\r\n\r\nline {self.n}\r\n".encode()

    def some(self, folder, most=3):
        names = sorted(self.model[folder])
        return self.rng.sample(names, min(len(names), self.rng.randint(1, most))) if names else []

    def by_lmtp(self, folder):
        subject = self.subject()
        self.gate.deliver("alice", self.body(subject))
        self.model["INBOX"][subject] = [False, False]

    def by_append(self, folder):
        subject, seen = self.subject(), self.rng.random() < 0.5
        assert self.imap.append(folder, "\\Seen" if seen else None, None, self.body(subject))[0] == "OK"
        self.model[folder][subject] = [seen, False]

    def by_mapi(self, folder):
        subject = self.subject()
        message = self.mapi.create_message(self.logon, self.fids[folder])
        assert self.mapi.set_props(message, {mc.PR_SUBJECT: subject, mc.PR_BODY: "text\r\n"}) == []
        self.mapi.save(message)
        self.mapi.release(message)
        self.model[folder][subject] = [self.seen_at_once(folder, subject), False]

    def seen_at_once(self, folder, subject):
        """Whether what a client makes is read at first is the specification's matter ([MS-OXCMSG] 3.2.5.2); that all
        doors agree is ours."""
        return self.see_mapi(folder)[subject][0]

    def uids(self, folder, subjects):
        seen = self.see_imap(folder)
        return ",".join(str(seen[s][3]) for s in subjects)

    def mids(self, folder, subjects):
        rows = self.mapi_rows(folder)
        return [row[mc.PR_MID] for row in rows if row[mc.PR_SUBJECT] in subjects]

    def imap_flags(self, folder):
        subjects = self.some(folder)
        if not subjects:
            return
        place, name = self.rng.choice([(0, "\\Seen"), (1, "\\Flagged")])
        on = self.rng.random() < 0.6
        uids = self.uids(folder, subjects)
        self.imap.select(folder)
        assert self.imap.uid("STORE", uids, "+FLAGS" if on else "-FLAGS", f"({name})")[0] == "OK"
        for s in subjects:
            self.model[folder][s][place] = on

    def mapi_read(self, folder):
        subjects = self.some(folder)
        if not subjects:
            return
        on = self.rng.random() < 0.6
        assert self.mapi.set_read(self.folders[folder], self.mids(folder, subjects), 0x01 if on else 0x05) == 0
        for s in subjects:
            self.model[folder][s][0] = on

    def mapi_flag(self, folder):
        for s in self.some(folder, 1):
            on = self.rng.random() < 0.6
            message = self.mapi.open_message(self.logon, self.fids[folder], self.mids(folder, [s])[0], 1)
            assert self.mapi.set_props(message, {mc.PR_FLAG_STATUS: 2 if on else 0}) == []
            self.mapi.save(message)
            self.mapi.release(message)
            self.model[folder][s][1] = on

    def imap_expunge(self, folder):
        subjects = self.some(folder)
        if not subjects:
            return
        uids = self.uids(folder, subjects)
        self.imap.select(folder)
        self.imap.uid("STORE", uids, "+FLAGS", "(\\Deleted)")
        assert self.imap.uid("EXPUNGE", uids)[0] == "OK"
        for s in subjects:
            del self.model[folder][s]

    def mapi_delete(self, folder):
        subjects = self.some(folder)
        if not subjects:
            return
        hard = self.rng.random() < 0.5
        assert self.mapi.delete_messages(self.folders[folder], self.mids(folder, subjects), hard) == 0
        for s in subjects:
            del self.model[folder][s]

    def pop3_delete(self, folder):
        pop3 = self.gate.pop("alice", "secret")
        n, _ = pop3.stat()
        if n:
            which = self.rng.randint(1, n)
            text = b"\r\n".join(pop3.top(which, 0)[1]).decode()
            subject = re.search(r"(?m)^Subject: (.*?)\r?$", text)[1]
            pop3.dele(which)
            del self.model["INBOX"][subject]
        pop3.quit()

    def other(self, folder):
        return FOLDERS[1 - FOLDERS.index(folder)]

    def imap_move(self, folder):
        subjects = self.some(folder)
        if not subjects:
            return
        uids = self.uids(folder, subjects)
        self.imap.select(folder)
        assert self.imap.uid("MOVE", uids, self.other(folder))[0] == "OK"
        for s in subjects:
            self.model[self.other(folder)][s] = self.model[folder].pop(s)

    def mapi_move(self, folder):
        subjects = self.some(folder)
        if not subjects:
            return
        to = self.other(folder)
        assert self.mapi.move_copy(self.folders[folder], self.folders[to], self.mids(folder, subjects)) == 0
        for s in subjects:
            self.model[to][s] = self.model[folder].pop(s)

    # ---- what is seen: subject -> (seen, flagged, size, uid, modseq) ----

    def see_imap(self, folder):
        self.imap.select(folder, readonly=True)
        _, data = self.imap.uid("FETCH", "1:*", "(FLAGS RFC822.SIZE MODSEQ BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        found = {}
        for item in data:
            if not isinstance(item, tuple):
                continue
            head = item[0].decode() if isinstance(item[0], bytes) else item[0]
            subject = item[1].decode().split(": ", 1)[1].strip()
            flags = re.search(r"FLAGS \((.*?)\)", head)[1].split()
            found[subject] = ("\\Seen" in flags, "\\Flagged" in flags, int(re.search(r"RFC822.SIZE (\d+)", head)[1]),
                              int(re.search(r"UID (\d+)", head)[1]), int(re.search(r"MODSEQ \((\d+)\)", head)[1]))
        return found

    def mapi_rows(self, folder):
        table = self.mapi.contents_table(self.folders[folder])
        rows = self.mapi.rows(table, COLUMNS)
        self.mapi.release(table)
        return rows

    def see_mapi(self, folder):
        return {row[mc.PR_SUBJECT]: (row[mc.PR_READ], row[mc.PR_FLAG_STATUS] == 2, row[mc.PR_MESSAGE_SIZE],
                                     row[mc.PR_ARTICLE_NUMBER], counter(row[mc.PR_CHANGE_NUMBER]))
                for row in self.mapi_rows(folder)}

    def see_pop3(self):
        pop3 = self.gate.pop("alice", "secret")
        sizes = sorted(int(line.split()[1]) for line in pop3.list()[1])
        uidls = [line.split()[1] for line in pop3.uidl()[1]]
        assert len(set(uidls)) == len(uidls)
        pop3.quit()
        return sizes

    # ---- comparing ----

    def compare(self, what):
        for folder in FOLDERS:
            imap, mapi = self.see_imap(folder), self.see_mapi(folder)
            assert {s: v[:4] for s, v in imap.items()} == {s: v[:4] for s, v in mapi.items()}, what
            assert {s: list(v[:2]) for s, v in imap.items()} == self.model[folder], what
            for subject, seen in imap.items():
                assert mapi[subject][4] <= seen[4], f"{what}: the change number is beyond MODSEQ"
            if folder == "INBOX":
                assert self.see_pop3() == sorted(v[2] for v in imap.values()), what

    def told(self, what, changed):
        """Who subscribed to everything hears of every change, and of nothing else."""
        events = self.mapi.poll()
        assert bool(events) == changed, f"{what}: {[vars(e) for e in events]}"


@pytest.fixture
def doors(own_gate):
    d = Doors(own_gate)
    yield d
    d.mapi.http.close()


def test_all_doors_tell_one_story(doors):
    print(f"GATEPOST_MODEL_SEED={SEED}")
    changes = [Doors.by_lmtp, Doors.by_append, Doors.by_mapi, Doors.imap_flags, Doors.mapi_read, Doors.mapi_flag,
               Doors.imap_expunge, Doors.mapi_delete, Doors.pop3_delete, Doors.imap_move, Doors.mapi_move]
    weights = [3, 3, 3, 3, 3, 2, 1, 1, 1, 2, 2]
    for step in range(STEPS):
        [change] = doors.rng.choices(changes, weights)
        folder = doors.rng.choice(FOLDERS)
        change(doors, folder)
        doors.compare(f"seed {SEED}, step {step}: {change.__name__} in {folder}")


def test_a_subscriber_hears_of_every_change(doors):
    """The own session's changes too, and never of nothing ([MS-OXCNOTIF] 3.2.5)."""
    print(f"GATEPOST_MODEL_SEED={SEED}")
    changes = [Doors.by_lmtp, Doors.by_append, Doors.imap_flags, Doors.imap_expunge, Doors.imap_move,
               Doors.pop3_delete]
    for step in range(STEPS // 2):
        [change] = doors.rng.choices(changes, [3, 3, 2, 1, 1, 1])
        folder = doors.rng.choice(FOLDERS)
        before = {name: doors.see_imap(name) for name in FOLDERS}
        doors.mapi.poll()
        change(doors, folder)
        after = {name: doors.see_imap(name) for name in FOLDERS}
        doors.told(f"seed {SEED}, step {step}: {change.__name__} in {folder}", before != after)


@pytest.mark.parametrize("log", [0, 5], ids=["all is remembered", "most is forgotten"])
def test_who_was_away_arrives_at_the_truth(tmp_path, log):
    """Whatever happened meanwhile and by whichever door, and though the change log does not go back so far."""
    print(f"GATEPOST_MODEL_SEED={SEED}")
    gate = gates.Gate(tmp_path)
    gate.config.write_text(re.sub(r"(store \{)", rf"\1 change-log = {log}", gate.config.read_text(), count=1))
    gate.add_user("alice", "secret")
    with gate:
        doors = Doors(gate)
        clients = [away.Away(gate, folder) for folder in FOLDERS for _ in range(2)]
        changes = [Doors.by_lmtp, Doors.by_append, Doors.by_mapi, Doors.imap_flags, Doors.mapi_read, Doors.mapi_flag,
                   Doors.imap_expunge, Doors.mapi_delete, Doors.pop3_delete, Doors.imap_move, Doors.mapi_move]
        for step in range(STEPS):
            [change] = doors.rng.choices(changes, [3, 3, 3, 3, 3, 2, 2, 1, 1, 2, 2])
            folder = doors.rng.choice(FOLDERS)
            change(doors, folder)
            where = f"seed {SEED}, step {step}: {change.__name__} in {folder}"
            for client in clients:
                if doors.rng.random() < 0.2:
                    client.visit(doors.rng.random() < 0.5, where)
        for client in clients:
            client.visit(False, f"seed {SEED}, at the end")
            client.close()
        doors.mapi.http.close()
        gate.verify()
