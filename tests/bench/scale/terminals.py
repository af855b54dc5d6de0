"""A terminal through the node it is on, and through another one: keys and bulk.

The client is terminals_bench (C++), which makes an environment of its own; the other nodes are
cordoned meanwhile, so that it is on node 0.
"""
import json
import pathlib
import subprocess

from scale import processes
from scale.targets import placing_on

WITHIN_S = 180
HOME = 0


def run(bench, front, scenario):
    """Its rows by name, and the CPU seconds of each node meanwhile."""
    nodes = bench.nodes
    command = [str(pathlib.Path(bench.binaries) / "terminals_bench"), "--server",
               f"127.0.0.1:{nodes.ports[front]}", "--data-dir", str(nodes.data_dir(HOME)), "--pid",
               str(nodes.pid(HOME)), "--only", scenario]
    if bench.plan.quick:
        command.append("--quick")
    cpu = processes.nodes_cpu(nodes)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=WITHIN_S, check=False)
    assert done.returncode == 0, f"terminals_bench ended with {done.returncode}: {done.stderr}"
    cpu = [now - before for now, before in zip(processes.nodes_cpu(nodes), cpu)]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {row["name"]: row for row in rows}, cpu


def terminals(bench):
    if bench.why_no_environments:
        return bench.say("echo", why=bench.why_no_environments)
    if not (pathlib.Path(bench.binaries) / "terminals_bench").exists():
        return bench.say("echo", why="no terminals_bench; ./dev bench builds it")
    fronts = {"through its own node": HOME}
    if len(bench.nodes.ports) > 1:
        fronts["through another node"] = len(bench.nodes.ports) - 1
    with placing_on(bench.nodes, HOME):
        echo(bench, fronts)
        if bench.plan.bulk:
            bulk(bench, fronts)
    return None


def echo(bench, fronts):
    """In turns, for the machine is not the same twice."""
    found = {what: [] for what in fronts}
    for _ in range(bench.plan.echo_times):
        for what, front in fronts.items():
            found[what].append(run(bench, front, "echo")[0]["echo"])
    for what, rows in found.items():
        bench.say(f"echo, {what}", keys=sum(row["count"] for row in rows),
                  p50_us=sum(row["p50_us"] for row in rows) / len(rows),
                  p99_us=max(row["p99_us"] for row in rows))


def bulk(bench, fronts):
    for what, front in fronts.items():
        rows, cpu = run(bench, front, "bulk")
        one = rows["bulk"]
        # What lies between the terminal and the client; making the text is in it, and small.
        between = {"front_cpu_s_per_100_mb": cpu[front] * 1e8 / one["bytes"]} if front else {}
        bench.say(f"bulk, {what}", mb_per_second=one["mb_per_second"],
                  home_cpu_s_per_100_mb=one["cpu_s_per_100_mb"],
                  stored_per_byte=rows["recording"]["stored_per_byte"], **between)
