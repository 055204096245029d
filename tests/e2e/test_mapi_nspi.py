"""The address book and Autodiscover as clients see them, over TLS."""
import base64
import http.client
import json
import ssl
import xml.etree.ElementTree as ET

import gate as gates
import nspi_client as nspi
import pytest

OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/"
REQUEST = (f'<?xml version="1.0"?><Autodiscover xmlns="{OUTLOOK}requestschema/2006"><Request><EMailAddress>%s'
           f'</EMailAddress><AcceptableResponseSchema>{OUTLOOK}responseschema/2006a</AcceptableResponseSchema>'
           '</Request></Autodiscover>')
DN = "/o=Gatepost/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="


class MapiGate(gates.Gate):
    LISTENERS = {**gates.Gate.LISTENERS, "mapi": ("mapi", "implicit", False)}


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    g = MapiGate(tmp_path_factory.mktemp("nspi"))
    g.add_user("alice", "secret", "display-name=Zoë Alice", "alias+=al")
    g.add_user("bob", "secret", "display-name=bob Builder")
    g.add_user("bobby", "secret", "display-name=Bobby Äsop")
    g.add_user("gone", "secret", "display-name=Aaron Gone", "locked=yes")
    with g:
        yield g


def open_book(gate, user="alice"):
    return nspi.AddressBook(gate.mapi, user, "secret", ssl.create_default_context(cafile=gate.cert))


@pytest.fixture
def book(gate):
    with open_book(gate) as b:
        yield b


def test_everybody_who_is_not_locked_is_in_the_list_by_name(book):
    rows = book.query_rows([nspi.PR_DISPLAY_NAME, nspi.PR_SMTP_ADDRESS, nspi.PR_OBJECT_TYPE])
    assert [(r[nspi.PR_DISPLAY_NAME], r[nspi.PR_SMTP_ADDRESS], r[nspi.PR_OBJECT_TYPE]) for r in rows] == [
        ("bob Builder", "bob@example.org", 6), ("Bobby Äsop", "bobby@example.org", 6),
        ("Zoë Alice", "alice@example.org", 6)]
    assert book.state["total"] == 3 and book.state["current"] == nspi.END


def test_rows_come_in_pieces_and_go_on_where_they_ended(book):
    first = book.query_rows([nspi.PR_DISPLAY_NAME], n=2)
    rest = book.query_rows([nspi.PR_DISPLAY_NAME], n=2, current=book.state["current"])
    assert len(first) == 2 and [r[nspi.PR_DISPLAY_NAME] for r in rest] == ["Zoë Alice"]


def test_names_are_resolved_as_people_type_them(book):
    results, rows = book.resolve("al", "bob", "bob b", "nobody", "SMTP:bobby@example.org", "äsop")
    assert results == [nspi.RESOLVED, nspi.RESOLVED, nspi.RESOLVED, nspi.UNRESOLVED, nspi.RESOLVED,
                       nspi.UNRESOLVED]
    assert [r[nspi.PR_SMTP_ADDRESS] for r in rows] == ["alice@example.org", "bob@example.org", "bob@example.org",
                                                       "bobby@example.org"]
    assert book.resolve("bo")[0] == [nspi.AMBIGUOUS]


def test_somebody_is_found_by_dn_and_told_whole(book):
    alice, nobody = book.ids(DN + "alice", DN + "eve")
    assert alice >= 0x10 and nobody == 0
    props = book.props(alice)
    assert props[nspi.PR_EMAIL_ADDRESS] == DN + "alice"
    assert props[nspi.PR_ENTRY_ID] == (bytes(4) + bytes.fromhex("DCA740C8C042101AB4B908002B2FE182") +
                                       bytes.fromhex("0100000000000000") + (DN + "alice").encode() + b"\0")
    assert props[nspi.PR_PROXY_ADDRESSES] == ["SMTP:alice@example.org", "smtp:al@example.org"]
    some = book.props(alice, [nspi.PR_DISPLAY_NAME_A, nspi.PR_DEPARTMENT])
    assert book.error == 0x40380
    assert some == {nspi.PR_DISPLAY_NAME_A: "Zoë Alice", nspi.PR_DEPARTMENT & ~0xFFFF | 0x0A: 0x8004010F}


def test_the_hierarchy_is_the_global_address_list(book):
    (root,) = book.hierarchy()
    assert root[nspi.PR_DISPLAY_NAME] == "Global Address List"


def test_who_comes_is_seen_by_the_next_bind_and_ids_stay(gate):
    with open_book(gate) as book:
        before = book.ids(DN + "alice", DN + "bob")
    gate.add_user("carl", "secret", "display-name=Carl Carlson")

    def has_come():
        with open_book(gate) as book:
            return book.ids(DN + "alice", DN + "bob", DN + "carl")[2] != 0
    gates.until(has_come, "carl to be in the address book")
    with open_book(gate, "bob") as book:
        assert book.ids(DN + "alice", DN + "bob") == before
    gate.command("user", "del", "carl")


def test_the_urls_are_those_of_autodiscover(gate, book):
    mailbox, addresses = book.url("GetMailboxUrl"), book.url("GetAddressBookUrl")
    assert mailbox.startswith(f"https://localhost:{gate.mapi}/mapi/emsmdb/?MailboxId=")
    status, text = autodiscover(gate, "alice@example.org")
    root = ET.fromstring(text)
    urls = [e.text for e in root.iter(f"{{{OUTLOOK}responseschema/2006a}}InternalUrl")]
    assert status == 200 and urls == [mailbox, addresses]
    assert root.find(f".//{{{OUTLOOK}responseschema/2006a}}LegacyDN").text == DN + "alice"


def autodiscover(gate, address, secret="secret", body=None):
    context = ssl.create_default_context(cafile=gate.cert)
    connection = http.client.HTTPSConnection("localhost", gate.mapi, timeout=gates.DEADLINE, context=context)
    basic = base64.b64encode(f"alice:{secret}".encode()).decode()
    connection.request("POST", "/autodiscover/autodiscover.xml", body or REQUEST % address,
                       {"Authorization": f"Basic {basic}", "Content-Type": "text/xml", "X-MapiHttpCapability": "1"})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def test_autodiscover_asks_for_the_secret_and_knows_who_there_is(gate):
    assert autodiscover(gate, "alice@example.org", "wrong")[0] == 401
    status, text = autodiscover(gate, "eve@example.org")
    assert status == 200 and "<ErrorCode>500</ErrorCode>" in text
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>' + REQUEST % "&c;"
    assert "<ErrorCode>600</ErrorCode>" in autodiscover(gate, "", body=bomb)[1]


def test_the_json_form_needs_no_log_on(gate):
    context = ssl.create_default_context(cafile=gate.cert)
    connection = http.client.HTTPSConnection("localhost", gate.mapi, timeout=gates.DEADLINE, context=context)
    connection.request("GET", "/autodiscover/autodiscover.json?Email=alice%40example.org&Protocol=AutodiscoverV1")
    response = connection.getresponse()
    assert json.loads(response.read()) == {"Protocol": "AutodiscoverV1", "Url":
                                           f"https://localhost:{gate.mapi}/autodiscover/autodiscover.xml"}
    connection.close()
