#!/usr/bin/env python3
"""Kills and stops nodes and brokers of a cluster of berthd while clients work, then counts.

    cluster_chaos.py [--minutes M] [--nodes N] [--brokers 1|3] [--environments N] [--seed S]
                     [--bin DIR] [--json FILE]

Clients write through all nodes and read terminals whose programs print numbered lines. Afterwards:
every acknowledged command is in the log once, at the version that was answered, and answers so
again; no commit of a replaced leader was applied by any node; every terminal's bytes are those that
were printed, at its readers and in the recording; lists, feeds and the bill are the same on all
nodes, and those that a reader of the topic alone comes to. Ends with 1 if any of it is not so.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / "infra/deploy/cluster"),
    str(ROOT / "tools/analytics"),
    str(ROOT / "tests/e2e"),
    str(pathlib.Path(__file__).parent),
]

import cluster_topic  # noqa: E402
from berth.cluster_writers import (  # noqa: E402
    Writers,
    account_streams,
    check_contiguous,
    check_replayed,
)
from berth.everywhere import Everywhere  # noqa: E402
from berth.rest import Rest  # noqa: E402
from berth.roaming import Printer  # noqa: E402
from berth_log.schemas import Schemas  # noqa: E402
from cluster_faults import Faults  # noqa: E402
from nodes import NodesError, temporary  # noqa: E402

from broker_process import BrokersError  # noqa: E402 isort: skip

PARTITIONS = 12
SESSION_MS = 1500
THREADS = 6
WRITE_PAUSE_S = 0.03
COMMAND_WITHIN_S = 60
SHARED_WITHIN_S = 90
SETTLED_WITHIN_S = 120
FIRST_WRITES_S = 3  # everybody leads something, and every terminal prints, before the first fault
LOG_LINES = 40


class Broken(Exception):
    """A promise that was not kept; what and where."""


class Clients:
    """Everybody who uses the cluster meanwhile."""

    def __init__(self, nodes, environments: int, seed: int):
        self.nodes, self.token = nodes, nodes.admin_token
        self.rests = [Rest(port, self.token) for port in nodes.ports]
        host = self.rests[0].good("GET", "/api/v1/host")
        if not host["works"]:
            raise Broken(f"no environment can be made here: {host['problems']}")
        self.environments = [self._make(number) for number in range(environments)]
        for each in self.environments:
            self.rests[0].good("GET", f"/api/v1/environments/{each}/wait?state=RUNNING")
        streams = account_streams(self.rests, PARTITIONS)
        streams += [f"environment/{each}" for each in self.environments]
        self.writers = Writers(
            nodes.ports, self.token, streams, seed, THREADS, WRITE_PAUSE_S, (429, 503),
            COMMAND_WITHIN_S,
        )  # fmt: skip
        self.printers = [
            Printer(self.rests[number % len(self.rests)], each, f"chaos-{number}")
            for number, each in enumerate(self.environments)
        ]

    def _make(self, number: int) -> str:
        body = {"name": f"chaos-{number}", "instance_type": "lightweight"}
        made = self.rests[number % len(self.rests)].good("POST", "/api/v1/environments", body)
        return made["environment"]["id"]

    def start(self) -> None:
        self.writers.start()
        for number, printer in enumerate(self.printers):
            for step, form in enumerate(("json", "binary")):
                printer.read(self.nodes.ports, form, self.token, number + step)

    def check(self) -> None:
        assert not self.writers.problems, self.writers.problems
        for printer in self.printers:
            for reader in printer.readers:
                assert reader.problem is None, f"{printer.name} {reader.form}: {reader.problem}"

    def finish(self) -> int:
        """Everybody ends what they are at; the bytes that were printed and found right."""
        self.writers.stop()
        for printer in self.printers:
            printer.tell_to_stop(self.rests[0])
        return sum(each.check(self.rests, SETTLED_WITHIN_S) for each in self.printers)

    def delete_environments(self) -> None:
        for each in self.environments:
            self.rests[0].good("DELETE", f"/api/v1/environments/{each}?wait=true")


def settle(clients: Clients, within_s: float) -> tuple[cluster_topic.Topic, dict[str, dict]]:
    """Until all nodes show the same and the topic says so; what is still different is a failure."""
    until = time.monotonic() + within_s
    nodes, shown, schemas = clients.nodes, Everywhere(clients.rests), Schemas()
    while True:
        facts = shown.wait_same(max(1.0, until - time.monotonic()))
        topic = cluster_topic.read_topic(nodes.brokers.bootstrap, nodes.commits_topic, schemas)
        different = cluster_topic.differences(topic, facts["log"])
        if not different:
            return topic, facts
        assert time.monotonic() < until, different


def check_bill(clients: Clients, topic: cluster_topic.Topic) -> tuple[int, int]:
    """Lines and micro-USD; the same by the topic alone and by each node."""
    account = clients.rests[0].good("GET", "/api/v1/auth/whoami")["account"]["id"]
    expected = topic.bill_lines(account)
    assert expected, "no line in the bill"
    total = sum(each["amount_micro_usd"] for each in expected)
    for rest in clients.rests:
        lines = rest.items("/api/v1/bill-lines")
        assert lines == expected, f"port {rest.port} bills {lines}, the topic {expected}"
        usage = rest.good("GET", "/api/v1/usage?from=2020-01-01T00:00:00Z")
        seen = usage["amount_micro_usd"]
        assert seen == total, f"port {rest.port} sums to {seen} micro-USD, the topic to {total}"
    return len(expected), total


def failovers(faults: Faults, writers: Writers) -> list[float]:
    """SIGKILL of a node to the first command since then on each stream, seconds."""
    return [took for when in faults.kills for took in writers.first_since(when).values()]


def run(options, nodes) -> dict:
    nodes.wait_shared(SHARED_WITHIN_S)
    clients = Clients(nodes, options.environments, options.seed)
    faults = Faults(nodes, options.seed)
    clients.start()
    time.sleep(FIRST_WRITES_S)
    began = time.monotonic()
    faults.run(options.minutes * 60, clients.check)
    nodes.wait_shared(SHARED_WITHIN_S)
    printed = clients.finish()
    writers = clients.writers
    check_contiguous(writers.done)
    check_replayed(writers.done, nodes.ports, clients.token)
    clients.delete_environments()
    topic, facts = settle(clients, SETTLED_WITHIN_S * max(1.0, options.minutes / 5))
    cluster_topic.check_whole(topic)
    cluster_topic.check_acknowledged(topic, writers.done)
    applied = cluster_topic.zombies_applied(topic, facts["log"])
    assert applied == 0, f"{applied} commits of replaced leaders were applied"
    lines, micro_usd = check_bill(clients, topic)
    moved = failovers(faults, writers)
    took = [each.ended - each.began for each in writers.done]
    return {
        "seconds": time.monotonic() - began,
        "done": dict(faults.done),
        "acknowledged": len(writers.done),
        "refused": writers.refused,
        "cut": writers.cut,
        "commits": len(topic.commits()),
        "events": len(facts["log"]),
        "printed_bytes": printed,
        "reconnects": sum(r.connects - 1 for p in clients.printers for r in p.readers),
        "zombies": len(topic.zombies),
        "zombies_applied": applied,
        "records": {str(verdict): count for verdict, count in topic.verdicts.items()},
        "bill_lines": lines,
        "bill_micro_usd": micro_usd,
        "command_p50_ms": 1e3 * statistics.median(took),
        "command_max_s": max(took),
        "failover_p50_s": statistics.median(moved) if moved else None,
        "failover_max_s": max(moved) if moved else None,
    }


def last_line(found: dict) -> str:
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(found["done"].items()))
    moved = "no node killed"
    if found["failover_max_s"] is not None:
        moved = f"failover p50 {found['failover_p50_s']:.2f} s, max {found['failover_max_s']:.2f} s"
    return (
        f"{found['seconds']:.0f} s, {faults}: {found['acknowledged']} commands acknowledged, each "
        f"in the log once ({found['commits']} commits) and answered the same again; "
        f"{found['refused']} refused and {found['cut']} cut and tried again; "
        f"{found['printed_bytes']} bytes printed and read exactly, {found['reconnects']} "
        f"reconnects; {found['zombies']} zombie commits, {found['zombies_applied']} applied; "
        f"{found['records'].get('lead_taken', 0)} leaders; {found['events']} events the same on "
        f"all nodes; bill of {found['bill_lines']} lines, {found['bill_micro_usd']} micro-USD, by "
        f"the topic alone; {moved}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--brokers", type=int, default=3, choices=(1, 3))
    parser.add_argument("--environments", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/bin")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    try:
        found = run_on_nodes(options)
    except (AssertionError, Broken, TimeoutError, NodesError, BrokersError) as broken:
        print(f"BROKEN: {type(broken).__name__}: {broken}")
        return 1
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    print(last_line(found))
    return 0


def run_on_nodes(options) -> dict:
    with temporary(
        options.nodes,
        options.brokers,
        bin=options.bin,
        partitions=PARTITIONS,
        session_timeout_ms=SESSION_MS,
    ) as nodes:
        try:
            return run(options, nodes)
        except BaseException:
            for each in nodes.ordinals:
                print(f"--- node {each}, {nodes.state(each)}\n{nodes.log(each, LOG_LINES)}")
            raise


if __name__ == "__main__":
    sys.exit(main())
