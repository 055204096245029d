"""The IMAP wire, read strictly: a client whose every byte from the server must be what the grammar allows.

    client = imapwire.Client(gate, "alice", "secret")
    done = client.ok("FETCH 1 (FLAGS ENVELOPE)")
    for seq, items in done.fetches(): ...

Written from the ABNF of RFC 9051 9 and of the extensions, apart from the code that it judges. What is not in the
grammar is an error here, also where clients would take it.
"""
import re
import socket

DEADLINE = 60

ATOM = re.compile(rb'[!#$&\'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+')  # ATOM-CHAR: without ] ( ) { SP % * " \
ASTRING = re.compile(rb'[!#$&\'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+')
NUMBER = re.compile(rb'(?:0|[1-9][0-9]*)(?![0-9])')
NZ_NUMBER = re.compile(rb'[1-9][0-9]*')
QUOTED = re.compile(rb'"((?:[^\x00\r\n"\\\x80-\xff]|\\["\\])*)"')
QUOTED_UTF8 = re.compile(rb'"((?:[^\x00\r\n"\\]|\\["\\])*)"')
LITERAL = re.compile(rb'\{(0|[1-9][0-9]*)\}\r\n')
LITERAL8 = re.compile(rb'~\{(0|[1-9][0-9]*)\}\r\n')
DATE_TIME = re.compile(rb'"[ 0-3][0-9]-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{4} '
                       rb'[0-2][0-9]:[0-5][0-9]:[0-6][0-9] [+-][0-9]{4}"')
SET = re.compile(rb'[1-9][0-9]*(?::[1-9][0-9]*)?(?:,[1-9][0-9]*(?::[1-9][0-9]*)?)*')
SECTION = re.compile(rb'\[(?:(?:[1-9][0-9]*\.)*(?:[1-9][0-9]*|MIME|TEXT|HEADER(?:\.FIELDS(?:\.NOT)? )?))?')
OBJECT_ID = re.compile(rb'[A-Za-z0-9_-]{1,255}')
TAG = re.compile(rb'[!#$&\',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+')
TEXT = re.compile(rb'[\x01-\x09\x0b\x0c\x0e-\x7f]+')
SYSTEM_FLAGS = {b"\\Answered", b"\\Flagged", b"\\Deleted", b"\\Seen", b"\\Draft"}
LIST_ATTRIBUTES = {b"\\Noselect", b"\\NonExistent", b"\\Noinferiors", b"\\HasChildren", b"\\HasNoChildren",
                   b"\\Subscribed", b"\\Remote", b"\\Marked", b"\\Unmarked", b"\\All", b"\\Archive", b"\\Drafts",
                   b"\\Flagged", b"\\Junk", b"\\Sent", b"\\Trash", b"\\Important"}
BARE_CODES = {b"ALERT", b"PARSE", b"READ-ONLY", b"READ-WRITE", b"TRYCREATE", b"UIDNOTSTICKY", b"UNKNOWN-CTE",
              b"UNAVAILABLE", b"AUTHENTICATIONFAILED", b"AUTHORIZATIONFAILED", b"EXPIRED", b"PRIVACYREQUIRED",
              b"CONTACTADMIN", b"NOPERM", b"INUSE", b"EXPUNGEISSUED", b"CORRUPTION", b"SERVERBUG", b"CLIENTBUG",
              b"CANNOT", b"LIMIT", b"OVERQUOTA", b"ALREADYEXISTS", b"NONEXISTENT", b"NOTSAVED", b"HASCHILDREN",
              b"CLOSED", b"USEATTR", b"TOOBIG", b"NOMODSEQ", b"COMPRESSIONACTIVE"}


class Broken(AssertionError):
    """The server said what the grammar does not allow."""


def numbers(text):
    """A sequence set as a sorted list of its members."""
    out = set()
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        a, b = int(first), int(last or first)
        out.update(range(min(a, b), max(a, b) + 1))
    return sorted(out)


class Reader:
    """Takes rule after rule off one response, which is a line with its literals and ends in CRLF."""

    def __init__(self, data, utf8=False):
        self.data, self.at, self.utf8 = data, 0, utf8

    def fail(self, rule):
        raise Broken(f"{rule} expected at {self.at} of {self.data!r}: {self.data[self.at:self.at + 40]!r}")

    def peek(self, text):
        return self.data.startswith(text, self.at)

    def maybe(self, text):
        if not self.peek(text):
            return False
        self.at += len(text)
        return True

    def take(self, text):
        if not self.maybe(text):
            self.fail(repr(text))

    def match(self, pattern, rule):
        found = pattern.match(self.data, self.at)
        if not found:
            self.fail(rule)
        self.at = found.end()
        return found

    def sp(self):
        self.take(b" ")

    def end(self):
        self.take(b"\r\n")
        if self.at != len(self.data):
            self.fail("the end")

    def atom(self):
        return self.match(ATOM, "atom")[0]

    def number(self, most=(1 << 63) - 1):
        n = int(self.match(NUMBER, "number")[0])
        if n > most:
            self.fail("a smaller number")
        return n

    def nz(self, most=(1 << 32) - 1):
        n = int(self.match(NZ_NUMBER, "nz-number")[0])
        if n > most:
            self.fail("a smaller number")
        return n

    def set(self):
        return numbers(self.match(SET, "sequence-set")[0])

    def listed(self, item, empty=False):
        """"(" item *(SP item) ")"."""
        self.take(b"(")
        out = []
        if empty and self.maybe(b")"):
            return out
        while True:
            out.append(item())
            if self.maybe(b")"):
                return out
            self.sp()

    # ---- strings ----

    def literal_bytes(self, n, nul_ok):
        text = self.data[self.at:self.at + n]
        if len(text) != n or (not nul_ok and b"\0" in text):
            self.fail("the bytes of a literal")
        self.at += n
        return text

    def string(self, eight=False):
        if self.peek(b'"'):
            found = self.match(QUOTED_UTF8 if self.utf8 else QUOTED, "quoted")
            text = re.sub(rb'\\(.)', rb'\1', found[1])
            if self.utf8:
                text.decode()
            return text
        if eight and self.peek(b"~"):
            return self.literal_bytes(int(self.match(LITERAL8, "literal8")[1]), True)
        return self.literal_bytes(int(self.match(LITERAL, "literal")[1]), False)

    def nstring(self, eight=False):
        return None if self.maybe(b"NIL") else self.string(eight)

    def astring(self):
        return self.string() if self.peek(b'"') or self.peek(b"{") else self.match(ASTRING, "astring")[0]

    def mailbox(self):
        name = self.astring()
        if name.upper() == b"INBOX" and name != b"INBOX":
            self.fail("INBOX in capitals")
        return name

    def date_time(self):
        return self.match(DATE_TIME, "date-time")[0][1:-1]

    def flag(self):
        if not self.maybe(b"\\"):
            return self.atom()
        flag = b"\\" + self.atom()
        if flag not in SYSTEM_FLAGS | {b"\\Recent"}:
            self.fail("a flag that is known")
        return flag

    def flag_perm(self):
        return b"\\*" if self.maybe(b"\\*") else self.flag()

    # ---- envelopes and structures ----

    def address(self):
        self.take(b"(")
        out = []
        for i in range(4):
            if i:
                self.sp()
            out.append(self.nstring())
        self.take(b")")
        return tuple(out)

    def addresses(self):
        """"(" 1*address ")", with groups that begin and end (RFC 9051 7.5.2)."""
        if self.maybe(b"NIL"):
            return None
        self.take(b"(")
        out, in_group = [self.address()], False
        while not self.maybe(b")"):
            out.append(self.address())
        for name, route, mailbox, host in out:
            if host is None:
                if in_group != (mailbox is None):
                    self.fail("groups that begin and end")
                in_group = mailbox is not None
        if in_group:
            self.fail("the end of a group")
        return out

    def envelope(self):
        self.take(b"(")
        out = [self.nstring()]
        self.sp()
        out.append(self.nstring())
        for _ in range(6):
            self.sp()
            out.append(self.addresses())
        for _ in range(2):
            self.sp()
            out.append(self.nstring())
        self.take(b")")
        return out

    def params(self):
        if self.maybe(b"NIL"):
            return None
        pairs = self.listed(self.string)
        if len(pairs) % 2:
            self.fail("pairs of parameters")
        return list(zip(pairs[::2], pairs[1::2]))

    def disposition(self):
        if self.maybe(b"NIL"):
            return None
        self.take(b"(")
        kind = self.string()
        self.sp()
        params = self.params()
        self.take(b")")
        return kind, params

    def languages(self):
        return self.listed(self.string) if self.peek(b"(") else self.nstring()

    def body_end(self, extended, first):
        """Extension data: all of it in BODYSTRUCTURE, none of it in BODY."""
        if not extended:
            self.take(b")")
            return []
        out = []
        for rule in (first, self.disposition, self.languages, self.nstring):
            self.sp()
            out.append(rule())
        self.take(b")")
        return out

    def body(self, extended):
        self.take(b"(")
        if self.peek(b"("):
            parts = [self.body(extended)]
            while self.peek(b"("):
                parts.append(self.body(extended))
            self.sp()
            subtype = self.string()
            return {"type": b"multipart", "subtype": subtype, "parts": parts,
                    "more": self.body_end(extended, self.params)}
        out = {"type": self.string()}
        self.sp()
        out["subtype"] = self.string()
        self.sp()
        out["params"] = self.params()
        for name, rule in (("id", self.nstring), ("description", self.nstring), ("encoding", self.string),
                           ("octets", self.number)):
            self.sp()
            out[name] = rule()
        kind = out["type"].lower()
        if kind == b"message" and out["subtype"].lower() in (b"rfc822", b"global"):
            self.sp()
            out["envelope"] = self.envelope()
            self.sp()
            out["body"] = self.body(extended)
        if kind == b"text" or "body" in out:
            self.sp()
            out["lines"] = self.number()
        out["more"] = self.body_end(extended, self.nstring)
        return out

    # ---- FETCH ----

    def section(self):
        start = self.at
        self.match(SECTION, "section-spec")
        if self.data[self.at - 1:self.at] == b" ":
            self.listed(self.astring)
        self.take(b"]")
        if self.maybe(b"<"):
            self.number()
            self.take(b">")
        return self.data[start:self.at].decode("latin-1")

    def object_id(self):
        self.take(b"(")
        out = self.match(OBJECT_ID, "objectid")[0]
        self.take(b")")
        return out

    def modseq(self):
        self.take(b"(")
        out = self.nz((1 << 63) - 1)
        self.take(b")")
        return out

    def item(self):
        if self.maybe(b"BINARY.SIZE"):
            name = "BINARY.SIZE" + self.section()
            rule = self.number
        elif self.maybe(b"BINARY"):
            name = "BINARY" + self.section()
            rule = lambda: self.nstring(True)  # noqa: E731
        elif self.peek(b"BODY["):
            self.take(b"BODY")
            name = "BODY" + self.section()
            rule = self.nstring
        else:
            name = self.atom().decode()
            rule = {
                b"FLAGS": lambda: set(self.listed(self.flag, True)),
                b"UID": self.nz,
                b"INTERNALDATE": self.date_time,
                b"RFC822.SIZE": self.number,
                b"ENVELOPE": self.envelope,
                b"BODY": lambda: self.body(False),
                b"BODYSTRUCTURE": lambda: self.body(True),
                b"RFC822": self.nstring,
                b"RFC822.HEADER": self.nstring,
                b"RFC822.TEXT": self.nstring,
                b"MODSEQ": self.modseq,
                b"EMAILID": self.object_id,
                b"THREADID": lambda: None if self.maybe(b"NIL") else self.object_id(),
                b"SAVEDATE": lambda: None if self.maybe(b"NIL") else self.date_time(),
            }.get(name.encode()) or self.fail("an item of FETCH")
        self.sp()
        return name, rule()

    def items(self):
        pairs = self.listed(self.item)
        if len({name for name, _ in pairs}) != len(pairs):
            self.fail("each item once")
        return dict(pairs)

    # ---- codes ----

    def code(self):
        """What is in the brackets of resp-text-code, as (name, value)."""
        name = self.atom()
        if name in BARE_CODES:
            return name, None
        value = None
        if name == b"BADCHARSET":
            if self.maybe(b" "):
                value = self.listed(self.astring)
            return name, value
        self.sp()
        if name == b"CAPABILITY":
            value = self.words()
        elif name == b"PERMANENTFLAGS":
            value = self.listed(self.flag_perm, True)
        elif name in (b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN"):
            value = self.nz()
        elif name == b"HIGHESTMODSEQ":
            value = self.nz((1 << 63) - 1)
        elif name == b"MAILBOXID":
            value = self.object_id()
        elif name == b"MODIFIED":
            value = self.set()
        elif name == b"APPENDUID":
            validity = self.nz()
            self.sp()
            value = validity, self.set()
        elif name == b"COPYUID":
            validity = self.nz()
            self.sp()
            source = self.set()
            self.sp()
            value = validity, source, self.set()
            if len(value[1]) != len(value[2]):
                self.fail("as many UIDs there as here")
        else:
            self.fail("a response code")
        return name, value

    def text(self):
        """resp-text: its code, or None."""
        code = None
        if self.maybe(b"["):
            code = self.code()
            self.take(b"] ")
        self.match(TEXT, "text")
        return code

    def words(self):
        out = [self.atom()]
        while self.maybe(b" "):
            out.append(self.atom())
        return out

    # ---- untagged data ----

    def list_attribute(self):
        self.take(b"\\")
        word = b"\\" + self.atom()
        if word not in LIST_ATTRIBUTES:
            self.fail("an attribute that is known")
        return word

    def listing(self):
        attributes = self.listed(self.list_attribute, True)
        self.sp()
        self.take(b'"/"')
        self.sp()
        name = self.mailbox()
        extended = {}
        if self.maybe(b" ("):
            while True:
                key = self.astring()
                self.sp()
                extended[key] = self.listed(self.astring)
                if self.maybe(b")"):
                    break
                self.sp()
        return name, attributes, extended

    def status_item(self):
        name = self.atom()
        self.sp()
        if name == b"MAILBOXID":
            return name, self.object_id()
        if name not in (b"MESSAGES", b"RECENT", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN", b"DELETED", b"SIZE",
                        b"HIGHESTMODSEQ", b"APPENDLIMIT"):
            self.fail("an item of STATUS")
        return name, self.number()

    def esearch(self):
        out = {}
        if self.maybe(b" (TAG "):
            out["TAG"] = self.string()
            self.take(b")")
        out["UID"] = self.maybe(b" UID")
        while self.maybe(b" "):
            name = self.atom()
            self.sp()
            rule = {b"MIN": self.nz, b"MAX": self.nz, b"COUNT": self.number, b"ALL": self.set,
                    b"MODSEQ": lambda: self.nz((1 << 63) - 1)}.get(name) or self.fail("a result of SEARCH")
            if name.decode() in out:
                self.fail("each result once")
            out[name.decode()] = rule()
        return out

    def search(self):
        hits, modseq = [], None
        while self.maybe(b" "):
            if self.maybe(b"(MODSEQ "):
                modseq = self.nz((1 << 63) - 1)
                self.take(b")")
                break
            hits.append(self.nz())
        return hits, modseq

    def namespace(self):
        def one():
            return None if self.maybe(b"NIL") else self.listed(pair)

        def pair():
            self.take(b"(")
            prefix = self.string()
            self.sp()
            delimiter = self.nstring()
            self.take(b")")
            return prefix, delimiter

        out = []
        for i in range(3):
            self.sp()
            out.append(one())
        return out

    def id(self):
        self.sp()
        if self.maybe(b"NIL"):
            return None
        flat = []
        return self.listed(lambda: flat.append(self.nstring()) or flat[-1])

    def untagged(self):
        """(name, value) of what stands behind "* "."""
        if NZ_NUMBER.match(self.data, self.at) or self.peek(b"0 "):
            n = self.number((1 << 32) - 1)
            self.sp()
            name = self.atom()
            if name == b"FETCH":
                self.sp()
                return "FETCH", (n or self.fail("a message number"), self.items())
            if name == b"EXPUNGE" and n == 0 or name not in (b"EXISTS", b"RECENT", b"EXPUNGE"):
                self.fail("message data")
            return name.decode(), n
        name = self.atom()
        if name in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"):
            self.sp()
            return name.decode(), self.text()
        if name == b"SEARCH":
            return "SEARCH", self.search()
        if name == b"ESEARCH":
            return "ESEARCH", self.esearch()
        if name == b"NAMESPACE":
            return "NAMESPACE", self.namespace()
        if name == b"ID":
            return "ID", self.id()
        if name == b"ENABLED":
            return "ENABLED", [self.atom() for _ in iter(lambda: self.maybe(b" "), False)]
        self.sp()
        if name == b"CAPABILITY":
            return "CAPABILITY", self.words()
        if name == b"FLAGS":
            return "FLAGS", self.listed(self.flag, True)
        if name in (b"LIST", b"LSUB"):
            return name.decode(), self.listing()
        if name == b"STATUS":
            box = self.mailbox()
            self.sp()
            return "STATUS", (box, dict(self.listed(self.status_item)))
        if name == b"VANISHED":
            earlier = self.maybe(b"(EARLIER) ")
            return "VANISHED", (earlier, self.set())
        return self.fail("a response")

    def response(self):
        """("*", name, value), ("+", text, None) or (tag, status, code)."""
        if self.maybe(b"+ "):
            text = self.data[self.at:-2]
            self.at = len(self.data) - 2
            self.end()
            return "+", text, None
        if self.maybe(b"* "):
            name, value = self.untagged()
            self.end()
            return "*", name, value
        tag = self.match(TAG, "tag")[0]
        self.sp()
        status = self.atom()
        if status not in (b"OK", b"NO", b"BAD"):
            self.fail("OK, NO or BAD")
        self.sp()
        code = self.text()
        self.end()
        return tag.decode(), status.decode(), code


class Done:
    """The answers to one command."""

    def __init__(self, untagged, status, code):
        self.untagged, self.status, self.code = untagged, status, code

    def all(self, name):
        return [value for what, value in self.untagged if what == name]

    def one(self, name):
        found = self.all(name)
        assert len(found) == 1, (name, self.untagged)
        return found[0]

    def codes(self):
        """Codes of untagged OKs, by name."""
        return dict(code for code in self.all("OK") if code)

    def __repr__(self):
        return f"{self.untagged} {self.status} {self.code}"


class Client:
    """One connection. `listen` is called with each untagged answer as it comes."""

    def __init__(self, gate, user=None, secret=None, listen=None, enable=()):
        self.socket = socket.create_connection(("127.0.0.1", gate.ports["imap"]), timeout=DEADLINE)
        self.file = self.socket.makefile("rb")
        self.listen, self.utf8, self.n, self.transcript = listen, False, 0, []
        kind, name, _ = self.read()
        assert (kind, name) == ("*", "OK")
        if user:
            self.ok(f'LOGIN {user} {secret}')
        if enable:
            done = self.ok("ENABLE " + " ".join(enable))
            assert set(done.one("ENABLED")) == {e.encode() for e in enable}

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.transcript.append(b"C: " + data)
        self.socket.sendall(data)

    def read(self):
        """The next response, parsed."""
        data = self.file.readline()
        assert data, "the connection ended"
        while (found := re.search(rb"\{([0-9]+)\}\r\n\Z", data)):
            data += self.file.read(int(found[1])) + self.file.readline()
        self.transcript.append(b"S: " + data)
        kind, name, value = Reader(data, self.utf8).response()
        if kind == "*":
            if name == "ENABLED" and {b"IMAP4rev2", b"UTF8=ACCEPT"} & set(value):
                self.utf8 = True
            if self.listen:
                self.listen(name, value)
        return kind, name, value

    def begin(self, command):
        """Say a command; str or bytes, non-synchronizing literals in place. Returns its tag."""
        self.n += 1
        tag = f"t{self.n}"
        self.send(tag.encode() + b" " + (command.encode() if isinstance(command, str) else command) + b"\r\n")
        return tag

    def finish(self, tag):
        untagged = []
        while True:
            kind, name, value = self.read()
            if kind == "*":
                untagged.append((name, value))
            elif kind == "+":
                raise Broken("nobody asked to go on")
            else:
                assert kind == tag, (kind, tag)
                return Done(untagged, name, value)

    def say(self, command):
        return self.finish(self.begin(command))

    def ok(self, command):
        done = self.say(command)
        assert done.status == "OK", (command, done)
        return done

    def refused(self, command, status="NO", code=None):
        done = self.say(command)
        assert (done.status, done.code and done.code[0]) == (status, code and code.encode()), (command, done)
        return done

    def append(self, mailbox, message, flags="()", date=None):
        when = f' "{date}"' if date else ""
        return self.say(f"APPEND {mailbox} {flags}{when} {{{len(message)}+}}\r\n".encode() + message)
