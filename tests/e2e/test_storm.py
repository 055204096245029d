"""Many clients of every protocol at once on few mailboxes, while the daemon reloads and then drains.

./check threads runs this with the daemon under ThreadSanitizer.
"""
import concurrent.futures
import contextlib
import imaplib
import poplib
import signal

CLIENTS, ROUNDS = 3, 8
USERS = ("alice", "bob")


def message(who, n):
    return f"From: {who}@example.org\r\nSubject: {n}\r\n\r\n{'text ' * 50}\r\n".encode()


def appends(gate, user, n):
    imap = gate.imap(user, "secret", tls=n % 2 == 1)
    imap.select("INBOX")
    for i in range(ROUNDS):
        assert imap.append("INBOX", r"\Flagged", None, message(user, i))[0] == "OK"
        assert imap.uid("STORE", "1:*", "+FLAGS", r"(\Seen word)")[0] == "OK"
        assert imap.search(None, "BODY", "text")[0] == "OK"
        assert imap.fetch("1:*", "(FLAGS ENVELOPE BODY.PEEK[HEADER])")[0] == "OK"
        assert imap.copy("1", "Sent")[0] in ("OK", "NO")
    imap.logout()
    return ROUNDS


def idles(gate, user, n):
    """Waits for two changes that others make."""
    imap = gate.imap(user, "secret")
    imap.select("INBOX")
    for i in range(2):
        imap.send(b"i%d IDLE\r\n" % i)
        while b"EXISTS" not in imap.readline():
            pass
        imap.send(b"DONE\r\n")
        while not imap.readline().startswith(b"i%d OK" % i):
            pass
    imap.logout()
    return 0


def delivers(gate, user, n):
    for i in range(ROUNDS):
        gate.deliver(list(USERS), message("lmtp", i))
    return ROUNDS


def pops(gate, user, n):
    for i in range(ROUNDS):
        pop = gate.pop(user, "secret", tls=i % 2 == 1)
        if pop.stat()[0]:
            pop.retr(1)
        pop.quit()
    return 0


def is_refused(gate, user, n):
    for i in range(ROUNDS):
        with contextlib.suppress(imaplib.IMAP4.error, poplib.error_proto):
            gate.imap(user, f"wrong {n}")
            raise AssertionError("a wrong secret was taken")
    return 0


def test_nothing_is_lost_and_nobody_waits_for_ever(own_gate):
    gate = own_gate
    work = (idles, appends, delivers, pops, is_refused)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        going = [(user, task, pool.submit(task, gate, user, n))
                 for n in range(CLIENTS) for user in USERS for task in work]
        for _ in range(3):
            gate.process.send_signal(signal.SIGHUP)
            gate.command("store", "verify")
        done = [(user, task, future.result()) for user, task, future in going]
    delivered = sum(n for _, task, n in done if task is delivers)
    for user in USERS:
        want = delivered + sum(n for who, task, n in done if task is appends and who == user)
        assert gate.imap(user, "secret").select("INBOX") == ("OK", [str(want).encode()])
