"""A proxy or webmail tells by IMAP ID for whom it speaks; only from trusted networks is it believed."""
import socket

import gate as gates
import pytest

CLIENT = '"x-originating-ip" "198.51.100.7" "x-originating-port" "4711"'
WHOLE = (f'("name" "webmail" {CLIENT} "x-connected-ip" "203.0.113.25" "x-connected-port" "993" '
         '"x-session-id" "k3yboard" "x-proxy-ttl" "5")')


class Peer(gates.Raw):
    """A client that connects from an address of the loopback network."""

    def __init__(self, g, address, listener="imap"):
        self.gate = g
        self.socket = socket.create_connection(("127.0.0.1", g.ports[listener]), timeout=gates.DEADLINE,
                                               source_address=(address, 0))
        self.file = self.socket.makefile("rb")


@pytest.fixture(scope="module")
def g(tmp_path_factory):
    g = gates.Gate(tmp_path_factory.mktemp("origin"), limits="connections-per-address = 3")
    g.config.write_text(g.config.read_text().replace('"127.0.0.0/8"', '"127.0.0.1", "203.0.113.0/24"'))
    g.add_user("alice", "secret")
    with g:
        yield g


def attempt(g, said, address="127.0.0.1", secret="secret"):
    """Log on after these ID arguments; the tagged answer and the record of it."""
    g.forget_records()
    with Peer(g, address) as c:
        c.line()
        for each in said:
            assert c.imap(f"ID {each}")[0] == "OK"
        answer = c.imap(f"LOGIN alice {secret}")[1]
    (record,) = g.records()
    return answer, record


def test_the_client_of_a_trusted_proxy_is_the_one_on_record(g):
    answer, record = attempt(g, [WHOLE])
    assert b"OK" in answer
    assert (record["client"], record["client_port"]) == ("198.51.100.7", 4711)
    assert (record["server"], record["server_port"]) == ("203.0.113.25", 993)
    assert (record["proxy"], record["proxy_session"]) == ("127.0.0.1", "k3yboard")
    assert record["client_name"] == "webmail"
    gates.until(lambda: [line for line in g.log_text().splitlines() if "session.end" in line
                         and 'address="198.51.100.7"' in line and 'proxy="127.0.0.1"' in line
                         and 'proxy_session="k3yboard"' in line], "the line of the session")


def test_nobody_else_is_believed(g):
    answer, record = attempt(g, [WHOLE], "127.0.0.2")
    assert b"OK" in answer
    assert record["client"] == "127.0.0.2" and "proxy" not in record and "proxy_session" not in record


@pytest.mark.parametrize("fields", ['("x-originating-ip" "198.51.100.777")', '("x-originating-ip" NIL)',
                                    '("x-originating-ip" "198.51.100.7" "x-originating-port" "99999")',
                                    '("x-originating-port" "4711")', '("x-originating-ip" "mail.example.org")'])
def test_what_is_no_address_changes_nothing(g, fields):
    _, record = attempt(g, [fields])
    assert record["client"] == "127.0.0.1" and "proxy" not in record


def test_the_last_word_before_log_on_counts_and_the_proxy_stays_itself(g):
    _, record = attempt(g, [WHOLE, '("x-originating-ip" "2001:db8::7")'])
    assert (record["client"], record["client_port"], record["proxy"]) == ("2001:db8::7", 0, "127.0.0.1")
    with Peer(g, "127.0.0.1") as c:
        c.line()
        c.imap("LOGIN alice secret")
        c.imap(f"ID {WHOLE}")
        c.imap("LOGOUT")
        port = c.socket.getsockname()[1]
    gates.until(lambda: [line for line in g.log_text().splitlines()
                         if "session.end" in line and f"port={port} " in line and 'address="127.0.0.1"' in line],
                "the session's own address in its line")


def test_back_off_is_of_the_client_and_not_of_the_proxy(g):
    guesser, other = ('("x-originating-ip" "198.51.100.66")', '("x-originating-ip" "198.51.100.67")')
    answers = [attempt(g, [guesser], secret=f"guess{i}")[0] for i in range(8)]
    assert b"[AUTHENTICATIONFAILED]" in answers[0] and b"[UNAVAILABLE]" in answers[-1]
    assert attempt(g, [guesser])[1]["reason"] == "back-off"
    assert b"OK" in attempt(g, [other])[0]
    assert b"OK" in attempt(g, [])[0]
    # an address that is itself trusted has nothing to wait for
    inside = '("x-originating-ip" "203.0.113.9")'
    assert all(b"[AUTHENTICATIONFAILED]" in attempt(g, [inside], secret=f"guess{i}")[0] for i in range(12))


def test_one_client_has_its_share_of_connections_whatever_brings_them(g):
    mine = '("x-originating-ip" "198.51.100.90")'
    peers = [Peer(g, "127.0.0.1") for _ in range(5)]
    for c in peers[:3]:
        c.line()
        assert c.imap(f"ID {mine}")[0] == "OK"
    peers[3].line()
    assert b"NO [UNAVAILABLE]" in peers[3].imap(f"ID {mine}")[1]
    assert peers[3].line().startswith(b"* BYE") and peers[3].rest() == b""
    # a place that was left is free again, and the proxy itself has no bound
    assert peers[2].imap('ID ("x-originating-ip" "198.51.100.91")')[0] == "OK"
    peers[4].line()
    assert peers[4].imap(f"ID {mine}")[0] == "OK"
    for c in peers:
        c.close()


def test_what_was_said_before_starttls_is_forgotten(g):
    g.forget_records()
    with Peer(g, "127.0.0.1") as c:
        c.line()
        assert c.imap(f"ID {WHOLE}")[0] == "OK"
        assert c.imap("STARTTLS")[0] == "OK"
        c.start_tls()
        assert c.imap("LOGIN alice secret")[0] == "OK"
    (record,) = g.records()
    assert record["client"] == "127.0.0.1" and "proxy" not in record and "proxy_session" not in record
