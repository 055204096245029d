"""./check fails when a part of it does: also when only the first command of the part fails."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(tmp_path, body, *args):
    """The real script with one part, `probe`, in place of its own list."""
    script = (ROOT / "check").read_text()
    head, tail = script.split("run_part() {")
    text = head + f"part_probe() {{ {body}; }}\nALL=(probe)\nrun_part() {{" + tail
    path = tmp_path / "check"
    path.write_text(text)
    return subprocess.run(["bash", path, "--no-install", *args], capture_output=True, text=True)


def test_a_part_that_fails_at_its_first_command_fails_the_whole(tmp_path):
    done = run(tmp_path, "false; true")
    assert done.returncode != 0
    assert "parts: 0 passed, 1 failed" in done.stdout


def test_the_same_by_name(tmp_path):
    assert run(tmp_path, "false; true", "probe").returncode != 0


def test_a_part_that_passes_passes(tmp_path):
    done = run(tmp_path, "true; true")
    assert done.returncode == 0
    assert "parts: 1 passed, 0 failed" in done.stdout
    assert run(tmp_path, "true", "probe").returncode == 0
