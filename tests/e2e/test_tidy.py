"""tools/tidy names each broken rule, with its place; and passes on this tree."""

import subprocess

import pytest

from berth.server import ROOT

BROKEN = {
    "events/a.cpp": ("#include <caf/all.hpp>\n", "events/a.cpp:1: include: only actors/"),
    "actors/b.cpp": ("#include <rocksdb/db.h>\n", "actors/b.cpp:1: include: only infra/"),
    "gateway/c.cpp": ("#include <sys/socket.h>\n", "gateway/c.cpp:1: include: only infra/"),
    "infra/d.cpp": ("#include <boost/beast.hpp>\n", "infra/d.cpp:1: include: only gateway/"),
    "events/e.cpp": (
        '\n#include "actors/kernel.hpp"\n',
        "events/e.cpp:2: include: events/ may not",
    ),
    "gateway/f.cpp": ('#include "infra/rocksdb/keys.hpp"\n', "gateway/f.cpp:1: include: gateway/"),
    "infra/g.cpp": ('#include "gateway/router.hpp"\n', "infra/g.cpp:1: include: infra/ may not"),
    "events/h.cpp": ("auto t = std::chrono::system_clock::now();\n", "events/h.cpp:1: clock:"),
    "projections/i.cpp": ("#include <thread>\n", "projections/i.cpp:1: include: events/ and"),
    "infra/j.hpp": ("int x;\n", "infra/j.hpp:1: pragma-once:"),
    "infra/k.cpp": ("\n" * 401, "infra/k.cpp:401: file-length:"),
    "infra/l.cpp": ("// " + "x" * 98 + "\n", "infra/l.cpp:1: columns:"),
    "infra/m.cpp": ("// TO" + "DO later\n", "infra/m.cpp:1: unfinished:"),
    "infra/n.cpp": ("int x; \n", "infra/n.cpp:1: trailing-space"),
    "infra/o.cpp": ("void f() {\n" + "  g();\n" * 70 + "}\n", "infra/o.cpp:1: function-length:"),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp("tree")
    for name, (text, _) in BROKEN.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "tests").mkdir()
    (root / "tests/all_test.cpp").write_text("// events/ actors/ gateway/ projections/\n")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    done = subprocess.run([ROOT / "tools/tidy/tidy.py", root], capture_output=True, text=True)
    assert done.returncode == 1
    return done.stdout


@pytest.mark.parametrize("name", BROKEN)
def test_each_rule_is_named_with_its_place(said, name):
    assert BROKEN[name][1] in said, said


def test_a_folder_without_tests_is_named(said):
    assert "infra/:1: untested:" in said and "events/:1: untested:" not in said
