"""Short runs of tests/chaos: nodes and brokers killed and stopped, clients at work."""

import subprocess
import sys

import pytest

from berth.server import BIN, ROOT

MINUTES = 0.4


def run(script: str, seed: int) -> None:
    command = [sys.executable, str(ROOT / "tests/chaos" / script), "--bin", str(BIN)]
    done = subprocess.run(
        [*command, "--minutes", str(MINUTES), "--seed", str(seed)],
        capture_output=True,
        text=True,
        timeout=360,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_nothing_acknowledged_is_lost_doubled_or_reordered(seed):
    if not (BIN / "berth_log_node").exists():
        pytest.skip("berth_log_node is not built")
    run("chaos.py", seed)


def test_users_of_a_hurt_cluster_lose_nothing(seed):
    run("cluster_chaos.py", seed)
