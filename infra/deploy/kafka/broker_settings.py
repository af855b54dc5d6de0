"""What a cluster is (ids, ports) and the files a broker of it reads at its start.

Every topic that a broker makes by itself has one partition, timeouts are short and the join of a
group waits for nobody: defaults made for data centres turn a test of a failover into a minute.
"""

import base64
import dataclasses
import json
import os
import pathlib
import random
import shutil
import socket

from broker_process import BrokersError

CONTROLLER_OFFSET, SECURE_OFFSET = 100, 200
# Below the ports the kernel lends to clients, so that none is lent while a broker restarts.
FREE_PORTS = range(20_000, 32_000)
REPLICAS_MAX, IN_SYNC_MIN = 3, 2


def new_id() -> str:
    """As Kafka writes its uuids: 22 characters of base64url, the first of them no dash."""
    while True:
        made = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a broker binds
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.SystemRandom().sample(FREE_PORTS, len(FREE_PORTS)):
        if len(found) == count:
            return found
        if port_is_free(port):
            found.append(port)
    raise BrokersError(f"fewer than {count} free ports from {FREE_PORTS[0]} to {FREE_PORTS[-1]}")


@dataclasses.dataclass(frozen=True)
class Ports:
    client: int
    controller: int
    secure: int  # bound only in a secure cluster


@dataclasses.dataclass
class Cluster:
    cluster_id: str
    ports: dict[int, Ports]
    secure: bool = False

    @staticmethod
    def of(brokers: int, base_port: int | None = None, secure: bool = False) -> "Cluster":
        return Cluster(new_id(), make_ports(brokers, base_port), secure)

    @staticmethod
    def load(directory: pathlib.Path) -> "Cluster":
        read = json.loads((directory / "cluster.json").read_text(encoding="utf-8"))
        ports = {int(node): Ports(**each) for node, each in read["ports"].items()}
        return Cluster(read["cluster_id"], ports, read["secure"])

    def save(self, directory: pathlib.Path) -> None:
        text = json.dumps(dataclasses.asdict(self), indent=1) + "\n"
        (directory / "cluster.json").write_text(text, encoding="utf-8")

    def bootstrap(self, kind: str = "client") -> str:
        return ",".join(f"127.0.0.1:{getattr(each, kind)}" for each in self.ports.values())


def make_ports(brokers: int, base_port: int | None) -> dict[int, Ports]:
    """From a base: 9092, 9093 … for clients, 9192 … for controllers, 9292 … for TLS."""
    if base_port is None:
        drawn = free_ports(3 * brokers)
        return {node: Ports(*drawn[3 * node - 3 : 3 * node]) for node in range(1, brokers + 1)}
    return {
        node: Ports(at, at + CONTROLLER_OFFSET, at + SECURE_OFFSET)
        for node, at in enumerate(range(base_port, base_port + brokers), 1)
    }


def properties(cluster: Cluster, node: int, directory: pathlib.Path) -> dict[str, object]:
    """The settings of one broker, which is a controller as well."""
    ports = cluster.ports[node]
    replicas = min(len(cluster.ports), REPLICAS_MAX)
    in_sync = IN_SYNC_MIN if replicas == REPLICAS_MAX else 1
    voters = ",".join(f"{n}@127.0.0.1:{each.controller}" for n, each in cluster.ports.items())
    return {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": f"PLAINTEXT://127.0.0.1:{ports.client},"
        f"CONTROLLER://127.0.0.1:{ports.controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{ports.client}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": directory / "data",
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        **_own_topics(replicas, in_sync),
        "group.initial.rebalance.delay.ms": 0,  # 3 s on every first join
        "group.min.session.timeout.ms": 500,  # 6 s: shorter sessions of clients are refused
        "broker.session.timeout.ms": 2000,  # 9 s: a failover, and a start after SIGKILL, wait it
        "broker.heartbeat.interval.ms": 300,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 4 << 20,  # 128 MiB does not suit a small heap
    }


def _own_topics(replicas: int, in_sync: int) -> dict[str, object]:
    made: dict[str, object] = {}
    for prefix, in_sync_name in (
        ("transaction.state.log", "min.isr"),
        ("share.coordinator.state.topic", "min.isr"),
        ("offsets.topic", None),  # takes min.insync.replicas
    ):
        made[f"{prefix}.replication.factor"] = replicas
        made[f"{prefix}.num.partitions"] = 1
        if in_sync_name:
            made[f"{prefix}.{in_sync_name}"] = in_sync
    return made


def text(settings: dict[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def lay_out(directory: pathlib.Path, cluster: Cluster, node: int, checkpoint: pathlib.Path) -> None:
    """The data directory as Kafka's own formatting leaves it, without starting a JVM for that."""
    data = directory / "data"
    data.mkdir(parents=True, exist_ok=True)
    (directory / "tmp").mkdir(exist_ok=True)
    if (data / "meta.properties").exists():
        return
    shutil.copyfile(checkpoint, data / "bootstrap.checkpoint")
    identity = {
        "version": 1,
        "cluster.id": cluster.cluster_id,
        "node.id": node,
        "directory.id": new_id(),
    }
    (data / "meta.properties").write_text(text(identity), encoding="utf-8")


def write(directory: pathlib.Path, settings: dict[str, object]) -> None:
    (directory / "server.properties").write_text(text(settings), encoding="utf-8")
