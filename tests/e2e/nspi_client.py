"""The address book's requests for the tests, written from [MS-OXCMAPIHTTP] 2.2.5 alone.

    with AddressBook(gate.mapi, "alice", "secret") as book:
        rows = book.query_rows([PR_DISPLAY_NAME, PR_SMTP_ADDRESS])
"""
import struct

from mapi_client import Mapi, Reader, asz, usz

PR_DISPLAY_NAME, PR_DISPLAY_NAME_A = 0x3001001F, 0x3001001E
PR_SMTP_ADDRESS = 0x39FE001F
PR_EMAIL_ADDRESS = 0x3003001F
PR_ENTRY_ID, PR_INSTANCE_KEY = 0x0FFF0102, 0x0FF60102
PR_OBJECT_TYPE, PR_DISPLAY_TYPE = 0x0FFE0003, 0x39000003
PR_PROXY_ADDRESSES = 0x800F101F
PR_DEPARTMENT = 0x3A18001F

BEGINNING, CURRENT, END = 0, 1, 2
UNRESOLVED, AMBIGUOUS, RESOLVED = 0, 1, 2


class Failed(Exception):
    def __init__(self, operation, code):
        super().__init__(f"{operation}: 0x{code:08X}")
        self.code = code


def stat(current=BEGINNING, delta=0, position=0, total=0, container=0, codepage=1252, sort=0):
    return struct.pack("<IIIiIIIII", sort, container, current, delta, position, total, codepage, 0x409, 0x409)


def tags(columns):
    return b"\xFF" + struct.pack(f"<I{len(columns)}I", len(columns), *columns)


def value(r, kind):
    """AddressBookPropertyValue (2.2.1.1): text, binary and lists have a byte in front."""
    if kind & 0x1000:
        assert r.unpack("B") == 0xFF
        return [value(r, kind & ~0x1000) for _ in range(r.unpack("I"))]
    if kind in (0x001E, 0x001F, 0x0102):
        assert r.unpack("B") == 0xFF
        if kind == 0x001F:
            return r.usz()
        return r.asz().decode("cp1252") if kind == 0x001E else r.take(r.unpack("I"))
    if kind == 0x000B:
        return r.unpack("B") != 0
    return r.unpack({0x0003: "i", 0x000A: "I"}[kind])


def row(r, columns):
    """AddressBookPropertyRow (2.2.1.7); a column without a value is missing."""
    flagged, found = r.unpack("B"), {}
    for tag in columns:
        flag = r.unpack("B") if flagged else 0
        if flag == 0:
            found[tag] = value(r, tag & 0xFFFF)
        elif flag == 0x0A:
            r.unpack("I")
    return found


def value_list(r):
    found = {}
    for _ in range(r.unpack("I")):
        tag = r.unpack("I")
        found[tag] = value(r, tag & 0xFFFF)
    return found


def read_stat(r):
    names = ("sort", "container", "current", "delta", "position", "total", "codepage", "template", "locale")
    return dict(zip(names, r.unpack("IIIiIIIII")))


def table(r):
    if not r.unpack("B"):
        return None
    n = r.unpack("I")
    columns = [r.unpack("I") for _ in range(n)]
    return [row(r, columns) for _ in range(r.unpack("I"))]


class AddressBook:
    def __init__(self, port, user, secret, tls=None):
        self.http = Mapi(port, user, secret, tls, path="/mapi/nspi/?MailboxId=test", connect=False)
        self.guid = self.ask("Bind", struct.pack("<I", 0) + b"\xFF" + stat()).take(16)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.ask("Unbind", struct.pack("<I", 0), good=(1,))

    def ask(self, operation, body, good=(0,)):
        r = Reader(self.http.request(operation, body + struct.pack("<I", 0)))
        status, error = r.unpack("II")
        assert status == 0
        self.error = error
        if error not in good:
            raise Failed(operation, error)
        return r

    def query_rows(self, columns, n=1000, explicit=(), **where):
        r = self.ask("QueryRows", struct.pack("<I", 0) + b"\xFF" + stat(**where) +
                     struct.pack(f"<I{len(explicit)}II", len(explicit), *explicit, n) + tags(columns))
        self.state = read_stat(r) if r.unpack("B") else None
        return table(r)

    def hierarchy(self):
        r = self.ask("GetSpecialTable", struct.pack("<I", 4) + b"\xFF" + stat() + b"\0")
        assert r.unpack("I") == 1252
        version = r.unpack("I") if r.unpack("B") else None
        assert version is not None and r.unpack("B")
        return [value_list(r) for _ in range(r.unpack("I"))]

    def resolve(self, *names, columns=(PR_SMTP_ADDRESS,)):
        r = self.ask("ResolveNames", struct.pack("<I", 0) + b"\xFF" + stat() + tags(columns) + b"\xFF" +
                     struct.pack("<I", len(names)) + b"".join(map(usz, names)))
        r.unpack("I")
        assert r.unpack("B")
        results = [r.unpack("I") for _ in range(r.unpack("I"))]
        return results, table(r)

    def ids(self, *names):
        r = self.ask("DNToMId", struct.pack("<I", 0) + b"\xFF" + struct.pack("<I", len(names)) +
                     b"".join(map(asz, names)))
        assert r.unpack("B")
        return [r.unpack("I") for _ in range(r.unpack("I"))]

    def props(self, mid, columns=None, codepage=1252):
        r = self.ask("GetProps", struct.pack("<I", 0) + b"\xFF" + stat(mid, codepage=codepage) +
                     (tags(columns) if columns else b"\0"), good=(0, 0x40380))
        assert r.unpack("I") == codepage and r.unpack("B")
        return value_list(r)

    def url(self, operation):
        return self.ask(operation, struct.pack("<I", 0) + usz("")).usz()
