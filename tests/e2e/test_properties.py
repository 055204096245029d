"""Properties that are set from the command line, as an idle IMAP session and `store show` see them."""
import json

MESSAGE = b"From: a@example.org\r\nTo: alice@example.org\r\nSubject: hello\r\n\r\nText.\r\n"


def prop(gate, *where, change=()):
    done = gate.command("store", "prop", *where, *change, *(() if change else ("--json",)))
    return None if change else json.loads(done.stdout)


def flags(imap, uid="1"):
    return imap.uid("FETCH", uid, "(FLAGS)")[1][0]


def test_a_flag_set_as_a_property_is_told_to_an_idle_session(gate):
    gate.deliver("alice", MESSAGE)
    with gate.raw("imap") as idle:
        idle.line()
        assert idle.imap("LOGIN alice secret")[0] == "OK"
        assert idle.imap("SELECT INBOX")[0] == "OK"
        idle.send(b"a2 IDLE\r\n")
        assert idle.line().startswith(b"+")
        prop(gate, "alice", "INBOX", "1", change=("--set", "FlagStatus=2"))
        told = idle.line()
        assert told.startswith(b"* 1 FETCH") and b"\\Flagged" in told, told


def test_flags_and_categories_are_the_same_for_both(gate):
    gate.deliver("alice", MESSAGE)
    where = ("alice", "INBOX", "1")
    name = "PS_PUBLIC_STRINGS/Keywords"
    prop(gate, *where, change=("--set", "PidTagMessageFlags=1"))
    prop(gate, *where, change=("--set", "LastVerbExecuted=103"))
    prop(gate, *where, change=("--set", name + ":MultipleString=Red Category;Work"))
    imap = gate.imap("alice", "secret")
    imap.select("INBOX")
    seen = flags(imap)
    for flag in (b"\\Seen", b"\\Answered", b"Red=20Category", b"Work"):
        assert flag in seen, seen
    assert prop(gate, *where)[name]["value"] == '"Red Category", "Work"'
    imap.uid("STORE", "1", "-FLAGS", "(\\Answered Work)")
    after = prop(gate, *where)
    assert "PidTagLastVerbExecuted" not in after
    assert after[name]["value"] == '"Red Category"'
    gate.verify()


def test_a_property_that_was_set_is_shown_and_goes_with_the_message(gate):
    gate.deliver("alice", MESSAGE)
    where = ("alice", "INBOX", "1")
    long_text = "x" * 10000
    prop(gate, *where, change=("--set", "PidTagSubject=mine"))
    prop(gate, *where, change=("--set", "PSETID_Common/0x8503:Boolean=true"))
    prop(gate, *where, change=("--set", "Comment=" + long_text))
    imap = gate.imap("alice", "secret")
    imap.select("INBOX")
    assert imap.uid("COPY", "1", "Drafts")[0] == "OK"
    imap.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
    imap.expunge()
    shown = json.loads(gate.command("store", "show", "alice", "Drafts", "1", "--json").stdout)
    assert shown["mapi"]["properties"]["PidTagSubject"] == "mine"
    assert shown["mapi"]["properties"]["PidTagComment"] == long_text
    assert shown["mapi"]["properties"]["PSETID_Common/0x8503"] == "true"
    assert set(shown["mapi"]["explicit"]) >= {"PidTagSubject", "PSETID_Common/0x8503"}
    text = gate.command("store", "show", "alice", "Drafts", "1").stdout
    assert "*Subject \"mine\"" in text
    imap.select("Drafts")
    size = len(imap.uid("FETCH", "1", "(BODY.PEEK[])")[1][0][1])
    assert f"RFC822.SIZE {size}" in text
    gate.verify()


def test_folders_and_the_mailbox_have_properties_too(gate):
    imap = gate.imap("alice", "secret")
    imap.create("Projects")
    prop(gate, "alice", "Projects", change=("--set", "DisplayName=Done"))
    assert any(b"Done" in line for line in imap.list()[1])
    prop(gate, "alice", "Done", change=("--set", "Comment=kept"))
    assert prop(gate, "alice", "Done")["PidTagComment"] == {
        "value": "kept", "type": "PtypString", "explicit": True}
    prop(gate, "alice", change=("--set", "0x66A10003=1033"))
    assert prop(gate, "alice")["0x66A10003"]["value"] == "1033"
    prop(gate, "alice", change=("--remove", "0x66A10003"))
    assert "0x66A10003" not in prop(gate, "alice")


def test_a_time_is_set_as_it_is_shown(gate):
    gate.deliver("alice", MESSAGE)
    imap = gate.imap("alice", "secret")
    imap.select()
    uid = imap.uid("SEARCH", "ALL")[1][0].split()[-1].decode()
    shown = prop(gate, "alice", "INBOX", uid)["PidTagMessageDeliveryTime"]["value"]
    prop(gate, "alice", "INBOX", uid, change=("--set", f"ReplyTime={shown}"))
    assert prop(gate, "alice", "INBOX", uid)["PidTagReplyTime"]["value"] == shown


def test_what_cannot_be_set_is_said(gate):
    gate.deliver("alice", MESSAGE)
    for what in ("PidTagMid=1", "NoSuchThing=1", "Importance=high", "PidTagDisplayName:=x"):
        done = gate.command("store", "prop", "alice", "INBOX", "1", "--set", what, check=False)
        assert done.returncode == 1 and what in done.stderr, done.stderr
    done = gate.command("store", "prop", "alice", "INBOX", "1", "--remove", "Comment", check=False)
    assert done.returncode == 1
