"""The thread through all layers: one delivered message, read by POP3 and by IMAP."""
MESSAGE = b"From: a@example.org\r\nTo: alice@example.org\r\nSubject: hello\r\n\r\nText.\r\n.dot\r\n"


def test_a_delivered_message_is_the_same_by_pop3_and_by_imap(gate):
    gate.deliver("alice", MESSAGE)

    imap = gate.imap("alice", "secret")
    assert imap.select("INBOX") == ("OK", [b"1"])
    by_imap = imap.fetch("1", "(RFC822.SIZE BODY.PEEK[])")[1][0]
    imap.logout()

    pop = gate.pop("alice", "secret")
    assert pop.stat()[0] == 1
    by_pop = b"\r\n".join(pop.retr(1)[1]) + b"\r\n"
    pop.quit()

    assert by_imap[1] == by_pop
    assert by_pop.endswith(MESSAGE)
    assert int(by_imap[0].split()[by_imap[0].split().index(b"(RFC822.SIZE") + 1]) == len(by_pop)
    assert gate.pop("alice", "secret").stat() == (1, len(by_pop))


def test_the_same_over_tls(gate):
    gate.deliver("alice", MESSAGE)
    imap = gate.imap("alice", "secret", tls=True)
    assert imap.select("INBOX") == ("OK", [b"1"])
    pop = gate.pop("alice", "secret", tls=True)
    assert pop.stat()[0] == 1


def test_a_log_on_leaves_one_record(gate):
    gate.imap("alice", "secret").logout()
    records = gate.records()
    assert [(r["protocol"], r["identity"], r["reason"]) for r in records] == [("imap", "alice", "ok")]
