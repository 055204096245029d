"""A store whose file is damaged: told plainly, found again, never an empty mailbox."""
import imaplib

import gate as gates
import pytest

MESSAGE = b"Subject: hello\r\n\r\n" + b"x" * 70 + b"\r\n"


@pytest.fixture
def stopped(tmp_path):
    """A daemon that has been filled and has ended."""
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    with g:
        imap = g.imap("alice", "secret")
        for _ in range(20):
            imap.append("INBOX", "", None, MESSAGE)
        imap.logout()
    return g


def data(g):
    return g.dir / "store" / "data.mdb"


def refuses_to_start(g):
    done = g.command("serve", check=False)
    return done.returncode != 0 and "damaged" in done.stderr


def test_a_file_cut_short_is_refused_with_its_page_named(stopped):
    whole = data(stopped).read_bytes()
    data(stopped).write_bytes(whole[:3 * 4096])
    assert refuses_to_start(stopped)
    verify = stopped.command("store", "verify", check=False)
    assert verify.returncode != 0
    assert "data.mdb: page " in verify.stderr and "beyond the end of the file" in verify.stderr
    data(stopped).write_bytes(whole)
    stopped.verify()


def test_an_empty_file_is_no_new_store(stopped):
    data(stopped).write_bytes(b"")
    assert "is empty" in stopped.command("user", "list", check=False).stderr
    assert data(stopped).stat().st_size == 0


def test_a_file_that_goes_under_a_running_daemon_is_looked_at_before_the_next_start(stopped):
    whole = data(stopped).read_bytes()
    stopped.start()
    imap = stopped.imap("alice", "secret")
    imap.select("INBOX")
    with open(data(stopped), "r+b") as file:
        file.truncate(2 * 4096)
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        imap.fetch("1:*", "(BODY[])")
    assert stopped.process.wait(gates.DEADLINE) != 0
    stopped.process = None
    assert "SIGBUS: the store's file could not be read" in stopped.log_text()
    assert (stopped.dir / "store" / "suspect").exists()
    assert refuses_to_start(stopped)

    data(stopped).write_bytes(whole)
    stopped.log.unlink() # a sanitizer told of the signal as well, and that was no finding
    with stopped:
        assert stopped.imap("alice", "secret").select("INBOX") == ("OK", [b"20"])
        assert not (stopped.dir / "store" / "suspect").exists()
    stopped.verify()
