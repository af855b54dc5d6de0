#!/usr/bin/env python3
"""Counts the instructions of the six hottest paths and compares them with what is recorded.

    tests/bench/hot_paths.py --bin build/bin            ./dev check: fails on growth over 10 %
    tests/bench/hot_paths.py --bin build/bin --record WHY

callgrind counts, so the machine's load does not matter. A path runs with N and with 2N rounds; the
difference, a round, leaves the set-up out. hot_paths.json holds the counts and why they grew.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RECORDED = HERE / "hot_paths.json"
GROWTH_MAX = 0.10
RUN_SECONDS_MAX = 300

ROUNDS = {"command": 300, "record": 300, "fold": 10, "recover": 20, "terminal": 300, "frames": 300}


def instructions(program: pathlib.Path, name: str, rounds: int) -> int:
    with tempfile.TemporaryDirectory(prefix="berth-hot-") as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        done = subprocess.run(
            [*command, program, name, str(rounds)],
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"hot_paths: {name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return int(found.group(1))


def a_round(program: pathlib.Path, name: str) -> int:
    rounds = ROUNDS[name]
    return (instructions(program, name, 2 * rounds) - instructions(program, name, rounds)) // rounds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--record", metavar="WHY", help="take today's counts for the recorded ones")
    asked = parser.parse_args()
    program = asked.bin.resolve() / "hot_paths"
    recorded = json.loads(RECORDED.read_text()) if RECORDED.is_file() else {}
    grown = []
    print(f"{'path':<12}{'instructions':>14}{'recorded':>12}{'growth':>9}")
    for name in ROUNDS:
        now = a_round(program, name)
        before = recorded.get(name, {}).get("instructions", now)
        growth = now / before - 1
        print(f"{name:<12}{now:>14,}{before:>12,}{growth:>9.1%}", flush=True)
        if growth > GROWTH_MAX:
            grown.append(name)
        if asked.record:
            recorded[name] = {"instructions": now, "why": asked.record}
    if asked.record:
        RECORDED.write_text(json.dumps(recorded, indent=1) + "\n")
        return 0
    if grown:
        print(
            f"hot_paths: {', '.join(grown)} grew by more than {GROWTH_MAX:.0%}. If that is meant, "
            f"say why: tests/bench/hot_paths.py --bin build/bin --record WHY"
        )
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
