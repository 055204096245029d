"""Mail that a MAPI client sends: into the Outbox' queue, to users of this store or to a next hop; what is refused, what waits,
what is taken back, and what comes of it when either side goes away."""
import email
import json
import signal
import struct
import urllib.request

import gate as gates
import hop as hops
import mapi_client
import pytest

ROOT_FID, INBOX, OUTBOX, SENT, TRASH = 0, 4, 5, 6, 7
SUBJECT, BODY, CONTENT_COUNT = 0x0037001F, 0x1000001F, 0x36020003
MESSAGE_FLAGS, MESSAGE_CLASS = 0x0E070003, 0x001A001F
DELETE_AFTER_SUBMIT, DEFERRED_SEND_TIME, WANTS_REPORT = 0x0E01000B, 0x3FEF0040, 0x0023000B
SUBMITTED = 0x4
NOT_IN_QUEUE, UNABLE_TO_ABORT, EC_SUBMITTED = 0x80040601, 0x80040114, 0x80040608
ALICE, BOB = "alice@example.org", "bob@example.org"
EVE, MALLORY = "eve@elsewhere.test", "mallory@elsewhere.test"


def gate(directory, next_hop=None, more="retry = 100ms"):
    hop = f'next-hop = "{next_hop}"' if next_hop else ""
    g = gates.Gate(directory, extra=f"transport {{ {hop} {more} }}")
    for name in (ALICE, BOB):
        g.add_user(name, "secret")
    return g


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    with gate(tmp_path_factory.mktemp("alone")) as g:
        yield g
        g.verify()


@pytest.fixture
def hop():
    with hops.Hop() as next_hop:
        yield next_hop


@pytest.fixture
def relayed(tmp_path, hop):
    with gate(tmp_path, hop.url) as g:
        yield g
        gates.until(lambda: not queue(g), "an empty queue")
        g.verify()


def client(g, user=ALICE):
    return mapi_client.Mapi(g.mapi, user, "secret")


def submit(c, logon, subject, recipients, props=None):
    message = c.create_message(logon, logon.folders[OUTBOX])
    assert not c.set_props(message, {SUBJECT: subject, BODY: "Grüße\r\n.\r\nfrom MAPI\r\n", **(props or {})})
    c.add_recipients(message, *recipients)
    mid = c.save(message)
    c.submit(message)
    return mid


def send(g, subject, *recipients, props=None):
    with client(g) as c:
        return submit(c, c.logon(), subject, recipients, props)


def abort(c, logon, mid):
    c.simple(struct.pack("<BBBQQ", 0x34, 0, 0, logon.folders[OUTBOX], mid), logon.handle)


def lock(c, logon, mid, state):
    c.simple(struct.pack("<BBBQB", 0x48, 0, 0, mid, state), logon.handle)


def queue(g):
    return json.loads(g.command("queue", "list", "--json").stdout)


def mails(g, user, folder="INBOX"):
    with g.imap(user, "secret") as c:
        assert c.select(f'"{folder}"', readonly=True)[0] == "OK"
        numbers = c.search(None, "ALL")[1][0].split()
        return [email.message_from_bytes(c.fetch(n, "(RFC822)")[1][0][1]) for n in numbers]


def subjects(g, user, folder="INBOX"):
    return [m["Subject"] for m in mails(g, user, folder)]


def await_mail(g, user, subject, folder="INBOX"):
    gates.until(lambda: subject in subjects(g, user, folder), f"{subject} in {folder} of {user}\n{g.log_text()[-3000:]}")
    return [m for m in mails(g, user, folder) if m["Subject"] == subject]


def in_outbox(g):
    """How many messages; IMAP does not show that folder."""
    with client(g) as c:
        logon = c.logon()
        return c.get_props(c.open_folder(logon, logon.folders[OUTBOX]), [CONTENT_COUNT])[CONTENT_COUNT]


def flags_of(g, mid):
    with client(g) as c:
        logon = c.logon()
        return c.get_props(c.open_message(logon, logon.folders[OUTBOX], mid), [MESSAGE_FLAGS])[MESSAGE_FLAGS]


def status_of(report):
    """The fields of each recipient in a report on delivery."""
    (part,) = [p for p in report.walk() if p.get_content_type() == "message/delivery-status"]
    return {fields["Final-Recipient"].split(";")[1].strip(): fields for fields in part.get_payload()[1:]}


# ---- to users of this store


def test_a_user_of_this_store_has_it_in_the_inbox(alone):
    send(alone, "hello bob", BOB)
    (got,) = await_mail(alone, BOB, "hello bob")
    assert ALICE in got["From"] and got["Message-ID"]
    assert got.get_payload(decode=True).decode() == "Grüße\r\n.\r\nfrom MAPI\r\n"
    await_mail(alone, ALICE, "hello bob", "Sent Items")
    assert in_outbox(alone) == 0


def test_an_address_means_whom_it_means_to_lmtp(alone):
    alone.command("user", "set", BOB, "alias+=robert@example.org")
    send(alone, "aliases", "robert@example.org", "bob+lists@example.org", "BOB@example.org")
    assert len(await_mail(alone, BOB, "aliases")) == 1


def test_the_others_have_it_though_one_is_nobody(alone):
    send(alone, "into the void", BOB, EVE)
    await_mail(alone, BOB, "into the void")
    (report,) = await_mail(alone, ALICE, "Undeliverable: into the void")
    assert list(status_of(report)) == [EVE] and status_of(report)[EVE]["Status"] == "5.1.1"
    await_mail(alone, ALICE, "into the void", "Sent Items")


def test_a_report_is_one_for_mapi_too(alone):
    send(alone, "to nobody", EVE)
    await_mail(alone, ALICE, "Undeliverable: to nobody")
    with client(alone) as c:
        logon = c.logon()
        rows = c.rows(c.contents_table(c.open_folder(logon, logon.folders[INBOX])), [SUBJECT, MESSAGE_CLASS])
    assert {r[MESSAGE_CLASS] for r in rows if r[SUBJECT].endswith("to nobody")} == {"REPORT.IPM.Note.NDR"}


def test_who_asks_is_told_that_it_was_delivered(alone):
    send(alone, "tell me", BOB, props={WANTS_REPORT: True})
    (report,) = await_mail(alone, ALICE, "Delivered: tell me")
    assert status_of(report)[BOB]["Action"] == "delivered"


def test_what_is_not_to_be_kept_is_gone(alone):
    send(alone, "not kept", BOB, props={DELETE_AFTER_SUBMIT: True})
    await_mail(alone, BOB, "not kept")
    gates.until(lambda: in_outbox(alone) == 0, "an empty Outbox")
    assert "not kept" not in subjects(alone, ALICE, "Sent Items")


# ---- to a next hop


def test_the_next_hop_has_it(relayed, hop):
    send(relayed, "over there", EVE, BOB)
    await_mail(relayed, ALICE, "over there", "Sent Items")
    (mail,) = hop.mails
    assert mail.sender.startswith(f"MAIL FROM:<{ALICE}>") and mail.recipients == [EVE, BOB]
    assert email.message_from_bytes(mail.data).get_payload(decode=True).decode() == "Grüße\r\n.\r\nfrom MAPI\r\n"
    assert in_outbox(relayed) == 0


def test_one_that_is_refused_is_reported_and_the_others_have_it(relayed, hop):
    hop.answers["RCPT"] = lambda line: "550 5.1.1 not here" if EVE in line else None
    send(relayed, "not for eve", EVE, MALLORY)
    (report,) = await_mail(relayed, ALICE, "Undeliverable: not for eve")
    assert [m.recipients for m in hop.mails] == [[MALLORY]]
    fields = status_of(report)[EVE]
    assert list(status_of(report)) == [EVE]
    assert fields["Action"] == "failed" and fields["Status"] == "5.1.1"
    assert fields["Diagnostic-Code"] == "smtp;550 5.1.1 not here"
    assert "transport.failed" in relayed.log_text()


def test_one_that_has_to_wait_waits_and_the_others_have_it_once(relayed, hop):
    answers = iter(["451 4.2.0 greylisted", "450 again"])
    hop.answers["RCPT"] = lambda line: next(answers, None) if EVE in line else None
    send(relayed, "in two parts", EVE, MALLORY)
    gates.until(lambda: len(hop.mails) == 2, "both")
    assert [m.recipients for m in hop.mails] == [[MALLORY], [EVE]]
    assert hop.mails[0].data == hop.mails[1].data


def test_a_message_that_is_refused_whole_comes_back_for_all(relayed, hop):
    hop.answers["VERDICT"] = lambda _: "554 5.7.1 spam"
    send(relayed, "spam", EVE, MALLORY)
    (report,) = await_mail(relayed, ALICE, "Undeliverable: spam")
    assert {f["Status"] for f in status_of(report).values()} == {"5.7.1"} and set(status_of(report)) == {EVE, MALLORY}


@pytest.mark.parametrize("where", ["GREETING", "HELLO", "MAIL", "RCPT", "DATA", "CONTENT"])
def test_who_hangs_up_gets_it_again(relayed, hop, where):
    answers = iter([hops.HANG_UP, hops.HANG_UP])
    hop.answers[where] = lambda _: next(answers, None)
    send(relayed, f"hung up at {where}", EVE)
    assert hop.got.wait(gates.DEADLINE)
    await_mail(relayed, ALICE, f"hung up at {where}", "Sent Items")
    assert len(hop.mails) == 1 and len(subjects(relayed, ALICE)) == 0


@pytest.mark.parametrize("where", ["GREETING", "HELLO", "MAIL", "RCPT", "DATA", "VERDICT"])
def test_who_cannot_take_it_now_gets_it_again(relayed, hop, where):
    answers = iter(["421 4.3.2 not now"])
    hop.answers[where] = lambda _: next(answers, None)
    send(relayed, f"later at {where}", EVE)
    await_mail(relayed, ALICE, f"later at {where}", "Sent Items")
    assert len(hop.mails) == 1


def test_what_waits_too_long_comes_back(tmp_path, hop):
    hop.answers["RCPT"] = lambda _: "450 4.2.1 busy"
    with gate(tmp_path, hop.url, "retry = 50ms give-up = 200ms") as g:
        send(g, "too long", EVE)
        (report,) = await_mail(g, ALICE, "Undeliverable: too long")
        assert status_of(report)[EVE]["Status"] == "4.4.7" and "450 4.2.1 busy" in report.as_string()
        assert not hop.mails and in_outbox(g) == 0


def test_who_says_nothing_is_not_waited_for_for_ever(tmp_path, hop):
    answers = iter([hops.STALL])
    hop.answers["DATA"] = lambda _: next(answers, None)
    with gate(tmp_path, hop.url, "retry = 50ms timeout = 300ms") as g:
        send(g, "silence", EVE)
        await_mail(g, ALICE, "silence", "Sent Items")
        assert len(hop.mails) == 1


# ---- LMTP


def test_lmtp_answers_for_each(tmp_path):
    verdicts = {EVE: "552 5.2.2 full", MALLORY: iter(["450 4.2.0 later"]), BOB: None}

    def verdict(recipient):
        said = verdicts[recipient]
        return next(said, None) if recipient == MALLORY else said

    with hops.Hop(lmtp=True) as hop, gate(tmp_path, hop.url) as g:
        hop.answers["VERDICT"] = verdict
        send(g, "to each", EVE, MALLORY, BOB, props={WANTS_REPORT: True})
        gates.until(lambda: len(hop.mails) == 2, "both")
        assert [m.recipients for m in hop.mails] == [[BOB], [MALLORY]] and hop.lines("HELLO")[0].startswith("LHLO ")
        (failed,) = await_mail(g, ALICE, "Undeliverable: to each")
        assert status_of(failed)[EVE]["Status"] == "5.2.2" and list(status_of(failed)) == [EVE]
        gates.until(lambda: subjects(g, ALICE).count("Delivered: to each") == 2, "a report of each delivery")
        gates.until(lambda: not queue(g), "an empty queue")


def test_another_gatepost_takes_it_by_lmtp(tmp_path):
    with gate(tmp_path / "there") as there, gate(tmp_path / "here", f"lmtp://127.0.0.1:{there.lmtp}") as here:
        send(here, "from afar", BOB, EVE)
        await_mail(there, BOB, "from afar")
        (report,) = await_mail(here, ALICE, "Undeliverable: from afar")
        assert status_of(report)[EVE]["Status"] == "5.1.1"


def test_the_next_hop_is_asked_for_reports_where_it_gives_them(tmp_path):
    with hops.Hop(extensions=("DSN",)) as hop, gate(tmp_path, hop.url) as g:
        send(g, "report", EVE, props={WANTS_REPORT: True})
        send(g, "no report", EVE)
        gates.until(lambda: len(hop.mails) == 2, "both")
        wanted = [line for line in hop.lines("RCPT") if "NOTIFY=SUCCESS" in line]
        assert len(wanted) == 1 and f"ORCPT=rfc822;{EVE}" in wanted[0]
        assert all("ENVID=" in line for line in hop.lines("MAIL"))
        gates.until(lambda: not queue(g), "an empty queue")
        assert not subjects(g, ALICE)


# ---- TLS and log-ons to the next hop


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return gates.make_certificate(tmp_path_factory.mktemp("certificate"))


SECURE = {"implicit": ("AUTH LOGIN",), "starttls": ("STARTTLS", "AUTH PLAIN")}


@pytest.mark.parametrize("tls", SECURE)
def test_the_next_hop_is_spoken_to_by_tls(tmp_path, monkeypatch, certificate, tls):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    more = f'retry = 100ms user = "gate" password = "post" tls = {"starttls" if tls == "starttls" else "none"}'
    with hops.Hop(extensions=SECURE[tls], tls=tls, certificate=certificate) as hop:
        hop.answers = {"AUTH": lambda line: "334 VXNlcm5hbWU6" if line == "AUTH LOGIN" else "235 welcome",
                       "Z2F0ZQ==": lambda _: "334 UGFzc3dvcmQ6", "CG9ZDA==": lambda _: "235 welcome"}  # gate, post
        with gate(tmp_path, hop.url, more) as g:
            send(g, "sealed", EVE)
            await_mail(g, ALICE, "sealed", "Sent Items")
    assert len(hop.mails) == 1
    asked = [what for what, _ in hop.said]
    assert "AUTH" in asked and (tls == "implicit" or asked.index("STARTTLS") < asked.index("AUTH"))


@pytest.mark.parametrize("tls", SECURE)
def test_a_next_hop_that_nobody_vouches_for_gets_nothing(tmp_path, certificate, tls):
    more = f'retry = 1h user = "gate" password = "post" tls = {"starttls" if tls == "starttls" else "none"}'
    with hops.Hop(extensions=SECURE[tls], tls=tls, certificate=certificate) as hop, gate(tmp_path, hop.url, more) as g:
        send(g, "not sealed", EVE)
        gates.until(lambda: queue(g)[0]["attempts"] == 1, "an attempt")
        assert "certificate" in queue(g)[0]["recipients"][0]["reply"]
        assert not hop.mails and not hop.lines("AUTH") and not hop.lines("MAIL") and in_outbox(g) == 1


# ---- what waits in the Outbox


def test_what_waits_can_be_taken_back(relayed, hop):
    hop.answers["RCPT"] = lambda _: "450 later"
    with client(relayed) as c:
        logon = c.logon()
        mid = submit(c, logon, "taken back", [EVE])
        gates.until(lambda: hop.lines("RCPT"), "an attempt")
        assert flags_of(relayed, mid) & SUBMITTED

        def taken_back():
            try:
                abort(c, logon, mid)
                return True
            except mapi_client.RopError as e:
                assert e.code == UNABLE_TO_ABORT  # it is just being tried
                return False

        gates.until(taken_back, "the way back")
        with pytest.raises(mapi_client.RopError) as again:
            abort(c, logon, mid)
        assert again.value.code == NOT_IN_QUEUE
    assert not flags_of(relayed, mid) & SUBMITTED and in_outbox(relayed) == 1
    assert not queue(relayed) and not hop.mails


def test_what_is_being_handed_over_cannot_be_taken_back(relayed, hop):
    hop.answers["DATA"] = lambda _: hops.STALL
    with client(relayed) as c:
        logon = c.logon()
        mid = submit(c, logon, "on its way", [EVE])
        assert hop.stalled.wait(gates.DEADLINE)
        with pytest.raises(mapi_client.RopError) as refused:
            abort(c, logon, mid)
        assert refused.value.code == UNABLE_TO_ABORT
    hop.answers.clear()
    hop.ended.set()
    await_mail(relayed, ALICE, "on its way", "Sent Items")


def test_what_is_sent_is_not_in_the_queue(alone):
    with client(alone) as c:
        logon = c.logon()
        mid = submit(c, logon, "gone", [BOB])
        await_mail(alone, ALICE, "gone", "Sent Items")
        with pytest.raises(mapi_client.RopError):
            abort(c, logon, mid)


def test_who_deletes_what_waits_takes_it_back(relayed, hop):
    hop.answers["RCPT"] = lambda _: "450 later"
    with client(relayed) as c:
        logon = c.logon()
        mid = submit(c, logon, "deleted", [EVE])
        gates.until(lambda: hop.lines("RCPT"), "an attempt")
        outbox = c.open_folder(logon, logon.folders[OUTBOX])
        assert not c.delete_messages(outbox, [mid])
    hop.answers.clear()
    gates.until(lambda: not queue(relayed), "an empty queue")
    gates.until(lambda: "transport.withdrawn" in relayed.log_text() or hop.mails, "its end")
    assert "deleted" not in subjects(relayed, ALICE, "Sent Items")


def test_nothing_is_submitted_twice(relayed, hop):
    hop.answers["RCPT"] = lambda _: "450 later"
    with client(relayed) as c:
        logon = c.logon()
        mid = submit(c, logon, "twice", [EVE])
        again = c.open_message(logon, logon.folders[OUTBOX], mid, 1)
        with pytest.raises(mapi_client.RopError) as refused:
            c.submit(again)
        assert refused.value.code == EC_SUBMITTED
    hop.answers.clear()
    await_mail(relayed, ALICE, "twice", "Sent Items")
    assert len(hop.mails) == 1


def test_what_is_deferred_waits_for_its_time(relayed, hop):
    with client(relayed) as c:
        logon = c.logon()
        mid = submit(c, logon, "next year", [EVE], {DEFERRED_SEND_TIME: 160_000_000_000_000_000})
        send(relayed, "now", EVE)
        await_mail(relayed, ALICE, "now", "Sent Items")
        assert len(hop.mails) == 1
        (waiting,) = queue(relayed)
        assert waiting["attempts"] == 0 and waiting["sender"] == ALICE
        abort(c, logon, mid)


def test_a_client_that_sends_itself_locks_and_files(relayed, hop):
    hop.answers["RCPT"] = lambda _: "450 later"
    with client(relayed) as c:
        logon = c.logon()
        mid = submit(c, logon, "by myself", [EVE])

        def locked():
            try:
                lock(c, logon, mid, 0)
                return True
            except mapi_client.RopError:
                return False

        gates.until(locked, "the lock")
        with pytest.raises(mapi_client.RopError) as refused:
            abort(c, logon, mid)
        assert refused.value.code == UNABLE_TO_ABORT
        lock(c, logon, mid, 2)
    assert not queue(relayed) and not hop.mails
    await_mail(relayed, ALICE, "by myself", "Sent Items")


# ---- the daemon goes away


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_waits_survives(tmp_path, how):
    (port,) = gates.free_ports(1)
    with gate(tmp_path, f"smtp://127.0.0.1:{port}") as g:  # nobody is there yet
        for n in range(5):
            send(g, f"patience {n}", EVE)
        g.stop(how)
        with hops.Hop(port=port) as hop:
            g.start()
            gates.until(lambda: len(hop.mails) >= 5, "all of them")
            for n in range(5):
                await_mail(g, ALICE, f"patience {n}", "Sent Items")
            gates.until(lambda: not queue(g), "an empty queue")
            got = sorted(email.message_from_bytes(m.data)["Subject"] for m in hop.mails)
            assert got == [f"patience {n}" for n in range(5)] and in_outbox(g) == 0
        g.verify()


@pytest.mark.parametrize("where", ["MAIL", "RCPT", "DATA", "CONTENT"])
def test_a_daemon_killed_in_the_middle_sends_it_once(tmp_path, where):
    with hops.Hop() as hop, gate(tmp_path, hop.url) as g:
        hop.answers[where] = lambda _: hops.STALL
        send(g, "killed", EVE)
        assert hop.stalled.wait(gates.DEADLINE)
        g.stop(signal.SIGKILL)
        hop.answers.clear()
        g.start()
        await_mail(g, ALICE, "killed", "Sent Items")
        assert len(hop.mails) == 1
        g.verify()


def test_a_daemon_killed_behind_a_partial_result_does_not_send_it_again(tmp_path):
    with hops.Hop() as hop, gate(tmp_path, hop.url) as g:
        hop.answers["RCPT"] = lambda line: "450 later" if EVE in line else None
        send(g, "half", EVE, MALLORY)
        assert hop.got.wait(gates.DEADLINE)
        await_mail(g, ALICE, "half", "Sent Items")
        g.stop(signal.SIGKILL)
        hop.answers.clear()
        g.start()
        gates.until(lambda: not queue(g), "an empty queue")
        assert sorted(m.recipients for m in hop.mails) == [[EVE], [MALLORY]]


def test_killed_again_and_again_nothing_is_lost_or_delivered_twice(tmp_path):
    with gate(tmp_path) as g:
        accepted = []
        for n in range(6):
            c = client(g)
            logon = c.logon()
            for k in range(4):
                submit(c, logon, f"{n} {k}", [BOB, "bob+again@example.org", EVE])
                accepted.append(f"{n} {k}")
            g.stop(signal.SIGKILL)
            c.http.close()
            g.start()
        gates.until(lambda: not queue(g), "an empty queue")
        assert sorted(subjects(g, BOB)) == sorted(accepted)
        assert sorted(subjects(g, ALICE, "Sent Items")) == sorted(accepted)
        assert sorted(subjects(g, ALICE)) == sorted(f"Undeliverable: {s}" for s in accepted)
        assert in_outbox(g) == 0
        g.verify()


def test_who_has_no_room_for_the_report_loses_the_report_only(tmp_path, hop):
    hop.answers["RCPT"] = lambda line: "550 5.1.1 not here" if EVE in line else None
    with gate(tmp_path, hop.url) as g:
        send(g, "first", MALLORY)
        await_mail(g, ALICE, "first", "Sent Items")
        hop.answers["DATA"] = lambda _: g.command("user", "set", ALICE, "quota=10") and None
        send(g, "second", EVE, MALLORY)
        gates.until(lambda: not queue(g), "an empty queue")
        assert "transport.untold" in g.log_text() and len(hop.mails) == 2
        assert "second" in subjects(g, ALICE, "Sent Items")


def test_a_daemon_that_stops_waits_for_the_answer_to_what_it_sent(tmp_path):
    with hops.Hop() as hop, gate(tmp_path, hop.url) as g:
        def verdict(_):
            g.process.send_signal(signal.SIGTERM)
            gates.until(lambda: "server.drain" in g.log_text(), "the daemon's going")

        hop.answers["VERDICT"] = verdict
        send(g, "last words", EVE)
        assert hop.got.wait(gates.DEADLINE)
        assert g.process.wait(gates.DEADLINE) == 0
        g.process = None
        hop.answers.clear()
        g.start()
        await_mail(g, ALICE, "last words", "Sent Items")
        gates.until(lambda: not queue(g), "an empty queue")
        assert len(hop.mails) == 1


# ---- operations


def test_the_queue_can_be_looked_at_tried_and_emptied(relayed, hop):
    hop.answers["RCPT"] = lambda _: "450 4.2.1 busy"
    send(relayed, "waiting", EVE)
    send(relayed, "dropped", MALLORY)
    gates.until(lambda: len({line for line in hop.lines("RCPT")}) == 2, "an attempt of each")
    gates.until(lambda: all(e["attempts"] for e in queue(relayed)), "their results")
    waiting, dropped = sorted(queue(relayed), key=lambda e: e["recipients"][0]["address"])
    assert waiting["recipients"] == [{"address": EVE, "state": "waits", "reply": "450 4.2.1 busy"}]
    assert EVE in relayed.command("queue", "list").stdout
    relayed.command("queue", "drop", dropped["id"])
    assert [e["id"] for e in queue(relayed)] == [waiting["id"]]
    assert relayed.command("queue", "drop", "1234abcd", check=False).returncode == 1
    hop.answers.clear()
    relayed.command("queue", "retry", "--all")
    await_mail(relayed, ALICE, "waiting", "Sent Items")
    assert [m.recipients for m in hop.mails] == [[EVE]]


def test_the_queue_can_be_seen_to_without_a_daemon(tmp_path):
    (port,) = gates.free_ports(1)
    with gate(tmp_path, f"smtp://127.0.0.1:{port}", "retry = 1h") as g:  # nobody is there
        send(g, "later", EVE)
        mid = send(g, "never", MALLORY)
        gates.until(lambda: all(e["attempts"] for e in queue(g)), "their attempts")
        g.stop()
        later, never = queue(g)
        g.command("queue", "drop", never["id"])
        g.command("queue", "retry", later["id"])
        with hops.Hop(port=port) as hop:
            g.start()
            await_mail(g, ALICE, "later", "Sent Items")
            assert [m.recipients for m in hop.mails] == [[EVE]] and not queue(g)
        assert in_outbox(g) == 1 and not flags_of(g, mid) & SUBMITTED
        with client(g) as c:  # and it can be sent again
            logon = c.logon()
            c.submit(c.open_message(logon, logon.folders[OUTBOX], mid, 1))
        assert queue(g)[0]["recipients"][0]["address"] == MALLORY
        g.command("queue", "drop", "--all")


def test_operators_see_the_queue(tmp_path):
    (port,) = gates.free_ports(1)
    with hops.Hop() as hop, gate(tmp_path, hop.url, "retry = 1h") as g:
        g.extra += f'\nlistener "ops" {{ protocol = ops address = "127.0.0.1" port = {port} tls = none plaintext = true }}'
        g.write_config()
        g.stop()
        g.start()
        hop.answers["RCPT"] = lambda line: "450 later" if EVE in line else "550 no" if MALLORY in line else None
        send(g, "three ends", EVE, MALLORY, BOB)
        await_mail(g, ALICE, "Undeliverable: three ends")

        def metrics():
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=gates.DEADLINE).read().decode()
            return {name: line.split()[1] for line in text.splitlines()
                    if (name := line.split()[0]).startswith("gatepost_queue")}

        gates.until(lambda: metrics()["gatepost_queue_failed_total"] == "1", "the figures")
        got = metrics()
        assert got["gatepost_queue_messages"] == got["gatepost_queue_sent_total"] == got["gatepost_queue_deferred_total"] == "1"
        g.command("queue", "drop", "--all")
