#!/usr/bin/env python3
"""The daemon under kill -9, again and again, while it is worked hard through every door.

Clients append, flag, move and expunge over IMAP, deliver over LMTP, delete over POP3 and change
passwords on the command line, each keeping book of what was acknowledged. The daemon is killed at a
random instant. Then the store must verify clean before anything could have mended it, the daemon must
start, and what the books say must be there: every acknowledged message byte for byte, once, with the
flags that were acknowledged; what was deleted stays deleted; UIDs, UIDNEXT and mod-sequences only grow.
What was under way at the instant may have happened or not, but not half.

    GATEPOST_CRASH_ROUNDS=200 GATEPOST_CRASH_SEED=7 tests/crash/kill_daemon.py

The seed is printed: it fixes what the clients do and when the daemon is killed, as far as the
scheduling of threads allows.
"""
import hashlib
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import gate as gates  # noqa: E402

KEEP = 40  # messages in a folder before clients rather delete than add
SECRET = "secret"


class Lost(Exception):
    """The connection ended: the daemon was killed."""


def check(condition, what):
    if not condition:
        raise AssertionError(what)


# ---- messages ----

class Messages:
    """Makes messages that no other one equals."""

    def __init__(self, seed):
        self.seed, self.lock, self.made = seed, threading.Lock(), 0

    def new(self, rng):
        with self.lock:
            self.made += 1
            number = self.made
        size = rng.choice((0, 40, 900, 5_000, 70_000, 300_000))
        body = rng.randbytes(size * 3 // 4).hex()[:size]
        lines = "\r\n".join(body[i:i + 72] for i in range(0, len(body), 72))
        key = f"{self.seed}-{number}"
        text = f"From: crash@example.net\r\nSubject: {key}\r\nX-Key: {key}\r\n\r\n{lines}\r\n"
        return key, text.encode()


def key_of(message):
    found = re.search(rb"\r\nX-Key: (\S+)\r\n", message)
    check(found, f"a message of nobody's: {message[:200]!r}")
    return found[1].decode()


def digest(message):
    return hashlib.sha256(message).digest()


# ---- an IMAP client that knows what it read ----

class Imap:
    def __init__(self, g, user, secret=SECRET):
        self.tag = 0
        try:
            self.raw = gates.Raw(g, "imap")
        except OSError as e:
            raise Lost from e
        if not self.raw.line():
            raise Lost
        self.must(f"LOGIN {user} {secret}")
        self.must("ENABLE CONDSTORE")

    def command(self, command):
        """(status, tagged line, untagged bytes)"""
        self.tag += 1
        tag = f"t{self.tag}"
        try:
            self.raw.send(tag.encode() + b" " + command + b"\r\n")
            before = []
            while True:
                line = self.raw.file.readline()
                if not line.endswith(b"\n"):
                    raise Lost
                before.append(line)
                literal = re.search(rb"\{(\d+)\}\r\n$", line)
                if literal:
                    data = self.raw.file.read(int(literal[1]))
                    if len(data) < int(literal[1]):
                        raise Lost
                    before.append(data)
                elif line.startswith(tag.encode() + b" "):
                    return line.split()[1].decode(), line.decode().strip(), b"".join(before[:-1])
        except OSError as e:
            raise Lost from e

    def must(self, command):
        command = command.encode() if isinstance(command, str) else command
        status, line, before = self.command(command)
        if "[UNAVAILABLE]" in line:  # being shut off
            raise Lost
        check(status == "OK", f"{command[:80]!r}: {line}")
        return line, before

    def fetch_all(self):
        """{uid: (bytes, flags, modseq)} of the selected folder"""
        _, out = self.must("UID FETCH 1:* (FLAGS MODSEQ BODY.PEEK[])")
        found, at = {}, 0
        for_head = re.compile(rb"\* \d+ FETCH \((.*?)BODY\[\] (?:\{(\d+)\}\r\n|\"\")", re.S)
        while head := for_head.search(out, at):
            size = int(head[2] or 0)
            body = out[head.end():head.end() + size]
            tail = out[head.end() + size:out.index(b"\r\n", head.end() + size)]
            items = head[1] + tail
            uid = int(re.search(rb"UID (\d+)", items)[1])
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", items)[1].decode().split())
            modseq = int(re.search(rb"MODSEQ \((\d+)\)", items)[1])
            check(uid not in found, f"UID {uid} twice in one answer")
            found[uid] = (body, flags - {"\\Recent"}, modseq)
            at = head.end() + size
        return found

    def close(self):
        self.raw.close()


def uid_set(text):
    uids = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        uids += range(int(first), int(last or first) + 1)
    return uids


# ---- books ----

class Folder:
    """What was acknowledged of one IMAP folder that one client alone changes."""

    def __init__(self, name):
        self.name = name
        self.here = {}  # uid: [key, digest, flags]
        self.gone = set()
        self.top = 0  # highest UID ever seen
        self.modseq = 0
        self.uidvalidity = None

    def add(self, uid, key, message_digest, flags):
        check(uid > self.top, f"{self.name}: UID {uid} after {self.top}")
        self.top = uid
        self.here[uid] = [key, message_digest, set(flags)]

    def remove(self, uid):
        self.gone.add(uid)
        return self.here.pop(uid)


class Pending:
    """The one command whose answer did not come."""

    def __init__(self, kind=None, **what):
        self.kind = kind
        self.__dict__.update(what)


class Client(threading.Thread):
    """One load: works until the connection breaks."""

    def __init__(self, world, name):
        super().__init__(name=name, daemon=True)
        self.world, self.rng = world, random.Random(world.rng.random())
        self.pending, self.failure, self.done = Pending(), None, 0

    def run(self):
        try:
            self.work()
        except Lost:
            pass
        except BaseException as e:  # told by the main thread
            self.failure = e


class ImapLoad(Client):
    """Two folders of its own, all the ways of changing them."""

    FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "blue", "green")

    def __init__(self, world, number):
        super().__init__(world, f"imap{number}")
        self.user = f"u{number // 2}"  # two clients share a mailbox
        self.folders = [Folder(f"A{number}"), Folder(f"B{number}")]

    def again(self):
        """The same books with a thread that has not run."""
        new = ImapLoad.__new__(ImapLoad)
        Client.__init__(new, self.world, self.name)
        new.user, new.folders = self.user, self.folders
        return new

    def work(self):
        imap = Imap(self.world.gate, self.user)
        while True:
            here, there = self.rng.sample(self.folders, 2)
            _, out = imap.must(f"SELECT {here.name}")
            here.modseq = max(here.modseq, int(re.search(rb"HIGHESTMODSEQ (\d+)", out)[1]))
            for _ in range(self.rng.randrange(1, 6)):
                self.step(imap, here, there)
                self.pending = Pending()
                self.done += 1

    def step(self, imap, here, there):
        if len(here.here) < 3:
            return self.append(imap, here)
        if len(here.here) > KEEP:
            return self.expunge(imap, here)
        self.rng.choice((self.append, self.append, self.store, self.store, self.expunge,
                         lambda i, h: self.move(i, h, there)))(imap, here)

    def append(self, imap, folder):
        mails = [self.world.messages.new(self.rng) for _ in range(self.rng.choice((1, 1, 1, 3)))]
        flags = self.rng.sample(self.FLAGS, 2)
        parts = b"".join(f" ({' '.join(flags)}) {{{len(m)}+}}\r\n".encode() + m for _, m in mails)
        self.pending = Pending("append", folder=folder, flags=set(flags),
                               mails={k: digest(m) for k, m in mails})
        line, _ = imap.must(f"APPEND {folder.name}".encode() + parts)
        code = re.search(r"\[APPENDUID (\d+) ([\d:,]+)\]", line)
        check(int(code[1]) == folder.uidvalidity, f"{folder.name}: UIDVALIDITY {code[1]}")
        for uid, (key, mail) in zip(uid_set(code[2]), mails, strict=True):
            folder.add(uid, key, digest(mail), flags)

    def some(self, folder):
        return sorted(self.rng.sample(sorted(folder.here), min(len(folder.here), self.rng.randrange(1, 6))))

    def store(self, imap, folder):
        uids, flags = self.some(folder), set(self.rng.sample(self.FLAGS, 2))
        sign = self.rng.choice("+-")
        new = {u: folder.here[u][2] | flags if sign == "+" else folder.here[u][2] - flags for u in uids}
        self.pending = Pending("store", folder=folder, new=new)
        _, out = imap.must(f"UID STORE {','.join(map(str, uids))} {sign}FLAGS ({' '.join(flags)})")
        for modseq in map(int, re.findall(rb"MODSEQ \((\d+)\)", out)):
            folder.modseq = max(folder.modseq, modseq)
        for uid in uids:
            folder.here[uid][2] = new[uid]

    def expunge(self, imap, folder):
        uids = self.some(folder)
        listed = ",".join(map(str, uids))
        self.pending = Pending("store", folder=folder,
                               new={u: folder.here[u][2] | {"\\Deleted"} for u in uids})
        imap.must(f"UID STORE {listed} +FLAGS.SILENT (\\Deleted)")
        for uid in uids:
            folder.here[uid][2].add("\\Deleted")
        self.pending = Pending("expunge", folder=folder, uids=set(uids))
        imap.must(f"UID EXPUNGE {listed}")
        for uid in uids:
            folder.remove(uid)

    def move(self, imap, folder, to):
        uids = self.some(folder)
        self.pending = Pending("move", folder=folder, to=to, uids=set(uids))
        _, out = imap.must(f"UID MOVE {','.join(map(str, uids))} {to.name}")
        code = re.search(rb"\[COPYUID (\d+) ([\d:,]+) ([\d:,]+)\]", out)
        check(int(code[1]) == to.uidvalidity, f"{to.name}: UIDVALIDITY {code[1]}")
        for old, new in zip(uid_set(code[2].decode()), uid_set(code[3].decode()), strict=True):
            to.add(new, *folder.remove(old))

    # ---- after the crash ----

    def audit(self):
        imap = Imap(self.world.gate, self.user)
        seen = {}
        for folder in self.folders:
            _, out = imap.must(f"SELECT {folder.name}")
            uidvalidity, uidnext, modseq = (
                int(re.search(rf"{k} (\d+)".encode(), out)[1])
                for k in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ"))
            check(folder.uidvalidity in (None, uidvalidity), f"{folder.name}: UIDVALIDITY changed")
            folder.uidvalidity = uidvalidity
            check(uidnext > folder.top, f"{folder.name}: UIDNEXT {uidnext} after UID {folder.top}")
            check(modseq >= folder.modseq,
                  f"{folder.name}: HIGHESTMODSEQ {modseq} after {folder.modseq}")
            seen[folder] = imap.fetch_all()
            check(all(m <= modseq for _, _, m in seen[folder].values()), "a MODSEQ above the highest")
            self.known(folder, seen[folder])
        moved = {f: self.unknown(f, seen[f]) for f in self.folders}
        self.settle(seen, moved)
        imap.close()

    def known(self, folder, seen):
        """What the books have is there, but for what was under way."""
        p = self.pending
        leaving = p.uids if p.kind in ("expunge", "move") and p.folder is folder else set()
        changing = p.new if p.kind == "store" and p.folder is folder else {}
        for uid, (key, want, flags) in folder.here.items():
            if uid not in seen:
                check(uid in leaving, f"{folder.name}: message {key}, UID {uid}, is lost")
                continue
            body, got_flags, _ = seen[uid]
            check(digest(body) == want, f"{folder.name}: UID {uid} has other bytes than {key}")
            check(got_flags in (flags, changing.get(uid, flags)),
                  f"{folder.name}: UID {uid} has flags {got_flags}, not {flags}")

    def unknown(self, folder, seen):
        """{uid: key} of what the books do not have: only what was under way may be there."""
        p, found = self.pending, {}
        for uid in sorted(set(seen) - set(folder.here)):
            check(uid not in folder.gone, f"{folder.name}: UID {uid} is back from the dead")
            check(uid > folder.top, f"{folder.name}: UID {uid} is new and not above {folder.top}")
            key = key_of(seen[uid][0])
            coming = (p.mails if p.kind == "append" and p.folder is folder else
                      {p.folder.here[u][0]: p.folder.here[u][1] for u in p.uids}
                      if p.kind == "move" and p.to is folder else {})
            check(coming.get(key) == digest(seen[uid][0]), f"{folder.name}: {key} is nobody's")
            check(key not in found.values(), f"{folder.name}: {key} is there twice")
            found[uid] = key
        if p.kind == "append" and p.folder is folder:  # RFC 3502: all or none
            check(len(found) in (0, len(p.mails)), f"{folder.name}: half a MULTIAPPEND")
        return found

    def settle(self, seen, moved):
        """The books take over how the command under way ended."""
        p = self.pending
        if p.kind == "move":
            left = {p.folder.here[u][0] for u in p.uids if u not in seen[p.folder]}
            check(left == set(moved[p.to].values()),
                  f"MOVE from {p.folder.name} to {p.to.name}: left {left}, came {moved[p.to]}")
        for folder in self.folders:
            for uid in set(folder.here) - set(seen[folder]):
                folder.remove(uid)
            for uid, (body, flags, modseq) in sorted(seen[folder].items()):
                folder.modseq = max(folder.modseq, modseq)
                if uid in folder.here:
                    folder.here[uid][2] = flags
                else:
                    folder.add(uid, key_of(body), digest(body), flags)
        self.pending = Pending()


class LmtpLoad(Client):
    """Delivers to two users at a time; several of these share the users."""

    USERS = ("l0", "l1")

    def work(self):
        while True:
            try:
                with gates.Raw(self.world.gate, "lmtp") as lmtp:
                    self.must(lmtp.line(), b"220")
                    lmtp.send("LHLO crash.example.net\r\n")
                    while (line := lmtp.line()).startswith(b"250-"):
                        pass
                    self.must(line, b"250 ")
                    for _ in range(20):
                        self.deliver(lmtp)
                        self.done += 1
            except OSError as e:
                raise Lost from e

    def must(self, line, start):
        if not line:
            raise Lost
        check(line.startswith(start), f"LMTP: {line!r}")

    def deliver(self, lmtp):
        key, mail = self.world.messages.new(self.rng)
        book = self.world.deliveries
        book.sent[key] = mail
        lmtp.send("MAIL FROM:<a@example.net>\r\n" + "".join(f"RCPT TO:<{u}@example.org>\r\n"
                                                           for u in self.USERS) + "DATA\r\n")
        for start in (b"250", b"250", b"250", b"354"):
            self.must(lmtp.line(), start)
        lmtp.send(mail + b".\r\n")
        for user in self.USERS:
            self.must(lmtp.line(), b"250")
            book.acknowledged[user].add(key)


class Deliveries:
    """What LMTP acknowledged, for each user; emptied by the audit, so that it stays small."""

    def __init__(self, gate):
        self.gate, self.sent = gate, {}
        self.acknowledged = {u: set() for u in LmtpLoad.USERS}
        self.gone = {u: set() for u in LmtpLoad.USERS}
        self.top = {u: 0 for u in LmtpLoad.USERS}

    def audit(self, rng):
        for user in LmtpLoad.USERS:
            imap = Imap(self.gate, user)
            imap.must("SELECT INBOX")
            seen, keys = imap.fetch_all(), []
            for uid, (body, _, _) in seen.items():
                key = key_of(body)
                check(key in self.sent and body.endswith(b"\r\n" + self.sent[key]),
                      f"{user}: the bytes of {key} are others")
                check(key not in self.gone[user], f"{user}: {key} is back from the dead")
                keys.append(key)
            check(len(keys) == len(set(keys)), f"{user}: delivered twice: {sorted(keys)}")
            lost = self.acknowledged[user] - set(keys)
            check(not lost, f"{user}: acknowledged and lost: {lost}")
            check(max(seen, default=0) >= self.top[user] or not seen, f"{user}: UIDs went back")
            self.top[user] = max(self.top[user], max(seen, default=0))
            self.acknowledged[user] = set(keys)
            if rng.random() < 0.5 and seen:
                imap.must("UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
                imap.must("EXPUNGE")
                self.gone[user] |= set(keys)
                self.acknowledged[user] = set()
            imap.close()


class PopLoad(Client):
    """Delivers to itself, and deletes by POP3."""

    def __init__(self, world, user):
        super().__init__(world, user)
        self.user = user
        self.here, self.gone = {}, set()  # key: message; keys that were deleted for good
        self.coming, self.leaving = {}, set()

    def again(self):
        new = PopLoad(self.world, self.user)
        new.here, new.gone = self.here, self.gone
        return new

    def pop(self):
        pop = gates.Raw(self.world.gate, "pop3")
        self.must(pop.line())
        self.must(pop.cmd(f"USER {self.user}"))
        self.must(pop.cmd(f"PASS {SECRET}"))
        return pop

    def must(self, line):
        if not line or line.startswith(b"-ERR [SYS/TEMP]"):
            raise Lost
        check(line.startswith(b"+OK"), f"POP3: {line!r}")

    def retrieve(self, pop):
        """{number: message}"""
        self.must(pop.cmd("LIST"))
        numbers = [int(line.split()[0]) for line in pop.lines().splitlines()]
        mails = {}
        for n in numbers:
            self.must(pop.cmd(f"RETR {n}"))
            mails[n] = pop.lines()
        return mails

    def work(self):
        try:
            while True:
                self.fill()
                with self.pop() as pop:
                    self.delete(pop)
                self.done += 1
        except (OSError, AssertionError) as e:
            if isinstance(e, AssertionError) and "the connection ended" not in str(e):
                raise
            raise Lost from e

    def fill(self):
        for _ in range(3):
            key, mail = self.world.messages.new(self.rng)
            self.coming = {key: mail}
            imap = Imap(self.world.gate, self.user)
            imap.must(b"APPEND INBOX {%d+}\r\n" % len(mail) + mail)
            imap.close()
            self.here[key], self.coming = mail, {}

    def delete(self, pop):
        mails = self.retrieve(pop)
        check({key_of(m) for m in mails.values()} == set(self.here), f"{self.user}: POP3 shows others")
        doomed = self.rng.sample(sorted(mails), len(mails) // 2)
        for n in doomed:
            self.must(pop.cmd(f"DELE {n}"))
        self.leaving = {key_of(mails[n]) for n in doomed}
        self.must(pop.cmd("QUIT"))
        for key in self.leaving:
            del self.here[key]
        self.gone |= self.leaving
        self.leaving = set()

    def audit(self):
        with self.pop() as pop:
            mails = list(self.retrieve(pop).values())
        seen = {key_of(m): m for m in mails}
        check(len(seen) == len(mails), f"{self.user}: a message twice")
        check(not set(seen) & self.gone, f"{self.user}: back from the dead")
        lost = set(self.here) - set(seen) - self.leaving
        check(not lost, f"{self.user}: acknowledged and lost: {lost}")
        check(set(self.here) - set(seen) in (set(), self.leaving), f"{self.user}: half a QUIT")
        extra = set(seen) - set(self.here)
        check(extra <= set(self.coming), f"{self.user}: nobody's: {extra}")
        for key, mail in seen.items():
            check(mail == (self.here.get(key) or self.coming[key]), f"{key}: other bytes")
        self.gone |= set(self.here) - set(seen)
        self.here = seen
        self.coming, self.leaving = {}, set()


class PasswordLoad(Client):
    """`gatepost user passwd`, a process beside the daemon; at times it is killed as well."""

    USER = "w"

    def __init__(self, world):
        super().__init__(world, "passwd")
        self.now, self.next, self.process = SECRET, None, None
        self.stopping = False

    def again(self):
        new = PasswordLoad(self.world)
        new.now = self.now
        return new

    def work(self):
        n = 0
        while not self.stopping:
            n += 1
            self.next = f"secret-{self.rng.randrange(10**9)}-{n}"
            self.process = subprocess.Popen(
                [gates.BINARY, "user", "passwd", self.USER, "--password-stdin", "-c",
                 str(self.world.gate.config)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            _, err = self.process.communicate(self.next + "\n")
            if self.process.returncode < 0:
                return
            check(self.process.returncode == 0, f"user passwd: {err}")
            self.now, self.next = self.next, None
            self.done += 1

    def end(self, kill):
        self.stopping = True
        if kill and self.process:
            self.process.kill()

    def audit(self):
        good = [s for s in (self.now, self.next) if s and self.opens(s)]
        check(len(good) == 1, f"of the secrets {self.now}, {self.next} these open: {good}")
        self.now, self.next = good[0], None

    def opens(self, secret):
        raw = gates.Raw(self.world.gate, "imap")
        raw.line()
        status, line, _ = raw.imap(f"LOGIN {self.USER} {secret}")
        raw.close()
        check(status == "OK" or "[AUTHENTICATIONFAILED]" in line.decode(), line)
        return status == "OK"


# ---- rounds ----

class World:
    def __init__(self, directory, seed):
        self.rng = random.Random(seed)
        self.messages = Messages(seed)
        self.gate = gates.Gate(directory)
        for user in ("u0", "u1", "l0", "l1", "p0", "p1"):
            self.gate.add_user(user, SECRET)
        self.gate.add_user(PasswordLoad.USER, SECRET)
        self.deliveries = Deliveries(self.gate)
        self.imap = [ImapLoad(self, i) for i in range(4)]
        self.pop = [PopLoad(self, f"p{i}") for i in range(2)]
        self.passwd = PasswordLoad(self)
        self.starts = []
        self.work_done = 0
        self.pendings = {}

    def prepare(self):
        self.gate.start()
        for load in self.imap:
            imap = Imap(self.gate, load.user)
            for folder in load.folders:
                imap.must(f"CREATE {folder.name}")
            imap.close()
            load.audit()

    def round(self):
        """Load, kill, verify, start, audit."""
        self.imap = [load.again() for load in self.imap]
        self.pop = [load.again() for load in self.pop]
        self.passwd = self.passwd.again()
        loads = [*self.imap, *self.pop, self.passwd, *(LmtpLoad(self, f"lmtp{i}") for i in range(3))]
        for load in loads:
            load.start()
        time.sleep(self.rng.expovariate(1 / 0.5) + 0.02)  # the random instant itself
        self.gate.process.kill()
        self.gate.process.wait()
        self.passwd.end(kill=self.rng.random() < 0.3)
        for load in loads:
            load.join(gates.DEADLINE)
            check(not load.is_alive(), f"{load.name} hangs")
            if load.failure:
                raise load.failure
            self.work_done += load.done
        for load in self.imap:
            kind = load.pending.kind
            self.pendings[kind] = self.pendings.get(kind, 0) + 1
        self.gate.verify()
        began = time.monotonic()
        self.gate.start()
        self.starts.append(time.monotonic() - began)
        for load in (*self.imap, *self.pop, self.passwd):
            load.audit()
        self.deliveries.audit(self.rng)


def main():
    rounds = int(os.environ.get("GATEPOST_CRASH_ROUNDS", "15"))
    seed = int(os.environ.get("GATEPOST_CRASH_SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {seed}, {rounds} kills of {gates.BINARY}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gatepost-crash-") as directory:
        world = World(directory, seed)
        try:
            world.prepare()
            for n in range(rounds):
                world.round()
                if (n + 1) % 10 == 0:
                    print(f"{n + 1} kills, {world.work_done} commands acknowledged", flush=True)
            status = world.gate.stop()
            check(status == 0, f"the daemon ended with {status}")
            world.gate.verify()
        except BaseException:
            if world.gate.process:
                world.gate.process.kill()
                world.gate.process.wait()
            print(f"seed {seed}; the end of the log:\n{world.gate.log_text()[-3000:]}")
            raise
    print(f"{rounds} kills, {world.work_done} commands acknowledged, nothing lost; IMAP commands cut off: "
          f"{world.pendings}; longest start {max(world.starts):.2f} s")


if __name__ == "__main__":
    main()
