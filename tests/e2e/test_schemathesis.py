"""The served OpenAPI file describes what the server does: schemathesis (PyPI) says so."""

import os
import pathlib
import subprocess
import sys

import pytest

from berth.server import ROOT

EXAMPLES = int(os.environ.get("BERTH_SCHEMATHESIS_EXAMPLES", "12"))


@pytest.mark.timeout(300)
def test_the_openapi_file_is_true(server, rest, environment, seed, tmp_path):
    tool = pathlib.Path(sys.executable).with_name("schemathesis")
    if not tool.exists():
        pytest.skip("schemathesis is not installed (tests/e2e/requirements.txt)")
    config = str(ROOT / "tests/gateway/schemathesis.toml")
    command = [str(tool), "--config-file", config, "run", f"{server.url}/openapi.yaml"]
    command += ["--header", f"Authorization: Bearer {server.admin_token}"]
    command += ["--max-examples", str(EXAMPLES), "--seed", str(seed), "--workers", "1"]
    command += ["--phases", "examples,coverage,fuzzing", "--checks", "all"]
    command += ["--exclude-checks", "ignored_auth,use_after_free", "--suppress-health-check", "all"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, timeout=280)
    said = done.stdout.decode(errors="replace")
    assert server.process.poll() is None, server.log()[-3000:]
    assert done.returncode == 0, said[-8000:] + done.stderr.decode(errors="replace")[-2000:]
