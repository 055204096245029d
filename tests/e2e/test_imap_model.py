"""Several sessions do what comes to mind, beside a naive model of what a mailbox is.

Each session keeps what a client would know from the answers alone: how many messages there are, their UIDs and flags.
After a NOOP that must be what the model says; CHANGEDSINCE, QRESYNC and VANISHED must tell the changes and nothing
else, so that who was away arrives at the truth; no UID comes twice. A program that fails is made small and printed;
GATEPOST_EXAMPLES programs are run, from GATEPOST_SEED, which is printed as well.

Then they do it all at once, where no model can say what comes of it: but they must agree in the end, and so must
those who came and went meanwhile.
"""
import os
import random
import threading

import hypothesis
from hypothesis import HealthCheck, given, settings, strategies as st

import away
import imapwire

EXAMPLES = int(os.environ.get("GATEPOST_EXAMPLES", "40"))
SEED = int(os.environ.get("GATEPOST_SEED", random.SystemRandom().randrange(1 << 32)))
CHOICES = 24  # for one step: with too few the last ones are always the same
STEPS = int(os.environ.get("GATEPOST_STEPS", "60"))

FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Forwarded", "work"]
FEATURES = [(), ("CONDSTORE",), ("QRESYNC",), ("IMAP4rev2",), ("QRESYNC", "IMAP4rev2")]
NO_EXPUNGE = ("FETCH ", "STORE ", "SEARCH ")


flag_set = away.flag_set


class Picks:
    """Choices out of a list of numbers: the program's own randomness, which shrinks."""

    def __init__(self, numbers):
        self.numbers = list(numbers)

    def below(self, n):
        return (self.numbers.pop() if self.numbers else 0) % n

    def one(self, choices):
        return choices[self.below(len(choices))]

    def some(self, choices):
        mask = self.below(1 << len(choices))
        return [c for i, c in enumerate(choices) if mask >> i & 1]

    def chance(self):
        return self.below(2) == 1


class Message:
    def __init__(self, ident, flags, clock):
        self.ident, self.flags, self.changed, self.born = ident, frozenset(flags), clock, clock


class Box:
    def __init__(self, name, uidvalidity, uidnext):
        self.name, self.uidvalidity, self.uidnext = name, uidvalidity, uidnext
        self.messages, self.expunged, self.marks = {}, [], []
        self.recent_to, self.flags_at = {}, {}

    def add(self, ident, flags, clock):
        self.messages[self.uidnext] = Message(ident, flags, clock)
        self.uidnext += 1

    def remove(self, uid, clock):
        self.expunged.append((clock, uid, self.messages.pop(uid).born))

    def set_flags(self, uid, flags, clock):
        message = self.messages[uid]
        if message.flags != flags:
            message.flags, message.changed = frozenset(flags), clock


class Mark:
    """What a client remembers that was here once."""

    def __init__(self, box, modseq, clock):
        self.modseq, self.clock = modseq, clock
        self.cache = {uid: m.flags for uid, m in box.messages.items()}


class Entry:
    def __init__(self):
        self.uid, self.flags, self.modseq = None, None, 0


class Session:
    """A client: what it knows, it knows from answers."""

    def __init__(self, world, features):
        self.world, self.features = world, features
        self.box, self.view, self.command, self.idle = None, [], "", None
        self.vanished_earlier, self.told, self.selections, self.listed = [], {}, 0, set()
        self.read_only, self.heard = False, 0  # the clock when it last was told everything
        self.client = imapwire.Client(world.gate, "alice", "secret", self.hear, features)
        self.condstore = "CONDSTORE" in features or "QRESYNC" in features
        self.qresync, self.rev2 = "QRESYNC" in features, "IMAP4rev2" in features

    # ---- what is told ----

    def hear(self, name, value):
        if name == "OK" and value and value[0] == b"CLOSED":
            self.view = []
        hear = getattr(self, "hear_" + name, None)
        if hear:
            hear(value)

    def hear_EXISTS(self, n):
        assert n >= len(self.view), f"EXISTS {n} where {len(self.view)} are known"
        self.view += [Entry() for _ in range(n - len(self.view))]

    def hear_RECENT(self, _):
        assert not self.rev2, "RECENT in IMAP4rev2"

    def hear_EXPUNGE(self, n):
        assert not self.qresync, "EXPUNGE where QRESYNC is enabled"
        assert not self.command.startswith(NO_EXPUNGE), "EXPUNGE while numbers are in use"
        assert n <= len(self.view)
        del self.view[n - 1]

    def hear_VANISHED(self, value):
        earlier, uids = value
        assert self.qresync
        if earlier:
            self.vanished_earlier += uids
            return
        assert not self.command.startswith(NO_EXPUNGE), "VANISHED while numbers are in use"
        for uid in uids:
            at = [i for i, e in enumerate(self.view) if e.uid == uid]
            at = at or [i for i, e in enumerate(self.view) if e.uid is None]
            assert at, f"VANISHED {uid}, which is not known"
            del self.view[at[0]]

    def hear_FLAGS(self, flags):
        self.listed = {f.decode() for f in flags}

    def hear_FETCH(self, value):
        n, items = value
        assert n <= len(self.view), f"FETCH of {n} where {len(self.view)} are known"
        entry = self.view[n - 1]
        if "UID" in items:
            assert entry.uid in (None, items["UID"]), (entry.uid, items)
            entry.uid = items["UID"]
        if "FLAGS" in items:
            self.hear_flags(entry, items)
        if "MODSEQ" in items:
            assert items["MODSEQ"] >= entry.modseq, (entry.modseq, items)
            entry.modseq = items["MODSEQ"]
        if self.command in ("NOOP", "IDLE"):
            assert "UID" in items or not (self.qresync or self.rev2), "unsolicited, and without its UID"
            assert "MODSEQ" in items or not self.condstore, "unsolicited, and without its MODSEQ"
        self.told.setdefault(entry, {}).update(items)

    def hear_flags(self, entry, items):
        entry.flags = flag_set(items["FLAGS"])
        self.hear_keywords(entry.flags)
        if b"\\Recent" in items["FLAGS"]:
            assert not self.rev2
            me = (id(self.client), self.selections)
            if entry.uid and not self.read_only:
                owner = self.box.recent_to.setdefault(entry.uid, me)
                assert owner == me, f"{entry.uid} is \\Recent to two sessions"
        if "MODSEQ" in items and entry.uid:
            key = entry.uid, items["MODSEQ"]
            assert self.box.flags_at.setdefault(key, entry.flags) == entry.flags, "one MODSEQ, two states"

    def hear_keywords(self, flags):
        assert flags <= self.listed, f"{flags} are not all in FLAGS {self.listed}"

    # ---- what is said ----

    def say(self, command, status="OK"):
        self.command, self.told, self.vanished_earlier = command, {}, []
        done = self.client.say(command)
        self.command, self.heard = "", self.world.clock
        assert status is None or done.status == status, (command, done)
        return done

    def learn(self):
        """As clients do: ask for UID and flags of what EXISTS told."""
        while self.box and (new := [i for i, e in enumerate(self.view, 1) if e.uid is None or e.flags is None]):
            done = self.say(f"FETCH {new[0]}:{new[-1]} (UID FLAGS)", None)
            if done.status != "OK":
                assert done.code == (b"EXPUNGEISSUED", None), done
                self.say("NOOP")

    def is_right(self):
        here = sorted(self.box.messages)
        return len(self.view) == len(here) and all(
            e.uid in (None, uid) and e.flags in (None, self.box.messages[uid].flags)
            for e, uid in zip(self.view, here))

    def check(self):
        """Behind a NOOP nothing may be left untold."""
        self.say("NOOP")
        self.learn()
        if self.box:
            self.say("NOOP")
            assert [(e.uid, e.flags) for e in self.view] == \
                [(uid, m.flags) for uid, m in sorted(self.box.messages.items())]

    def stop_idling(self):
        if self.idle:
            self.client.send(b"DONE\r\n")
            done = self.client.finish(self.idle)
            self.idle, self.command = None, ""
            assert done.status == "OK"
        self.learn()

    def await_news(self):
        """An idle session is told at once: what it knows becomes right without its asking."""
        while not self.is_right():
            self.client.read()

    def leave(self):
        self.box, self.view = None, []

    # ---- sets of messages ----

    def choose(self, picks, by_uid):
        """A set as text, and the entries that it names."""
        if not self.view:
            return "1:*", []
        parts, named = [], set()
        for _ in range(1 + picks.below(3)):
            a, b = picks.below(len(self.view)), picks.below(len(self.view))
            if picks.chance():
                b = a
            text = [str(self.view[i].uid if by_uid else i + 1) for i in (a, b)]
            if picks.below(5) == 0:
                b, text[1] = len(self.view) - 1, "*"
            parts.append(text[0] if a == b and text[1] != "*" else ":".join(text))
            named |= set(range(min(a, b), max(a, b) + 1))
        return ",".join(parts), [self.view[i] for i in sorted(named)]


class World:
    def __init__(self, gate, run):
        self.gate, self.clock, self.idents, self.pop = gate, 0, 0, None
        self.watcher = imapwire.Client(gate, "alice", "secret")
        self.watcher.ok("SELECT INBOX")
        self.watcher.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        self.watcher.ok("CLOSE")
        names = ["INBOX", f"run{run}a", f"run{run}b"]
        for name in names[1:]:
            self.watcher.ok(f"CREATE {name}")
        self.boxes = [self.look(name) for name in names]
        self.often = self.boxes[:1] * 3 + self.boxes  # sessions should meet
        self.sessions = []

    def look(self, name):
        _, items = self.watcher.ok(f"STATUS {name} (UIDVALIDITY UIDNEXT MESSAGES)").one("STATUS")
        assert items[b"MESSAGES"] == 0
        return Box(name, items[b"UIDVALIDITY"], items[b"UIDNEXT"])

    def close(self):
        for session in self.sessions:
            session.client.close()
        self.watcher.close()
        if self.pop:
            self.pop.close()

    def ident(self):
        self.idents += 1
        return f"id{self.idents}"

    def mail(self, ident):
        return f"X-Id: {ident}\r\nSubject: {ident}\r\n\r\ntext\r\n".encode()

    def step(self, kind, who, numbers):
        self.clock += 1
        session = self.sessions[who % len(self.sessions)]
        if session.idle and kind not in ("deliver", "pop", "mark"):
            session.stop_idling()
        getattr(self, "do_" + kind)(session, Picks(numbers))
        for other in self.sessions:
            if other.idle:
                other.await_news()

    # ---- what comes from elsewhere ----

    def do_deliver(self, _, picks):
        ident = self.ident()
        self.gate.deliver("alice", self.mail(ident))
        self.boxes[0].add(ident, (), self.clock)

    def do_pop(self, _, picks):
        """A POP3 session deletes some; those that are gone by then are no matter."""
        pop, inbox = self.gate.pop("alice", "secret"), self.boxes[0]
        uids = sorted(inbox.messages)
        assert pop.stat()[0] == len(uids)
        doomed = picks.some(uids[:8])
        for i, uid in enumerate(uids, 1):
            if uid in doomed:
                pop.dele(i)
        if picks.below(4) == 0:
            pop.close()
            return
        pop.quit()
        for uid in doomed:
            inbox.remove(uid, self.clock)

    def do_mark(self, session, picks):
        box = picks.one(self.often)
        _, items = self.watcher.ok(f"STATUS {box.name} (HIGHESTMODSEQ UIDNEXT MESSAGES UNSEEN DELETED)").one("STATUS")
        flags = [m.flags for m in box.messages.values()]
        assert items[b"UIDNEXT"] == box.uidnext and items[b"MESSAGES"] == len(flags)
        assert items[b"UNSEEN"] == sum("\\Seen" not in f for f in flags)
        assert items[b"DELETED"] == sum("\\Deleted" in f for f in flags)
        if box.marks:
            assert items[b"HIGHESTMODSEQ"] >= box.marks[-1].modseq
        box.marks.append(Mark(box, items[b"HIGHESTMODSEQ"], self.clock))

    # ---- sessions ----

    def do_reconnect(self, session, picks):
        session.client.close()
        self.sessions[self.sessions.index(session)] = Session(self, picks.one(FEATURES))

    def do_select(self, session, picks):
        box = picks.one(self.often)
        session.read_only = picks.below(5) == 0
        mark = picks.one(box.marks) if session.qresync and box.marks and picks.chance() else None
        known, extra = None, ""
        if mark:
            extra = f" (QRESYNC ({box.uidvalidity} {mark.modseq}"
            if mark.cache and picks.chance():
                known = picks.some(sorted(mark.cache)[:10]) or [min(mark.cache)]
                extra += " " + ",".join(map(str, known))
            extra += "))"
        elif picks.below(4) == 0:
            extra, session.condstore = " (CONDSTORE)", True
        session.leave()
        session.box, session.selections = box, session.selections + 1
        done = session.say(f"{'EXAMINE' if session.read_only else 'SELECT'} {box.name}{extra}")
        assert done.code == (b"READ-ONLY" if session.read_only else b"READ-WRITE", None)
        codes = done.codes()
        assert done.one("EXISTS") == len(box.messages) == len(session.view)
        assert codes[b"UIDNEXT"] == box.uidnext and codes[b"UIDVALIDITY"] == box.uidvalidity
        unseen = [i for i, (_, m) in enumerate(sorted(box.messages.items()), 1) if "\\Seen" not in m.flags]
        assert codes.get(b"UNSEEN") == (unseen[0] if unseen and not session.rev2 else None)
        if mark:
            self.check_qresync(session, mark, known)
        session.learn()
        session.check()

    def changes(self, box, mark):
        """What changed since, what vanished of what was there, and what came and went."""
        changed = {uid for uid, m in box.messages.items() if m.changed > mark.clock}
        gone = {uid for clock, uid, born in box.expunged if clock > mark.clock and born <= mark.clock}
        passing = {uid for clock, uid, born in box.expunged if clock > mark.clock and born > mark.clock}
        return changed, gone, passing

    def check_qresync(self, session, mark, known):
        changed, gone, passing = self.changes(session.box, mark)
        known = set(known) if known else set(range(1, session.box.uidnext))
        told = {items["UID"] for items in session.told.values()}
        vanished = set(session.vanished_earlier)
        assert told == changed & known, (told, changed, known)
        cache = {uid: flags for uid, flags in mark.cache.items() if uid not in vanished}
        cache.update((items["UID"], flag_set(items["FLAGS"])) for items in session.told.values())
        assert all(cache[uid] == m.flags for uid, m in session.box.messages.items() if uid in known)
        assert gone & known <= vanished <= (gone | passing) & known, (vanished, gone, passing)

    def do_leave(self, session, picks):
        if not session.box:
            return
        box, how = session.box, picks.one(["UNSELECT", "CLOSE"])
        session.leave()
        session.say(how)
        if how == "CLOSE" and not session.read_only:
            self.expunge(box, [uid for uid, m in box.messages.items() if "\\Deleted" in m.flags])

    def do_noop(self, session, picks):
        session.check()

    def do_idle(self, session, picks):
        if session.box:
            self.start_idling(session)

    def start_idling(self, session):
        session.command = "IDLE"
        session.idle = session.client.begin("IDLE")
        while session.client.read()[0] != "+":
            pass

    # ---- messages ----

    def expunge(self, box, uids):
        for uid in uids:
            box.remove(uid, self.clock)

    def do_append(self, session, picks):
        box, flags = picks.one(self.often), picks.some(FLAGS)
        idents = [self.ident() for _ in range(1 + picks.below(2))]
        literals = [b" (%s) {%d+}\r\n%s" % (" ".join(flags).encode(), len(self.mail(i)), self.mail(i)) for i in idents]
        session.command = "APPEND"
        done = session.client.ok(f"APPEND {box.name}".encode() + b"".join(literals))
        assert done.code == (b"APPENDUID",
                             (box.uidvalidity, list(range(box.uidnext, box.uidnext + len(idents))))), done
        for ident in idents:
            box.add(ident, flags, self.clock)
        session.command = ""
        session.learn()

    def do_store(self, session, picks):
        if not session.box or session.read_only:
            return
        box, by_uid, silent = session.box, picks.chance(), picks.chance()
        named, entries = session.choose(picks, by_uid)
        how, flags = picks.one(["+", "-", ""]), picks.some(FLAGS)
        mark = picks.one(box.marks) if box.marks and picks.below(4) == 0 else None
        unless = f" (UNCHANGEDSINCE {mark.modseq})" if mark else ""
        session.condstore |= bool(mark)
        numbers = {e.uid: i for i, e in enumerate(session.view, 1)}
        done = session.say(f"{'UID ' if by_uid else ''}STORE {named}{unless} {how}FLAGS{'.SILENT' if silent else ''} "
                           f"({' '.join(flags)})")
        failed = []
        for entry in entries:
            message = box.messages.get(entry.uid)
            if not message:
                continue
            if mark and message.changed > mark.clock:
                failed.append(entry.uid)
                continue
            after = {"+": message.flags | set(flags), "-": message.flags - set(flags), "": set(flags)}[how]
            box.set_flags(entry.uid, frozenset(after), self.clock)
            told = session.told.get(entry, {})
            if silent and "FLAGS" not in told and entry.flags is not None:
                entry.flags = frozenset({"+": entry.flags | set(flags), "-": entry.flags - set(flags),
                                         "": set(flags)}[how])
            elif not silent:
                assert flag_set(told["FLAGS"]) == after
            if session.condstore and not silent:
                assert "MODSEQ" in told
        modified = done.code[1] if done.code and done.code[0] == b"MODIFIED" else []
        assert modified == [uid if by_uid else numbers[uid] for uid in failed], (done, failed)
        session.learn()

    def do_expunge(self, session, picks):
        if not session.box or session.read_only:
            return
        box, doomed = session.box, None
        if picks.chance():
            named, entries = session.choose(picks, True)
            doomed = {e.uid for e in entries}
        session.say(f"UID EXPUNGE {named}" if doomed is not None else "EXPUNGE")
        self.expunge(box, [uid for uid, m in box.messages.items()
                           if "\\Deleted" in m.flags and (doomed is None or uid in doomed)])
        session.learn()
        assert [e.uid for e in session.view] == sorted(box.messages)

    def do_copy(self, session, picks):
        move = picks.chance()
        if not session.box or (move and session.read_only):
            return
        box, target, by_uid = session.box, picks.one(self.boxes), picks.chance()
        named, entries = session.choose(picks, by_uid)
        uids = [e.uid for e in entries if e.uid in box.messages]
        done = session.say(f"{'UID ' if by_uid else ''}{'MOVE' if move else 'COPY'} {named} {target.name}")
        code = done.codes().get(b"COPYUID") if move else done.code and done.code[1]
        first = target.uidnext
        assert code == ((target.uidvalidity, uids, list(range(first, first + len(uids)))) if uids else None), done
        for uid in uids:
            message = box.messages[uid]
            target.add(message.ident, message.flags, self.clock)
            if move:
                box.remove(uid, self.clock)
        session.learn()

    def do_fetch(self, session, picks):
        if not session.box:
            return
        box, by_uid = session.box, picks.chance()
        named, entries = session.choose(picks, by_uid)
        done = session.say(f"{'UID ' if by_uid else ''}FETCH {named} (UID FLAGS RFC822.SIZE "
                           f"BODY.PEEK[HEADER.FIELDS (X-Id)])", None)
        there = [e.uid for e in entries if e.uid in box.messages]
        if by_uid or len(there) == len(entries):
            assert done.status == "OK"
        else:
            assert (done.status, done.code) == ("NO", (b"EXPUNGEISSUED", None)), done
        got = {items["UID"]: items for _, items in done.all("FETCH") if "RFC822.SIZE" in items}
        assert sorted(got) == there, (got, there)
        for uid, items in got.items():
            message = box.messages[uid]
            assert flag_set(items["FLAGS"]) == message.flags
            assert items["BODY[HEADER.FIELDS (X-Id)]"] == f"X-Id: {message.ident}\r\n\r\n".encode()
        session.learn()

    def do_changed(self, session, picks):
        """FETCH CHANGEDSINCE, with VANISHED where it may be asked for."""
        if not session.box or not session.box.marks:
            return
        box, mark, by_uid = session.box, picks.one(session.box.marks), picks.chance()
        vanished = session.qresync and by_uid and picks.chance()
        named, entries = session.choose(picks, by_uid)
        everything = picks.chance()
        if everything:
            named, entries = "1:*", list(session.view)
        session.condstore = True
        before = {e.uid for e in session.view}
        news = {uid for uid, m in box.messages.items() if m.changed > session.heard}
        done = session.say(f"{'UID ' if by_uid else ''}FETCH {named} (FLAGS UID) (CHANGEDSINCE {mark.modseq}"
                           f"{' VANISHED' if vanished else ''})", None)
        changed, gone, passing = self.changes(box, mark)
        got = {items["UID"] for _, items in done.all("FETCH") if {"UID", "MODSEQ"} <= set(items)}
        named_uids = {e.uid for e in entries}
        assert changed & named_uids <= got, (changed, named_uids, done)
        assert got <= (changed & named_uids) | news, (got, changed, news)
        if vanished:
            told = set(session.vanished_earlier)
            now = before - {e.uid for e in session.view}
            assert told <= gone | passing, (told, gone)
            if everything:
                assert gone <= told | now, (gone, told, now)
        session.learn()

    def do_search(self, session, picks):
        if not session.box:
            return
        box, by_uid = session.box, picks.chance()
        text, test = self.criterion(session, picks, 2)
        options = picks.some(["MIN", "MAX", "ALL", "COUNT"])
        extended = bool(options) or session.rev2
        want = f"RETURN ({' '.join(options)}) " if options else ""
        names = {e.uid if by_uid else i: e for i, e in enumerate(session.view, 1)}
        gone = any(e.uid not in box.messages for e in session.view)
        done = session.say(f"{'UID ' if by_uid else ''}SEARCH {want}{text}")
        hits = [n for n, e in names.items() if e.uid in box.messages and test(n, e)]
        if extended:
            got = done.one("ESEARCH")
            assert got["UID"] == by_uid and not done.all("SEARCH")
            if "ALL" in options or not options:
                assert [n for n in got.get("ALL", []) if names[n].uid in box.messages] == hits
            if not gone:
                assert got.get("COUNT") == (len(hits) if "COUNT" in options else None)
                assert got.get("MIN") == (hits[0] if hits and "MIN" in options else None)
                assert got.get("MAX") == (hits[-1] if hits and "MAX" in options else None)
        else:
            assert [n for n in done.one("SEARCH")[0] if names[n].uid in box.messages] == hits, (text, done, hits)
        session.learn()

    def criterion(self, session, picks, depth):
        """A search key, and whether (number, entry) meets it."""
        box = session.box

        def flags_of(entry):
            return box.messages[entry.uid].flags

        kind = picks.below(8 if depth else 6)
        if kind == 0:
            return "ALL", lambda n, e: True
        if kind == 1:
            flag = picks.one(FLAGS[:5])
            return flag[1:].upper(), lambda n, e: flag in flags_of(e)
        if kind == 2:
            flag = picks.one(FLAGS[:5])
            return "UN" + flag[1:].upper(), lambda n, e: flag not in flags_of(e)
        if kind == 3:
            flag = picks.one(FLAGS[5:])
            return "KEYWORD " + flag, lambda n, e: flag in flags_of(e)
        if kind == 4:
            named, entries = session.choose(picks, True)
            return "UID " + named, lambda n, e: e in entries
        if kind == 5:
            named, entries = session.choose(picks, False)
            return named, lambda n, e: e in entries
        left, test_left = self.criterion(session, picks, depth - 1)
        if kind == 6:
            return f"NOT ({left})", lambda n, e: not test_left(n, e)
        right, test_right = self.criterion(session, picks, depth - 1)
        if picks.chance():
            return f"OR ({left}) {right}", lambda n, e: test_left(n, e) or test_right(n, e)
        return f"({left} {right})", lambda n, e: test_left(n, e) and test_right(n, e)


KINDS = ["deliver", "append", "append", "pop", "mark", "mark", "reconnect", "select", "select", "leave", "noop",
         "noop", "idle", "store", "store", "store", "store", "store", "expunge", "copy", "copy", "fetch", "changed",
         "changed", "search"]
STEP = st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.binary(min_size=CHOICES, max_size=CHOICES))
PROGRAM = st.tuples(st.lists(st.sampled_from(FEATURES), min_size=3, max_size=3),
                    st.lists(STEP, min_size=STEPS // 2, max_size=STEPS))


def play(gate, run, features, steps):
    world = World(gate, run)
    try:
        world.sessions += [Session(world, f) for f in features]
        for i, session in enumerate(world.sessions):
            world.do_select(session, Picks([0, 1, 1, i // 2 * 3]))
        for step in steps:
            world.step(*step)
        for session in world.sessions:
            session.stop_idling()
            session.check()
    except Exception:
        for session in world.sessions:
            print(f"---- {session.features}")
            for line in session.client.transcript[-25:]:
                print(line.decode("latin-1").rstrip())
        raise
    finally:
        world.close()


def test_sessions_beside_a_model(gate):
    print(f"GATEPOST_SEED={SEED}")
    runs = iter(range(1 << 30))

    @hypothesis.seed(SEED)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, print_blob=True,
              suppress_health_check=list(HealthCheck))
    @given(PROGRAM)
    def sessions(program):
        play(gate, next(runs), *program)

    sessions()


# ---- all at once ----


class Racer(Session):
    """A session on a thread of its own, beside others in the same mailbox; what it knows must come right."""

    def hear_keywords(self, flags):
        """One that came just now may be seen before it is listed."""

    def run(self, rng, steps):
        try:
            for _ in range(steps):
                self.step(rng)
        except Exception as e:
            self.failure = e

    def step(self, rng):
        picks = Picks(rng.randrange(256) for _ in range(CHOICES))
        by_uid = picks.chance()
        uid = "UID " if by_uid else ""
        named, entries = self.choose(picks, by_uid)
        kind = rng.choice(["append", "append", "store", "store", "silent", "silent", "expunge", "copy", "move", "noop",
                           "fetch", "idle"])
        if kind == "append":
            self.command = "APPEND"
            self.client.append(self.box.name, self.world.mail(f"r{rng.randrange(1 << 30)}"))
            self.command = ""
        elif kind in ("store", "silent"):
            self.store(picks, uid + "STORE " + named, entries, kind == "silent")
        elif kind == "expunge":
            self.say("EXPUNGE")
        elif kind in ("copy", "move"):
            self.say(f"{uid}{kind.upper()} {named} {self.box.name}")
        elif kind == "fetch":
            self.say(f"{uid}FETCH {named} (UID FLAGS RFC822.SIZE)", None)
        elif kind == "idle":
            self.world.start_idling(self)
            self.stop_idling()
        else:
            self.say("NOOP")
        self.learn()

    def store(self, picks, command, entries, silent):
        how, flags = picks.one("+-"), set(picks.some(FLAGS))
        self.say(f"{command} {how}FLAGS{'.SILENT' if silent else ''} ({' '.join(flags)})")
        for entry in entries if silent else []:
            if entry.flags is not None and "FLAGS" not in self.told.get(entry, {}):
                entry.flags = entry.flags | flags if how == "+" else entry.flags - flags


class Arena:
    """What sessions share; see World."""

    clock = 0
    mail, start_idling = World.mail, World.start_idling

    def __init__(self, gate):
        self.gate = gate


def race(gate, run, seed):
    rng, arena = random.Random(seed), Arena(gate)
    maker = imapwire.Client(gate, "alice", "secret")
    maker.ok(f"CREATE race{run}")
    box = Box(f"race{run}", 0, 1)
    racers = [Racer(arena, rng.choice(FEATURES)) for _ in range(4)]
    for racer in racers:
        racer.box, racer.failure = box, None
        racer.say(f"SELECT {box.name}")
    threads = [threading.Thread(target=racer.run, args=(random.Random(rng.random()), STEPS // 2)) for racer in racers]
    visitors = [away.Away(gate, box.name), away.Away(gate, box.name)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for visitor in visitors:  # what changes under their hands is told the next time
            visitor.come(name_known=rng.random() < 0.5)
            visitor.go()
    for thread in threads:
        thread.join()
    try:
        settle(maker, box, racers)
        for visitor in visitors:
            visitor.visit(rng.random() < 0.5, f"seed {seed}")
    except AssertionError:
        print(f"GATEPOST_SEED={seed}")
        for racer in racers:
            print(f"---- {racer.features}")
            for line in racer.client.transcript[-40:]:
                print(line.decode("latin-1").rstrip())
        raise
    for client in [maker, *(racer.client for racer in racers), *visitors]:
        client.close()


def settle(maker, box, racers):
    """When all is quiet, each knows what a session knows that was not there before."""
    for racer in racers:
        if racer.failure:
            raise racer.failure
    maker.ok(f"EXAMINE {box.name}")
    truth = [(items["UID"], flag_set(items["FLAGS"])) for _, items in maker.ok("FETCH 1:* (UID FLAGS)").all("FETCH")]
    for racer in racers:
        racer.say("NOOP")
        racer.learn()
        racer.say("NOOP")
        assert [(e.uid, e.flags) for e in racer.view] == truth, racer.features
        assert all(flags <= racer.listed for _, flags in truth)


def test_sessions_all_at_once(gate):
    print(f"GATEPOST_SEED={SEED}")
    for run in range(max(1, EXAMPLES // 8)):
        race(gate, run, SEED + run)
