#!/usr/bin/env python3
"""Real Apache Kafka brokers (KRaft) on loopback, for tests and for a developer's machine.

    brokers.py up DIR --brokers 1|3 [--port BASE] [--secure]   leaves them running
    brokers.py status|down DIR
    brokers.py start|stop|kill|pause|resume DIR ID             one broker
    brokers.py run --brokers 1|3 [--base-dir D] [--secure] -- COMMAND…

`run` starts brokers on free ports in a temporary directory, gives COMMAND their addresses in
BERTH_KAFKA_BOOTSTRAP (and BERTH_KAFKA_DIR, for the other commands here), takes the brokers down
whatever happens and exits with COMMAND's code; 125 if this machine lacks what brokers need (Java,
the jars), which a test runner may take for skipped.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import broker_jars
import broker_settings
from broker_cluster import Brokers
from broker_process import BrokersError, Unavailable, locked
from broker_settings import Cluster
from detached_set import KILL_WITHIN_S

__all__ = ["Brokers", "BrokersError", "Cluster", "Unavailable", "temporary"]

BASE_PORT = 9092
DIRECTORY_LOCK_WITHIN_S = 120
GUARD_WITHIN_S = KILL_WITHIN_S + 30  # deleting what a test wrote takes its time
NOT_RUNNING, UNAVAILABLE, NOT_FOUND = 3, 125, 127  # exit codes, as of init scripts and env(1)


@contextlib.contextmanager
def temporary(
    brokers: int = 1,
    *,
    base_dir: pathlib.Path | None = None,
    secure: bool = False,
    settings: dict | None = None,
    keep: bool = False,
):
    """Brokers on free ports in a directory of their own, gone at the end whatever happens.

    A test runner may be killed or may leave by _exit: a guard process outlives it, sees the end of
    the pipe that only this process holds open, and cleans up.
    """
    broker_jars.prepare()  # with its own, longer patience
    directory = pathlib.Path(tempfile.mkdtemp(prefix="berth-kafka-", dir=base_dir))
    cluster = Cluster.of(brokers, secure=secure)
    cluster.save(directory)  # the guard finds its brokers by it
    watching = subprocess.Popen(
        [sys.executable, __file__, "guard", str(directory)] + (["--keep"] if keep else []),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    started = Brokers(directory, cluster, settings)
    try:
        yield started.up()
    finally:
        watching.communicate(b".", timeout=GUARD_WITHIN_S)


def guard(directory: pathlib.Path, keep: bool) -> int:
    """Cleans up after a byte, or the end, of its standard input: its owner is done, or is no more.

    SIGKILL at once: nobody will read these logs again, so there is no need to end in order.
    """
    sys.stdin.buffer.read(1)
    Brokers.open(directory).down(within_s=0)
    if not keep:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


def up(asked: argparse.Namespace) -> int:
    with locked(asked.directory / "lock", DIRECTORY_LOCK_WITHIN_S):
        started = time.monotonic()
        brokers = _opened_or_made(asked)
        brokers.up()
        took = time.monotonic() - started
    print(brokers.bootstrap)
    print(f"{_count(len(brokers.ids))} up after {took:.1f} s", file=sys.stderr)
    if brokers.cluster.secure:
        print(f"TLS and SCRAM: {brokers.cluster.bootstrap('secure')}", file=sys.stderr)
        print(f"their settings for clients: {asked.directory}/client.properties", file=sys.stderr)
    return 0


def _opened_or_made(asked: argparse.Namespace) -> Brokers:
    """The cluster that is there, which keeps its size; only its ports may change, at rest."""
    if not (asked.directory / "cluster.json").exists():
        base = BASE_PORT if asked.port is None else asked.port
        return Brokers(asked.directory, Cluster.of(asked.brokers or 1, base, asked.secure))
    brokers = Brokers.open(asked.directory)
    cluster = brokers.cluster
    if asked.brokers not in (None, len(brokers.ids)) or (asked.secure and not cluster.secure):
        holds = f"{_count(len(brokers.ids))}{' with TLS' if cluster.secure else ''}"
        raise BrokersError(
            f"{asked.directory} holds {holds}; leave --brokers and --secure away, or take them "
            "down and delete the directory"
        )
    if asked.port is None:
        return brokers
    ports = broker_settings.make_ports(len(brokers.ids), asked.port)
    if ports == cluster.ports:
        return brokers
    if any(brokers.state(node) != "stopped" for node in brokers.ids):
        raise BrokersError(f"the brokers run on {brokers.bootstrap}; take them down first")
    return Brokers(asked.directory, Cluster(cluster.cluster_id, ports, cluster.secure))


def _count(brokers: int) -> str:
    return "1 broker" if brokers == 1 else f"{brokers} brokers"


def down(asked: argparse.Namespace) -> int:
    if not (asked.directory / "cluster.json").exists():
        print(f"no brokers in {asked.directory}", file=sys.stderr)
        return 0
    with locked(asked.directory / "lock", DIRECTORY_LOCK_WITHIN_S):
        brokers = Brokers.open(asked.directory)
        running = [node for node in brokers.ids if brokers.state(node) != "stopped"]
        brokers.down()
    print(f"{_count(len(running))} ended; the data stays in {asked.directory}", file=sys.stderr)
    return 0


def status(asked: argparse.Namespace) -> int:
    if not (asked.directory / "cluster.json").exists():
        print(f"no brokers in {asked.directory}")
        return NOT_RUNNING
    brokers = Brokers.open(asked.directory)
    states = []
    for node, ports in brokers.cluster.ports.items():
        states.append(brokers.state(node))
        more = f"  pid {brokers.pid(node)}, {brokers.rss_bytes(node) >> 20} MiB"
        more = "" if states[-1] == "stopped" else more
        print(f"broker {node}  127.0.0.1:{ports.client}  {states[-1]}{more}")
    return 0 if set(states) == {"running"} else NOT_RUNNING


def one(asked: argparse.Namespace) -> int:
    getattr(Brokers.open(asked.directory), asked.command)(asked.id)
    return 0


def run(asked: argparse.Namespace) -> int:
    words = asked.words[1:] if asked.words[:1] == ["--"] else asked.words
    if not words:
        raise BrokersError("run what? The command comes after --")
    with temporary(asked.brokers or 1, base_dir=asked.base_dir, secure=asked.secure) as brokers:
        env = {"BERTH_KAFKA_BOOTSTRAP": brokers.bootstrap, "BERTH_KAFKA_DIR": brokers.directory}
        if asked.secure:
            env["BERTH_KAFKA_SECURE_BOOTSTRAP"] = brokers.cluster.bootstrap("secure")
            env["BERTH_KAFKA_CLIENT_PROPERTIES"] = brokers.directory / "client.properties"
        return _run_command(words, {name: str(value) for name, value in env.items()})


def _run_command(words: list[str], env: dict[str, str]) -> int:
    try:
        child = subprocess.Popen(words, env=os.environ | env)
    except FileNotFoundError:
        print(f"brokers: no program {words[0]}", file=sys.stderr)
        return NOT_FOUND
    # Ctrl-C reaches the command by itself, from the terminal; SIGTERM only came to us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    return code if code >= 0 else 128 - code


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brokers.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    made, acts = {}, {"up": up, "down": down, "status": status, "run": run, "guard": None}
    for name, act in acts.items():
        made[name] = commands.add_parser(name)
        made[name].set_defaults(act=act)
        if name != "run":
            made[name].add_argument("directory", type=pathlib.Path)
    for name in ("start", "stop", "kill", "pause", "resume"):
        each = commands.add_parser(name)
        each.set_defaults(act=one)
        each.add_argument("directory", type=pathlib.Path)
        each.add_argument("id", type=int)
    for name in ("up", "run"):
        made[name].add_argument("--brokers", type=int, choices=(1, 3), help="default 1")
        made[name].add_argument("--secure", action="store_true", help="a TLS listener with SCRAM")
    made["up"].add_argument("--port", type=int, metavar="BASE", help=f"default {BASE_PORT}")
    made["run"].add_argument("--base-dir", type=pathlib.Path, help="default: that of the system")
    made["run"].add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND…")
    made["guard"].add_argument("--keep", action="store_true")
    return parser


def main() -> int:
    asked = arguments().parse_args()
    if asked.command == "guard":
        return guard(asked.directory, asked.keep)
    try:
        return asked.act(asked)
    except (BrokersError, OSError) as why:
        print(f"brokers: {why}", file=sys.stderr)
        return UNAVAILABLE if isinstance(why, Unavailable) else 1


if __name__ == "__main__":
    sys.exit(main())
