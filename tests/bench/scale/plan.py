"""How much is measured, and how a figure is told."""
import dataclasses
import json
import sys

PARTITIONS = 16  # as many as there are ordinals: partition k is at home at node k
BROKERS = 3
CLIENTS = 64  # of all nodes together


@dataclasses.dataclass(frozen=True)
class Plan:
    load_s: int = 10
    alone_s: int = 5  # of one client, each time
    alone_times: int = 2
    sessions: int = 1000
    terminals: int = 20
    settle_s: float = 3
    still_within_s: float = 20  # until a node's memory no longer changes
    commits: int = 100_000
    growth_within_s: float = 180
    restarts_for_disk: bool = True  # a stopped node has written everything down
    echo_times: int = 2
    bulk: bool = True
    handovers: int = 10
    failovers: int = 5
    calm_s: float = 1
    quick: bool = False  # with fewer nodes than the most only commands are measured
    within_s: int = 1080


FULL = Plan()
QUICK = Plan(load_s=2, alone_s=1, alone_times=1, sessions=200, settle_s=1, still_within_s=2,
             commits=5000, growth_within_s=15, restarts_for_disk=False, echo_times=1, bulk=False,
             handovers=1, failovers=1, calm_s=0.5, quick=True, within_s=210)


def nodes_named(count):
    return "1 node" if count == 1 else f"{count} nodes"


def _shown(value):
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def report(name, **figures):
    """A row; `why` instead of figures is the reason why there are none."""
    print(json.dumps({"bench": "scale", "name": name, **figures}), flush=True)
    text = "  ".join(f"{key} {_shown(value)}" for key, value in figures.items())
    print(f"{name:58} {text}", file=sys.stderr, flush=True)


def spread_ms(seconds):
    ms = sorted(each * 1e3 for each in seconds)
    return {"count": len(ms), "p50_ms": ms[len(ms) // 2], "p99_ms": ms[len(ms) * 99 // 100],
            "max_ms": ms[-1]}
