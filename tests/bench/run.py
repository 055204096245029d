#!/usr/bin/python3
"""The benchmark: the same work on every server, in alternation, on one machine.

    ./check bench [--rounds N] [--seconds S] [--only NAME,…] [--large] [--server gatepost,dovecot]
    ./check bench --only mapi    the MAPI/HTTP front end, which has no rival here

Prints Markdown tables. Of each piece of work: the server's CPU time per unit and the rate, medians
over the rounds, and the ratio to Dovecot where that is installed. CPU time is what to believe on a
noisy machine; the rate is what the client saw. Of waiting: how soon a session in IDLE sees a new
message, and how long a NOOP takes while others make the server work. Of memory: the proportional set
size that a session in IDLE adds. A name of --only stands for all that begin with it and a hyphen. `--large` adds a mailbox of 1,000,000 messages, which takes Dovecot
some minutes to make.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import mails  # noqa: E402
import servers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOAD = ROOT / "build" / "release" / "tests" / "bench_load"
LATENCY = ROOT / "build" / "release" / "tests" / "bench_latency"
USERS = 40
READER = "user41"  # to whose INBOX nothing comes: its work counts the messages
# Mailboxes of user 1: name, messages.
BOXES = [("small", 100), ("medium", 1000), ("big", 10000)]
MAPI_BOX = ("wide", 100000)
LARGE = ("large", 1000000)
IDLE_OF_OTHERS = 1000  # a process a session: 10,000 would need 5 GB

# name, scenario, arguments, unit, items per operation ("op", "item" or "MB")
WORK = [
    ("log-on and -off, IMAP", "login", {}, "op"),
    ("log-on and -off, IMAP, TLS", "login", {"tls": 1}, "op"),
    ("SELECT of 100", "select", {"box": "small"}, "op"),
    ("SELECT of 10,000", "select", {"box": "big"}, "op"),
    ("STATUS of 100", "status", {"box": "small"}, "op"),
    ("STATUS of 10,000", "status", {"box": "big"}, "op"),
    ("FETCH FLAGS, per message", "fetch-flags", {"box": "big"}, "item"),
    ("FETCH ENVELOPE BODYSTRUCTURE, per message", "fetch-envelope", {"box": "big"}, "item"),
    ("FETCH header fields, per message", "fetch-headers", {"box": "big"}, "item"),
    ("FETCH BODY[], per MB", "fetch-body", {"box": "medium"}, "MB"),
    ("FETCH BODY[], per MB, TLS", "fetch-body", {"box": "medium", "tls": 1}, "MB"),
    ("one message at random", "fetch-random", {"box": "medium"}, "op"),
    ("APPEND 4 KB, 1 connection", "append", {"size": 4096, "users": USERS}, "op"),
    ("APPEND 4 KB, 32 connections", "append", {"size": 4096, "conns": 32, "users": USERS}, "op"),
    ("APPEND 64 KB, 4 connections", "append", {"size": 65536, "conns": 4, "users": USERS}, "op"),
    ("LMTP 4 KB, 1 connection, per delivery", "lmtp", {"size": 4096, "users": USERS}, "item"),
    ("LMTP 4 KB, 32 connections, per delivery", "lmtp", {"size": 4096, "conns": 32, "users": USERS}, "item"),
    ("LMTP 4 KB, 5 recipients, per delivery", "lmtp", {"size": 4096, "rcpts": 5, "users": USERS}, "item"),
    ("STORE of one flag", "store-one", {"box": "medium"}, "op"),
    ("STORE 1:*, per message", "store-all", {"box": "big"}, "item"),
    ("SEARCH of 1,000: header", "search-header", {"box": "medium"}, "op"),
    ("SEARCH of 1,000: body", "search-body", {"box": "medium"}, "op"),
    ("SEARCH of 1,000: flag", "search-flag", {"box": "medium"}, "op"),
    ("log-on and -off, POP3", "pop3-login", {"pop3": 1, "user": READER}, "op"),
    ("log-on and -off, POP3, TLS", "pop3-login", {"pop3": 1, "user": READER, "tls": 1}, "op"),
    ("POP3 RETR pipelined, per MB", "pop3-retr", {"pop3": 1, "user": READER, "messages": 1000}, "MB"),
    ("POP3 RETR pipelined, per MB, TLS", "pop3-retr", {"pop3": 1, "user": READER, "messages": 1000, "tls": 1}, "MB"),
]
LARGE_WORK = [("SELECT of 1,000,000", "select", {"box": "large"}, "op"),
              ("STATUS of 1,000,000", "status", {"box": "large"}, "op"),
              ("one message at random of 1,000,000", "fetch-random", {"box": "large"}, "op"),
              ("FETCH FLAGS of 1,000,000, per message", "fetch-flags", {"box": "large"}, "item")]

MAPI_WORK = [
    ("Connect, log-on, Inbox, 50 rows; Disconnect", "mapi-logon", {"user": READER, "messages": 1000}, "op"),
    ("the same, TLS", "mapi-logon", {"user": READER, "messages": 1000, "tls": 1}, "op"),
    ("smallest Execute: one property of an open folder", "mapi-execute", {"box": "small"}, "op"),
    ("folder, table, first 50 rows of 100", "mapi-first", {"box": "small"}, "op"),
    ("folder, table, first 50 rows of 100,000", "mapi-first", {"box": "wide"}, "op"),
    ("all rows of 100,000, per row", "mapi-query-all", {"box": "wide"}, "item"),
    ("sort of 100,000 by time, and two pages", "mapi-sort-time", {"box": "wide"}, "op"),
    ("sort of 100,000 by subject, and two pages", "mapi-sort-subject", {"box": "wide"}, "op"),
    ("restrict 100,000 by size, and a page", "mapi-restrict-size", {"box": "wide"}, "op"),
    ("restrict 100,000 by text in the subject, and a page", "mapi-restrict", {"box": "wide"}, "op"),
    ("SeekRow of 100,000, and the row", "mapi-seek", {"box": "wide"}, "op"),
    ("SeekRowFractional of 100,000, and the row", "mapi-seek-fraction", {"box": "wide"}, "op"),
    ("FindRow of the 50,000th, by its MID", "mapi-find", {"box": "wide"}, "op"),
    ("open a message, read its body by a stream", "mapi-read", {"box": "medium"}, "op"),
    ("create and save, 4 KB, 1 connection", "mapi-save", {"size": 4096, "users": USERS}, "op"),
    ("create and save, 4 KB, 32 connections", "mapi-save", {"size": 4096, "conns": 32, "users": USERS}, "op"),
    ("create and save, 1 MB, 4 connections", "mapi-save", {"size": 1 << 20, "conns": 4, "users": USERS}, "op"),
]
LARGE_MAPI_WORK = [
    ("folder, table, first 50 rows of 1,000,000", "mapi-first", {"box": "large"}, "op"),
    ("all rows of 1,000,000, per row", "mapi-query-all", {"box": "large"}, "item"),
    ("sort of 1,000,000 by time, and two pages", "mapi-sort-time", {"box": "large"}, "op"),
    ("SeekRow of 1,000,000, and the row", "mapi-seek", {"box": "large"}, "op"),
]

# name, what others do meanwhile (scenario, arguments)
PAUSES = [
    ("NOOP, nobody else", None, {}),
    ("NOOP while others SEARCH BODY", "search-body", {"box": "medium"}),
    ("NOOP while others FETCH BODY[] of all", "fetch-body", {"box": "medium"}),
    ("NOOP while others FETCH FLAGS of all", "fetch-flags", {"box": "big"}),
    ("NOOP while others STORE 1:*", "store-all", {"box": "big"}),
    ("NOOP while others APPEND", "append", {"users": USERS}),
]
MAPI_PAUSES = [
    ("NOOP while others sort 100,000 by time", "mapi-sort-time", {"box": "wide"}),
    ("NOOP while others sort 100,000 by subject", "mapi-sort-subject", {"box": "wide"}),
    ("NOOP while others restrict 100,000", "mapi-restrict", {"box": "wide"}),
    ("NOOP while others read all rows of 100,000", "mapi-query-all", {"box": "wide"}),
    ("NOOP while others save messages of 1 MB", "mapi-save", {"size": 1 << 20, "users": USERS}),
]
MAPI_OTHERS = ["mapi-news", "mapi-noop", "mapi-idle"]
VICTIMS, TROUBLEMAKERS = 8, 4


class Imap:
    """As much of a client as seeding needs: pipelined APPENDs, any other command at its pace."""

    def __init__(self, port, user):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")
        self.number = 0
        self.file.readline()
        self.do(f"LOGIN {user} {servers.PASSWORD}")

    def wait(self, tag):
        for line in self.file:
            if line.startswith(tag + b" "):
                return line
        raise ConnectionError("the server hung up")

    def do(self, command, may_fail=False):
        self.number += 1
        self.socket.sendall(f"s{self.number} {command}\r\n".encode())
        line = self.wait(f"s{self.number}".encode())
        if b" OK" not in line[:12] and not may_fail:
            raise RuntimeError(f"{command}: {line}")

    def append_many(self, box, messages):
        batch = []
        for message in messages:
            self.number += 1
            batch.append(f"s{self.number} APPEND {box} {{{len(message)}+}}\r\n".encode() + message + b"\r\n")
            if len(batch) == 50:
                self.send(batch)
                batch = []
        self.send(batch)

    def send(self, batch):
        if batch:
            self.socket.sendall(b"".join(batch))
            if b" OK" not in self.wait(f"s{self.number}".encode())[:12]:
                raise RuntimeError("APPEND")


def seed(server, args):
    client = Imap(server.imap, "user1")
    for box, n in BOXES:
        client.do(f"CREATE {box}", may_fail=True)
        client.append_many(box, (mails.message(i) for i in range(min(n, 1000))))
        client.do(f"SELECT {box}")
        for _ in range(n // 1000 - 1):
            client.do(f"COPY 1:1000 {box}")
    for box, n in ([MAPI_BOX] if args.wants_mapi else []) + ([LARGE] if args.large else []):
        client.do(f"CREATE {box}", may_fail=True)
        client.do("SELECT big")
        for _ in range(n // 10000):
            client.do(f"COPY 1:10000 {box}")
    client.do("LOGOUT")
    client = Imap(server.imap, READER)
    client.append_many("INBOX", (mails.message(i) for i in range(1000)))
    client.do("LOGOUT")


def command_of(program, server, scenario, options, seconds):
    options = dict(options)
    tls, pop3 = options.pop("tls", 0), options.pop("pop3", 0)
    if scenario == "lmtp":
        port = server.lmtp
    elif scenario.startswith("mapi-"):
        port = server.mapis if tls else server.mapi
    elif pop3:
        port = server.pop3s if tls else server.pop3
    else:
        port = server.imaps if tls else server.imap
    sizes = dict(BOXES + [MAPI_BOX, LARGE])
    options.setdefault("messages", sizes.get(options.get("box"), 1))
    if options.pop("users", 1) > 1:
        options["users"] = USERS
    else:
        options.setdefault("user", "user1")
    command = [program, scenario, "--port", port, "--pid", server.pid, "--seconds", seconds]
    command += ["--tls"] if tls else []
    for name, value in options.items():
        command += [f"--{name}", value]
    return [str(word) for word in command]


def load(server, scenario, options, seconds):
    command = command_of(LOAD, server, scenario, options, seconds)
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        print(f"  {server.label}: {scenario}: {done.stdout}{done.stderr}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def latency(server, scenario, options, seconds):
    command = command_of(LATENCY, server, scenario, options, seconds)
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    return json.loads(done.stdout) if done.returncode == 0 else None


def pause(server, trouble, options, seconds):
    """What NOOP takes on some sessions while others do this piece of work."""
    maker = None
    if trouble:
        command = command_of(LOAD, server, trouble, dict(options, conns=TROUBLEMAKERS), seconds + 1)
        maker = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        return latency(server, "noop", {"box": "small", "conns": VICTIMS}, seconds)
    finally:
        if maker:
            maker.wait()


def idle_memory(server, scenario, sessions, tls):
    if scenario == "mapi-idle":  # what sorts have left behind would be used again, and be seen in no figure
        server.stop()
        server.launch()
    before = server.memory_kb()
    ports = (server.imap, server.imaps) if scenario == "idle" else (server.mapi, server.mapis)
    command = [str(word) for word in [LOAD, scenario, "--port", ports[tls], "--conns", sessions, "--users", USERS]]
    holder = subprocess.Popen(command + (["--tls"] if tls else []), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    held = holder.stdout.readline()
    grown = server.memory_kb() - before
    holder.communicate(b"")
    return grown / sessions if held else None


def per_unit(result, unit):
    n = {"op": result["operations"], "item": result["items"], "MB": result["bytes"] / 1e6}[unit]
    return (result["server_cpu"] / n * 1e6, n / result["seconds"]) if n else None


def figure(value):
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def measure(running, work, rounds, seconds):
    """{label: [(cpu µs, rate), …]} of one piece of work; servers take turns."""
    name, scenario, options, unit = work
    found = {server.label: [] for server in running}
    for turn in range(rounds):
        for server in running if turn % 2 == 0 else reversed(running):
            result = load(server, scenario, options, seconds)
            if result:
                found[server.label].append(per_unit(result, unit))
    return {label: [f for f in figures if f] for label, figures in found.items()}


def row(name, found, labels):
    cells, medians = [name], []
    for label in labels:
        cpu = statistics.median(f[0] for f in found[label]) if found[label] else None
        rate = statistics.median(f[1] for f in found[label]) if found[label] else None
        medians.append(cpu)
        cells += [figure(cpu), figure(rate)]
    if len(labels) == 2:
        both = None not in medians and medians[0]
        cells.append(f"{medians[1] / medians[0]:.1f}" if both else "-")
    return "| " + " | ".join(cells) + " |"


def waiting_row(name, wait, running, rounds):
    """Medians over the rounds of the median and the 99.9th percentile, in ms."""
    cells = [name]
    found = {server.label: [] for server in running}
    for turn in range(rounds):
        for server in running if turn % 2 == 0 else reversed(running):
            result = wait(server)
            if result:
                found[server.label].append(result)
    for server in running:
        for key in ("p50", "p999"):
            figures = [result[key] for result in found[server.label]]
            cells.append(f"{statistics.median(figures):.2f}" if figures else "-")
    return "| " + " | ".join(cells) + " |"


def waiting_table(running, args, rows):
    """`rows`: the name of each, and what to do on a server."""
    head = ["waiting, ms"] + [f"{server.label}: {what}" for server in running for what in ("median", "99.9 %")]
    print("\n| " + " | ".join(head) + " |\n|---|" + "---:|" * (len(head) - 1), flush=True)
    for name, wait in rows:
        print(waiting_row(name, wait, running, args.rounds), flush=True)


def pauses(args, list_of_them):
    return [(name, lambda server, t=trouble, o=options: pause(server, t, o, args.seconds))
            for name, trouble, options in list_of_them]


def waiting_rows(args):
    seen = [("a new message seen in IDLE", lambda server: latency(
        server, "seen", {"user": f"user{USERS}"}, args.seconds))]
    return (seen if args.wants("seen") else []) + (pauses(args, PAUSES) if args.wants("noop") else [])


def mapi_waiting_rows(args):
    def across(scenario):
        return lambda server: latency(server, scenario, {"user": READER, "other": server.imap}, args.seconds)
    news = [("a message of IMAP seen in NotificationWait", across("mapi-seen")),
            ("a message saved by MAPI seen in IDLE", across("mapi-told"))]
    return (news if args.wants("mapi-news") else []) + (pauses(args, MAPI_PAUSES) if args.wants("mapi-noop") else [])


def memory_table(running, args, scenario, name):
    head = [f"memory of a session in {name}"] + [server.label for server in running]
    print("\n| " + " | ".join(head) + " |\n|---|" + "---:|" * (len(head) - 1), flush=True)
    for tls in (False, True):
        cells = []
        for server in running:
            n = args.idle if server.label == "gatepost" else min(args.idle, IDLE_OF_OTHERS)
            grown = idle_memory(server, scenario, n, tls)
            cells.append("-" if grown is None else f"{grown:.1f} KiB ({n:,} sessions)")
        print(f"| {'TLS' if tls else 'plain'} | " + " | ".join(cells) + " |", flush=True)


def work_table(running, args, works):
    labels = [server.label for server in running]
    head = ["work"] + [f"{label}: {what}" for label in labels for what in ("CPU µs", "per s")]
    head += ["CPU, dovecot / gatepost"] if len(labels) == 2 else []
    print("| " + " | ".join(head) + " |\n|---|" + "---:|" * (len(head) - 1), flush=True)
    for work in works:
        print(row(work[0], measure(running, work, args.rounds, args.seconds), labels), flush=True)


def conditions(args):
    return (f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}; {args.rounds} rounds of "
            f"{args.seconds:g} s; load average {os.getloadavg()[1]:.1f}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", default="", help="scenarios: of bench_load, seen, noop, idle, mapi-news, mapi-noop, mapi-idle")
    parser.add_argument("--server", default="gatepost,dovecot")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--idle", type=int, default=10000, help="idle sessions; 0: none")
    parser.add_argument("--keep", action="store_true", help="leave the servers' directories")
    args = parser.parse_args()
    only = [word for word in args.only.split(",") if word]
    args.wants = lambda scenario: not only or any(
        scenario == word or scenario.startswith(word + "-") for word in only)
    args.wants_mapi = any(args.wants(name) for name in [*(work[1] for work in MAPI_WORK), *MAPI_OTHERS])
    args.wants_others = not only or any(not word.startswith("mapi") for word in only)
    return args


def wanted(args, works):
    return [work for work in works if args.wants(work[1])]


def tables(running, args):
    works = wanted(args, WORK + (LARGE_WORK if args.large else []))
    if works:
        work_table(running, args, works)
    if waiting_rows(args):
        waiting_table(running, args, waiting_rows(args))
    if args.idle and args.wants("idle"):
        memory_table(running, args, "idle", "IDLE")


def mapi_tables(running, args):
    gatepost = [server for server in running if server.label == "gatepost"]
    works = wanted(args, MAPI_WORK + (LARGE_MAPI_WORK if args.large else []))
    if not gatepost or not args.wants_mapi:
        return
    print()
    if works:
        work_table(gatepost, args, works)
    if mapi_waiting_rows(args):
        waiting_table(gatepost, args, mapi_waiting_rows(args))
    if args.idle and args.wants("mapi-idle"):
        memory_table(gatepost, args, "mapi-idle", "NotificationWait")


def main():
    args = parse_arguments()
    top = pathlib.Path(tempfile.mkdtemp(prefix="gatepost-bench-"))
    top.chmod(0o755)
    kinds = {"gatepost": servers.Gatepost, "dovecot": servers.Dovecot}
    running = []
    for label in args.server.split(","):
        if label == "dovecot" and not args.wants_others:
            continue
        if label == "dovecot" and not servers.Dovecot.installed():
            print("dovecot is not installed: gatepost alone", file=sys.stderr)
            continue
        (top / label).mkdir()
        server = kinds[label](top / label, USERS + 1)
        running.append(server)
    try:
        for server in running:
            server.start()
            print(f"seeding {server.label}", file=sys.stderr)
            seed(server, args)
        print(f"before: {conditions(args)}", file=sys.stderr)
        tables(running, args)
        mapi_tables(running, args)
        print(f"\n{conditions(args)}", flush=True)
    finally:
        for server in running:
            server.stop()
        if not args.keep:
            shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
