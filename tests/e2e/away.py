"""A client that comes and goes, and keeps what it knows of a folder from visit to visit.

What it knows, it knows from SELECT (QRESYNC ...) alone (RFC 7162 3.2.5): what vanished, what changed, what is new.
"""
import imapwire


def flag_set(told):
    return frozenset(f.decode() for f in told if f != b"\\Recent")


class Away:
    def __init__(self, gate, folder):
        self.client = imapwire.Client(gate, "alice", "secret", self.hear, ("QRESYNC",))
        self.folder, self.known = folder, {}  # UID -> flags
        self.uidvalidity, self.uidnext, self.modseq = None, 1, 0

    def close(self):
        self.client.close()

    def hear(self, name, value):
        if name == "VANISHED":
            _, uids = value
            for uid in uids:
                self.known.pop(uid, None)
        elif name == "FETCH" and "FLAGS" in value[1]:
            _, items = value
            assert items["MODSEQ"] > self.modseq, f"{items} is no news since {self.modseq}"
            self.known[items["UID"]] = flag_set(items["FLAGS"])

    def come(self, name_known=False):
        """Select the folder, telling what was known; `name_known`: with the UIDs, as careful clients do. A client that
        names them is told of these, and asks for what is new itself."""
        named = name_known and len(self.known) > 0
        uids = " " + ",".join(map(str, sorted(self.known))) if named else ""
        asked = f" (QRESYNC ({self.uidvalidity} {self.modseq}{uids}))" if self.modseq else ""
        done = self.client.ok(f"EXAMINE {self.folder}{asked}")
        codes, since = done.codes(), self.uidnext
        assert self.uidvalidity in (None, codes[b"UIDVALIDITY"])
        if not self.modseq:
            self.client.ok("FETCH 1:* (UID FLAGS MODSEQ)")
        elif named:
            self.client.ok(f"UID FETCH {since}:* (FLAGS) (CHANGEDSINCE {self.modseq})")
        assert codes[b"HIGHESTMODSEQ"] >= self.modseq
        self.uidvalidity, self.uidnext, self.modseq = codes[b"UIDVALIDITY"], codes[b"UIDNEXT"], codes[b"HIGHESTMODSEQ"]

    def truth(self):
        """What is there, in the folder that is selected and left alone; asked by a client that knows nothing."""
        done = self.client.ok("UID SEARCH RETURN (ALL) ALL")
        if "ALL" not in done.one("ESEARCH"):
            return {}
        kept, modseq, self.modseq = self.known, self.modseq, 0
        self.known = {}
        self.client.ok("FETCH 1:* (UID FLAGS MODSEQ)")
        truth, self.known, self.modseq = self.known, kept, modseq
        return truth

    def go(self):
        self.client.ok("UNSELECT")

    def visit(self, name_known, where):
        """Come, see that what is known now is what is there, and go."""
        self.come(name_known)
        truth = self.truth()
        wrong = {uid: (self.known.get(uid), truth.get(uid)) for uid in self.known.keys() | truth.keys()
                 if self.known.get(uid) != truth.get(uid)}
        assert not wrong, f"{where}: {self.folder}, UID: (known, true): {wrong}"
        self.go()
