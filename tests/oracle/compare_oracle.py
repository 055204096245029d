#!/usr/bin/env python3
"""Compare store/mime with what another server answered about the same mails.

    compare_oracle.py MIME_DUMP [CORPUS] [-v]

CORPUS, else what GATEPOST_MAIL_CORPUS names, is a directory of mails with oracle/shared-fetch.jsonl in
it: one JSON object a line with the file, the parsed ENVELOPE and BODYSTRUCTURE, and length and SHA-256
of body sections. Without one there is nothing to compare, and that is no failure.

Every difference must be one that docs/mime.md explains; the classes below carry the same names.
"""

import collections
import datetime
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

def ask_dump(dump, mail, items):
    """{item: its answer} of mime_dump: bytes, None for NIL, "broken" for what cannot be decoded."""
    with tempfile.NamedTemporaryFile() as f:
        f.write(mail)
        f.flush()
        out = subprocess.run([dump, f.name] + items, check=True, stdout=subprocess.PIPE).stdout
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

# Mails whose bytes are broken in a way of their own. The item is the beginning of what differs.
BROKEN = [
    ("synthetic/mutated-29.eml", "", "broken-parameters"),
    ("plaintext-with-windows-1252-encoded-eml-attachment.eml", "", "broken-parameters"),
    ("synthetic/rfc2231.eml", "BODYSTRUCTURE", "rfc2231"),
    ("synthetic/boundary-200-chars.eml", "BODYSTRUCTURE", "long-boundary"),
    ("synthetic/nested-multipart-1000.eml", "BODYSTRUCTURE", "depth"),
    ("synthetic/all-bytes-header-8bit.eml", "ENVELOPE subject", "first-field"),
    ("synthetic/mutated-25.eml", "BODYSTRUCTURE", "broken-type"),
    ("synthetic/mutated-27.eml", "BODYSTRUCTURE", "broken-type"),
    ("multiple_invalid_content_dispositions.eml", "BODYSTRUCTURE", "odd-disposition"),
    ("sample_body_noscheme_url.eml", "BODYSTRUCTURE", "language"),
    ("synthetic/cr-only-eol.eml", "ENVELOPE", "lone-cr"),
    ("synthetic/nested-comments-5000.eml", "ENVELOPE", "comments"),
    ("synthetic/address-oddities.eml", "ENVELOPE", "broken-address"),
]


def broken_class(name, item):
    for mail, start, why in BROKEN:
        if name.endswith(mail) and item.startswith(start):
            return why
    return None


def fold_case(x):
    """Types, encodings and parameter names are case-insensitive."""
    if isinstance(x, list):
        return [fold_case(i) for i in x]
    return x.lower() if isinstance(x, str) else x


def address_class(ours, theirs):
    fixed = [[x[0], x[1], "" if x[2] == "MISSING_MAILBOX" else x[2],
              "" if x[3] == "MISSING_DOMAIN" else x[3]] for x in theirs]
    if ours == fixed:
        return "missing-domain"
    if any(x[3] == "SYNTAX_ERROR" for x in theirs):
        return "broken-address"
    return None


def envelope_classes(ours, theirs):
    """The class of each difference between two envelopes; None where no rule explains it."""
    names = ["date", "subject", "from", "sender", "reply_to", "to", "cc", "bcc", "in_reply_to",
             "message_id"]
    for name, a in zip(names, ours):
        b = theirs[name]
        why = None
        if a == b:
            continue
        if isinstance(a, list) and isinstance(b, list):
            why = address_class(a, b)
        elif isinstance(a, str) and isinstance(b, str) and a.split() == b.split():
            why = "fold"
        yield why, name, a, b


def structure_classes(ours, theirs):
    if ours == theirs:
        return
    if isinstance(ours, list) and isinstance(theirs, list):
        if ours[:2] == ["message", "global"] and theirs[:2] == ["message", "global"]:
            yield "message-global", ours, theirs
            return
        if theirs[:2] == ["", ""] and ours[:2] == ["text", "plain"]:
            yield "broken-type", ours, theirs
            return
        if len(ours) == len(theirs):
            for i, (a, b) in enumerate(zip(ours, theirs)):
                if isinstance(a, int) and isinstance(b, int) and a == b + 1 and i in (7, 9):
                    yield "last-line", a, b
                elif isinstance(a, int) and isinstance(b, int) and a == b - 2 and i == 6:
                    yield "nested-close", a, b
                else:
                    yield from structure_classes(a, b)
            return
    yield None, ours, theirs


def digest_is(data, want):
    return len(data) == want["len"] and hashlib.sha256(data).hexdigest() == want["sha256"]


def section_class(section, have, want, types):
    """The class of a difference between two sections."""
    number = re.search(r"\[([\d.]*)", section).group(1).strip(".")
    if section.startswith("BINARY") and re.match("message/|multipart/", types.get(number, "")):
        return "binary-composite"
    if types.get(number) == "message/global":
        return "message-global"
    if section.startswith("BODY[HEADER.FIELDS"):
        if digest_is(have + b"\r\n", want):
            return "no-empty-line"
        return "no-field" if "NOT" in section and len(have) < want["len"] else None
    if section.endswith(".MIME]") and have == b"\r\n" and want["len"] == 0:
        return "empty-part"
    if digest_is(have + b"\r\n", want):
        return "nested-close"
    return None


# ---- searches ----

# Mails in which we find what the other server does not, or the other way round.
SEARCHES = [
    ("synthetic/random-bytes-1.eml", "raw-8bit"),
    ("SUBJ_ILLEGAL_CHARS_fp-bug4352-att2882.eml", "raw-8bit"),
    ("synthetic/all-bytes-header-8bit.eml", "raw-8bit"),
    ("mail-mime-parser/m0001.eml", "raw-8bit"),
    ("stalwart-mail-parser/legacy_010.eml", "raw-8bit"),
    ("synthetic/mutated-29.eml", "broken-parameters"),
    ("synthetic/mutated-17.eml", "broken-type"),
    ("spam-2/00204.4cf15f97b8ea08bfafab7d5091b8fbe7", "broken-type"),
    ("spamassassin-tests/nice_mime8.eml", "broken-type"),
]


def search_item(command):
    """Our item for a SEARCH command, None where it asks for more than one text."""
    m = re.fullmatch(r'SEARCH (?:CHARSET UTF-8 )?(BODY|TEXT|SUBJECT|FROM|TO|CC|BCC) '
                     r'(?:"([^"]*)"|<literal (.*)>)', command)
    h = re.fullmatch(r'SEARCH HEADER "([^"]*)" "([^"]*)"', command)
    if m:
        return f"SEARCH:{m[1]}:{m[2] or m[3]}"
    return f"SEARCH:{h[1]}:{h[2]}" if h else None


def sent_test(command):
    """What SENTBEFORE and the like ask of a day ("2026-11-24"), None for other commands."""
    m = re.fullmatch(r"SEARCH SENT(BEFORE|SINCE|ON) (\d+-\w+-\d+)", command)
    if not m:
        return None
    day = datetime.datetime.strptime(m[2], "%d-%b-%Y").strftime("%Y-%m-%d")
    return {"BEFORE": lambda sent: sent < day, "SINCE": lambda sent: sent >= day,
            "ON": lambda sent: sent == day}[m[1]]


def compare_searches(dump, corpus, differ):
    path, counts = os.path.join(corpus, "oracle", "shared-search-sort-thread.json"), differ.counts
    if not os.path.exists(path):
        return
    with open(path) as f:
        oracle = json.load(f)
    wanted, sent = {}, {}
    for query in oracle["queries"]:
        item, test = search_item(query["command"]), sent_test(query["command"])
        if item:
            wanted[item] = set(query["answer"][0].split()[2:])
        if test:
            sent[query["command"]] = test, set(query["answer"][0].split()[2:])
    for mail in oracle["mailbox_order"]:
        got = ask_dump(dump, as_stored(canonical(as_found(corpus, mail["file"]))), ["DATE"] + list(wanted))
        day = (got["DATE"] or b"").decode()
        for command, (test, numbers) in sent.items():
            counts["searches"] += 1
            ours, theirs = bool(day) and test(day), str(mail["seq"]) in numbers
            if ours != theirs:
                unread = theirs == test("1970-01-01")
                why = "no-date" if not day else "odd-date" if unread or day < "1970" else None
                differ(mail["file"], command, why, day, theirs)
        for item, numbers in wanted.items():
            counts["searches"] += 1
            ours, theirs = got[item] == b"1", str(mail["seq"]) in numbers
            if ours != theirs:
                why = [w for end, w in SEARCHES if mail["file"].endswith(end)]
                differ(mail["file"], item, why[0] if why else None, ours, theirs)


class Differences:
    """Counts them by their class, and prints those that no class explains, or all of them."""

    def __init__(self, verbose=False):
        self.counts, self.verbose, self.had_nul = collections.Counter(UNEXPLAINED=0), verbose, False

    def __call__(self, name, what, why, ours, theirs):
        why = why or broken_class(name, what) or ("nul" if self.had_nul else None)
        self.counts[why or "UNEXPLAINED"] += 1
        if not why or self.verbose:
            print(f"{name}: {what}: {why or 'UNEXPLAINED'}\n   ours   {str(ours)[:600]}\n"
                  f"   theirs {str(theirs)[:600]}")


def compare_mail(row, mail, ask, differ):
    name, counts = row["file"], differ.counts
    expected = dict(row.get("body") or {})
    expected.update(row.get("sections") or {})
    sections = [s for s in expected if not re.search(r"<\d+>$", s) and "SIZE" not in s]
    got = ask(mail, ["ENVELOPE", "BODYSTRUCTURE"] + sections)
    counts["mails"] += 1
    if row.get("envelope"):
        for why, what, a, b in envelope_classes(parse(got["ENVELOPE"]), row["envelope"]):
            differ(name, "ENVELOPE " + what, why, a, b)
    if row.get("bodystructure"):
        ours, theirs = fold_case(parse(got["BODYSTRUCTURE"])), fold_case(row["bodystructure"])
        for why, a, b in structure_classes(ours, theirs):
            differ(name, "BODYSTRUCTURE", why, a, b)
    types = {p["section"]: p["type"].lower() for p in row.get("parts") or []}
    for section in sections:
        want, have = expected[section], got[section]
        counts["sections"] += 1
        if isinstance(want, str):
            if "dropped" not in want and have != "broken":
                differ(name, section, "binary-broken" if "[PARSE]" in want else None, len(have or b""), want)
        elif have == "broken":
            differ(name, section, None, have, want)
        elif not digest_is(have or b"", want):
            differ(name, section, section_class(section, have or b"", want, types),
                   (len(have or b""), (have or b"")[:200]), want)


def oracle_file(corpus):
    return os.path.join(corpus, "oracle", "shared-fetch.jsonl")


def compare_structures(corpus, ask, differ):
    """Every mail of the oracle: ask(mail, items) gives our answers, as ask_dump() does."""
    with open(oracle_file(corpus)) as f:
        rows = [json.loads(line) for line in f]
    for row in rows:
        if row.get("fetch") != "OK":
            continue
        mail = canonical(as_found(corpus, row["file"]))
        if hashlib.sha256(mail).hexdigest() != row["appended_sha256"]:
            differ(row["file"], "canonical form", None, len(mail), row["appended_bytes"])
            continue
        differ.had_nul = b"\0" in mail
        mail = as_stored(mail)
        if len(mail) != row["rfc822_size"]:
            differ(row["file"], "stored size", None, len(mail), row["rfc822_size"])
        compare_mail(row, mail, ask, differ)


def main():
    differ = Differences(verbose="-v" in sys.argv)
    args = [a for a in sys.argv[1:] if a != "-v"]
    dump = args[0]
    corpus = args[1] if len(args) > 1 else os.environ.get("GATEPOST_MAIL_CORPUS", "")
    if not corpus or not os.path.exists(oracle_file(corpus)):
        print("no corpus with another server's answers: nothing to compare")
        return 0
    compare_structures(corpus, lambda mail, items: ask_dump(dump, mail, items), differ)
    compare_searches(dump, corpus, differ)
    print(", ".join(f"{n} {what}" for what, n in sorted(differ.counts.items())))
    return 1 if differ.counts["UNEXPLAINED"] else 0


if __name__ == "__main__":
    sys.exit(main())
