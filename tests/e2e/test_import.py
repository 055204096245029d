"""Import: what was imported and what was not is said, and the same command goes on where it stopped."""
import json

import gate as gates


def message(number, size=2000):
    return f"Subject: number {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\n{'x' * size}\r\n"


def write_mbox(path, numbers):
    path.write_text("".join(f"From a@b Mon Jan  5 10:00:0{n % 10} 2026\n" + message(n).replace("\r", "") + "\n"
                            for n in numbers))
    return path


def write_maildir(path, numbers):
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    for n in numbers:
        (path / "cur" / f"{n:04}.host:2,S").write_text(message(n), newline="")
    return path


def subjects(g, folder="INBOX"):
    imap = g.imap("alice", "secret")
    count = int(imap.select(folder)[1][0])
    found = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if count else []
    imap.logout()
    return [int(part[1].split()[-1]) for part in found if isinstance(part, tuple)]


def test_an_import_that_meets_the_quota_says_where_it_stopped_and_goes_on_there(gate, tmp_path):
    first = write_maildir(tmp_path / "first", range(100))
    second = write_mbox(tmp_path / "second.mbox", range(100, 300))
    third, fourth = write_mbox(tmp_path / "third.mbox", [300, 301]), write_mbox(tmp_path / "fourth.mbox", [302])
    gate.command("user", "set", "alice", "quota=400K")

    done = gate.command("import", "alice", first, second, third, fourth, "--json", check=False)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["stopped_at"] == str(second) and report["failed"] == 0
    assert report["not_imported"] == [str(third), str(fourth)]
    assert str(second) in done.stderr and "quota" in done.stderr
    there = subjects(gate)
    # All before the message that was named is there, and nothing from it on.
    assert there == list(range(100 + report["stopped_at_message"] - 1))
    assert report["imported"] == len(there) > 150

    gate.command("user", "set", "alice", "quota=none")
    done = gate.command("import", "alice", first, second, third, fourth, "--json")
    report = json.loads(done.stdout)
    assert (report["already_there"], report["imported"], report["not_imported"]) == (len(there), 303 - len(there), [])
    assert subjects(gate) == list(range(303))


def test_an_import_without_space_stops_at_the_first_message_and_names_what_was_not_read(tmp_path):
    g = gates.Gate(tmp_path / "g")
    g.add_user("alice", "secret")
    g.config.write_text(g.config.read_text().replace('reserve = "0"', 'reserve = "100000G"'))
    mail, other = write_mbox(tmp_path / "a.mbox", range(3)), write_mbox(tmp_path / "b.mbox", range(3, 6))
    done = g.command("import", "alice", mail, other, check=False)
    assert done.returncode == 1 and "0 imported" in done.stdout
    assert f"stopped at {mail}, message 1" in done.stderr
    assert f"not imported: {other}" in done.stderr
    g.config.write_text(g.config.read_text().replace('reserve = "100000G"', 'reserve = "0"'))
    assert "6 imported" in g.command("import", "alice", mail, other).stdout


def test_what_is_wrong_with_one_file_or_folder_costs_that_one_only(gate, tmp_path):
    maildir = write_maildir(tmp_path / "mail", [0, 1])
    write_maildir(maildir / ("." + "long" * 60), [2])
    write_maildir(maildir / ".Good", [3])
    unreadable = tmp_path / "nowhere"
    done = gate.command("import", "alice", unreadable, maildir, "--json", check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 1 and "stopped_at" not in report
    assert f"{unreadable}: No such file" in done.stderr
    assert subjects(gate) == [0, 1] and subjects(gate, "Good") == [3]
    assert report["imported"] + report["failed"] == 5 and report["imported"] >= 3


def test_flags_stand_in_the_names_of_files_and_not_of_directories(gate, tmp_path):
    write_maildir(tmp_path / "saved:2,FT", [1])
    gate.command("import", "alice", tmp_path / "saved:2,FT")
    imap = gate.imap("alice", "secret")
    imap.select("INBOX", readonly=True)
    assert b"FLAGS (\\Seen)" in imap.fetch("1", "(FLAGS)")[1][0].replace(b" \\Recent", b"")
    imap.logout()


def uidls(g):
    pop = g.pop("alice", "secret")
    found = [line.decode().split(" ", 1)[1] for line in pop.uidl()[1]]
    pop.quit()
    return found


def test_uidls_of_a_maildir_of_dovecot_are_kept(gate, tmp_path):
    maildir = write_maildir(tmp_path / "mail", range(5))
    (maildir / "dovecot-uidlist").write_text(
        "3 V1795524295 N9 Gc57fdc07c786056b3e53000083ecc375\n"
        "1 :0000.host\n"
        "2 W17 Pold-id:with-colon S2 :0001.host\n"
        "7 P :0002.host\n"
        "8 Pold-id:with-colon :0003.host\n")
    assert "5 imported" in gate.command("import", "alice", maildir).stdout
    first = uidls(gate)
    assert first[0] == "000000016b0586c7"
    assert first[2] == "0002.host"
    # The third file's is that of the second, and the last has none: they have ids of ours.
    assert first[1] == "old-id:with-colon" and len(set(first)) == 5
    assert "0 imported" in gate.command("import", "alice", maildir).stdout
    assert uidls(gate) == first


def test_uidls_of_an_mbox_are_kept_if_they_can_be_any(gate, tmp_path):
    mbox = write_mbox(tmp_path / "a.mbox", range(4))
    ids = ["p!x\"#1", "x" * 71, "with blank", "p!x\"#1"]
    text = mbox.read_text()
    for n, uidl in enumerate(ids):
        text = text.replace(f"Subject: number {n}\n", f"Subject: number {n}\nX-UIDL: {uidl}\n")
    mbox.write_text(text)
    assert "4 imported" in gate.command("import", "alice", mbox).stdout
    found = uidls(gate)
    assert found[0] == ids[0] and len(set(found)) == 4
    assert all(len(uidl) <= 70 and uidl not in ids for uidl in found[1:])


def test_a_mailbox_that_moves_by_export_and_import_keeps_its_uidls(gate, tmp_path):
    gate.command("import", "alice", write_mbox(tmp_path / "a.mbox", range(5)))
    before = uidls(gate)
    gate.command("export", "alice", tmp_path / "out")
    other = gates.Gate(tmp_path / "other")
    other.add_user("alice", "secret")
    with other:
        other.command("import", "alice", tmp_path / "out")
        assert sorted(uidls(other)) == sorted(before)
        assert uidls(other) == before, "in the order they had"
