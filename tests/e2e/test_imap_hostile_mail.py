"""Whatever the mail, what the server says of it is what the grammar allows, and true of the bytes.

Mail is made up with hypothesis; with GATEPOST_MAIL_CORPUS set to a directory, its .eml files are looked at as well.
GATEPOST_EXAMPLES says how many are made up.
"""
import os
import pathlib

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import imapwire

EXAMPLES = int(os.environ.get("GATEPOST_EXAMPLES", "150"))

# ---- mail that nobody should send ----

BITS = st.sampled_from([
    b"", b" ", b"\t", b'"', b"\\", b"(", b")", b"<", b">", b"@", b",", b";", b":", b"=", b"/", b"?", b"*", b"%", b"{",
    b"}", b"{5}", b"{5}\r\n", b"NIL", b"nil", b"\0", b"\r", b"\n", b"\x7f", b"\x80", b"\xff", b"\xc3\xa4", b"\xe2\x82",
    b"a", b"b@c", b"text/plain", b"multipart/mixed", b"message/rfc822", b"boundary=x", b'boundary="x y"', b"--x",
    b"=?utf-8?q?=C3=A4?=", b"=?utf-8?b?", b"charset", b"name*0*=utf-8''a%20", b"g: a@b, c@d;", b":;", b"g:",
    b"<@r1,@r2:a@b>", b"<a", b"Mon, 1 Jan 2024 00:00:00 +0000", b"x" * 90, b"\r\n ", b"\r\n\t",
])
VALUE = st.lists(BITS, max_size=8).map(b"".join)
NAME = st.sampled_from([b"From", b"To", b"Cc", b"Bcc", b"Sender", b"Reply-To", b"Subject", b"Date", b"Message-ID",
                        b"In-Reply-To", b"Content-Type", b"Content-ID", b"Content-Description", b"Content-MD5",
                        b"Content-Disposition", b"Content-Language", b"Content-Location",
                        b"Content-Transfer-Encoding", b"X", b"", b"Bad Name", b"\xe4"])
EOL = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
ENCODING = st.sampled_from([b"", b"base64", b"quoted-printable", b"8bit", b"binary", b"x-uu", b"BASE64 (c)", b'"']) \
    .map(lambda e: b"Content-Transfer-Encoding: " + e + b"\r\n" if e else b"")
HEADER = st.lists(st.tuples(NAME, st.sampled_from([b": ", b":", b" : ", b""]), VALUE, EOL).map(b"".join),
                  max_size=8).map(b"".join)
TEXT = st.lists(st.one_of(BITS, EOL, st.sampled_from([b"aGVsbG8=\r\n", b"=41=\r\n", b"--x--\r\n", b".\r\n"])),
                max_size=12).map(b"".join)
LEAF = st.tuples(HEADER, ENCODING, st.sampled_from([b"\r\n", b"\r\n", b"\n", b""]), TEXT).map(b"".join)


def message_of(inner):
    return st.tuples(HEADER, st.just(b"Content-Type: message/rfc822\r\n"), ENCODING, st.just(b"\r\n"), inner) \
        .map(b"".join)


def multipart_of(inner):
    def build(header, boundary, subtype, parts, closed):
        mark = b"--" + boundary
        body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts)
        return header + b'Content-Type: multipart/' + subtype + b'; boundary="' + boundary + b'"\r\n\r\n' + body + \
            (mark + b"--\r\n" if closed else b"")

    return st.builds(build, HEADER, st.sampled_from([b"x", b"y", b"xy", b"--"]),
                     st.sampled_from([b"mixed", b"digest", b"alternative", b""]), st.lists(inner, max_size=4),
                     st.booleans())


MAIL = st.recursive(LEAF, lambda inner: st.one_of(multipart_of(inner), message_of(inner)), max_leaves=8)

# ---- what must be true ----


def leaves(structure, path=()):
    """(section number, part) of every part, as FETCH numbers them (RFC 9051 6.4.5.1)."""
    if structure["type"].lower() == b"multipart" and "parts" in structure:
        for i, part in enumerate(structure["parts"], 1):
            yield from leaves(part, path + (i,))
        return
    here = path or (1,)
    yield here, structure
    inner = structure.get("body")
    if inner:
        yield from leaves(inner, here if "parts" in inner else here + (1,))


def without_ext(structure):
    """A BODYSTRUCTURE as BODY would have it."""
    out = {k: v for k, v in structure.items() if k != "more"}
    if "parts" in out:
        out["parts"] = [without_ext(part) for part in out["parts"]]
    if "body" in out:
        out["body"] = without_ext(out["body"])
    return out


def fetch_one(client, uid, items):
    [(_, got)] = client.ok(f"UID FETCH {uid} ({items})").all("FETCH")
    assert got["UID"] == uid
    return got


def check_sections(client, uid, structure, raw):
    parts = list(leaves(structure))[:12]
    names = [".".join(map(str, number)) for number, _ in parts]
    items = " ".join(f"BODY.PEEK[{n}] BODY.PEEK[{n}.MIME]" for n in names)
    got = fetch_one(client, uid, items)
    for (_, part), name in zip(parts, names):
        body = got[f"BODY[{name}]"]
        assert body is not None and len(body) == part["octets"], (name, part, body)
        assert body in raw and got[f"BODY[{name}.MIME]"] is not None
        if "lines" in part and b"\r" not in body.replace(b"\r\n", b""):
            assert part["lines"] in (body.count(b"\n"), body.count(b"\n") + 1), (name, part, body)
    for name in names:
        client.say(f"UID FETCH {uid} (BINARY.SIZE[{name}] BINARY.PEEK[{name}])")


def check_mail(client, raw):
    done = client.append("INBOX", raw)
    assert done.status == "OK", done
    uid = done.code[1][1][0]
    got = fetch_one(client, uid, "RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[HEADER] "
                    "BODY.PEEK[TEXT] RFC822.HEADER BODY.PEEK[HEADER.FIELDS (From X)] "
                    "BODY.PEEK[HEADER.FIELDS.NOT (From X)] BODY.PEEK[]<1.3>")
    assert (got["BODY[]"] or b"") == raw and got["RFC822.SIZE"] == len(raw)
    assert got["BODY[HEADER]"] + got["BODY[TEXT]"] == raw
    assert got["RFC822.HEADER"] == got["BODY[HEADER]"]
    assert got["BODY[]<1>"] == raw[1:4]
    assert without_ext(got["BODYSTRUCTURE"]) == without_ext(got["BODY"])
    check_sections(client, uid, got["BODYSTRUCTURE"], raw)
    client.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
    client.ok("EXPUNGE")


def without_nul(raw):
    """A literal holds no NUL (RFC 9051 9: CHAR8); mail with one comes by literal8, and has a test of its own."""
    return raw.replace(b"\0", b"0")


class Inbox:
    """A client with INBOX selected; after a failure, which may have left it in mid-answer, another one."""

    def __init__(self, gate):
        self.gate, self.client = gate, None

    def check(self, raw):
        if not self.client:
            self.client = imapwire.Client(self.gate, "alice", "secret")
            self.client.ok("SELECT INBOX")
        client, self.client = self.client, None
        check_mail(client, without_nul(raw))
        self.client = client


def test_made_up_mail(gate):
    inbox = Inbox(gate)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, print_blob=True,
              suppress_health_check=list(HealthCheck))
    @given(MAIL)
    def look(raw):
        if raw:
            inbox.check(raw)

    look()


@pytest.mark.timeout(3600)
def test_mail_of_a_corpus(gate):
    inbox = Inbox(gate)
    directory = os.environ.get("GATEPOST_MAIL_CORPUS")
    for path in sorted(pathlib.Path(directory).rglob("*.eml")) if directory else []:
        raw = path.read_bytes()
        if 0 < len(raw) < 4_000_000:
            try:
                inbox.check(raw)
            except AssertionError as e:
                raise AssertionError(f"{path}: {e}") from e
