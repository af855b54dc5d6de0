#!/usr/bin/env python3
"""tidy: the rules of the house as a check. Names file:line and the rule; exit 1 if any is broken.

    tools/tidy/tidy.py [--headers BUILD_DIR] [ROOT]

Text rules run over every tracked or new source file in under 3 s. `--headers` also compiles each
header alone (slow: about a second each) with the generated schemas of BUILD_DIR.
"""

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = {".cpp": 100, ".hpp": 100, ".py": 100, ".ts": 100, ".fbs": 120}

# A folder may include itself and these. tools/ and tests/ wire everything: they are exempt.
FOLDERS = ("schemas", "events", "projections", "actors", "gateway", "infra")
MAY_INCLUDE = {
    "schemas": set(),
    "events": {"schemas"},
    "projections": {"schemas", "events"},
    "actors": {"schemas", "events", "projections"},
    "gateway": {"schemas", "events", "projections", "actors"},
    "infra": {"schemas", "events", "projections", "actors"},
}

OS_HEADERS = (
    r"(sys|netinet|arpa|linux|net)/|"
    r"(unistd|fcntl|pty|sched|poll|termios|spawn|dirent|grp|pwd|signal|csignal|netdb)(\.h)?$"
)
# What only some folders may include, each with the reason to print.
ONLY_IN = (
    (re.compile(r"caf/"), {"actors"}, "only actors/ includes caf/"),
    (re.compile(r"rocksdb/"), {"infra"}, "only infra/ includes rocksdb/"),
    (re.compile(r"librdkafka/"), {"infra"}, "only infra/ includes librdkafka/"),
    (re.compile(r"curl/"), {"infra"}, "only infra/ includes curl/"),
    (
        re.compile(OS_HEADERS),
        {"infra"},
        "only infra/ includes the OS's process, socket and file headers",
    ),
    (re.compile(r"boost/beast"), {"gateway"}, "only gateway/ includes boost/beast"),
    (
        re.compile(r"boost/asio"),
        {"gateway", "infra"},
        "only gateway/ and infra/ include boost/asio",
    ),
    (
        re.compile(r"spdlog/(?!fmt)"),
        {"actors", "gateway", "infra"},
        "events/ and projections/ do not log",
    ),
    (
        re.compile(
            r"(thread|mutex|shared_mutex|condition_variable|future|iostream|fstream|filesystem)$"
        ),
        {"actors", "gateway", "infra"},
        "events/ and projections/ know no thread and no I/O",
    ),
)
CLOCK = re.compile(r"\b(system|steady|high_resolution)_clock::now\b|\bstd::time\(|\bgettimeofday\b")
INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')
# Spelled so that this file passes its own rule.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
FUNCTION_OPENS = re.compile(
    r"^(?!namespace|struct|class|enum|union|extern|template|inline namespace)\S.*\{$"
)


def listed(root: pathlib.Path) -> list[pathlib.Path]:
    out = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return sorted(
        pathlib.Path(name)
        for name in out.split("\0")
        if name and pathlib.Path(name).suffix in COLUMNS_MAX and (root / name).is_file()
    )


def check_include(folder: str, kind: str, target: str) -> str | None:
    first = target.split("/")[0]
    if kind == '"' and first in FOLDERS and first != folder and first not in MAY_INCLUDE[folder]:
        return f"{folder}/ may not include {first}/ (dependencies point up the list in DESIGN §2)"
    if kind == '"' and first in ("tools", "tests"):
        return f"{folder}/ may not include {first}/"
    if kind == '"' and "/" not in target:
        return "includes start at the repository root"
    for pattern, allowed, reason in ONLY_IN:
        if pattern.match(target) and folder not in allowed:
            return reason
    return None


def check_file(root: pathlib.Path, path: pathlib.Path) -> list[str]:
    found = []
    lines = (root / path).read_text(errors="replace").split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    folder = path.parts[0]
    layered = folder in FOLDERS and path.suffix in (".cpp", ".hpp")
    if len(lines) > FILE_LINES_MAX:
        found.append(
            f"{path}:{len(lines)}: file-length: {len(lines)} lines, at most {FILE_LINES_MAX}"
        )
    if path.suffix == ".hpp" and "#pragma once" not in lines:
        found.append(f"{path}:1: pragma-once: a header begins with its contract, then #pragma once")
    opened = 0
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX[path.suffix]:
            found.append(
                f"{path}:{number}: columns: {len(line)}, at most {COLUMNS_MAX[path.suffix]}"
            )
        if UNFINISHED.search(line):
            found.append(
                f"{path}:{number}: unfinished: file an issue instead of a note in the source"
            )
        if line.endswith((" ", "\t", "\r")):
            found.append(f"{path}:{number}: trailing-space")
        if path.suffix == ".cpp":
            if FUNCTION_OPENS.match(line):
                opened = number
            elif line.startswith("}") and opened:
                if number - opened - 1 >= FUNCTION_LINES_MAX:
                    found.append(
                        f"{path}:{opened}: function-length: {number - opened - 1} lines, "
                        f"under {FUNCTION_LINES_MAX}"
                    )
                opened = 0
        if layered:
            include = INCLUDE.match(line)
            reason = check_include(folder, *include.groups()) if include else None
            if reason:
                found.append(f"{path}:{number}: include: {reason}")
            if folder in ("events", "projections") and CLOCK.search(line):
                found.append(f"{path}:{number}: clock: time is an argument in {folder}/")
    return found


def check_tests(root: pathlib.Path, files: list[pathlib.Path]) -> list[str]:
    """Every folder with sources (two levels deep) is named by a test, in its text or file name."""
    tests = [path for path in files if path.parts[0] == "tests"]
    text = "".join((root / path).read_text(errors="replace") for path in tests)
    text += " ".join(path.name for path in tests)
    sources = {
        pathlib.Path(*path.parts[:-1][:2])
        for path in files
        if path.suffix == ".cpp" and path.parts[0] in FOLDERS
    }
    return [
        f"{folder}/:1: untested: no file below tests/ names {folder}/"
        for folder in sorted(sources)
        if f"{folder}/" not in text and f"{folder.name.rstrip('s')}_" not in text
    ]


def compile_header(root: pathlib.Path, build: pathlib.Path, path: pathlib.Path) -> list[str]:
    done = subprocess.run(
        [
            "g++",
            "-std=c++20",
            "-fsyntax-only",
            "-w",
            "-DSPDLOG_FMT_EXTERNAL",
            "-x",
            "c++",
            "-I.",
            f"-I{build / 'generated'}",
            str(path),
        ],
        cwd=root,
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return []
    reason = next(
        (line for line in done.stderr.splitlines() if "error" in line), "does not compile"
    )
    return [f"{path}:1: self-contained: {reason}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2]
    )
    parser.add_argument(
        "--headers",
        metavar="BUILD_DIR",
        type=lambda text: pathlib.Path(text).resolve(),
        help="also compile every header alone",
    )
    asked = parser.parse_args()
    files = listed(asked.root)
    found = [line for path in files for line in check_file(asked.root, path)] + check_tests(
        asked.root, files
    )
    if asked.headers:
        headers = [path for path in files if path.suffix == ".hpp"]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for lines in pool.map(
                lambda path: compile_header(asked.root, asked.headers, path), headers
            ):
                found += lines
    print("\n".join(found + [f"tidy: {len(files)} files, {len(found)} broken rules"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
