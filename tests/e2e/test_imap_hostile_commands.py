"""Whatever a client says, every byte of the answer is in the grammar, and the session goes on.

Commands are made of right and wrong pieces; GATEPOST_EXAMPLES says how many sessions there are. No mail here has a
NUL: BODY[] gives it as it is (docs/protocols/imap.md), which the grammar has no word for.
"""
import os

from hypothesis import HealthCheck, given, settings, strategies as st

import imapwire

EXAMPLES = int(os.environ.get("GATEPOST_EXAMPLES", "150"))

NAME = st.sampled_from([b"INBOX", b"inbox", b"Archive", b'"Sent Items"', b"nosuch", b'""', b"x/y", b"/", b"x//y", b"&AOQ-",
                        b"&", b"&-", b'"\xc3\xa4"', b'"\xff"', b"%", b"*", b'"a\\"b\\\\"', b"{3+}\r\na\"b", b"NIL", b'"*"',
                        b"a(b", b"{1+}\r\n\xe4", b"new" * 60, b"x" * 300, b"a/" * 600, b'"a\x01b"', b"old"])
SET = st.sampled_from([b"1", b"1:*", b"*", b"*:1", b"2,1", b"0", b"9999", b"1:", b"$", b"4294967295", b"4294967296", b"1,,2",
                       b"1:2:3", b"", b"3:2,*:*"])
FLAGS = st.sampled_from([b"(\\Seen)", b"()", b"\\Deleted", b"(kw \\Flagged)", b"(\\Recent)", b"(\\*)", b"(]", b"(a b c d)",
                         b"\\Seen \\Draft", b"NIL", b"(kw%)", b'("x")', b"(" + b"k" * 300 + b")"])
ITEMS = st.sampled_from([b"FLAGS", b"(FLAGS UID)", b"ALL", b"FULL", b"FAST", b"(ALL)", b"BODY[]", b"BODY.PEEK[1.MIME]<0.5>",
                         b"BODY[HEADER.FIELDS (a b)]", b"BODY[HEADER.FIELDS.NOT (\"x y\" {1+}\r\nz)]", b"BINARY[1]",
                         b"BINARY.SIZE[9]", b"(ENVELOPE BODYSTRUCTURE BODY)", b"MODSEQ", b"(EMAILID THREADID SAVEDATE)",
                         b"RFC822", b"RFC822.TEXT.PEEK", b"BODY[0]", b"BODY[1.2.3.4.TEXT]", b"BODY[]<1>", b"()", b"X",
                         b"(FLAGS) (CHANGEDSINCE 1)", b"(FLAGS) (CHANGEDSINCE 1 VANISHED)", b"RFC822.SIZE INTERNALDATE"])
KEYS = st.sampled_from([b"ALL", b"UNSEEN", b"1:*", b"UID 1:*", b"NOT", b"OR SEEN", b"(SEEN", b"SUBJECT x", b'TEXT ""', b"$",
                        b"MODSEQ 1", b'MODSEQ "/flags/\\\\Seen" all 1', b"SINCE 1-Jan-2020", b"BEFORE x", b"OLDER 1",
                        b"HEADER a {1+}\r\nb", b"KEYWORD kw", b"LARGER 1", b"BODY \xff", b"((((ALL))))", b"EMAILID x", b"99"])
RETURN = st.sampled_from([b"", b"RETURN () ", b"RETURN (MIN MAX COUNT ALL) ", b"RETURN (SAVE) ", b"RETURN (SAVE MIN) ",
                          b"RETURN (X) ", b"CHARSET UTF-8 ", b"CHARSET latin1 ", b"CHARSET x ", b"RETURN (COUNT) CHARSET utf-8 "])
STATUS = st.sampled_from([b"(MESSAGES)", b"(MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ "
                          b"APPENDLIMIT MAILBOXID)", b"()", b"MESSAGES", b"(X)"])
UID = st.sampled_from([b"", b"", b"UID "])


def words(*parts):
    return st.tuples(*(p if isinstance(p, st.SearchStrategy) else st.just(p) for p in parts)).map(b"".join)


COMMAND = st.one_of(
    words(UID, b"FETCH ", SET, b" ", ITEMS), words(UID, b"STORE ", SET, b" +FLAGS", st.sampled_from([b"", b".SILENT"]), b" ", FLAGS),
    words(UID, b"STORE ", SET, b" (UNCHANGEDSINCE 5) FLAGS ", FLAGS), words(UID, b"SEARCH ", RETURN, KEYS, b" ", KEYS),
    words(UID, b"SEARCH ", RETURN, KEYS), words(UID, b"COPY ", SET, b" ", NAME), words(UID, b"MOVE ", SET, b" ", NAME),
    words(UID, b"EXPUNGE ", SET), st.just(b"EXPUNGE"), words(b"SELECT ", NAME), words(b"EXAMINE ", NAME, b" (CONDSTORE)"),
    words(b"SELECT ", NAME, b" (QRESYNC (1 1 ", SET, b"))"), words(b"CREATE ", NAME), words(b"DELETE ", NAME),
    words(b"CREATE ", NAME, b" (USE (\\All))"), words(b"RENAME ", NAME, b" ", NAME), words(b"SUBSCRIBE ", NAME),
    words(b"UNSUBSCRIBE ", NAME), words(b"LSUB ", NAME, b" ", NAME), words(b"LIST ", NAME, b" ", NAME),
    words(b"LIST (SUBSCRIBED RECURSIVEMATCH) ", NAME, b" (", NAME, b" ", NAME, b") RETURN (CHILDREN STATUS ", STATUS, b")"),
    words(b"LIST (SPECIAL-USE) \"\" ", NAME, b" RETURN (SUBSCRIBED)"), words(b"STATUS ", NAME, b" ", STATUS),
    words(b"APPEND ", NAME, b" ", FLAGS, b" {7+}\r\na: b\r\n\r"), words(b"APPEND ", NAME, b" ~{3+}\r\na\x01b"),
    words(b"APPEND ", NAME, b" UTF8 (~{3+}\r\n\xc3\xa4:)"), words(b"PARTIAL ", SET, b" RFC822 1 5"),
    st.sampled_from([b"NOOP", b"CHECK", b"CLOSE", b"UNSELECT", b"IDLE", b"CAPABILITY", b"NAMESPACE", b"ID NIL",
                     b'ID ("a" {1+}\r\nb)', b"ENABLE CONDSTORE", b"ENABLE QRESYNC", b"ENABLE IMAP4rev2", b"ENABLE UTF8=ACCEPT",
                     b"ENABLE X", b"ENABLE", b"LOGIN a b", b"STARTTLS", b"AUTHENTICATE PLAIN", b"X", b"UID", b"",
                     b"COMPRESS X", b"NOOP x", b"\xff\xfe", b"FETCH"]))


def reach(client, n):
    """Say two NOOPs, for IDLE may take the first for DONE; read on to the answer of the second."""
    client.send(b"first%d NOOP\r\nlast%d NOOP\r\n" % (n, n))
    while client.read()[0] != f"last{n}":
        pass


def test_every_answer_is_in_the_grammar(gate):
    maker = imapwire.Client(gate, "alice", "secret")

    @settings(max_examples=EXAMPLES, deadline=None, database=None, print_blob=True,
              suppress_health_check=list(HealthCheck))
    @given(st.lists(COMMAND, max_size=25))
    def session(commands):
        maker.append("INBOX", b"Subject: x\r\n\r\ny")
        client = imapwire.Client(gate, "alice", "secret")
        try:
            client.ok("SELECT INBOX")
            for n, command in enumerate(commands):
                client.send(b"c%d " % n + command + b"\r\n")
                reach(client, n)
        finally:
            client.close()

    session()
