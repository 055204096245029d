"""The layer check notices each kind of wrong arrow, and passes the right ones."""
import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("check_layers", ROOT / "tools" / "check_layers.py")
layers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(layers)


def tree(tmp_path, source, line):
    path = tmp_path / source
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n")
    return layers.check(tmp_path)[0]


@pytest.mark.parametrize("source, line", [
    ("base/a.c", '#include "store/store.h"'),
    ("store/a.c", '#include "auth/auth.h"'),
    ("auth/a.c", '#include "store/store.h"'),
    ("store/a.c", '#include "protocols/session.h"'),
    ("protocols/pop3/a.c", '#include "protocols/imap/imap.h"'),
    ("protocols/a.c", '#include "protocols/imap/imap.h"'),
    ("protocols/imap/a.c", '#include "gateway/config.h"'),
    ("protocols/imap/a.c", "#include <uv.h>"),
    ("gateway/a.c", '#include "protocols/imap/imap_int.h"'),
    ("store/mime/a.c", '#include "store/engine/engine_int.h"'),
    ("store/a.c", '#include "store.h"'),
])
def test_wrong_arrow_is_reported(tmp_path, source, line):
    assert len(tree(tmp_path, source, line)) >= 1


@pytest.mark.parametrize("source, line", [
    ("base/a.c", '#include "base/slice.h"'),
    ("store/a.c", '#include "store/mime/mime.h"'),
    ("protocols/mapi/a.c", '#include "protocols/http/http.h"'),
    ("protocols/imap/a.c", '#include "protocols/imap/imap_int.h"'),
    ("protocols/imap/a.c", '#include "auth/auth.h"'),
    ("gateway/net/a.c", "#include <uv.h>"),
])
def test_right_arrow_passes(tmp_path, source, line):
    assert tree(tmp_path, source, line) == []


def test_this_tree_has_no_wrong_arrow():
    faults, files = layers.check(ROOT)
    assert files > 0
    assert faults == []
