"""`./dev run` as a newcomer types it, in a terminal, with Ctrl-C: only the compiler is replaced."""

import json
import os
import re
import shutil
import subprocess
import time

import pexpect
import pytest
from berth.server import BIN, ROOT, Server, free_port, pids_naming

LAST_LINE = r"berthd stopped; (\d+) environments? keeps? running\.[^\r\n]*devctl env stop[^\r\n]*"


@pytest.fixture
def tree(tmp_path):
    """The real script beside the programs that were built, and a `ninja` with nothing to do."""
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    (tmp_path / "build").mkdir()
    (tmp_path / "build/build.ninja").touch()
    (tmp_path / "build/bin").symlink_to(BIN)
    (tmp_path / "path").mkdir()
    for name in ("ninja", "dpkg-query"):
        program = tmp_path / "path" / name
        program.write_text("#!/bin/sh\necho install ok installed\n")
        program.chmod(0o755)
    return tmp_path


@pytest.fixture
def server(tree):
    """Not started by Server: the script does that. It knows the folder, the port, the clean-up."""
    made = Server(tree / "data")
    made.port = free_port()
    yield made
    made.start()
    made.cleanup()


def dev_run(tree, server):
    env = os.environ | {
        "PATH": f"{tree / 'path'}:{os.environ['PATH']}",
        "BERTH_DATA_DIR": str(server.data_dir),
        "BERTH_LISTEN": f"127.0.0.1:{server.port}",
    }
    child = pexpect.spawn(str(tree / "dev"), ["run"], env=env, timeout=60, dimensions=(24, 200))
    child.expect("berthd serves")
    return child


def ctrl_c(child) -> str:
    """As the terminal driver does it: SIGINT to the whole foreground process group."""
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    return child.before.decode()


def test_ctrl_c_leaves_environments_says_how_many_and_the_next_run_adopts_them(tree, server):
    child = dev_run(tree, server)
    child.expect("devctl env create")
    if server.rest().good("GET", "/api/v1/host")["works"] is not True:
        ctrl_c(child)
        pytest.skip("no provider works on this machine")
    for name in ("one", "two"):
        assert server.devctl("env", "create", name, "--wait").returncode == 0
    start = "echo $$ > /workspace/pid; exec sleep 600"
    opened = server.devctl("terminal", "open", "-d", "one", "--", "sh", "-c", start)
    assert opened.returncode == 0, opened
    until = time.monotonic() + 20
    while not server.devctl("exec", "one", "--", "cat", "/workspace/pid").stdout:
        assert time.monotonic() < until
    pid = server.devctl("exec", "one", "--", "cat", "/workspace/pid").stdout
    said = ctrl_c(child)
    found = re.findall(LAST_LINE, said)
    assert found == ["2"], said
    assert re.search(LAST_LINE, said.strip().split("\n")[-1]), said
    assert child.exitstatus in (0, 130)
    assert pids_naming(str(server.data_dir)), "the launcher is gone"

    again = dev_run(tree, server)
    rows = json.loads(server.devctl("-o", "json", "env", "list").stdout)
    until = time.monotonic() + 20
    while {each["status"] for each in rows} != {"RUNNING"}:
        assert time.monotonic() < until, rows
        rows = json.loads(server.devctl("-o", "json", "env", "list").stdout)
    check = "kill -0 $(cat /workspace/pid) && cat /workspace/pid"
    assert server.devctl("exec", "one", "--", "sh", "-c", check).stdout == pid, "started anew"
    for name in ("one", "two"):
        assert server.devctl("env", "delete", "--yes", name).returncode == 0
    assert "no environment is running" in ctrl_c(again)


def test_packages_can_be_looked_up_inside_as_on_the_host(make_server, tmp_path):
    rest = make_server().rest()
    found = rest.good("GET", "/api/v1/host")
    if found["network"] != "outbound":
        pytest.skip(f"no outbound network for environments: {found['problems']}")
    (tmp_path / "partial").mkdir()
    lists = ["-o", f"Dir::State::lists={tmp_path}", "-o", "Acquire::http::Timeout=8"]
    lists += ["-o", "APT::Sandbox::User=root"]
    here = subprocess.run(["timeout", "50", "apt-get", "-q", *lists, "update"], capture_output=True)
    if here.returncode != 0 or b"Err:" in here.stdout:
        pytest.skip("the host itself reaches no mirror")
    body = {"name": "apt", "instance_type": "lightweight"}
    made = rest.good("POST", "/api/v1/environments?wait=true", body)["environment"]
    script = "timeout 25 apt-get -q -o Acquire::http::Timeout=8 update && apt-cache show bash"
    done = rest.good(
        "POST",
        f"/api/v1/environments/{made['id']}/exec",
        {"command": ["sudo", "-n", "sh", "-c", script], "timeout_ms": 28_000},
    )
    assert done["exit_code"] == 0 and "Package: bash" in done["stdout"], done
