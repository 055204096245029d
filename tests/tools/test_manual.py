"""The manual's page on the configuration and the program's grammar name the same keys."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def keys_of_the_program():
    text = (ROOT / "gateway" / "config_read.c").read_text()
    found = set()
    for section, body in re.findall(r"cfg_opt_t (\w+)_options\[\] = \{(.*?)\n\};", text, re.S):
        if section != "all":
            found |= {(section, key) for key in re.findall(r'CFG_\w+\("([\w-]+)"', body)}
    return found


def keys_of_the_manual(name):
    found, section = set(), None
    for line in (ROOT / "docs" / "manual" / name).read_text().splitlines():
        if line.startswith("## "):
            section = line.split()[1]
        elif key := re.match(r"\| `([\w-]+)` \|", line):
            found.add((section, key[1]))
    return found


def test_every_key_is_in_the_manual_and_the_manual_has_no_other():
    program = keys_of_the_program()
    assert len(program) > 50
    assert keys_of_the_manual("configuration.md") == program


def test_every_key_is_in_the_man_page():
    page = (ROOT / "docs" / "man" / "gatepost.conf.5").read_text().replace("\\-", "-")
    missing = [key for _, key in sorted(keys_of_the_program()) if not re.search(rf"\b{key}\b", page)]
    assert missing == []
