#!/usr/bin/env python3
"""Run clang-tidy over every source file of a compile database; pass over what was clean before.

usage: tidy.py BUILD-DIRECTORY JOBS [PATH...]

A file that was clean is remembered by a hash of itself, the project's headers that it includes, its
compile command and the settings. PATHs (prefixes) narrow it down. Exit status 1: there are findings.
"""
import concurrent.futures
import hashlib
import json
import pathlib
import shlex
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
# The compile commands are GCC's; clang-tidy does not know every warning of it. The analyser gives a function
# up after 225,000 states unless told otherwise. Where it comes to that, the same blocks are reached with a
# third of them (measured by its debug.Stats), in a third of the time: most of what lint costs.
ANALYSER = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=75000"]
TIDY = ["clang-tidy", "--quiet", "--warnings-as-errors=*", "--extra-arg=-Wno-unknown-warning-option",
        *("--extra-arg=" + word for word in ANALYSER)]


def output(command, cwd=TOP):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout


def entries(build, prefixes):
    """The entries of the database, one for a file, that git knows."""
    tracked = set(output(["git", "ls-files", "--", "*.c"]).split())
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"]).resolve()
        name = str(path.relative_to(TOP)) if path.is_relative_to(TOP) else ""
        if name in tracked and (not prefixes or name.startswith(tuple(prefixes))):
            found.setdefault(name, entry)
    return found


def sources(entry):
    """The file and the project's headers it includes, as the preprocessor sees it."""
    words = shlex.split(entry["command"])
    flags = [w for w in words if w.startswith(("-I", "-D", "-std", "-isystem"))]
    banned = words[words.index("-include") + 1]
    rule = output(["clang", "-MM", *flags, "-include", banned, entry["file"]], entry["directory"])
    return sorted(w for w in rule.replace("\\\n", " ").split()[1:] if w.startswith(str(TOP)))


def key(entry, version):
    digest = hashlib.sha256()
    settings = [(TOP / name).read_text() for name in (".clang-tidy", "tests/.clang-tidy")]
    command = entry["command"].replace(str(TOP), "")
    for text in (version, command, *settings, *TIDY):
        digest.update(text.encode())
    for path in sources(entry):
        digest.update(pathlib.Path(path).read_bytes())
    return digest.hexdigest()


def check(build, stamps, version, name, entry):
    """The findings of one file, "" where there are none."""
    stamp = stamps / key(entry, version)
    if stamp.exists():
        return ""
    run = subprocess.run([*TIDY, "-p", str(build), name], cwd=TOP, capture_output=True, text=True)
    if run.returncode == 0:
        stamp.write_text(name + "\n")
        return ""
    return (run.stdout or run.stderr).strip() or f"{name}: clang-tidy gave {run.returncode}"


def main(args):
    if len(args) < 2:
        sys.exit(__doc__)
    build, jobs = pathlib.Path(args[0]).resolve(), int(args[1])
    stamps = TOP / "build" / "tidy"
    stamps.mkdir(parents=True, exist_ok=True)
    version = output(["clang-tidy", "--version"])
    todo = entries(build, args[2:])
    if not todo:
        sys.exit("tidy: there is nothing to check")
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(check, build, stamps, version, *item) for item in todo.items()]
        for done in concurrent.futures.as_completed(waiting):
            if done.result():
                bad += 1
                print(done.result(), flush=True)
    print(f"clang-tidy: {len(todo)} files, {bad} with findings")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
