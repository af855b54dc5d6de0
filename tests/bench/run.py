#!/usr/bin/env python3
"""Runs the benchmark drivers and says which figures are met.

./dev bench [--quick] [--only NAME] [--json FILE]. Each driver is a program of its own that prints
JSON lines on stdout and a table on stderr. The disk's own fsync time and the machine's load stand
beside the results: figures of different runs are compared by ratio only.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# (bench, name starts with, field, is at least, goal, what)
GOALS = [
    ("kernel", "commands, 1000 in flight, 1000 streams", "per_second", True, 50_000,
     "durable commands/s, 1,000 streams"),
    ("kernel", "commands, 1000 in flight, 1 stream", "per_second", True, 20_000,
     "durable commands/s, one stream"),
    ("journal", "crash of 1000000 commits", "seconds", False, 2.0,
     "1,000,000 events recovered to the first answer, s"),
    ("server", "echo", "p50_us", False, 500, "keystroke echo p50, us"),
    ("server", "bulk", "mb_per_second", True, 30, "bulk output recorded, MB/s"),
    ("server", "create to first output", "p50_us", False, 50_000,
     "environment create to first output p50, us"),
]


def drivers(binaries, quick, directory):
    flags = ["--quick"] if quick else []
    return {
        "journal": [f"{binaries}/journal_bench", "--dir", f"{directory}/journal", *flags],
        "kernel": [f"{binaries}/kernel_bench", "--dir", f"{directory}/kernel", *flags],
        "agent": [f"{binaries}/agent_bench", *flags],
        "server": [sys.executable, f"{HERE}/server_bench.py", "--bin", binaries, *flags],
    }


def run(name, command, timeout_s):
    print(f"== {name}", file=sys.stderr, flush=True)
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        print(f"{name}: ended with {done.returncode}", file=sys.stderr)
    rows = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            rows.append(json.loads(line))
    return rows, done.returncode


def check(rows, names):
    met = missed = 0
    for bench, prefix, field, at_least, goal, what in GOALS:
        if bench not in names:
            continue
        found = [r for r in rows if r.get("bench") == bench and field in r
                 and r.get("name", "").startswith(prefix)]
        if not found:
            continue
        value = found[0][field]
        good = value >= goal if at_least else value <= goal
        met, missed = met + good, missed + (not good)
        if not good:
            print(f"missed: {what}: {value:g}, goal {'>=' if at_least else '<='} {goal:g}")
    print(f"{met} of {met + missed} goals met")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--json")
    options = parser.parse_args()
    rows, failed = [], False
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as directory:
        everything = drivers(os.path.abspath(options.bin), options.quick, directory)
        names = [options.only] if options.only else list(everything)
        if options.only and options.only not in everything:
            sys.exit(f"no driver named {options.only}; there are {', '.join(everything)}")
        for name in names:
            more, code = run(name, everything[name], 240 if options.quick else 1200)
            rows += more
            failed = failed or code != 0
    rows.append({"bench": "machine", "name": "load", "load_1m": os.getloadavg()[0],
                 "cpus": os.cpu_count()})
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
    check(rows, names)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
