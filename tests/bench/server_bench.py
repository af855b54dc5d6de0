#!/usr/bin/env python3
"""The real server, its sandbox and its gateway: environments over REST, terminals over WebSocket.

Starts a berthd of its own; ws_bench (C++) measures the terminals, so that the client costs little.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))


def report(name, **figures):
    print(json.dumps({"bench": "server", "name": name, **figures}), flush=True)
    text = "  ".join(f"{key} {value:.0f}" for key, value in figures.items())
    print(f"{name:52} {text}", file=sys.stderr)


def spread(values):
    values = sorted(values)
    return {"p50_us": values[len(values) // 2], "p99_us": values[len(values) * 99 // 100]}


def environments(rest, count):
    """From the request for an environment to the first output of a command in it."""
    took = []
    for number in range(count):
        began = time.perf_counter()
        body = {"name": f"bench-{number}", "instance_type": "lightweight"}
        made = rest.good("POST", "/api/v1/environments?wait=true", body)
        place = f"/api/v1/environments/{made['environment']['id']}"
        out = rest.good("POST", f"{place}/exec", {"command": ["echo", "hi"]})
        took.append((time.perf_counter() - began) * 1e6)
        assert out["stdout"] == "hi\n", out
        rest.good("DELETE", place)
    report("create to first output, environment", **spread(took))


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


def terminals(binaries, server, quick):
    token = server.data_dir / "admin-token"
    command = [f"{binaries}/ws_bench", "--server", f"127.0.0.1:{server.port}",
               "--token-file", token, "--pid", str(server.process.pid),
               "--mib", "16" if quick else "64", "--idle", "50" if quick else "1000"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    report("echo", p50_us=found["echo"]["p50_us"], p99_us=found["echo"]["p99_us"])
    report("bulk", mb_per_second=found["bulk"]["mb_per_s"])
    report("echo beside a flood", p50_us=found["echo_beside_flood"]["p50_us"],
           p99_us=found["echo_beside_flood"]["p99_us"])
    report("^C under a flood", ms_to_prompt=found["interrupt"]["ms_to_prompt"],
           bytes_after=found["interrupt"]["bytes_after"])
    report("idle socket", rss_kib_each=found["idle"]["rss_kib_each"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    os.environ["BERTH_BIN"] = os.path.abspath(options.bin)
    from berth.server import Server  # reads BERTH_BIN

    with tempfile.TemporaryDirectory(prefix="berth-bench-") as directory:
        server = Server(pathlib.Path(directory) / "data")
        try:
            server.start()
            rest = server.rest()
            environments(rest, 10 if options.quick else 50)
            commands(rest, 200 if options.quick else 2000)
            terminals(options.bin, server, options.quick)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
