"""Messages for tests: the sample mail of the project, odd ones made here, and a corpus where
GATEPOST_MAIL_CORPUS names one."""
import os
import pathlib
import re

import gate as gates

SAMPLES = gates.ROOT / "share" / "sample-mail"
CORPUS = os.environ.get("GATEPOST_MAIL_CORPUS")


def canonical(raw):
    """The message that import makes of a file (docs/manual/command-line.md)."""
    if re.match(rb">?From ", raw):
        raw = raw.partition(b"\n")[2]
    return with_crlf(raw)


def with_crlf(raw):
    return re.sub(rb"(?<!\r)\n", b"\r\n", raw)


def samples():
    return [canonical(path.read_bytes()) for path in sorted(SAMPLES.glob("*.eml"))]


HEADER = b"From: a@example.net\r\nTo: alice@example.org\r\nSubject: %s\r\nMessage-ID: <%s@odd>\r\n\r\n"


def odd(name, body):
    return HEADER % (name, name) + body


# By what a client that counts lines, or believes in strings that end at NUL, would stumble over.
ODD = {
    "nul": odd(b"nul", b"a\0b\0\0\r\n\0\r\n"),
    "lone-cr": odd(b"lone-cr", b"one\rtwo\r\r\nthree\r\n\r"),
    "lone-lf": odd(b"lone-lf", b"one\ntwo\n\nthree\r\n\n"),
    "no-end": odd(b"no-end", b"the last line has no end"),
    "ends-in-cr": odd(b"ends-in-cr", b"the last line ends in CR\r"),
    "dots": odd(b"dots", b".\r\n..\r\n.x\r\n...\r\n\r\n.\r\n"),
    "dots-behind-lf": odd(b"dots-behind-lf", b"a\n.\nb\n..c\n.\r\nd\r\n"),
    "long-line": odd(b"long-line", b"x" * 100_000 + b"\r\n"),
    "8-bit": odd(b"8-bit", bytes(range(128, 256)) + b"\r\n"),
    "all-bytes": odd(b"all-bytes", bytes(range(256)) * 4),
    "no-body": b"From: a@example.net\r\nSubject: no body\r\n\r\n",
    "no-empty-line": b"From: a@example.net\r\nSubject: no empty line\r\n",
    "no-header": b"\r\nOnly a body.\r\n",
    "one-byte": b"x",
    "line-ends": b"\r\n\r\n\r\n",
    "large": odd(b"large", b"".join(b"%07d %s\r\n" % (i, b"abcdefghij" * 6) for i in range(20_000))),
}


def without_lone(mail):
    """Can a client that ends lines at LF tell this mail's lines? Then no NUL, lone CR or lone LF is in it,
    and its last line has an end."""
    return not re.search(rb"\0|\r(?!\n)|(?<!\r)\n", mail) and mail.endswith(b"\r\n")
