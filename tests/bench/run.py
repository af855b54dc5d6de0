#!/usr/bin/env python3
"""Runs the benchmark drivers and says which goals are met.

./dev bench [--quick] [--runs N] [--only NAME] [--peers] [--json FILE]. Each driver is a program of
its own that prints JSON lines on stdout and a table on stderr. A figure is the median of the runs,
its spread beside it; so are the disk's own sync time and the machine's load, for figures of
different runs are compared by ratio only. With --peers other products are installed and measured in
the same run, and ours are divided by theirs. It ends with every goal and a line `N of M goals met`.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from peers import compare

HERE = os.path.dirname(os.path.abspath(__file__))

PUT = ("journal", "RocksDB: synced put of 400 B", "p50_us")  # what the disk and RocksDB do alone

# (bench, name starts with, field, is at least, goal, what); a goal that is a pair is so many times
# another figure of the same run.
GOALS = [
    ("kernel", "commands, 1000 in flight, 1000 streams", "per_second", True, 100_000,
     "durable commands/s, 1,000 in flight, 1,000 streams"),
    ("kernel", "commands, 1000 in flight, 1 stream", "per_second", True, 20_000,
     "durable commands/s, one stream"),
    ("kernel", "commands, 1 in flight", "p50_us", False, (1.5, PUT),
     "one command in flight, p50, us"),
    ("journal", "crash of 1000000 commits", "seconds", False, 1.0,
     "SIGKILL with 1,000,000 commits to the first stream read, s"),
    ("recovery", "SIGKILL with 1000000 events", "seconds", False, 1.0,
     "SIGKILL with 1,000,000 events to the first command answered, s"),
    ("recovery", "full fold", "per_second", True, 1_000_000,
     "full fold, events/s"),
    ("views", "lag of all views at 20000 events/s", "p99_ms", False, 50, "lag of views p99, ms"),
    ("views", "rebuild of all views", "per_second", True, 400_000,
     "rebuild of all views beside live commands, events/s"),
    ("views", "commands during the rebuild", "times_before", False, 2,
     "p99 of commands during the rebuild, times that before"),
    ("time_travel", "state at any version", "p99_ms", False, 20,
     "state at any version of 100,000 events, p99, ms"),
    ("time_travel", "state at any time", "p99_ms", False, 50,
     "state at any time in 100,000 events, p99, ms"),
    ("overload", "overload", "p99_times_sustainable", False, 2,
     "overload, p99 of accepted commands, times that at the sustainable rate"),
    ("overload", "overload", "refused_p99_us", False, 1_000, "overload, time to refusal p99, us"),
    ("overload", "overload", "rss_mib", False, 512, "overload, MiB resident"),
    ("footprint", "500000 resident actors", "rss_mb", False, 1_000,
     "500,000 resident actors, MB resident"),
    *(goal for brokers in ("1 broker", "3 brokers") for goal in (
        ("kafka", f"acknowledged commits, 1 in flight, {brokers}", "p50_us", False,
         (1.5, ("kafka", f"raw record to its delivery report, {brokers}", "p50_us")),
         f"Kafka journal, one commit in flight, p50, us, {brokers}"),
        ("kafka", f"acknowledged commits, 1 in flight, {brokers}", "p50_us", False,
         (0.25, ("kafka", f"a transaction a commit, {brokers}", "p50_us")),
         f"the same beside a transaction a commit, {brokers}"),
        ("kafka", f"acknowledged commits, 8000 in flight, {brokers}", "per_second", True,
         (0.6, ("kafka", f"raw records, 8,000 in flight, {brokers}", "per_second")),
         f"Kafka journal, commits/s, {brokers}"),
    )),
    ("server", "commands over WebSocket, 1 client", "p50_us", False, (4, PUT),
     "command over WebSocket, 1 client, p50, us"),
    ("server", "commands over WebSocket, 256 clients", "per_second", True, 20_000,
     "commands/s over WebSocket, 256 clients"),
    ("server", "start on an empty directory", "ms", False, 200, "start on an empty directory, ms"),
    ("server", "idle server", "rss_mib", False, 60, "idle server, MiB resident"),
    ("server", "idle server", "cpu_percent", False, 0.1, "idle server, % of a core"),
    ("server", "idle sockets", "rss_kib_each", False, 64, "an idle socket, KiB resident"),
    ("server", "idle wire, one socket", "bytes_a_minute", False, 600,
     "an idle socket, bytes a minute"),
    ("server", "echo", "p50_us", False, 250, "keystroke echo p50, us"),
    ("server", "echo", "p99_us", False, 600, "keystroke echo p99, us"),
    ("server", "echo beside a flood, one socket", "p99_us", False, 2_000,
     "echo beside a flood p99, us"),
    ("server", "echo beside a flood, another environment", "p99_us", False, 2_000,
     "echo beside another environment's flood p99, us"),
    ("server", "bulk", "mb_per_second", True, 60, "bulk output recorded, MB/s"),
    ("server", "bulk", "cpu_s_per_100_mb", False, 0.8, "bulk output, CPU s per 100 MB"),
    ("server", "bulk, zstd", "wire_per_byte", False, 0.27, "bulk with zstd, bytes on the wire"),
    ("server", "recording", "stored_per_byte", False, 0.28, "recording, bytes stored per byte"),
    ("server", "recording", "caught_up_s", False, 10, "recording compressed after the end, s"),
    ("server", "seek in a recording, 64 KiB", "p99_us", False, 100_000,
     "seek in a recording p99, us"),
    ("server", "^C under a flood", "max_us", False, 60_000,
     "^C under `yes` to the prompt, max, us"),
    ("server", "output while away to the prompt painted", "p99_us", False, 100_000,
     "prompt painted after 20 MB while away, p99, us"),
    ("server", "10 viewers, 2 slow", "fast_complete", True, 8, "fast viewers that got everything"),
    ("server", "10 viewers, 2 slow", "slow_right_screen", True, 2,
     "slow viewers with the right screen"),
    ("server", "idle terminals", "rss_kib_each", False, 24, "an idle terminal, KiB resident"),
    ("server", "create to first output, one after the other", "p50_us", False, 20_000,
     "environment create to first output p50, us"),
    ("server", "create to first output, all at once", "p99_us", False, 100_000,
     "the same, 50 at once, p99, us"),
    *(("scale", f"{nodes} nodes: {move}", "failed", False, 0,
       f"commands that failed, {nodes} nodes, {what}") for nodes in (2, 3)
      for move, what in (("planned handover", "one stopped"), ("failover", "one killed"))),
]


def drivers(binaries, quick, directory):
    flags = ["--quick"] if quick else []
    return {
        **{name: [f"{binaries}/{name}_bench", "--dir", directory, *flags]
           for name in ("journal", "kernel", "recovery", "views", "time_travel", "overload",
                        "footprint")},
        "agent": [f"{binaries}/agent_bench", *flags],
        **{f"kafka{brokers}": [sys.executable, f"{HERE}/../../infra/deploy/kafka/brokers.py", "run",
                               "--brokers", str(brokers), "--", f"{binaries}/kafka_bench",
                               "--dir", directory, "--brokers", str(brokers), *flags]
           for brokers in (1, 3)},
        "server": [sys.executable, f"{HERE}/server_bench.py", "--bin", binaries, *flags],
        "scale": [sys.executable, f"{HERE}/scale_bench.py", "--bin", binaries, *flags],
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


def medians(runs):
    """One row a figure: the median of the runs, and the least and the most as `spread`."""
    found = {}
    for rows in runs:
        for row in rows:
            found.setdefault((row["bench"], row["name"]), []).append(row)
    merged = []
    for (bench, name), same in found.items():
        same.sort(key=lambda row: "why" in row)
        row = {"bench": bench, "name": name, "runs": len(same), "spread": {}}
        for field, value in same[0].items():
            if field == "why":  # a peer that could not be measured
                row[field] = value
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                values = [each[field] for each in same if field in each]
                row[field] = statistics.median(values)
                row["spread"][field] = [min(values), max(values)]
        merged.append(row)
    return merged


def figure(rows, bench, prefix, field):
    for exact in (True, False):  # "echo" is also how "echo beside a flood" begins
        for row in rows:
            name = row["name"]
            if row["bench"] == bench and field in row and (
                    name == prefix if exact else name.startswith(prefix)):
                return row
    return None


def check(rows):
    met = missed = 0
    for bench, prefix, field, at_least, goal, what in GOALS:
        row = figure(rows, bench, prefix, field)
        if row is None:
            continue
        how = ""
        if isinstance(goal, tuple):
            times, (base_bench, base_name, base_field) = goal
            base = figure(rows, base_bench, base_name, base_field)
            if base is None:
                continue
            how = f" = {times:g} x {base_name}"
            goal = times * base[base_field]
        value, (least, most) = row[field], row["spread"][field]
        good = value >= goal if at_least else value <= goal
        met, missed = met + good, missed + (not good)
        sign = ">=" if at_least else "<="
        print(f"{'met' if good else 'missed':<7} {what}: {value:,.4g} "
              f"({least:,.4g} to {most:,.4g}), goal {sign} {goal:,.4g}{how}")
    print(f"{met} of {met + missed} goals met")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, help="of each driver; default 3, with --quick 1")
    parser.add_argument("--only")
    parser.add_argument("--peers", action="store_true", help="install and measure them as well")
    parser.add_argument("--json")
    options = parser.parse_args()
    count = options.runs or (1 if options.quick else 3)
    runs, failed = [], False
    for number in range(count):
        rows = []
        with tempfile.TemporaryDirectory(prefix="berth-bench-") as directory:
            everything = drivers(os.path.abspath(options.bin), options.quick, directory)
            if options.peers:
                everything |= compare.drivers(options.quick)
            names = [options.only] if options.only else list(everything)
            if options.only and options.only not in everything:
                sys.exit(f"no driver named {options.only}; there are {', '.join(everything)}")
            for name in names:
                most_s = 240 if options.quick else 1200
                if name in compare.NAMES:
                    most_s = compare.INSTALLED_AND_MEASURED_WITHIN_S
                more, code = run(name, everything[name], most_s)
                rows += more
                failed = failed or code != 0
        rows.append({"bench": "machine", "name": "load", "load_1m": os.getloadavg()[0],
                     "cpus": os.cpu_count()})
        runs.append(rows)
        rows = medians(runs)
        if options.json:  # after each run: what was measured is kept if a later one is stopped
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump(rows, file, indent=1)
    disk = figure(rows, "journal", "disk", "p50_us")
    if disk:
        print(f"disk: append 4 KiB and fdatasync p50 {disk['p50_us']:.0f} us, p99 "
              f"{disk['p99_us']:.0f} us; load {rows[-1]['load_1m']:.1f}, {os.cpu_count()} cores")
    for line in compare.table(rows):
        print(line)
    check(rows)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
