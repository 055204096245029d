#!/usr/bin/python3
"""Fail on an #include that points up the layers or sideways between protocols.

The picture (docs/architecture.md): base < {auth, store} < protocols < gateway. auth and store do
not know each other; one protocol does not know another (mapi and ops know http); a folder's
*_int.h is seen inside the folder only; uv.h is seen in gateway/net and gateway alone.

usage: check_layers.py [ROOT]
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
MAY_SEE = {
    "base": {"base"},
    "store": {"base", "store"},
    "auth": {"base", "auth"},
    "protocols": {"base", "store", "auth", "protocols"},
    "gateway": {"base", "store", "auth", "protocols", "gateway"},
}
CARRIED_BY = {"mapi": {"http"}, "ops": {"http"}}


def protocol_of(path):
    parts = pathlib.PurePosixPath(path).parts
    return parts[1] if len(parts) > 2 and parts[0] == "protocols" else None


def complaints_about(source, target, quoted):
    layer = source.split("/")[0]
    if target == "uv.h" and not source.startswith("gateway/"):
        yield "libuv is known to the gateway only"
    if not quoted:
        return
    to = target.split("/")[0]
    if to not in MAY_SEE:
        yield "not a path from the root of the tree"
        return
    if to not in MAY_SEE[layer]:
        yield f"{layer} may not see {to}"
    ours, theirs = protocol_of(source), protocol_of(target)
    if theirs and ours != theirs and layer == "protocols" and theirs not in CARRIED_BY.get(ours, ()):
        yield f"protocol {ours or 'protocols'} may not see {theirs}"
    if target.endswith("_int.h") and pathlib.PurePosixPath(source).parent != pathlib.PurePosixPath(target).parent:
        yield "an _int.h is shared inside its folder only"


def check(root):
    faults, files = [], 0
    for layer in MAY_SEE:
        for path in sorted((root / layer).rglob("*.[ch]")):
            files += 1
            source = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = INCLUDE.match(line)
                if not found:
                    continue
                for why in complaints_about(source, found[2], found[1] == '"'):
                    faults.append(f"{source}:{number}: includes {found[2]}: {why}")
    return faults, files


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    faults, files = check(root)
    for fault in faults:
        print(fault)
    print(f"layers: {files} files, {len(faults)} arrows that point the wrong way")
    return 1 if faults or not files else 0


if __name__ == "__main__":
    sys.exit(main())
