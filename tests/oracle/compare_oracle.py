#!/usr/bin/env python3
"""Compare store/mime with what another server answered about the same mails.

    compare_oracle.py MIME_DUMP [CORPUS] [-v]

CORPUS is a directory of mails with oracle/shared-fetch.jsonl in it: one JSON object a line with
the file, the parsed ENVELOPE and BODYSTRUCTURE, and length and SHA-256 of body sections. Without
one there is nothing to compare, and that is no failure.

Every difference must be one that docs/mime.md explains; the classes below carry the same names.
"""

import collections
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile


# ---- mails ----

def packed(path, member, cache={}):
    """The bytes of one mail of a packed set: a tar member, or "#N" of an mbox."""
    if path not in cache:
        data = subprocess.run(["zstd", "-dc", path], check=True, stdout=subprocess.PIPE).stdout
        if path.endswith(".tar.zst"):
            import io
            import tarfile
            tar = tarfile.open(fileobj=io.BytesIO(data))
            cache[path] = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
        else:
            mails = data.split(b"From mboxrd@z Thu Jan  1 00:00:00 1970\n")[1:]
            cache[path] = {f"#{n}": re.sub(rb"(?m)^>(>*From )", rb"\1", mail[:-1])
                           for n, mail in enumerate(mails)}
    return cache[path][member]


def as_found(corpus, name):
    if ".zst:" in name:
        path, member = name.split(".zst:", 1)
        return packed(os.path.join(corpus, path + ".zst"), member)
    with open(os.path.join(corpus, name), "rb") as f:
        return f.read()


def canonical(raw):
    """The RFC 5322 form that was given to the other server."""
    if re.match(rb">?From ", raw):
        raw = raw[raw.index(b"\n") + 1:] if b"\n" in raw else b""
    return re.sub(rb"(?<!\r)\n", b"\r\n", raw)


def as_stored(mail):
    """What the other server changed when it stored the mail."""
    mail = mail.replace(b"\0", b"\x80")
    mail = re.sub(rb"\r+\r\n", b"\r\n", mail)
    return mail[:-1] if mail.endswith(b"\r") else mail


# ---- our answers ----

def ask(dump, path, items):
    out = subprocess.run([dump, path] + items, check=True, stdout=subprocess.PIPE).stdout
    answers, at = {}, 0
    for item in items:
        end = out.index(b"\n", at)
        head = out[at:end].decode()
        broken = head.startswith("!")
        n = int(head.lstrip("!"))
        at = end + 1
        answers[item] = None if n < 0 else out[at:at + n]
        if broken:
            answers[item] = "broken"
        at += max(n, 0) + 1
    return answers


def parse(text):
    """IMAP's parenthesized data as nested lists; NIL is None, strings are latin-1."""
    at = 0

    def value():
        nonlocal at
        if text[at:at + 1] == b"(":
            at += 1
            out = []
            while text[at:at + 1] != b")":
                if text[at:at + 1] == b" ":
                    at += 1
                out.append(value())
            at += 1
            return out
        if text[at:at + 1] == b'"':
            end = at + 1
            while text[end:end + 1] != b'"':
                end += 2 if text[end:end + 1] == b"\\" else 1
            raw = text[at + 1:end]
            at = end + 1
            return re.sub(rb"\\(.)", rb"\1", raw).decode("latin-1")
        m = re.match(rb"\{(\d+)\}\r\n", text[at:at + 40])
        if m:
            start = at + m.end()
            at = start + int(m.group(1))
            return text[start:at].decode("latin-1")
        m = re.match(rb"NIL|\d+", text[at:at + 30])
        at += m.end()
        return None if m.group() == b"NIL" else int(m.group())

    sys.setrecursionlimit(10000)
    return value()


# ---- differences that docs/mime.md explains ----

def fold_case(x, path=()):
    """Types, encodings and parameter names are case-insensitive."""
    if isinstance(x, list):
        return [fold_case(i) for i in x]
    return x.lower() if isinstance(x, str) else x


def envelope_classes(ours, theirs):
    """The class of each difference between two envelopes; None where it is not explained."""
    names = ["date", "subject", "from", "sender", "reply_to", "to", "cc", "bcc", "in_reply_to",
             "message_id"]
    for name, a in zip(names, ours):
        b = theirs[name]
        if a == b:
            continue
        if isinstance(a, list) and isinstance(b, list):
            fixed = [[x[0], x[1], "" if x[2] == "MISSING_MAILBOX" else x[2],
                      "" if x[3] == "MISSING_DOMAIN" else x[3]] for x in b]
            if a == fixed:
                yield "missing-domain", name, a, b
                continue
        yield None, name, a, b


def structure_classes(ours, theirs, extended_at=None):
    if ours == theirs:
        return
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, (a, b) in enumerate(zip(ours, theirs)):
            if a == b:
                continue
            if isinstance(a, int) and isinstance(b, int) and a == b + 1 and i in (7, 9):
                yield "last-line", a, b
            else:
                yield from structure_classes(a, b)
        return
    yield None, ours, theirs


def main():
    verbose = "-v" in sys.argv
    args = [a for a in sys.argv[1:] if a != "-v"]
    dump = args[0]
    corpus = args[1] if len(args) > 1 else ""
    oracle = os.path.join(corpus, "oracle", "shared-fetch.jsonl")
    if not corpus or not os.path.exists(oracle):
        print("no corpus with another server's answers: nothing to compare")
        return 0

    counts = collections.Counter()
    unexplained = 0

    def differ(name, what, why, ours, theirs):
        nonlocal unexplained
        counts[why or "UNEXPLAINED"] += 1
        if not why:
            unexplained += 1
        if not why or verbose:
            print(f"{name}: {what}: {why or 'UNEXPLAINED'}\n   ours   {str(ours)[:600]}\n"
                  f"   theirs {str(theirs)[:600]}")

    for line in open(oracle):
        row = json.loads(line)
        if row.get("fetch") != "OK":
            continue
        name = row["file"]
        mail = canonical(as_found(corpus, name))
        if hashlib.sha256(mail).hexdigest() != row["appended_sha256"]:
            differ(name, "canonical form", None, len(mail), row["appended_bytes"])
            continue
        mail = as_stored(mail)
        if len(mail) != row["rfc822_size"]:
            differ(name, "stored size", None, len(mail), row["rfc822_size"])
        expected = dict(row.get("body") or {})
        expected.update(row.get("sections") or {})
        sections = [s for s in expected if not re.search(r"<\d+>$", s) and "SIZE" not in s]
        with tempfile.NamedTemporaryFile() as f:
            f.write(mail)
            f.flush()
            got = ask(dump, f.name, ["ENVELOPE", "BODYSTRUCTURE"] + sections)
        counts["mails"] += 1
        if row.get("envelope"):
            for why, what, a, b in envelope_classes(parse(got["ENVELOPE"]), row["envelope"]):
                differ(name, "ENVELOPE " + what, why, a, b)
        if row.get("bodystructure"):
            ours, theirs = fold_case(parse(got["BODYSTRUCTURE"])), fold_case(row["bodystructure"])
            for why, a, b in structure_classes(ours, theirs):
                differ(name, "BODYSTRUCTURE", why, a, b)
        for section in sections:
            want, have = expected[section], got[section]
            if isinstance(want, str) or have == "broken":
                if not (isinstance(want, str) and have == "broken"):
                    differ(name, section, None, have if have == "broken" else len(have or b""), want)
                continue
            counts["sections"] += 1
            have = have or b""
            if len(have) != want["len"] or hashlib.sha256(have).hexdigest() != want["sha256"]:
                differ(name, section, None, (len(have), have[:200]), want["len"])
    print(", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    return 1 if unexplained else 0


sys.exit(main())
