#!/usr/bin/env python3
"""One, two and three nodes on one log (docs/scale.md): what a command, a session, a terminal and a
commit cost, what a hop between nodes costs, how long a stream waits while its node goes.

    scale_bench.py --bin build/bin [--quick] [--nodes N…] [--only STAGE…]

Starts brokers and nodes of its own, and leaves nothing behind. Everything shares this machine's
cores: the rate cannot grow with the nodes here, what a command costs of them can be compared.
"""
import argparse
import dataclasses
import os
import pathlib
import resource
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parents[1] / "infra/deploy/cluster")]

from nodes import Nodes, NodesError, temporary  # noqa: E402
from peers import peer  # noqa: E402
from scale.commands import commands, one_client  # noqa: E402
from scale.memory import idle_sessions, idle_terminals, replicas  # noqa: E402
from scale.model import model  # noqa: E402
from scale.moves import failovers, handovers  # noqa: E402
from scale.plan import BROKERS, FULL, PARTITIONS, QUICK, Plan, nodes_named, report  # noqa: E402
from scale.targets import (  # noqa: E402
    Leaders,
    delete_environments,
    make_accounts,
    make_environments,
    make_sessions,
)
from scale.terminals import terminals  # noqa: E402

from berth.rest import Rest  # noqa: E402 isort: skip
from broker_process import BrokersError  # noqa: E402 isort: skip

# In their order: memory first, on nodes that did little yet.
STAGES = {"idle_sessions": idle_sessions, "idle_terminals": idle_terminals, "commands": commands,
          "one_client": one_client, "terminals": terminals, "replicas": replicas,
          "handovers": handovers, "failovers": failovers}
SMALL = ("commands", "one_client")  # --quick, with fewer nodes than the most
SHARED_WITHIN_S = 60


@dataclasses.dataclass
class Bench:
    """What the stages are given."""

    nodes: Nodes
    plan: Plan
    binaries: str
    directory: pathlib.Path
    leaders: Leaders
    targets: list = dataclasses.field(default_factory=list)
    why_no_environments: str = ""
    measured: dict = dataclasses.field(default_factory=dict)  # by mode, of commands

    def say(self, what, **figures):
        report(f"{nodes_named(len(self.nodes.ports))}: {what}", **figures)

    def note(self, text):
        print(f"{nodes_named(len(self.nodes.ports))}: {text}", file=sys.stderr, flush=True)

    def prepare(self):
        self.leaders.wait_true(self.nodes)
        accounts = make_accounts(self.nodes, self.leaders)
        self.targets += make_sessions(self.nodes, self.leaders, accounts)
        host = Rest(self.nodes.ports[0], self.nodes.admin_token).good("GET", "/api/v1/host")
        if host["works"]:
            self.targets += make_environments(self.nodes, self.leaders, accounts)
        else:
            self.why_no_environments = f"no environment can be made here: {host['problems']}"

    def leave(self):
        environments = [each for each in self.targets if not each.is_session]
        delete_environments(self.nodes, environments)


def run_stages(bench, names):
    """One that fails is a row that says why; whether all went well."""
    good = True
    for name in names:
        try:
            STAGES[name](bench)
        except peer.Unavailable:  # the time is over, or this machine lacks something
            raise
        except Exception as why:  # of this stage alone: the next may be measured
            good = False
            bench.say(name, why=f"{type(why).__name__}: {why}"[:500])
    return good


def measure(count, options, plan, measured):
    names = options.only or list(STAGES)
    if plan.quick and not options.only and count < max(options.nodes):
        names = SMALL
    with tempfile.TemporaryDirectory(prefix="berth-scale-") as directory, temporary(
        nodes=count, brokers=BROKERS, bin=pathlib.Path(options.bin), partitions=PARTITIONS
    ) as nodes:
        nodes.wait_shared(SHARED_WITHIN_S)
        bench = Bench(nodes, plan, options.bin, pathlib.Path(directory),
                      Leaders(PARTITIONS, nodes.ordinals))
        try:
            bench.prepare()
            good = run_stages(bench, names)
        finally:
            bench.leave()
        measured[count] = bench.measured
        return good


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 3], choices=(1, 2, 3))
    parser.add_argument("--only", nargs="+", choices=STAGES, metavar="STAGE",
                        help=f"of {', '.join(STAGES)}")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plan, measured, good = QUICK if options.quick else FULL, {}, True
    try:
        with peer.within(plan.within_s):
            for count in options.nodes:
                good = measure(count, options, plan, measured) and good
            model(measured)
    except (peer.Unavailable, NodesError, BrokersError, AssertionError, OSError) as why:
        sys.exit(f"scale_bench: {type(why).__name__}: {why}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
