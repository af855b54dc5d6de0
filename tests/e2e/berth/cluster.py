"""A cluster of real nodes for tests: infra/deploy/cluster with the manners of pytest.

@pytest.fixture(scope="module")
def cluster():
    with cluster_nodes(nodes=3, brokers=3) as started:
        yield started

cluster.kill(1); cluster.start(1)
"""

import contextlib
import os

import pytest

from .server import BIN  # makes infra/deploy/cluster importable

from nodes import Nodes, Unavailable, temporary  # noqa: E402 isort: skip


@contextlib.contextmanager
def cluster_nodes(**how):
    """Nodes, or a skipped test with the reason; `how` as of temporary() in nodes.py."""
    how.setdefault("keep", bool(os.environ.get("BERTH_E2E_KEEP")))
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(temporary(bin=BIN, **how))
        except Unavailable as why:
            pytest.skip(str(why))
        if how["keep"]:
            print(f"kept {started.directory}")
        yield started


def node_of(cluster: Nodes, environment: str) -> int:
    """On whose machine it runs: seen there, not asked for."""
    found = [
        each
        for each in cluster.ordinals
        if (cluster.data_dir(each) / "run/envs" / environment).exists()
    ]
    assert len(found) == 1, f"{environment} runs on nodes {found}"
    return found[0]
