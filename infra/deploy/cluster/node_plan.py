"""What a cluster of berthd nodes is (ports, sizes), and where its things are. DIR holds

    cluster.json                what is said here
    brokers/                    the Kafka brokers (infra/deploy/kafka)
    ca.crt, ca.key              the authority of the nodes' certificates
    cluster.secret              the server key of all nodes
    node-K/, node-K.log         one node: berthd.toml, certificate and key, pid, data/
"""

import dataclasses
import json
import pathlib

import broker_settings

NODES_MAX = 16  # what berthd takes
HTTP_BASE, PEER_BASE, KAFKA_BASE = 7790, 7471, 9392
PARTITIONS = 64
# Of a machine that compiles too; our brokers take 500 and more.
SESSION_TIMEOUT_MS = 3000


class NodesError(Exception):
    """What went wrong, as a sentence that says what to do. Of the brokers see broker_process.py."""


@dataclasses.dataclass(frozen=True)
class Ports:
    http: int
    peer: int


@dataclasses.dataclass
class Plan:
    ports: dict[int, Ports]  # by ordinal
    programs: str  # the folder of berthd and berth-agent
    partitions: int = PARTITIONS
    session_timeout_ms: int = SESSION_TIMEOUT_MS
    topic_prefix: str = "berth"

    @staticmethod
    def load(directory: pathlib.Path) -> "Plan":
        read = json.loads((directory / "cluster.json").read_text(encoding="utf-8"))
        ports = {int(ordinal): Ports(**each) for ordinal, each in read.pop("ports").items()}
        return Plan(ports, **read)

    def save(self, directory: pathlib.Path) -> None:
        text = json.dumps(dataclasses.asdict(self), indent=1) + "\n"
        (directory / "cluster.json").write_text(text, encoding="utf-8")


def make_ports(nodes: int, http_base: int, peer_base: int) -> dict[int, Ports]:
    if not 1 <= nodes <= NODES_MAX:
        raise NodesError(f"{nodes} nodes: there may be 1 to {NODES_MAX}")
    return {each: Ports(http_base + each, peer_base + each) for each in range(nodes)}


def free_ports(nodes: int, kafka: broker_settings.Cluster) -> dict[int, Ports]:
    """None of the brokers', which may not be bound yet."""
    taken = {port for of in kafka.ports.values() for port in dataclasses.astuple(of)}
    drawn = [p for p in broker_settings.free_ports(2 * nodes + len(taken)) if p not in taken]
    return {each: Ports(*drawn[2 * each : 2 * each + 2]) for each in range(nodes)}


def folder(directory: pathlib.Path, ordinal: int) -> pathlib.Path:
    return directory / f"node-{ordinal}"


def data_dir(directory: pathlib.Path, ordinal: int) -> pathlib.Path:
    return folder(directory, ordinal) / "data"


def log(directory: pathlib.Path, ordinal: int) -> pathlib.Path:
    return directory / f"node-{ordinal}.log"
