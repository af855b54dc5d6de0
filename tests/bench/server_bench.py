#!/usr/bin/env python3
"""The real server, its sandbox and its gateway: starting it, environments over REST, terminals.

Starts a berthd of its own; terminals_bench (C++) measures the terminals, so that the client costs
little.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time

from peers.peer import spread

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))


def report(name, **figures):
    print(json.dumps({"bench": "server", "name": name, **figures}), flush=True)
    text = "  ".join(f"{key} {value:.4g}" for key, value in figures.items())
    print(f"{name:52} {text}", file=sys.stderr)


def until_first_output(rest, name):
    """From the request for an environment to the first output of a command in it, us."""
    began = time.perf_counter()
    body = {"name": name, "instance_type": "lightweight"}
    made = rest.good("POST", "/api/v1/environments?wait=true", body)
    place = f"/api/v1/environments/{made['environment']['id']}"
    out = rest.good("POST", f"{place}/exec", {"command": ["echo", "hi"]})
    took = (time.perf_counter() - began) * 1e6
    assert out["stdout"] == "hi\n", out
    return took, place


def environments(server, count):
    """One after the other, then one every 200 ms, then all at once."""
    rest = server.rest()
    took = []
    for number in range(count):
        us, place = until_first_output(rest, f"bench-{number}")
        took.append(us)
        rest.good("DELETE", place)
    report("create to first output, one after the other", **spread(took))
    for name, pause_s in (("every 200 ms", 0.2), ("all at once", 0)):
        with concurrent.futures.ThreadPoolExecutor(count) as people:
            started = []
            for number in range(count):
                started.append(people.submit(
                    until_first_output, server.rest(timeout_s=60), f"{number}-{name[0]}"))
                time.sleep(pause_s)
            done = [each.result() for each in started]
        for _, place in done:
            rest.good("DELETE", place)
        report(f"create to first output, {name}", **spread([us for us, _ in done]))


def commands(rest, count):
    """One client, one command in flight, over REST: to the durable answer."""
    made = rest.good("POST", "/api/v1/environments?wait=true",
                     {"name": "busy", "instance_type": "lightweight"})
    place = f"/api/v1/environments/{made['environment']['id']}/activity"
    took = []
    for _ in range(count):
        began = time.perf_counter()
        rest.good("POST", place, {"kind": "keystroke"})
        took.append((time.perf_counter() - began) * 1e6)
    report("command over REST, 1 client", **spread(took))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_and_idle(server, quick):
    """An empty directory to the first answer, and what the server costs when nobody asks."""
    began = time.perf_counter()
    server.start(wait=False)
    while True:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
            break
        except OSError:
            time.sleep(0.001)
    report("start on an empty directory", ms=(time.perf_counter() - began) * 1e3)
    server.wait_ready(20)
    time.sleep(2)
    pid, seconds = server.process.pid, 5 if quick else 30
    before = cpu_seconds(pid)
    time.sleep(seconds)
    report("idle server", rss_mib=server.rss_bytes() / (1 << 20),
           cpu_percent=100 * (cpu_seconds(pid) - before) / seconds)


def terminals_command(binaries, server, quick, *more):
    return [f"{binaries}/terminals_bench", "--server", f"127.0.0.1:{server.port}",
            "--data-dir", str(server.data_dir), "--pid", str(server.process.pid),
            *(["--quick"] if quick else []), *more]


def terminals(binaries, server, quick, only):
    more = ["--only", *only] if only else []
    command = terminals_command(binaries, server, quick, *more)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bench:
        stop = threading.Timer(900, bench.kill)
        stop.start()
        for line in bench.stdout:
            row = json.loads(line)
            report(row["name"], **{k: v for k, v in row.items() if k not in ("bench", "name")})
        stop.cancel()
    assert bench.returncode == 0, f"terminals_bench ended with {bench.returncode}"


def sigkill(binaries, server):
    """A terminal's output through a killed server and the next one."""
    command = terminals_command(binaries, server, False, "--only", "sigkill")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bench:
        bench.stdout.readline()  # ready to be killed
        server.kill9()
        server.start()
        row = json.loads(bench.stdout.readline())
        bench.wait(60)
    report(row["name"], ms_without_output=row["ms_without_output"], exact=row["exact"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", help="these scenarios of terminals_bench, no more")
    options = parser.parse_args()
    os.environ["BERTH_BIN"] = os.path.abspath(options.bin)
    from berth.server import Server  # reads BERTH_BIN

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as directory:
        os.chmod(directory, 0o711)
        server = Server(pathlib.Path(directory) / "data")
        try:
            if options.only:
                server.start()
            else:
                start_and_idle(server, options.quick)
                environments(server, 10 if options.quick else 50)
                commands(server.rest(), 200 if options.quick else 2000)
            terminals(options.bin, server, options.quick, options.only)
            if not options.only:
                sigkill(options.bin, server)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
