"""Read receipts: who asked for one is told once that a message was displayed, if the reader's MAPI client lets him."""
import email
import struct

import gate as gates
import mapi_client
import pytest
import test_mapi_submit as submits
from test_mapi_submit import ALICE, BOB, await_mail, client, mails, send, subjects

INBOX, SENT = 4, 6
SUBJECT, MID, MESSAGE_CLASS = 0x0037001F, 0x674A0014, 0x001A001F
WANTS_RECEIPT = {0x0029000B: True}
SUPPRESS, CLEAR, RECEIPT_ONLY, CLEAR_NOTIFY_READ = 0x01, 0x05, 0x10, 0x20


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    with submits.gate(tmp_path_factory.mktemp("alone")) as g:
        yield g
        g.verify()


def find(c, logon, folder, subject):
    """The handle of the folder, and the MID of the message."""
    handle = c.open_folder(logon, logon.folders[folder])
    (mid,) = [r[MID] for r in c.rows(c.contents_table(handle), [SUBJECT, MID]) if r[SUBJECT] == subject]
    return handle, mid


def set_read(g, user, subject, *flags, folder=INBOX):
    with client(g, user) as c:
        handle, mid = find(c, c.logon(), folder, subject)
        for flag in flags:
            assert not c.set_read(handle, [mid], flag)


def asked(g, subject):
    send(g, subject, BOB, props=WANTS_RECEIPT)
    await_mail(g, BOB, subject)


def assert_no_receipt(g, subject):
    """What is queued is answered in its order: when the next one's is there, this one's would be."""
    asked(g, f"{subject}, the next")
    set_read(g, BOB, f"{subject}, the next", 0)
    await_mail(g, ALICE, f"Read: {subject}, the next")
    gates.until(lambda: not submits.queue(g), "an empty queue")
    assert f"Read: {subject}" not in subjects(g, ALICE)


def test_who_asks_is_told_once(alone):
    asked(alone, "one")
    assert not subjects(alone, ALICE).count("Read: one")
    set_read(alone, BOB, "one", 0)
    (receipt,) = await_mail(alone, ALICE, "Read: one")
    assert receipt["From"] == f"<{BOB}>" and receipt["Auto-Submitted"] == "auto-replied"
    assert receipt.get_content_type() == "multipart/report" and receipt.get_param("report-type") == "disposition-notification"
    (original,) = [m for m in mails(alone, ALICE, "Sent Items") if m["Subject"] == "one"]
    (part,) = [p for p in receipt.walk() if p.get_content_type() == "message/disposition-notification"]
    fields = email.message_from_string(part.get_payload()[0].as_string())
    assert fields["Final-Recipient"] == f"rfc822;{BOB}" and fields["Disposition"].endswith("; displayed")
    assert fields["Original-Message-ID"] == original["Message-ID"] == receipt["In-Reply-To"]
    set_read(alone, BOB, "one", CLEAR, 0, RECEIPT_ONLY, CLEAR, 0)
    asked(alone, "two")
    set_read(alone, BOB, "two", 0)
    await_mail(alone, ALICE, "Read: two")
    assert subjects(alone, ALICE).count("Read: one") == 1


def test_a_receipt_is_one_for_mapi_too(alone):
    asked(alone, "class")
    set_read(alone, BOB, "class", 0)
    await_mail(alone, ALICE, "Read: class")
    with client(alone) as c:
        logon = c.logon()
        rows = c.rows(c.contents_table(c.open_folder(logon, logon.folders[INBOX])), [SUBJECT, MESSAGE_CLASS])
    assert [r[MESSAGE_CLASS] for r in rows if r[SUBJECT] == "Read: class"] == ["REPORT.IPM.Note.IPNRN"]


@pytest.mark.parametrize("flags", [[SUPPRESS], [CLEAR_NOTIFY_READ, 0]])
def test_who_does_not_want_to_tell_does_not(alone, flags):
    subject = f"kept quiet {flags}"
    asked(alone, subject)
    set_read(alone, BOB, subject, *flags, CLEAR, 0, RECEIPT_ONLY)
    assert_no_receipt(alone, subject)


def test_imap_and_pop3_tell_nobody_and_a_client_can_later(alone):
    asked(alone, "by imap")
    with alone.imap(BOB, "secret") as c:
        c.select("INBOX")
        number = c.search(None, 'SUBJECT "by imap"')[1][0].split()[0].decode()
        c.store(number, "+FLAGS", r"(\Seen)")
    pop = alone.pop(BOB, "secret")
    pop.retr(int(number))
    pop.quit()
    assert_no_receipt(alone, "by imap")
    set_read(alone, BOB, "by imap", RECEIPT_ONLY)
    await_mail(alone, ALICE, "Read: by imap")


def delete(g, subject, **how):
    with client(g, BOB) as c:
        handle, mid = find(c, c.logon(), INBOX, subject)
        assert not c.delete_messages(handle, [mid], **how)


@pytest.mark.parametrize("hard", [False, True])
def test_who_asks_is_told_of_what_was_deleted_unread(alone, hard):
    subject = f"unread {hard}"
    asked(alone, subject)
    delete(alone, subject, hard=hard, notify=True)
    (receipt,) = await_mail(alone, ALICE, f"Not read: {subject}")
    (part,) = [p for p in receipt.walk() if p.get_content_type() == "message/disposition-notification"]
    assert email.message_from_string(part.get_payload()[0].as_string())["Disposition"].endswith("; deleted")
    with client(alone) as c:
        logon = c.logon()
        rows = c.rows(c.contents_table(c.open_folder(logon, logon.folders[INBOX])), [SUBJECT, MESSAGE_CLASS])
    assert [r[MESSAGE_CLASS] for r in rows if r[SUBJECT] == f"Not read: {subject}"] == ["REPORT.IPM.Note.IPNNRN"]


def test_who_deletes_what_was_read_or_without_a_word_tells_nobody(alone):
    asked(alone, "seen and gone")
    set_read(alone, BOB, "seen and gone", SUPPRESS)
    delete(alone, "seen and gone", notify=True)
    asked(alone, "silently gone")
    delete(alone, "silently gone")
    assert_no_receipt(alone, "seen and gone")
    assert not {"Not read: seen and gone", "Not read: silently gone"} & set(subjects(alone, ALICE))


def test_the_copy_in_sent_items_asks_nobody(alone):
    asked(alone, "my own")
    await_mail(alone, ALICE, "my own", "Sent Items")
    set_read(alone, ALICE, "my own", CLEAR, 0, RECEIPT_ONLY, folder=SENT)
    assert_no_receipt(alone, "my own")


def test_a_message_that_is_open_can_be_saved_behind_its_receipt(alone):
    asked(alone, "open")
    with client(alone, BOB) as c:
        logon = c.logon()
        folder, mid = find(c, logon, INBOX, "open")
        message = c.open_message(logon, logon.folders[INBOX], mid, 1)
        assert c.partial(struct.pack("<BBBBB", 0x11, 0, 0, 1, 0), folder, message)  # ReadStatusChanged
        await_mail(alone, ALICE, "Read: open")
        assert not c.set_props(message, {0x10900003: 2})
        c.save(message)
        assert not c.partial(struct.pack("<BBBBB", 0x11, 0, 0, 1, RECEIPT_ONLY), folder, message)
    assert subjects(alone, ALICE).count("Read: open") == 1


@pytest.mark.parametrize("header", [
    b"<a@b>, <c@d>", b"nobody", b"<\">\r\n RCPT TO:<x\"@y.test>", b"undisclosed:;"])
def test_who_cannot_be_told_is_not(alone, header):
    name = f"odd {header}"
    alone.deliver(BOB, b"Subject: odd\r\nDisposition-Notification-To: " + header + b"\r\nMessage-ID: <odd@x>\r\n\r\nx\r\n")
    with client(alone, BOB) as c:
        logon = c.logon()
        handle = c.open_folder(logon, logon.folders[INBOX])
        mids = [r[MID] for r in c.rows(c.contents_table(handle), [SUBJECT, MID]) if r[SUBJECT] == "odd"]
        assert not c.set_read(handle, mids, 0)
    assert_no_receipt(alone, name)
    assert "transport.failed" not in alone.log_text()


def test_what_a_stranger_writes_makes_no_field_of_ours(alone):
    alone.deliver(BOB, b"Subject: strange\r\n more\r\nDisposition-Notification-To: " + ALICE.encode()
                  + b"\r\nMessage-ID: <x@y>\r\n X-Forged: yes\r\n\r\nx\r\n")
    set_read(alone, BOB, "strange more", 0)
    gates.until(lambda: any("strange" in s for s in subjects(alone, ALICE)), "the receipt")
    (receipt,) = [m for m in mails(alone, ALICE) if "strange" in m["Subject"]]
    assert receipt["X-Forged"] is None


def test_nobody_reads_for_another(alone):
    """Who has a right to somebody's Inbox marks as read there, and sends no receipt in his name."""
    asked(alone, "by proxy")
    with client(alone, BOB) as c:
        logon = c.logon()
        handle, _ = find(c, logon, INBOX, "by proxy")
        everybody = struct.pack("<BHIQII", 0x02, 2, 0x66710014, 0, 0x66730003, 0x43B)  # his MemberId, his rights
        c.simple(struct.pack("<BBBBH", 0x40, 0, 0, 0x00, 1) + everybody, handle)
    with client(alone, ALICE) as c:
        logon = c.logon(BOB)
        handle, mid = find(c, logon, INBOX, "by proxy")
        assert not c.set_read(handle, [mid], 0)
    assert_no_receipt(alone, "by proxy")
