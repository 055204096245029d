"""A Gatepost of one's own: started in a temporary directory, on free loopback ports.

    with gate.Gate(tmp_path) as g:
        g.add_user("alice", "secret")
        g.deliver("alice", b"Subject: hello\\r\\n\\r\\n")
        imap = g.imap("alice", "secret")

Nothing here sleeps: what is waited for is an event (a port that answers, a process that ends, a line
in a log), with a deadline that only a failing test meets.
"""
import imaplib
import itertools
import json
import os
import pathlib
import poplib
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("GATEPOST", str(ROOT / "build" / "asan" / "gatepost"))
DEADLINE = 60

imaplib._MAXLINE = 100_000_000
poplib._MAXLINE = 100_000_000


# Below those that the system gives to outgoing connections, which would take one of ours before the daemon
# has it; each process begins elsewhere, so that tests can run side by side.
PORTS = itertools.cycle(range(10_000, 32_000))
for _ in range(os.getpid() * 701 % 22_000):
    next(PORTS)


def is_free(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def free_ports(n):
    return list(itertools.islice(filter(is_free, PORTS), n))


def make_certificate(directory, name="localhost", stem="cert"):
    cert, key = directory / f"{stem}.pem", directory / f"{stem}-key.pem"
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-subj", f"/CN={name}", "-addext",
                    f"subjectAltName=DNS:{name},IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def until(condition, what):
    """Wait for a condition that no event announces; polls, with a deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)


class Gate:
    """The ports are imap, imaps, pop3, pop3s and lmtp; `plain` is an IMAP listener that allows no
    log-on without TLS, `pop3plain` likewise; mapi allows what mapis does, without TLS."""

    LISTENERS = {
        "imap": ("imap", "starttls", True),
        "imaps": ("imap", "implicit", False),
        "plain": ("imap", "starttls", False),
        "pop3": ("pop3", "starttls", True),
        "pop3s": ("pop3", "implicit", False),
        "pop3plain": ("pop3", "starttls", False),
        "lmtp": ("lmtp", "none", False),
        "mapi": ("mapi", "none", True),
        "mapis": ("mapi", "implicit", False),
    }

    def __init__(self, directory, extra="", limits="", auth=""):
        self.dir = pathlib.Path(directory)
        self.work = self.dir  # where a test and its clients put their files
        self.dir.mkdir(parents=True, exist_ok=True)
        self.extra, self.limits, self.auth = extra, limits, auth
        self.ports = dict(zip(self.LISTENERS, free_ports(len(self.LISTENERS))))
        self.cert, self.key = make_certificate(self.dir)
        self.config = self.dir / "gatepost.conf"
        self.audit = self.dir / "audit.jsonl"
        self.log = self.dir / "gatepost.log"
        self.process = None
        self.write_config()

    def __getattr__(self, name):
        try:
            return self.__dict__["ports"][name]
        except KeyError:
            raise AttributeError(name) from None

    def write_config(self):
        listeners = "".join(
            f'listener "{name}" {{ protocol = {protocol} address = "127.0.0.1" '
            f'port = {self.ports[name]} tls = {tls} plaintext = {str(plain).lower()} }}\n'
            for name, (protocol, tls, plain) in self.LISTENERS.items())
        self.config.write_text(f"""
server {{ name = "localhost" workers = 2 drain-timeout = 10s }}
store {{ directory = "{self.dir}/store" reserve = "0" }}
auth {{
    domains = {{"example.org", "localhost"}}
    trusted-networks = {{"127.0.0.0/8"}}
    audit-file = "{self.audit}"
    {self.auth}
}}
certificate "localhost" {{ file = "{self.cert}" key = "{self.key}" }}
limits {{ {self.limits} }}
log {{ level = debug }}
{listeners}{self.extra}
""")

    # ---- the process ----

    def command(self, *args, check=True, input=None, timeout=120):
        """Run a subcommand; its result has text in stdout and stderr."""
        done = subprocess.run([BINARY, *map(str, args), "-c", str(self.config)], capture_output=True,
                              text=True, input=input, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"gatepost {' '.join(map(str, args))}: {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def start(self):
        """Start the daemon; it serves when this returns. That a port can be connected to says less: the kernel
        does that from binding on. So it is the daemon's word to the service manager that counts."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind("")  # an abstract address of the kernel's choice, which any user may write to
            notify.settimeout(0.2)
            address = "@" + notify.getsockname()[1:].decode()
            self.process = subprocess.Popen([BINARY, "serve", "-c", str(self.config)],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=open(self.log, "ab"),
                                            env={"NOTIFY_SOCKET": address, **os.environ})
            if "NOTIFY_SOCKET" not in os.environ:
                until(lambda: self.is_ready(notify), "the daemon to be ready")
        return self

    def is_ready(self, notify):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended: {self.process.returncode}\n{self.log_text()[-4000:]}")
        try:
            return b"READY=1" in notify.recv(4096).split(b"\n")
        except TimeoutError:
            return False

    def stop(self, how=signal.SIGTERM):
        """End the daemon; returns its exit status. The sanitizers' findings fail the test."""
        if not self.process:
            return None
        self.process.send_signal(how)
        status = self.process.wait(DEADLINE)
        self.process = None
        text = self.log_text()
        assert "ERROR: AddressSanitizer" not in text and "runtime error:" not in text \
            and "ERROR: LeakSanitizer" not in text and "WARNING: ThreadSanitizer" not in text, text[-6000:]
        return status

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        status = self.stop()
        if kind is None:
            assert status in (0, None), f"the daemon ended with {status}\n{self.log_text()[-4000:]}"

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def open_sessions(self):
        """How many sockets the daemon has with peers."""
        ports = {f"{port:04X}" for port in self.ports.values()}
        rows = [line.split() for line in open("/proc/net/tcp").readlines()[1:]]
        return sum(1 for row in rows if row[1].split(":")[1] in ports and row[3] in ("01", "08"))

    def records(self):
        """The audit records so far, without those of connections that never said a name: `answers()` makes
        such connections."""
        if not self.audit.exists():
            return []
        records = [json.loads(line) for line in self.audit.read_text().splitlines()]
        return [r for r in records if not (r["reason"] == "lost" and r["name"] == "")]

    def forget_records(self):
        """So that a test sees its own only. The daemon appends, and goes on at the new end."""
        os.truncate(self.audit, 0)

    def verify(self):
        done = self.command("store", "verify", "--json")
        assert json.loads(done.stdout)["faults"] == 0, done.stdout + done.stderr

    # ---- accounts and mail ----

    def add_user(self, name, secret, *settings):
        self.command("user", "add", name, *settings, "--password-stdin", input=secret + "\n")

    def deliver(self, recipients, message, sender="sender@example.net"):
        recipients = [recipients] if isinstance(recipients, str) else recipients
        lmtp = smtplib.LMTP("127.0.0.1", self.lmtp, timeout=DEADLINE)
        refused = lmtp.sendmail(sender, recipients, message)
        lmtp.quit()
        assert not refused, refused

    # ---- clients ----

    def tls_context(self):
        return ssl.create_default_context(cafile=str(self.cert))

    def imap(self, user=None, secret=None, tls=False):
        client = (imaplib.IMAP4_SSL("127.0.0.1", self.imaps, ssl_context=self.tls_context(),
                                    timeout=DEADLINE)
                  if tls else imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=DEADLINE))
        if user:
            client.login(user, secret)
        return client

    def pop(self, user=None, secret=None, tls=False):
        client = (poplib.POP3_SSL("127.0.0.1", self.pop3s, context=self.tls_context(),
                                  timeout=DEADLINE)
                  if tls else poplib.POP3("127.0.0.1", self.ports["pop3"], timeout=DEADLINE))
        if user:
            client.user(user)
            client.pass_(secret)
        return client

    def raw(self, name, tls=False):
        return Raw(self, name, tls)


class Raw:
    """A socket with lines: for what no client library would send."""

    def __init__(self, g, name, tls=False):
        self.gate = g
        self.socket = socket.create_connection(("127.0.0.1", g.ports[name]), timeout=DEADLINE)
        if tls:
            self.socket = g.tls_context().wrap_socket(self.socket, server_hostname="localhost")
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        """The next line without CRLF; b"" at the end of the stream."""
        return self.file.readline().rstrip(b"\r\n")

    def rest(self):
        return self.file.read()

    def cmd(self, command):
        """One POP3 or LMTP command, its first line of answer."""
        self.send(command + "\r\n" if isinstance(command, str) else command + b"\r\n")
        return self.line()

    def lines(self):
        """The lines of a POP3 multi-line answer, un-stuffed."""
        out = []
        while (line := self.file.readline()) != b".\r\n":
            assert line, "the connection ended in an answer"
            out.append(line[1:] if line.startswith(b".") else line)
        return b"".join(out)

    def imap(self, command, tag="a1"):
        """One IMAP command; returns (status word, tagged line, everything before it)."""
        command = command.encode() if isinstance(command, str) else command
        self.send(tag.encode() + b" " + command + b"\r\n")
        return self.imap_answer(tag)

    def imap_answer(self, tag="a1"):
        before, prefix = b"", tag.encode() + b" "
        while True:
            line = self.file.readline()
            assert line, f"the connection ended before the answer: {before!r}"
            if line.startswith(prefix):
                return line.split()[1].decode(), line.rstrip(b"\r\n"), before
            before += line
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if literal:
                before += self.file.read(int(literal[1]))

    def start_tls(self):
        self.file.close()
        self.socket = self.gate.tls_context().wrap_socket(self.socket, server_hostname="localhost")
        self.file = self.socket.makefile("rb")
