"""A MAPI/HTTP client for the tests, written from the specifications alone: nothing here knows the codec of the
server, so that the two cannot agree on a mistake.

    with Mapi(gate.mapi, "alice", "secret") as m:
        logon = m.logon()
        inbox = m.open_folder(logon, logon.folders[INBOX])
        rows = m.rows(m.contents_table(inbox), [PR_MID, PR_SUBJECT])

Each method that names a ROP sends one Execute with it; run() sends several at once. Errors raise RopError.
"""
import base64
import http.client
import itertools
import ssl
import struct

ROOT, DEFERRED, SPOOLER, IPM_SUBTREE, INBOX, OUTBOX, SENT, TRASH = range(8)

PR_SUBJECT, PR_SUBJECT_A = 0x0037001F, 0x0037001E
PR_MESSAGE_CLASS = 0x001A001F
PR_BODY = 0x1000001F
PR_MESSAGE_FLAGS = 0x0E070003
PR_MESSAGE_SIZE = 0x0E080003
PR_FLAG_STATUS = 0x10900003
PR_READ = 0x0E69000B
PR_HAS_ATTACHMENTS = 0x0E1B000B
PR_DISPLAY_NAME = 0x3001001F
PR_CONTENT_COUNT = 0x36020003
PR_CONTENT_UNREAD = 0x36030003
PR_FOLDER_ID = 0x67480014
PR_MID = 0x674A0014
PR_CHANGE_NUMBER = 0x67A40014
PR_DELIVERY_TIME = 0x0E060040
PR_ARTICLE_NUMBER = 0x0E230003
PR_ATTACH_NUMBER = 0x0E210003
PR_ATTACH_DATA = 0x37010102
PR_ATTACH_METHOD = 0x37050003
PR_ATTACH_LONG_FILENAME = 0x3707001F
PR_SENT_REPRESENTING_NAME = 0x0042001F

NO_HANDLE = 0xFFFFFFFF


class RopError(Exception):
    """A ROP's ReturnValue that is not success."""

    def __init__(self, rop, code):
        super().__init__(f"ROP 0x{rop:02X}: 0x{code:08X}")
        self.rop, self.code = rop, code


class ResponseCode(Exception):
    """An X-ResponseCode that is not 0, or a StatusCode ([MS-OXCMAPIHTTP] 2.2.3.3.3)."""

    def __init__(self, code, what):
        super().__init__(f"{what}: {code}")
        self.code = code


def asz(text):
    return text.encode("latin-1") + b"\0"


def usz(text):
    return text.encode("utf-16-le") + b"\0\0"


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data), "the answer is cut short"
        self.at += n
        return self.data[self.at - n:self.at]

    def unpack(self, form):
        values = struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))
        return values if len(values) > 1 else values[0]

    def asz(self):
        end = self.data.index(b"\0", self.at)
        return self.take(end + 1 - self.at)[:-1]

    def usz(self):
        end = self.at
        while self.data[end:end + 2] != b"\0\0":
            assert end < len(self.data), "text without an end"
            end += 2
        return self.take(end + 2 - self.at)[:-2].decode("utf-16-le")

    def rest(self):
        return self.take(len(self.data) - self.at)


# ---- values ([MS-OXCDATA] 2.11) ----

def read_value(r, kind):
    if kind & 0x1000:
        return [read_value(r, kind & ~0x1000) for _ in range(r.unpack("I"))]
    if kind in (0x000D, 0x0102, 0x00FB):
        return r.take(r.unpack("H"))
    if kind == 0x001E:
        return r.asz().decode("cp1252")
    if kind == 0x001F:
        return r.usz()
    if kind == 0x0048:
        return r.take(16)
    if kind == 0x000B:
        return r.unpack("B") != 0
    return r.unpack({0x0002: "h", 0x0003: "i", 0x0004: "f", 0x0005: "d", 0x0006: "q", 0x0007: "d", 0x000A: "I",
                     0x0014: "Q", 0x0040: "Q"}[kind])


def put_value(kind, value):
    if kind & 0x1000:
        return struct.pack("<I", len(value)) + b"".join(put_value(kind & ~0x1000, v) for v in value)
    if kind in (0x000D, 0x0102, 0x00FB):
        return struct.pack("<H", len(value)) + value
    if kind == 0x001E:
        return asz(value)
    if kind == 0x001F:
        return usz(value)
    if kind == 0x0048:
        return value
    if kind == 0x000B:
        return bytes([1 if value else 0])
    return struct.pack("<" + {0x0002: "h", 0x0003: "i", 0x0004: "f", 0x0005: "d", 0x0006: "q", 0x0007: "d",
                              0x000A: "I", 0x0014: "Q", 0x0040: "Q"}[kind], value)


def tagged(props):
    return b"".join(struct.pack("<I", tag) + put_value(tag & 0xFFFF, value) for tag, value in props.items())


class Missing(int):
    """A column that has no value: the error code in its place."""


def read_row(r, columns):
    """PropertyRow ([MS-OXCDATA] 2.8.1), as a dictionary by column."""
    flagged = r.unpack("B")
    row = {}
    for tag in columns:
        kind = tag & 0xFFFF
        if kind == 0:
            kind = r.unpack("H")
        flag = r.unpack("B") if flagged else 0
        if flag == 0:
            row[tag] = read_value(r, kind)
        elif flag == 0x0A:
            row[tag] = Missing(r.unpack("I"))
        else:
            assert flag == 1, f"FlaggedPropertyValue with flag {flag}"
            row[tag] = None
    return row


# ---- the payload of an Execute ([MS-OXCRPC] 2.2.2.1, [MS-OXCROPS] 2.2.1) ----

def put_payload(rops, handles, xor=True):
    payload = struct.pack("<H", len(rops) + 2) + rops + b"".join(struct.pack("<I", h) for h in handles)
    flags = 4
    wire = payload
    if xor:
        flags |= 2
        wire = bytes(b ^ 0xA5 for b in payload)
    return struct.pack("<HHHH", 0, flags, len(wire), len(payload)) + wire


def read_payload(data):
    version, flags, size, actual = struct.unpack_from("<HHHH", data)
    assert version == 0 and flags & 4 and size == actual and len(data) == 8 + size, "RPC_HEADER_EXT"
    payload = data[8:]
    if flags & 2:
        payload = bytes(b ^ 0xA5 for b in payload)
    n = struct.unpack_from("<H", payload)[0]
    handles = [h for (h,) in struct.iter_unpack("<I", payload[n:])]
    return payload[2:n], handles


class Logon:
    def __init__(self, handle, r):
        self.handle = handle
        self.flags = r.unpack("B")
        self.folders = list(r.unpack("13Q"))
        self.response_flags = r.unpack("B")
        self.mailbox_guid = r.take(16)
        self.replica_id = r.unpack("H")
        self.replica_guid = r.take(16)
        r.take(8 + 8 + 4)


class Notification:
    """RopNotify ([MS-OXCNOTIF] 2.2.1.4.1)."""

    def __init__(self, r):
        self.handle, self.logon = r.unpack("IB")
        flags = r.unpack("H")
        self.type, message, search = flags & 0x0FFF, bool(flags & 0x8000), bool(flags & 0x4000)
        self.message = message
        self.folder_id = self.message_id = self.parent_id = self.old_folder_id = self.old_message_id = None
        self.total = self.unread = self.message_class = None
        if self.type == 0x100:
            self.event = r.unpack("H")
            if self.event in (3, 4, 5):
                self.row_folder = r.unpack("Q")
                if message:
                    self.row_message, self.row_instance = r.unpack("QI")
            if self.event in (3, 5):
                self.after_folder = r.unpack("Q")
                if message:
                    self.after_message, self.after_instance = r.unpack("QI")
                self.row_data = r.take(r.unpack("H"))
            return
        self.folder_id = r.unpack("Q")
        if message:
            self.message_id = r.unpack("Q")
        if self.type in (4, 8, 0x20, 0x40) and search == message:
            self.parent_id = r.unpack("Q")
        if self.type in (0x20, 0x40):
            self.old_folder_id = r.unpack("Q")
            if message:
                self.old_message_id = r.unpack("Q")
            else:
                self.old_parent_id = r.unpack("Q")
        if self.type in (4, 0x10):
            n = r.unpack("H")
            self.tags = [r.unpack("I") for _ in range(n)] if n != 0xFFFF else []
        if flags & 0x1000:
            self.total = r.unpack("I")
        if flags & 0x2000:
            self.unread = r.unpack("I")
        if self.type == 2:
            self.message_flags, wide = r.unpack("IB")
            self.message_class = r.usz() if wide else r.asz().decode("latin-1")


class Mapi:
    """A session context on the mailbox endpoint; one HTTP connection."""

    def __init__(self, port, user, secret, tls=None, path="/mapi/emsmdb/?MailboxId=test", connect=True):
        if tls:
            self.http = http.client.HTTPSConnection("localhost", port, context=tls, timeout=60)
        else:
            self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.path = path
        self.authorization = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
        self.cookies = {}
        self.counter = itertools.count(1)
        self.notifications, self.pending = [], False
        self.user = user
        if connect:
            self.connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.disconnect()
        finally:
            self.http.close()

    # ---- HTTP ([MS-OXCMAPIHTTP] 2.2.2, 2.2.3) ----

    def send(self, kind, body=b"", headers=None):
        fields = {"Content-Type": "application/mapi-http", "X-RequestType": kind,
                  "X-RequestId": "{C715155F-2BE8-44E0-BD34-2960065754C8}:%d" % next(self.counter),
                  "X-ClientInfo": "{2F94A2BF-A2E6-4CCC-BF98-B5F22C542226}:1",
                  "X-ClientApplication": "Outlook/15.0.4815.1002", "Authorization": self.authorization}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        fields.update(headers or {})
        self.http.request("POST", self.path, body, fields)

    def receive(self):
        """The body behind DONE; every cookie of the response replaces those there were."""
        response = self.http.getresponse()
        data = response.read()
        assert response.status == 200, f"HTTP {response.status}"
        cookies = response.headers.get_all("Set-Cookie") or []
        if cookies:
            self.cookies = dict(c.split(";")[0].split("=", 1) for c in cookies)
        code = int(response.headers["X-ResponseCode"])
        if code:
            raise ResponseCode(code, "X-ResponseCode")
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        tags = list(itertools.takewhile(lambda line: b":" not in line, lines))
        assert tags[0] == b"PROCESSING" and tags[-1] == b"DONE" and set(tags[1:-1]) <= {b"PENDING"}, lines
        more = dict(line.split(b": ", 1) for line in lines[len(tags):])
        if b"X-ResponseCode" in more and int(more[b"X-ResponseCode"]):
            raise ResponseCode(int(more[b"X-ResponseCode"]), "X-ResponseCode behind DONE")
        return body

    def request(self, kind, body=b""):
        self.send(kind, body)
        return self.receive()

    def connect(self):
        body = asz("") + struct.pack("<IIII", 0, 1252, 0x409, 0x409) + struct.pack("<I", 0)
        r = Reader(self.request("Connect", body))
        status, error = r.unpack("II")
        if status or error:
            raise ResponseCode(status or error, "Connect")
        self.polls, self.retries, self.delay = r.unpack("III")
        self.dn_prefix, self.display_name = r.asz().decode(), r.usz()
        assert r.unpack("I") == 0 and not r.rest()

    def disconnect(self):
        r = Reader(self.request("Disconnect", struct.pack("<I", 0)))
        assert r.unpack("II") == (0, 0)

    def ping(self):
        assert self.request("PING") == b""

    def wait(self):
        """NotificationWait: is something pending?"""
        return self.wait_result(self.request("NotificationWait", struct.pack("<II", 0, 0)))

    @staticmethod
    def wait_result(body):
        status, error, pending, aux = struct.unpack("<IIII", body)
        if status or error:
            raise ResponseCode(status or error, "NotificationWait")
        return bool(pending)

    def execute_raw(self, rop_buffer, max_out=0x8008):
        body = struct.pack("<II", 3, len(rop_buffer)) + rop_buffer + struct.pack("<II", max_out, 0)
        r = Reader(self.request("Execute", body))
        status = r.unpack("I")
        if status:
            raise ResponseCode(status, "StatusCode")
        error, flags, size = r.unpack("III")
        if error:
            raise ResponseCode(error, "ErrorCode")
        return r.take(size)

    def execute(self, rops, handles, max_out=0x8008):
        """The bytes of the responses, with RopNotify and RopPending taken out of their end, and the handles."""
        return read_payload(self.execute_raw(put_payload(rops, handles), max_out))

    # ---- ROPs ----

    def rop(self, request, handles, opens=False):
        """One ROP; a Reader on what follows its ReturnValue, and the handles."""
        answer, handles = self.execute(request, handles)
        r = Reader(answer)
        rop, index, code = r.unpack("BBI")
        if code and code >> 16 != 4:
            self.take_notifications(r, failed=True)
            raise RopError(rop, code)
        return r, handles

    def take_notifications(self, r, failed=False):
        """What stands behind the responses."""
        if failed:
            return
        while r.at < len(r.data):
            kind = r.unpack("B")
            if kind == 0x2A:
                self.notifications.append(Notification(r))
            else:
                assert kind == 0x6E, f"0x{kind:02X} behind the responses"
                r.unpack("H")
                self.pending = True

    def simple(self, request, handle, *more):
        """A ROP on one object whose answer is its ReturnValue alone."""
        r, _ = self.rop(request, [handle, *more])
        self.take_notifications(r)

    def poll(self):
        """An Execute without ROPs: what there is to be told."""
        answer, _ = self.execute(b"", [])
        self.take_notifications(Reader(answer))
        told, self.notifications = self.notifications, []
        return told

    def register(self, logon, types, fid=None, mid=0):
        """RopRegisterNotification: of the whole mailbox, a folder, or a message in it."""
        request = struct.pack("<BBBBHB", 0x29, 0, 0, 1, types, fid is None)
        if fid is not None:
            request += struct.pack("<QQ", fid, mid)
        r, handle = self.opener(request, logon.handle)
        self.take_notifications(r)
        return handle

    def logon(self, user=None, logon_id=0):
        dn = asz("/o=Gatepost/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="
                 + (user or self.user))
        request = struct.pack("<BBBBIIH", 0xFE, logon_id, 0, 1, 0x01000004, 0, len(dn)) + dn
        r, handles = self.rop(request, [NO_HANDLE])
        logon = Logon(handles[0], r)
        self.take_notifications(r)
        return logon

    def release(self, handle):
        answer, _ = self.execute(b"\x01\x00\x00", [handle])
        self.take_notifications(Reader(answer))

    def opener(self, request, handle):
        r, handles = self.rop(request, [handle, NO_HANDLE])
        return r, handles[1]

    def open_folder(self, logon, fid):
        r, handle = self.opener(struct.pack("<BBBBQB", 0x02, 0, 0, 1, fid, 0), logon.handle)
        r.take(2)
        self.take_notifications(r)
        return handle

    def create_folder(self, parent, name):
        request = struct.pack("<BBBBBBBB", 0x1C, 0, 0, 1, 1, 1, 0, 0) + usz(name) + usz("")
        r, handle = self.opener(request, parent)
        fid, existing = r.unpack("QB")
        if existing:
            r.take(2)
        self.take_notifications(r)
        return fid, handle

    def delete_folder(self, parent, fid, flags=0x05):
        r, _ = self.rop(struct.pack("<BBBBQ", 0x1D, 0, 0, flags, fid), [parent])
        partial = r.unpack("B")
        self.take_notifications(r)
        return partial

    def hierarchy_table(self, folder, flags=0x04):
        r, handle = self.opener(struct.pack("<BBBBB", 0x04, 0, 0, 1, flags), folder)
        self.row_count = r.unpack("I")
        self.take_notifications(r)
        return handle

    def contents_table(self, folder, flags=0):
        r, handle = self.opener(struct.pack("<BBBBB", 0x05, 0, 0, 1, flags), folder)
        self.row_count = r.unpack("I")
        self.take_notifications(r)
        return handle

    def set_columns(self, table, columns):
        request = struct.pack("<BBBBH", 0x12, 0, 0, 0, len(columns)) + b"".join(struct.pack("<I", c) for c in columns)
        r, _ = self.rop(request, [table])
        r.take(1)
        self.take_notifications(r)

    def query_rows(self, table, columns, n=0x1000, forward=True):
        r, _ = self.rop(struct.pack("<BBBBBH", 0x15, 0, 0, 0, forward, n), [table])
        origin, count = r.unpack("BH")
        rows = [read_row(r, columns) for _ in range(count)]
        self.take_notifications(r)
        return rows, origin

    def rows(self, table, columns):
        """All rows, from where the table's cursor stands."""
        self.set_columns(table, columns)
        found = []
        while True:
            rows, origin = self.query_rows(table, columns)
            found += rows
            if origin == 2 or not rows:
                return found

    def sort(self, table, *orders):
        request = struct.pack("<BBBBHHH", 0x13, 0, 0, 0, len(orders), 0, 0)
        request += b"".join(struct.pack("<IB", tag, order) for tag, order in orders)
        r, _ = self.rop(request, [table])
        r.take(1)
        self.take_notifications(r)

    def open_message(self, logon, fid, mid, mode=0):
        request = struct.pack("<BBBBHQBQ", 0x03, 0, 0, 1, 0x0FFF, fid, mode, mid)
        r, handle = self.opener(request, logon.handle)
        return handle

    def create_message(self, logon, fid, associated=False):
        r, handle = self.opener(struct.pack("<BBBBHQB", 0x06, 0, 0, 1, 0x0FFF, fid, associated), logon.handle)
        if r.unpack("B"):
            r.take(8)
        self.take_notifications(r)
        return handle

    def save(self, message, flags=0x0A):
        r, _ = self.rop(struct.pack("<BBBBB", 0x0C, 0, 0, 0, flags), [message])
        index, mid = r.unpack("BQ")
        self.take_notifications(r)
        return mid

    def set_props(self, handle, props):
        values = struct.pack("<H", len(props)) + tagged(props)
        r, _ = self.rop(struct.pack("<BBBH", 0x0A, 0, 0, len(values)) + values, [handle])
        problems = [r.unpack("HII") for _ in range(r.unpack("H"))]
        self.take_notifications(r)
        return problems

    def delete_props(self, handle, tags):
        request = struct.pack("<BBBH", 0x0B, 0, 0, len(tags)) + b"".join(struct.pack("<I", t) for t in tags)
        r, _ = self.rop(request, [handle])
        problems = [r.unpack("HII") for _ in range(r.unpack("H"))]
        self.take_notifications(r)
        return problems

    def get_props(self, handle, tags):
        request = struct.pack("<BBBHHH", 0x07, 0, 0, 0, 1, len(tags)) + b"".join(struct.pack("<I", t) for t in tags)
        r, _ = self.rop(request, [handle])
        row = read_row(r, tags)
        self.take_notifications(r)
        return row

    def add_recipients(self, message, *addresses):
        """To each of them, as SMTP with a display name in Unicode ([MS-OXCDATA] 2.8.3.2)."""
        request = struct.pack("<BBBHH", 0x0E, 0, 0, 0, len(addresses))
        for i, address in enumerate(addresses):
            flags = 0x0003 | 0x0008 | 0x0010 | 0x0200
            row = struct.pack("<H", flags) + usz(address) + usz(address) + struct.pack("<H", 0) + b"\0"
            request += struct.pack("<IBH", i, 1, len(row)) + row
        self.simple(request, message)

    def set_read(self, folder, mids, flags=0x01):
        request = struct.pack("<BBBBBH", 0x66, 0, 0, 0, flags, len(mids)) + struct.pack(f"<{len(mids)}Q", *mids)
        return self.partial(request, folder)

    def delete_messages(self, folder, mids, hard=False, notify=False):
        request = struct.pack("<BBBBBH", 0x91 if hard else 0x1E, 0, 0, 0, notify, len(mids))
        return self.partial(request + struct.pack(f"<{len(mids)}Q", *mids), folder)

    def move_copy(self, source, dest, mids, copy=False):
        request = struct.pack("<BBBBH", 0x33, 0, 0, 1, len(mids)) + struct.pack(f"<{len(mids)}Q", *mids)
        return self.partial(request + bytes([0, copy]), source, dest)

    def partial(self, request, *handles):
        r, _ = self.rop(request, list(handles))
        partial = r.unpack("B")
        self.take_notifications(r)
        return partial

    def subscribe(self, logon, types, fid=0, mid=0, whole=False):
        request = struct.pack("<BBBBHB", 0x29, 0, 0, 1, types, whole)
        if not whole:
            request += struct.pack("<QQ", fid, mid)
        r, handle = self.opener(request, logon.handle)
        self.take_notifications(r)
        return handle

    def open_stream(self, handle, tag, mode=0):
        r, stream = self.opener(struct.pack("<BBBBIB", 0x2B, 0, 0, 1, tag, mode), handle)
        self.stream_size = r.unpack("I")
        self.take_notifications(r)
        return stream

    def read_stream(self, stream, n=0x7000):
        data = b""
        while True:
            r, _ = self.rop(struct.pack("<BBBH", 0x2C, 0, 0, n), [stream])
            piece = r.take(r.unpack("H"))
            self.take_notifications(r)
            data += piece
            if len(piece) < n:
                return data

    def write_stream(self, stream, data):
        for at in range(0, len(data), 0x7000):
            piece = data[at:at + 0x7000]
            r, _ = self.rop(struct.pack("<BBBH", 0x2D, 0, 0, len(piece)) + piece, [stream])
            assert r.unpack("H") == len(piece)
            self.take_notifications(r)

    def commit_stream(self, stream):
        self.simple(b"\x5D\x00\x00", stream)

    def create_attachment(self, message):
        r, handle = self.opener(b"\x23\x00\x00\x01", message)
        number = r.unpack("I")
        self.take_notifications(r)
        return number, handle

    def save_attachment(self, message, attachment):
        self.simple(b"\x25\x00\x00\x01\x0A", message, attachment)

    def submit(self, message):
        self.simple(b"\x32\x00\x00\x00", message)
