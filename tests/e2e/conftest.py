"""Fixtures: a daemon with two users, for each test that asks for it."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gate as gates  # noqa: E402


@pytest.fixture
def gate(tmp_path):
    """A running daemon with alice and bob, whose secrets are "secret"; verified at the end."""
    g = gates.Gate(tmp_path)
    g.add_user("alice", "secret")
    g.add_user("bob", "secret")
    with g:
        yield g
        g.verify()
