#!/usr/bin/env python3
"""Kills and stops nodes and brokers of a Kafka journal while clients write, then counts.

    chaos.py [--minutes M] [--nodes N] [--brokers 1|3] [--seed S] [--bin DIR] [--json FILE]

Afterwards: every acknowledged command is in the log once, at the place that was answered; versions
and sequences have no gap; every node applied exactly that; a reader written apart from the product
(tools/analytics) says the same. Ends with 1 if any of it is not so.
"""

import argparse
import dataclasses
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / "infra/deploy/kafka"),
    str(ROOT / "tools/analytics"),
    str(pathlib.Path(__file__).parent),
]

from berth_log.commit_body import CommitBody, decode_body  # noqa: E402
from berth_log.kafka_source import KafkaSource  # noqa: E402
from berth_log.reader_rule import PartitionReader, Verdict  # noqa: E402
from berth_log.schemas import Schemas, byte_vector  # noqa: E402
from brokers import temporary  # noqa: E402
from node import Node  # noqa: E402
from writers import Writers  # noqa: E402

PARTITIONS = 6
SESSION_MS = 1500
THREADS, STREAMS_EACH = 6, 8
NODE_READY_WITHIN_S = 60
SETTLED_WITHIN_S = 120
PREFIX = "chaos"
COMMAND = 3  # field id in schemas/commit.fbs


class Chaos:
    def __init__(self, nodes, brokers, seed):
        self.nodes, self.brokers = nodes, brokers
        self.chosen = random.Random(seed)
        self.done: dict[str, int] = {}
        self.kills: list[tuple[float, set[int]]] = []  # when, partitions the node had led

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._one()
            time.sleep(self.chosen.uniform(0.5, 2.5))

    def _one(self) -> None:
        kinds = ["kill_node", "pause_node", "kill_node", "pause_node", "restart_node"]
        if len(self.brokers.ids) > 1:
            kinds += ["kill_broker", "pause_broker"]
        kind = self.chosen.choice(kinds)
        self.done[kind] = self.done.get(kind, 0) + 1
        getattr(self, f"_{kind}")()

    def _kill_node(self) -> None:
        node = self.chosen.choice(self.nodes)
        led = set(leads(node))
        self.kills.append((time.monotonic(), led))
        node.kill()
        # Long enough for the others to take over, now and then not.
        time.sleep(self.chosen.choice([0.0, 0.5, 2.5, 3.0]))
        node.start()
        node.wait_ready(NODE_READY_WITHIN_S)

    def _restart_node(self) -> None:
        node = self.chosen.choice(self.nodes)
        assert node.end() == 0, f"{node.name} did not end well: see {node.log}"
        node.start()
        node.wait_ready(NODE_READY_WITHIN_S)

    def _pause_node(self) -> None:
        node = self.chosen.choice(self.nodes)
        node.pause()
        time.sleep(self.chosen.choice([0.3, 1.0, 2.5, 4.0]))
        node.resume()

    def _kill_broker(self) -> None:
        broker = self.chosen.choice(self.brokers.ids)
        self.brokers.kill(broker)
        time.sleep(self.chosen.uniform(0, 2))
        self.brokers.start(broker)

    def _pause_broker(self) -> None:
        broker = self.chosen.choice(self.brokers.ids)
        self.brokers.pause(broker)
        time.sleep(self.chosen.uniform(0.5, 3))
        self.brokers.resume(broker)


def leads(node: Node) -> list[int]:
    return [int(each) for each in node.ask("leads", 10)[-1].split(" ")[1:]]


def dump(node: Node) -> tuple[dict[int, list], dict[str, int]]:
    """Commits by partition as (sequence, stream, version, command), and verdicts counted."""
    commits: dict[int, list] = {each: [] for each in range(PARTITIONS)}
    verdicts: dict[str, int] = {}
    for line in node.ask("dump", 60):
        words = line.split(" ")
        if words[0] == "commit":
            partition, sequence, stream, version, command = words[1:6]
            commits[int(partition)].append((int(sequence), stream, int(version), int(command)))
        elif words[0] == "verdict":
            verdicts[words[1]] = verdicts.get(words[1], 0) + int(words[2])
    return commits, verdicts


@dataclasses.dataclass(frozen=True)
class Numbered(CommitBody):
    command: int = 0


def decoder(schemas: Schemas):
    def decode(data: bytes) -> Numbered:
        body = decode_body(schemas, data)
        stored = schemas.commit.CommitBody.GetRootAs(data)
        command = int.from_bytes(byte_vector(stored, COMMAND)[:8], "little")
        return Numbered(*dataclasses.astuple(body)[:4], body.events, command)

    return decode


def read_topic(bootstrap: str, schemas: Schemas) -> tuple[dict[int, list], dict[str, int]]:
    """The same by who reads the topic alone, with code of its own."""
    source = KafkaSource({"bootstrap.servers": bootstrap}, f"{PREFIX}.commits")
    readers = {each: PartitionReader(each, decoder(schemas)) for each in source.partitions}
    commits: dict[int, list] = {each: [] for each in source.partitions}
    for message in source.read_to_end():
        judged = readers[message.partition].judge(message.value, message.offset)
        if judged.verdict is Verdict.APPLIED:
            body = judged.body
            commits[message.partition].append(
                (judged.envelope.sequence, body.stream, body.last, body.command)
            )
    source.close()
    counts: dict[str, int] = {}
    for reader in readers.values():
        for verdict, count in reader.counts.items():
            counts[str(verdict)] = counts.get(str(verdict), 0) + count
    return commits, counts


def settle(nodes, bootstrap):
    """Until every node has applied what the topic says; what is still different is a failure."""
    until = time.monotonic() + SETTLED_WITHIN_S
    schemas = Schemas()
    while True:
        truth, counts = read_topic(bootstrap, schemas)
        dumps = [dump(node) for node in nodes]
        if all(commits == truth for commits, _ in dumps):
            return truth, counts
        assert time.monotonic() < until, differences(nodes, dumps, truth)
        time.sleep(0.5)


def differences(nodes, dumps, truth) -> str:
    lines = []
    for node, (commits, _) in zip(nodes, dumps, strict=True):
        for partition, expected in truth.items():
            if commits[partition] != expected:
                lines.append(
                    f"{node.name} partition {partition}: {len(commits[partition])} commits, "
                    f"the topic says {len(expected)}"
                )
    return "; ".join(lines)


def check(writers: Writers, truth) -> None:
    by_command: dict[int, list] = {}
    for partition, commits in truth.items():
        assert [each[0] for each in commits] == list(range(1, len(commits) + 1)), partition
        for sequence, stream, version, command in commits:
            by_command.setdefault(command, []).append((partition, sequence, stream, version))
    twice = {command for command, places in by_command.items() if len(places) > 1}
    assert not twice, f"commands that are in the log twice: {sorted(twice)[:10]}"
    for each in writers.done:
        place = (each.partition, each.sequence, each.stream, each.version)
        found = by_command.get(each.command)
        assert found == [place], f"command {each.command} was answered {place}, is at {found}"
    versions: dict[str, int] = {}
    for commits in truth.values():
        for _, stream, version, _ in commits:
            assert version == versions.get(stream, 0) + 1, f"{stream} version {version}"
            versions[stream] = version


def failovers(chaos: Chaos, writers: Writers) -> list[float]:
    """SIGKILL of a leader to the first command answered on each of its partitions, seconds."""
    found = []
    for when, led in chaos.kills:
        for partition in led:
            later = [
                each.ended
                for each in writers.done
                if each.partition == partition and each.began > when
            ]
            if later:
                found.append(min(later) - when)
    return found


def command_of(options, directory, number: int, bootstrap: str) -> list[str]:
    return [
        str(options.bin / "berth_log_node"),
        *("--data-dir", str(directory / f"node-{number}")),
        *("--node", f"node-{number}", "--prefix", PREFIX, "--bootstrap", bootstrap),
        *("--partitions", str(PARTITIONS), "--replication", str(options.brokers)),
        *("--session-ms", str(SESSION_MS)),
    ]


def run(options, directory: pathlib.Path, brokers) -> dict:
    nodes = []
    for number in range(options.nodes):
        command = command_of(options, directory, number, brokers.bootstrap)
        nodes.append(Node(command, f"node-{number}", directory / f"node-{number}.log"))
        nodes[-1].start()
    for node in nodes:
        node.wait_ready(NODE_READY_WITHIN_S)
    writers = Writers(nodes, THREADS, STREAMS_EACH, options.seed)
    chaos = Chaos(nodes, brokers, options.seed)
    writers.start()
    time.sleep(3)  # everybody leads something first
    began = time.monotonic()
    try:
        chaos.run(options.minutes * 60)
        writers.stop(SETTLED_WITHIN_S)
        truth, counts = settle(nodes, brokers.bootstrap)
        check(writers, truth)
    finally:
        for node in nodes:
            if node.alive:
                node.resume()
                node.kill()
    took = [each.ended - each.began for each in writers.done]
    moved = failovers(chaos, writers)
    return {
        "seconds": time.monotonic() - began,
        "acknowledged": len(writers.done),
        "answered_again": writers.again,
        "unknown_or_cut": writers.unknown,
        "refused": writers.refused,
        "commits": sum(map(len, truth.values())),
        "attempt_p50_ms": 1e3 * statistics.median(took),
        "failover_p50_s": statistics.median(moved) if moved else None,
        "failover_max_s": max(moved) if moved else None,
        "done": chaos.done,
        "records": counts,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--brokers", type=int, default=3, choices=(1, 3))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/bin")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="berth-chaos-", ignore_cleanup_errors=True) as folder:
        directory = pathlib.Path(folder)
        with temporary(options.brokers) as brokers:
            try:
                found = run(options, directory, brokers)
            except (AssertionError, TimeoutError) as broken:
                print(f"BROKEN: {broken!r}")
                for log in sorted(directory.glob("*.log")):
                    print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
                return 1
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(found["done"].items()))
    skipped = {k: n for k, n in found["records"].items() if k not in ("applied", "lead_taken")}
    print(
        f"{found['seconds']:.0f} s, {faults}: {found['acknowledged']} commands acknowledged, each "
        f"in the log once ({found['commits']} commits); {found['answered_again']} answered again, "
        f"{found['unknown_or_cut']} unknown, {found['refused']} refused and tried again; "
        f"{found['records'].get('lead_taken', 0)} leaders, skipped records {skipped or 'none'}; "
        f"failover p50 {found['failover_p50_s']} s, max {found['failover_max_s']} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
