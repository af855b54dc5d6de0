"""A short run of tests/chaos: nodes and brokers of a Kafka journal killed and stopped."""

import subprocess
import sys

import pytest

from berth.server import BIN, ROOT

MINUTES = 0.4


def test_nothing_acknowledged_is_lost_doubled_or_reordered(seed):
    if not (BIN / "berth_log_node").exists():
        pytest.skip("berth_log_node is not built")
    command = [sys.executable, str(ROOT / "tests/chaos/chaos.py"), "--bin", str(BIN)]
    done = subprocess.run(
        [*command, "--minutes", str(MINUTES), "--seed", str(seed)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
