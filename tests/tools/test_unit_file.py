"""systemd has nothing to say against the unit file, and the service is well locked up."""
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not installed")


@pytest.fixture
def unit(tmp_path):
    text = (ROOT / "packaging" / "gatepost.service.in").read_text()
    path = tmp_path / "gatepost.service"
    # Where no such user and program are, systemd would complain about these alone.
    path.write_text(re.sub(r"@\w+@/gatepost", "/bin/true", text).replace("=gatepost\nGroup=gatepost", "=daemon"))
    return path


@needs_systemd
def test_systemd_understands_every_line(unit):
    done = subprocess.run([ANALYZE, "verify", "--man=no", unit], capture_output=True, text=True)
    assert "gatepost.service" not in done.stderr, done.stderr


@needs_systemd
def test_the_service_is_exposed_to_little(unit):
    done = subprocess.run([ANALYZE, "security", "--offline=yes", unit], capture_output=True, text=True)
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    if not found:
        pytest.skip(f"this systemd-analyze cannot look at a file: {done.stderr.strip()}")
    assert float(found[1]) < 2.5, done.stdout


def test_the_service_notifies_and_reloads():
    text = (ROOT / "packaging" / "gatepost.service.in").read_text()
    for line in ("Type=notify", "ExecReload=/bin/kill -HUP $MAINPID", "KillSignal=SIGTERM", "User=gatepost"):
        assert line in text.splitlines()
    assert "u gatepost " in (ROOT / "packaging" / "gatepost.sysusers").read_text()
