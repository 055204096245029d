"""Programs that we did not write, each run in a home of its own, without what the machine configures."""
import os
import subprocess

import gate as gates


def run(home, *command, status=0, input=None, deadline=gates.DEADLINE * 3, **env):
    """Run a client to its end; its output is bytes, and what it said makes the failure readable. `status`
    is the exit status that is expected, or several of them, or None for any."""
    done = subprocess.run([str(c) for c in command], cwd=home, input=input if input is not None else b"",
                          capture_output=True, timeout=deadline,
                          env={"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8",
                               "TERM": "dumb", "USER": "alice", "LOGNAME": "alice", **env})
    expected = (status,) if isinstance(status, int) else status
    assert expected is None or done.returncode in expected, (
        f"{command[0]} ended with {done.returncode}\n{done.stdout.decode(errors='replace')[-6000:]}"
        f"\n{done.stderr.decode(errors='replace')[-6000:]}")
    return done


def write_private(path, text):
    """A file that only its owner may read, as clients want their secrets to be kept."""
    path.write_text(text)
    path.chmod(0o600)
    return path


def maildir_files(folder):
    """The files of the messages in a Maildir folder."""
    return sorted(f for part in ("cur", "new") for f in (folder / part).glob("*"))


def maildir(folder):
    """The bytes of the messages in a Maildir folder, sorted."""
    return sorted(f.read_bytes() for f in maildir_files(folder))
