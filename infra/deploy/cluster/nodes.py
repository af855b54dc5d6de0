#!/usr/bin/env python3
"""A cluster of berthd nodes and its Kafka brokers on loopback, for tests and for a developer.

    nodes.py up DIR [--nodes N] [--brokers 1|3] [--bin DIR] [--http-base PORT] [--peer-base PORT]
                    [--kafka-base PORT]             leaves them running; again: starts what is down
    nodes.py status DIR
    nodes.py down DIR [--environments]              environments go on, unless ended by the option
    nodes.py start|stop|kill|pause|resume DIR ORDINAL               one node

The brokers are those of infra/deploy/kafka: `brokers.py kill DIR/brokers 2` hurts one.
Exit codes: 0 fine, 1 failed, 3 (status) not all run, 125 this machine lacks what brokers need.
"""

import argparse
import contextlib
import dataclasses
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent / "kafka")]

import broker_jars  # noqa: E402
import node_plan  # noqa: E402
from broker_process import BrokersError, Unavailable, locked  # noqa: E402
from broker_settings import Cluster, make_ports  # noqa: E402
from detached_set import KILL_WITHIN_S  # noqa: E402
from node_cluster import Nodes  # noqa: E402
from node_plan import NodesError, Plan  # noqa: E402

__all__ = ["Nodes", "NodesError", "Unavailable", "temporary"]

BIN = ROOT / "build/bin"
NODES = BROKERS = 3
DIRECTORY_LOCK_WITHIN_S = 180
GUARD_WITHIN_S = 2 * KILL_WITHIN_S + 60  # deleting what a test wrote takes its time
NOT_RUNNING, UNAVAILABLE = 3, 125


@contextlib.contextmanager
def temporary(
    nodes: int = NODES,
    brokers: int = BROKERS,
    *,
    bin: pathlib.Path = BIN,
    partitions: int = 16,
    session_timeout_ms: int = 1500,
    base_dir: pathlib.Path | None = None,
    keep: bool = False,
):
    """Nodes on free ports in a directory of their own, gone at the end whatever happens.

    A test runner may be killed or may leave by _exit: a guard process outlives it, sees the end of
    the pipe that only this process holds open, and cleans up, launchers of environments too.
    """
    broker_jars.prepare()  # with its own, longer patience
    directory = pathlib.Path(tempfile.mkdtemp(prefix="berth-nodes-", dir=base_dir))
    kafka = Cluster.of(brokers)
    ports = node_plan.free_ports(nodes, kafka)
    plan = Plan(ports, str(bin.resolve()), partitions, session_timeout_ms)
    made = Nodes.make(directory, plan, kafka)  # the guard finds them by it
    watching = subprocess.Popen(
        [sys.executable, __file__, "guard", str(directory)] + (["--keep"] if keep else []),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield made.up()
    finally:
        try:
            made.delete_environments()  # a killed launcher leaves some of them to the machine
        finally:
            watching.communicate(b".", timeout=GUARD_WITHIN_S)


def guard(directory: pathlib.Path, keep: bool) -> int:
    """Cleans up after a byte, or the end, of its standard input: its owner is done, or is no more.

    SIGKILL at once: nobody will read these logs again, so there is no need to end in order.
    """
    sys.stdin.buffer.read(1)
    nodes = Nodes.open(directory)
    try:
        nodes.down(within_s=0)
    finally:
        nodes.end_launchers()
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)
    return 0


def up(asked: argparse.Namespace) -> int:
    with locked(asked.directory / "lock", DIRECTORY_LOCK_WITHIN_S):
        started = time.monotonic()
        nodes = _opened_or_made(asked)
        nodes.up()
        took = time.monotonic() - started
    for each in nodes.ordinals:
        print(f"node {each}  {nodes.url(each)}")
    print(f"token   {nodes.token_file()}")
    print(f"kafka   {nodes.brokers.bootstrap}")
    told = f"{len(nodes.ordinals)} nodes, {len(nodes.brokers.ids)} brokers up after {took:.1f} s"
    print(f"{told}; any node takes any command", file=sys.stderr)
    return 0


def _opened_or_made(asked: argparse.Namespace) -> Nodes:
    """The cluster that is there, which keeps its size; only the rest may change, at rest."""
    if not (asked.directory / "cluster.json").exists():
        return _made(asked)
    nodes = Nodes.open(asked.directory)
    count, kafka = len(nodes.ordinals), nodes.brokers
    if asked.nodes not in (None, count) or asked.brokers not in (None, len(kafka.ids)):
        raise NodesError(
            f"{asked.directory} holds {count} nodes and {len(kafka.ids)} brokers; leave --nodes "
            "and --brokers away, or take them down and delete the directory"
        )
    was, first = nodes.plan, nodes.plan.ports[0]
    ports = node_plan.make_ports(
        count, asked.http_base or first.http, asked.peer_base or first.peer
    )
    programs = str(asked.bin.resolve()) if asked.bin else was.programs
    plan = dataclasses.replace(was, ports=ports, programs=programs)
    cluster = kafka.cluster
    if asked.kafka_base:
        cluster = dataclasses.replace(cluster, ports=make_ports(len(kafka.ids), asked.kafka_base))
    if (plan, cluster) == (was, kafka.cluster):
        return nodes
    states = [nodes.state(each) for each in nodes.ordinals]
    states += [kafka.state(each) for each in kafka.ids]
    if set(states) != {"stopped"}:
        raise NodesError(
            f"something of {asked.directory} runs, so it keeps its programs and ports; take it "
            "down first"
        )
    return Nodes.make(asked.directory, plan, cluster)


def _made(asked: argparse.Namespace) -> Nodes:
    ports = node_plan.make_ports(
        asked.nodes or NODES,
        asked.http_base or node_plan.HTTP_BASE,
        asked.peer_base or node_plan.PEER_BASE,
    )
    plan = Plan(ports, str((asked.bin or BIN).resolve()))
    kafka = Cluster.of(asked.brokers or BROKERS, asked.kafka_base or node_plan.KAFKA_BASE)
    return Nodes.make(asked.directory, plan, kafka)


def down(asked: argparse.Namespace) -> int:
    if not (asked.directory / "cluster.json").exists():
        print(f"no nodes in {asked.directory}", file=sys.stderr)
        return 0
    with locked(asked.directory / "lock", DIRECTORY_LOCK_WITHIN_S):
        nodes = Nodes.open(asked.directory)
        nodes.down()
        if asked.environments:
            nodes.end_launchers()
        left = len(nodes.launchers())
    print(f"nodes and brokers ended; the data stays in {asked.directory}", file=sys.stderr)
    if left:
        print(
            f"environments of {left} nodes may go on; `up` adopts them, `down --environments` "
            "ends them",
            file=sys.stderr,
        )
    return 0


def status(asked: argparse.Namespace) -> int:
    if not (asked.directory / "cluster.json").exists():
        print(f"no nodes in {asked.directory}")
        return NOT_RUNNING
    nodes = Nodes.open(asked.directory)
    states = []
    for each in nodes.ordinals:
        states.append(nodes.state(each))
        more = f"  pid {nodes.pid(each)}, {nodes.rss_bytes(each) >> 20} MiB"
        more = "" if states[-1] == "stopped" else more
        print(f"node {each}  {nodes.url(each)}  {states[-1]}{more}")
    for each, ports in nodes.brokers.cluster.ports.items():
        states.append(nodes.brokers.state(each))
        print(f"broker {each}  127.0.0.1:{ports.client}  {states[-1]}")
    return 0 if set(states) == {"running"} else NOT_RUNNING


def one(asked: argparse.Namespace) -> int:
    getattr(Nodes.open(asked.directory), asked.command)(asked.ordinal)
    return 0


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nodes.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    made = {}
    for name, act in {"up": up, "down": down, "status": status, "guard": None}.items():
        made[name] = commands.add_parser(name)
        made[name].set_defaults(act=act)
        made[name].add_argument("directory", type=pathlib.Path)
    for name in ("start", "stop", "kill", "pause", "resume"):
        each = commands.add_parser(name)
        each.set_defaults(act=one)
        each.add_argument("directory", type=pathlib.Path)
        each.add_argument("ordinal", type=int)
    add = made["up"].add_argument
    add("--nodes", type=int, metavar="N", help=f"default {NODES}")
    add("--brokers", type=int, choices=(1, 3), help=f"default {BROKERS}")
    add("--bin", type=pathlib.Path, metavar="DIR", help="berthd and berth-agent; default build/bin")
    add("--http-base", type=int, metavar="PORT", help=f"default {node_plan.HTTP_BASE}")
    add("--peer-base", type=int, metavar="PORT", help=f"default {node_plan.PEER_BASE}")
    add("--kafka-base", type=int, metavar="PORT", help=f"default {node_plan.KAFKA_BASE}")
    made["down"].add_argument("--environments", action="store_true", help="end them too")
    made["guard"].add_argument("--keep", action="store_true")
    return parser


def main() -> int:
    asked = arguments().parse_args()
    if asked.command == "guard":
        return guard(asked.directory, asked.keep)
    try:
        return asked.act(asked)
    except (NodesError, BrokersError, OSError) as why:
        print(f"nodes: {why}", file=sys.stderr)
        return UNAVAILABLE if isinstance(why, Unavailable) else 1


if __name__ == "__main__":
    sys.exit(main())
