"""The servers that the benchmark compares: each is started in a directory of its own, on loopback."""
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

PASSWORD = "pass"


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def make_certificate(directory):
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", directory / "key.pem",
                    "-out", directory / "cert.pem"], check=True, capture_output=True)
    os.chmod(directory / "key.pem", 0o600)


class Server:
    """pid is the process whose tree is the server."""
    label = ""
    pid = 0

    def __init__(self, directory, users):
        self.directory = pathlib.Path(directory)
        self.users = users
        self.imap, self.imaps, self.pop3, self.pop3s, self.lmtp, self.mapi, self.mapis = free_ports(7)

    def wait_until_it_answers(self):
        for port in (self.imap, self.pop3, self.lmtp):
            until = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 5).close()
                    break
                except ConnectionRefusedError:
                    if time.monotonic() > until or not self.is_alive():
                        raise RuntimeError(f"{self.label} does not answer: {self.last_words()}") from None
                    time.sleep(0.05)

    def is_alive(self):
        return True

    def last_words(self):
        logs = [path.read_text() for path in self.directory.glob("*.log")]
        return "".join(logs)[-2000:] or "nothing in its log"

    def stop(self):
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)
            while pathlib.Path(f"/proc/{self.pid}").exists():
                if re.search(r"^State:\s+Z", pathlib.Path(f"/proc/{self.pid}/status").read_text(), re.M):
                    break
                time.sleep(0.05)
            self.pid = 0

    def memory_kb(self):
        """Proportional set size of the whole tree."""
        return sum(pss(pid) for pid in tree(self.pid))


def tree(root):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def pss(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])


DOVECOT = """
base_dir = {dir}/run
state_dir = {dir}/state
instance_name = gatepost-bench
listen = 127.0.0.1
protocols = imap pop3 lmtp
auth_mechanisms = plain
log_path = {dir}/error.log
info_log_path = /dev/null
disable_plaintext_auth = no
auth_username_format = %Ln
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Ln {dir}/passwd
}}
userdb {{
  driver = passwd-file
  args = username_format=%Ln {dir}/passwd
  override_fields = uid={uid} gid={gid} home={dir}/mail/%n
}}
first_valid_uid = 1
first_valid_gid = 1
mail_location = sdbox:~/sdbox
mail_fsync = optimized
namespace inbox {{
  inbox = yes
  separator = /
}}
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
default_process_limit = 1000
default_client_limit = 20000
default_vsz_limit = 0
mail_max_userip_connections = 1000000
lda_mailbox_autocreate = yes
postmaster_address = postmaster@localhost
hostname = localhost
service anvil {{
  client_limit = 22000
}}
service auth {{
  client_limit = 22000
}}
service imap-login {{
  service_count = 0
  process_min_avail = {cores}
  process_limit = {cores}
  client_limit = 11000
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  process_min_avail = {cores}
  process_limit = {cores}
  client_limit = 11000
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap {{
  service_count = 1024
  process_min_avail = 8
  process_limit = 12000
}}
service pop3 {{
  service_count = 1024
  process_min_avail = 8
  process_limit = 4000
}}
service lmtp {{
  user = {user}
  service_count = 0
  process_min_avail = {cores}
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
"""


class Dovecot(Server):
    """Debian's Dovecot, sdbox, tuned for speed: long-lived processes, nothing logged."""
    label = "dovecot"
    user = "nobody"

    @staticmethod
    def installed():
        return shutil.which("dovecot") is not None

    @staticmethod
    def wait_for_pid(path):
        """Its sockets take connections before it writes this file."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if path.exists() and (pid := path.read_text().strip()):
                return int(pid)
            time.sleep(0.05)
        raise RuntimeError(f"no process id in {path}")

    def start(self):
        d = self.directory
        entry = pwd.getpwnam(self.user)
        (d / "mail").mkdir(parents=True, exist_ok=True)
        os.chown(d / "mail", entry.pw_uid, entry.pw_gid)
        d.chmod(0o755)
        make_certificate(d)
        (d / "passwd").write_text("".join(f"user{i}:{{PLAIN}}{PASSWORD}::::::\n"
                                          for i in range(1, self.users + 1)))
        (d / "dovecot.conf").write_text(DOVECOT.format(
            dir=d, uid=entry.pw_uid, gid=entry.pw_gid, user=self.user, cores=os.cpu_count(),
            imap=self.imap, imaps=self.imaps, pop3=self.pop3, pop3s=self.pop3s, lmtp=self.lmtp))
        subprocess.run(["dovecot", "-c", d / "dovecot.conf"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        self.wait_until_it_answers()
        self.pid = self.wait_for_pid(d / "run" / "master.pid")


GATEPOST = """
server {{ name = "localhost" }}
store {{ directory = "{dir}/store" reserve = "0" }}
auth {{ trusted-networks = {{"127.0.0.0/8"}} max-sessions-per-user = 1000000 audit-file = "{dir}/audit.jsonl" }}
certificate "localhost" {{ file = "{dir}/cert.pem" key = "{dir}/key.pem" }}
limits {{ logon-timeout = 60s }}
log {{ level = warn }}
listener "imap" {{ protocol = imap address = "127.0.0.1" port = {imap} plaintext = true }}
listener "imaps" {{ protocol = imap address = "127.0.0.1" port = {imaps} tls = implicit }}
listener "pop3" {{ protocol = pop3 address = "127.0.0.1" port = {pop3} plaintext = true }}
listener "pop3s" {{ protocol = pop3 address = "127.0.0.1" port = {pop3s} tls = implicit }}
listener "lmtp" {{ protocol = lmtp address = "127.0.0.1" port = {lmtp} }}
listener "mapi" {{ protocol = mapi address = "127.0.0.1" port = {mapi} plaintext = true }}
listener "mapis" {{ protocol = mapi address = "127.0.0.1" port = {mapis} tls = implicit }}
mapi {{ sessions-per-user = 1000000 }}
"""


class Gatepost(Server):
    label = "gatepost"
    binary = os.environ.get("GATEPOST", "gatepost")

    def command(self, *args, **kw):
        return subprocess.run([self.binary, *args, "-c", str(self.directory / "gatepost.conf")],
                              check=True, capture_output=True, **kw)

    def start(self):
        d = self.directory
        d.mkdir(parents=True, exist_ok=True)
        make_certificate(d)
        (d / "gatepost.conf").write_text(GATEPOST.format(
            dir=d, imap=self.imap, imaps=self.imaps, pop3=self.pop3, pop3s=self.pop3s, lmtp=self.lmtp,
            mapi=self.mapi, mapis=self.mapis))
        for i in range(1, self.users + 1):
            self.command("user", "add", f"user{i}", "--password-stdin", input=PASSWORD.encode())
        self.launch()

    def launch(self):
        """The daemon on what is there: also again, after stop()."""
        with open(self.directory / "gatepost.log", "ab") as log:
            self.process = subprocess.Popen([self.binary, "serve", "-c", self.directory / "gatepost.conf"],
                                            stderr=log, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        self.wait_until_it_answers()

    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.pid:
            self.process.terminate()
            self.process.wait(60)
            self.pid = 0
