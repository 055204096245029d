"""What takes a socket, a certificate or an account's settings: STARTTLS, COMPRESS, quotas."""
import zlib

import imapwire


class Deflated:
    """Both directions of a connection behind COMPRESS (RFC 4978): raw deflate, flushed at each turn."""

    def __init__(self, raw):
        self.raw = raw
        self.out, self.inflate, self.text = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15), b""

    def say(self, line):
        self.raw.send(self.out.compress(line) + self.out.flush(zlib.Z_SYNC_FLUSH))

    def until(self, end):
        while end not in self.text:
            data = self.raw.socket.recv(65536)
            assert data, self.text
            self.text += self.inflate.decompress(data)
        text, self.text = self.text, b""
        return text


def capabilities(raw, tag="c1"):
    status, _, before = raw.imap("CAPABILITY", tag)
    assert status == "OK"
    return before.split()[2:]


def test_passwords_wait_for_tls(gate):
    """RFC 9051 6.2.1, 6.2.3, 11.1: LOGINDISABLED before, capabilities anew behind STARTTLS."""
    with gate.raw("plain") as raw:
        greeting = raw.line()
        assert b"LOGINDISABLED" in greeting and b"STARTTLS" in greeting and b"AUTH=PLAIN" not in greeting
        status, line, _ = raw.imap("LOGIN alice secret")
        assert status == "NO" and b"[PRIVACYREQUIRED]" in line
        raw.send("s1 STARTTLS\r\ns2 LOGIN alice secret\r\n")
        assert raw.line().startswith(b"s1 OK")
        raw.start_tls()
        words = capabilities(raw)
        assert b"LOGINDISABLED" not in words and b"STARTTLS" not in words and b"AUTH=PLAIN" in words
        assert raw.imap("STARTTLS", "s3")[0] == "BAD"
        assert raw.imap("LOGIN alice secret", "s4")[0] == "OK"


def test_everything_goes_on_compressed(gate):
    """RFC 4978: the OK is the last clear line; IDLE, literals and long answers go on behind it."""
    with gate.raw("imap") as raw:
        raw.line()
        assert raw.imap("LOGIN alice secret")[0] == "OK"
        assert b"COMPRESS=DEFLATE" in capabilities(raw)
        assert raw.imap("COMPRESS DEFLATE", "z1")[0] == "OK"
        wire = Deflated(raw)
        wire.say(b"z2 CAPABILITY\r\n")
        assert b"COMPRESS" not in wire.until(b"z2 OK")
        wire.say(b"z3 COMPRESS DEFLATE\r\n")
        assert b"[COMPRESSIONACTIVE]" in wire.until(b"z3 NO")
        mail = b"Subject: long\r\n\r\n" + bytes(range(1, 256)) * 4000
        wire.say(b"z4 APPEND INBOX {%d+}\r\n%s\r\nz5 SELECT INBOX\r\nz6 FETCH 1 BODY[]\r\n" % (len(mail), mail))
        assert mail in wire.until(b"z6 OK")
        wire.say(b"z7 IDLE\r\n")
        wire.until(b"+ idling\r\n")
        gate.deliver("alice", b"Subject: new\r\n\r\n")
        assert b"* 2 EXISTS\r\n" in wire.until(b"EXISTS")
        wire.say(b"DONE\r\nz8 LOGOUT\r\n")
        assert b"* BYE" in wire.until(b"z8 OK")


def test_compression_works_under_tls(gate):
    with gate.raw("imaps", tls=True) as raw:
        raw.line()
        assert raw.imap("LOGIN alice secret")[0] == "OK"
        assert raw.imap("COMPRESS DEFLATE", "z1")[0] == "OK"
        wire = Deflated(raw)
        wire.say(b"z2 NOOP\r\n")
        wire.until(b"z2 OK")


def test_a_full_mailbox_says_so_and_stays_whole(gate):
    """RFC 9051 7.1, OVERQUOTA; nothing of an APPEND or COPY that fails is kept (6.3.12, 6.4.7)."""
    client = imapwire.Client(gate, "alice", "secret")
    mail = b"Subject: x\r\n\r\n" + b"y" * 1000
    assert client.append("INBOX", mail).status == "OK"
    gate.command("user", "set", "alice", "quota=2500")
    assert client.append("INBOX", mail).status == "OK"
    done = client.append("INBOX", mail)
    assert (done.status, done.code) == ("NO", (b"OVERQUOTA", None))
    client.ok("SELECT INBOX")
    client.refused("COPY 1:2 Archive", "NO", "OVERQUOTA")
    client.ok("MOVE 1 Archive")
    _, items = client.ok("STATUS Archive (MESSAGES UIDNEXT)").one("STATUS")
    assert items == {b"MESSAGES": 1, b"UIDNEXT": 2}
    client.ok("STORE 1 +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    assert client.append("INBOX", mail).status == "OK"


def test_a_message_beyond_the_limit_is_refused_before_it_is_sent(gate):
    """RFC 7889: APPENDLIMIT is the limit, and TOOBIG the answer."""
    client = imapwire.Client(gate, "alice", "secret")
    words = client.ok("CAPABILITY").one("CAPABILITY")
    limit = int(next(w for w in words if w.startswith(b"APPENDLIMIT=")).split(b"=")[1])
    client.refused(f"APPEND INBOX {{{limit + 1}}}", "NO", "TOOBIG")
    assert client.ok("STATUS INBOX (APPENDLIMIT MESSAGES)").one("STATUS")[1] == \
        {b"APPENDLIMIT": limit, b"MESSAGES": 0}


def test_commands_are_answered_in_their_order(gate):
    """RFC 9051 5.5: what is pipelined is done one after the other."""
    client = imapwire.Client(gate, "alice", "secret")
    client.append("INBOX", b"Subject: x\r\n\r\ny")
    tags = [client.begin(c) for c in ("SELECT INBOX", "STORE 1 +FLAGS (\\Flagged)", "FETCH 1 FLAGS",
                                      "STORE 1 -FLAGS (\\Flagged)", "SEARCH FLAGGED", "UNSELECT", "FETCH 1 FLAGS")]
    done = [client.finish(tag) for tag in tags]
    assert [d.status for d in done] == ["OK"] * 6 + ["BAD"]
    assert b"\\Flagged" in done[2].one("FETCH")[1]["FLAGS"]
    assert done[4].one("SEARCH") == ([], None)
