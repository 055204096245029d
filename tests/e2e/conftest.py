"""Fixtures: a daemon with two users, for each test that asks for it."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gate as gates  # noqa: E402


@pytest.fixture
def own_gate(tmp_path):
    """A running daemon with alice and bob, whose secrets are "secret"; verified at the end."""
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    g.add_user("bob", "secret")
    with g:
        yield g
        g.verify()


@pytest.fixture
def gate(own_gate):
    """What a test gets that does not say otherwise; a file can say that its tests share one."""
    return own_gate


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """One daemon for all tests of a file; verified at the end."""
    g = gates.Gate(tmp_path_factory.mktemp("daemon"))
    g.add_user("alice", "secret")
    g.add_user("bob", "secret")
    with g:
        yield g
        g.verify()


@pytest.fixture
def shared_gate(daemon, tmp_path):
    """The file's daemon, for tests that neither stop nor configure it: alice's mailbox is new, bob's what
    others left of it, there are no records yet, and files go to a directory of the test's own."""
    daemon.command("user", "del", "alice")
    daemon.add_user("alice", "secret")
    daemon.forget_records()
    daemon.work = tmp_path
    return daemon
