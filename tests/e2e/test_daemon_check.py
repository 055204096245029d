"""`gatepost check` finds what would fail when the daemon is started, and `gatepost serve` fails on it."""
import os
import shutil
import socket
import subprocess

import gate as gates
import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


class Site:
    """A configuration that is right, of which a test makes one that is not."""

    def __init__(self, directory):
        self.dir = directory
        self.cert, self.key = gates.make_certificate(directory)
        self.port = gates.free_ports(1)[0]
        self.config = directory / "gatepost.conf"
        self.parts = {
            "store": f'store {{ directory = "{directory}/store" reserve = 0 }}',
            "certificate": f'certificate "c" {{ file = "{self.cert}" key = "{self.key}" }}',
            "listener": f'listener "a" {{ protocol = imap address = "127.0.0.1" port = {self.port} '
                        'tls = starttls }',
        }

    def run(self, command, user=None, **changes):
        self.config.write_text("\n".join({**self.parts, **changes}.values()) + "\n")
        return subprocess.run([gates.BINARY, command, "-c", self.config], capture_output=True,
                              text=True, timeout=60, user=user)

    def check(self, **changes):
        return self.run("check", **changes)

    def refused(self, expected, **changes):
        """`check` and `serve` tell the same fault, and both fail."""
        for command in ("check", "serve"):
            done = self.run(command, **changes)
            assert done.returncode == 1, (command, done)
            assert expected in done.stderr, (command, done.stderr)
            assert done.stderr.startswith(f"gatepost: {command}: "), done.stderr
            assert done.stdout == ""


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def lasting(site, days):
    """The site's certificate, signed anew for so many days from now."""
    cert = site.dir / "lasting.pem"
    subprocess.run(["openssl", "x509", "-in", site.cert, "-signkey", site.key, "-days", str(days), "-out", cert],
                   check=True, capture_output=True)
    return f'certificate "c" {{ file = "{cert}" key = "{site.key}" }}'


def test_nothing_is_wrong_with_a_good_configuration(site):
    done = site.check()
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing is wrong\n", "")


def test_wrong_usage_is_two(site):
    for words in (["check", "now"], ["chekc"], ["check", "--fast"], ["serve", "x"], []):
        done = subprocess.run([gates.BINARY, *words], capture_output=True, text=True)
        assert done.returncode == 2, (words, done)
        assert done.stderr, words


def test_a_configuration_that_is_not_there(site):
    for command in ("check", "serve", "user"):
        words = [command] + (["list"] if command == "user" else [])
        done = subprocess.run([gates.BINARY, *words, "-c", site.dir / "none.conf"], capture_output=True, text=True)
        assert done.returncode == 1
        assert f"{site.dir}/none.conf: No such file or directory" in done.stderr


def test_a_fault_is_told_with_file_and_line(site):
    site.refused(f"{site.config}:4: limits has no key \"lines\": expected one of connections,",
                 limits="limits { lines = 3 }")


def test_no_listener(site):
    site.refused("there is no listener", listener="")


def test_a_certificate_that_is_not_there(site):
    site.refused("/none.pem: cannot read a certificate",
                 certificate=f'certificate "c" {{ file = "{site.dir}/none.pem" key = "{site.key}" }}')


def test_a_key_of_another_certificate(site):
    _, other = gates.make_certificate(site.dir, stem="other")
    site.refused("this is not the key of the certificate",
                 certificate=f'certificate "c" {{ file = "{site.cert}" key = "{other}" }}')


def test_a_file_that_is_no_certificate(site):
    site.refused("cannot read a certificate (PEM)",
                 certificate=f'certificate "c" {{ file = "{site.config}" key = "{site.key}" }}')


def test_a_certificate_that_ends_soon_or_has_ended(site):
    for days, expected in ((3, "expires within 14 days"), (-1, "has expired")):
        done = site.check(certificate=lasting(site, days))
        assert done.returncode == 1 and f"lasting.pem: the certificate {expected}" in done.stderr


def test_ciphers_that_do_not_exist(site):
    site.refused("no such ciphers", tls='tls { ciphers = "ROT13" }')
    site.refused("no such cipher suites", tls='tls { ciphersuites = "ROT13" }')


def test_a_port_that_is_in_use(site):
    with socket.create_server(("127.0.0.1", site.port)):
        site.refused(f'listener "a": cannot bind 127.0.0.1:{site.port}: Address already in use')


def test_two_listeners_on_one_address(site):
    twin = site.parts["listener"].replace('"a"', '"b"')
    site.refused(f'listener "b": 127.0.0.1:{site.port} is another listener\'s address already', b=twin)
    site.refused(f'listener "b": cannot bind *:{site.port}: Address already in use',
                 b=twin.replace("127.0.0.1", "*"))


def test_an_address_that_is_not_ours(site):
    site.refused('listener "a": cannot bind 192.0.2.1:', listener=site.parts["listener"].replace("127.0.0.1", "192.0.2.1"))


def test_a_socket_in_a_directory_that_is_not_there(site):
    site.refused("No such file or directory", listener='listener "a" { protocol = lmtp socket = "/none/lmtp" }')


def test_a_user_that_does_not_exist(site):
    if os.geteuid() == 0:
        site.refused('there is no user "nobodyatall"', server='server { user = "nobodyatall" }')
    else:
        assert site.check(server='server { user = "nobodyatall" }').returncode == 1


def test_a_store_in_a_place_that_is_none(site):
    site.refused("/none/store: ", store='store { directory = "/none/store" reserve = 0 }')
    site.refused("/gatepost.conf", store=f'store {{ directory = "{site.config}" reserve = 0 }}')


def test_a_store_that_is_not_ours_to_read(site):
    store = site.dir / "store"
    store.mkdir(mode=0o755)
    store.chmod(0o755)
    done = site.check()
    assert done.returncode == 1 and "others than its owner can read it: chmod 700" in done.stderr


def test_a_file_where_the_store_should_be_that_is_no_store(site):
    store = site.dir / "store"
    store.mkdir(mode=0o700)
    (store / "data.mdb").write_bytes(b"this is no database\n" * 1000)
    done = site.check()
    assert done.returncode == 1 and str(store) in done.stderr


def test_a_reserve_that_the_disk_does_not_have(site):
    store = f'store {{ directory = "{site.dir}/store" reserve = 900T }}'
    for _ in range(2):  # before there is a store, and then
        done = site.check(store=store)
        assert done.returncode == 1 and "no mail would be taken" in done.stderr
        subprocess.run([gates.BINARY, "user", "list", "-c", site.config], check=True)


def test_files_that_cannot_be_written(site):
    site.refused("/none/x: ", log='log { file = "/none/x" }')
    site.refused("/none/x: ", auth='auth { audit-file = "/none/x" }')
    site.refused(f"{site.dir}: ", log=f'log {{ file = "{site.dir}" }}')
    site.refused(f"{site.dir}: ", auth=f'auth {{ audit-file = "{site.dir}" }}')


def test_a_plain_listener_that_lets_nobody_in(site):
    done = site.check(listener=site.parts["listener"].replace("tls = starttls", ""))
    assert done.returncode == 1 and "allows no plaintext" in done.stderr


@needs_root
def test_what_the_daemons_user_may_not_touch(site):
    """Root may, so a check as root must ask as the user that the daemon is going to be."""
    os.chmod(site.dir, 0o755)
    for parent in site.dir.parents:
        if parent != parent.parent and str(parent).startswith("/tmp/"):
            os.chmod(parent, 0o755)
    store = site.dir / "store"
    store.mkdir(mode=0o700)
    done = site.check(server='server { user = "nobody" }')
    assert done.returncode == 1
    assert f"{store}: Permission denied" in done.stderr
    assert f"{site.key}: the daemon's user may not read it" in done.stderr
    shutil.chown(store, "nobody")
    shutil.chown(site.key, "nobody")
    assert site.check(server='server { user = "nobody" }').stderr == ""


@needs_root
def test_a_port_that_only_root_may_bind(site):
    if int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read()) <= 21:
        pytest.skip("this system lets everybody bind low ports")
    for path in (site.dir, *site.dir.parents):
        if str(path).startswith("/tmp/"):
            os.chmod(path, 0o755)
    site.key.chmod(0o644)
    done = site.run("check", user="nobody", listener=site.parts["listener"].replace(str(site.port), "21"),
                    store='store { directory = "/tmp/none" reserve = 0 }')
    assert done.returncode == 1 and "ports below 1024 need root" in done.stderr
