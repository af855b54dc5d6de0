#!/usr/bin/env python3
"""Runs the libFuzzer targets of a build, two at a time, and prints what each did.

    tests/fuzz/run.py --build build-fuzz --minutes 10 [--only NAME]   ./dev fuzz
    tests/fuzz/run.py --build build-fuzz --total-seconds 60           ./dev test: all of them

Seeds come from the targets themselves; regressions/<target>/ holds every input that once failed.
The grown corpus is kept in BUILD/corpus/<target>, failing inputs in BUILD/crashes. Exit 1 if any
target failed; the last lines say how to run the failing input again.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
INPUT_SECONDS_MAX = 10
MEMORY_MB_MAX = 1024
LOAD_SECONDS_MAX = 120  # of a grown corpus, beyond the time asked for

# The longest input worth trying, in bytes; others get INPUT_BYTES_MAX.
INPUT_BYTES_MAX = 4096
LONGER = {"frames": 70_000, "bulk": 16_384, "records": 16_384}


@dataclasses.dataclass
class Ran:
    target: str
    failed: bool
    seconds: float
    executions: int
    edges: int
    new_units: int
    crashes: list[pathlib.Path]
    output: str

    def row(self) -> str:
        rate = self.executions / self.seconds if self.seconds else 0
        return (
            f"{self.target:<16}{self.seconds:>8.0f} s{self.executions:>14,}{rate:>10,.0f}"
            f"{self.edges:>10,}{self.new_units:>10,}{len(self.crashes):>9}"
        )


def last_number(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def write_seeds(program: pathlib.Path, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    subprocess.run([program, "--seeds", folder], check=True, timeout=60)


def run(build: pathlib.Path, target: str, seconds: int, seed: int) -> Ran:
    program = build / "bin" / f"{target}_fuzz"
    corpus, seeds, crashes = (build / what for what in ("corpus", "seeds", "crashes"))
    (corpus / target).mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    write_seeds(program, seeds / target)
    folders = [corpus / target, seeds / target]
    regressions = HERE / "regressions" / target
    if regressions.is_dir():
        folders.append(regressions)
    dictionary = HERE / f"{target}.dict"
    options = [f"-dict={dictionary}"] if dictionary.is_file() else []
    options += [
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_SECONDS_MAX}",
        f"-rss_limit_mb={MEMORY_MB_MAX}",
        f"-max_len={LONGER.get(target, INPUT_BYTES_MAX)}",
        f"-artifact_prefix={crashes}/{target}-",
        "-print_final_stats=1",
        "-use_value_profile=1",
    ]
    if seed:
        options.append(f"-seed={seed}")
    before = set(crashes.glob(f"{target}-*"))
    began = time.monotonic()
    done = subprocess.run(
        [program, *options, *folders],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds + LOAD_SECONDS_MAX,
        env={**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1", "TMPDIR": "/dev/shm"},
    )
    took = time.monotonic() - began
    (build / f"{target}.log").write_text(done.stdout)
    return Ran(
        target,
        done.returncode != 0,
        took,
        last_number(r"stat::number_of_executed_units:\s*(\d+)", done.stdout),
        last_number(r"\bcov: (\d+)", done.stdout),
        last_number(r"stat::new_units_added:\s*(\d+)", done.stdout),
        sorted(set(crashes.glob(f"{target}-*")) - before),
        done.stdout,
    )


def targets_of(build: pathlib.Path, only: list[str]) -> list[str]:
    names = sorted(path.name.removesuffix("_fuzz.cpp") for path in HERE.glob("*_fuzz.cpp"))
    unknown = set(only) - set(names)
    if unknown:
        sys.exit(f"fuzz: no target {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    missing = [n for n in only or names if not (build / "bin" / f"{n}_fuzz").is_file()]
    if missing:
        sys.exit(f"fuzz: {', '.join(missing)} not built in {build}")
    return only or names


def explain(ran: Ran) -> None:
    print(f"\n--- {ran.target} failed; the end of its log:")
    print("\n".join(ran.output.splitlines()[-60:]))
    for crash in ran.crashes:
        print(f"again: build-fuzz/bin/{ran.target}_fuzz {crash}")
        print(f"keep:  cp {crash} tests/fuzz/regressions/{ran.target}/")


def main() -> int:
    parser = argparse.ArgumentParser(description="run the fuzzers")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build-fuzz")
    parser.add_argument("--minutes", type=float, default=10, help="of each target")
    parser.add_argument("--total-seconds", type=int, help="of all together, instead of --minutes")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--seed", type=int, default=0, help="of libFuzzer; 0: a new one")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    build = asked.build.resolve()
    targets = targets_of(build, asked.only)
    seconds = int(asked.minutes * 60)
    if asked.total_seconds:
        seconds = max(1, asked.total_seconds * asked.jobs // len(targets) - 1)
    print(
        f"{'target':<16}{'time':>10}{'executions':>14}{'exec/s':>10}"
        f"{'edges':>10}{'new units':>10}{'crashes':>9}",
        flush=True,
    )
    failed = []
    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        runs = [pool.submit(run, build, target, seconds, asked.seed) for target in targets]
        for each in concurrent.futures.as_completed(runs):
            ran = each.result()
            print(ran.row(), flush=True)
            if ran.failed:
                failed.append(ran)
    for ran in failed:
        explain(ran)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
