"""Plays the transcripts of tests/golden/ against the daemon; tests/golden/README.md says how they are written."""
import re

import pytest

import gate as gates

DIRECTORY = gates.ROOT / "tests" / "golden"
FILES = sorted(DIRECTORY.glob("*/*.txt"))
PORTS = {"I": "imap", "P": "pop3", "L": "lmtp", "O": "ops"}
LINE = re.compile(rb"([CS])([A-Z]?)([0-9]?): ?(.*)")


def text_of(raw):
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), raw)


class Gate(gates.Gate):
    LISTENERS = {**gates.Gate.LISTENERS, "lmtp": ("lmtp", "starttls", False),
                 "ops": ("ops", "none", False)}


class Player:
    def __init__(self, gate, protocol):
        self.gate, self.protocol, self.connections, self.values = gate, protocol, {}, {}

    def connection(self, letter, number):
        key = (letter or self.protocol, number)
        if key not in self.connections:
            raw = self.connections[key] = self.gate.raw(PORTS[key[0]])
            assert key[0] == "O" or raw.line()  # HTTP has no greeting
        return self.connections[key]

    def say(self, raw, text):
        text = re.sub(rb"\$\{(\w+)\}", lambda m: self.values[m[1]], text)
        raw.send(text_of(text) + b"\r\n")

    def expect(self, raw, text, where):
        """`text` as a pattern: known values stand for themselves, others are learnt."""
        new, pattern = [], b""
        for piece in re.split(rb"(~|\$\{\w+\})", text):
            if piece == b"~":
                pattern += b".*"
            elif piece.startswith(b"${"):
                name = piece[2:-1]
                if name in self.values:
                    pattern += re.escape(self.values[name])
                elif name in new:
                    pattern += b"(?P=%s)" % name
                else:
                    new.append(name)
                    pattern += rb"(?P<%s>[\w.@$-]+)" % name
            else:
                pattern += re.escape(text_of(piece))
        got = raw.line()
        if got.startswith(b"Server: "):  # which daemon it is: what other protocols say in their greetings
            got = raw.line()
        found = re.fullmatch(pattern, got, re.S)
        assert found, f"{where}:\nwanted: {text!r}\ngot:    {got!r}"
        self.values.update((name, found[name.decode()]) for name in new)

    def play(self, path):
        for n, line in enumerate(path.read_bytes().split(b"\n"), 1):
            if not line or line.startswith(b"#"):
                continue
            who, letter, number, text = LINE.fullmatch(line).groups()
            raw = self.connection(letter.decode(), number)
            if who == b"C":
                self.say(raw, text)
            else:
                self.expect(raw, text, f"{path}:{n}")


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_transcript(tmp_path, path):
    gate = Gate(tmp_path)
    for user in ("alice", "bob"):
        gate.add_user(user, "gatepost")
    with gate:
        player = Player(gate, path.parent.name[0].upper())
        player.play(path)
        for raw in player.connections.values():
            raw.close()
        gate.verify()
