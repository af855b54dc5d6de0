"""A short run of tests/chaos over whole servers: nodes and brokers killed, clients at work."""

import subprocess
import sys

from berth.server import BIN, ROOT

MINUTES = 0.4


def test_users_of_a_hurt_cluster_lose_nothing(seed):
    command = [sys.executable, str(ROOT / "tests/chaos/cluster_chaos.py"), "--bin", str(BIN)]
    done = subprocess.run(
        [*command, "--minutes", str(MINUTES), "--seed", str(seed)],
        capture_output=True,
        text=True,
        timeout=360,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
