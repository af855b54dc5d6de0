"""Agents and launchers that are stopped, killed, orphaned; a provider that lies or hangs."""

import os
import pathlib
import shutil
import signal
import time

import pytest

from berth.server import BIN, pids_naming
from faulty_server import Told

pytestmark = pytest.mark.timeout(180)

LIARS = {
    "speaks garbage": "head -c 4096 /dev/urandom; exec sleep 600",
    "never answers": "exec sleep 600",
    "ends at once": "exit 0",
    "ends with an error": "exit 9",
}


@pytest.fixture
def server(make_server):
    made = make_server().start()
    found = made.rest().good("GET", "/api/v1/host")
    if not found["works"]:
        pytest.skip(f"no provider works on this machine: {found['problems']}")
    return made


def create(server, name: str) -> dict:
    body = {"name": name, "instance_type": "lightweight"}
    path = "/api/v1/environments?wait=true"
    return server.rest().good("POST", path, body, expect=201)["environment"]


def echo(server, environment: dict, word: str = "here"):
    body = {"command": ["/bin/echo", word], "timeout_ms": 10_000}
    path = f"/api/v1/environments/{environment['id']}/exec"
    return server.rest().surely("POST", path, body)


def status(server, environment: dict) -> str:
    shown = server.rest().good("GET", f"/api/v1/environments/{environment['id']}")
    return shown["environment"]["status"]


def wait_until(what, within_s: float = 40) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


def agents_of(server, environment: dict) -> list[int]:
    return [pid for pid in pids_naming(environment["id"]) if pid != server.process.pid]


def test_a_stopped_server_goes_on_where_it_was(server):
    first = create(server, "first")
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    server.process.send_signal(signal.SIGCONT)
    assert wait_until(lambda: echo(server, first).status == 200)
    assert status(server, first) == "RUNNING"


def test_a_stopped_agent_hurts_its_environment_only(server):
    first, second = create(server, "first"), create(server, "second")
    agents = agents_of(server, first)
    assert agents, "the agent of an environment was not found"
    for pid in agents:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    assert echo(server, second).status == 200
    assert time.monotonic() - began < 10, "a stopped agent held up another environment"
    assert server.rest().ask("GET", "/ready").status == 200
    for pid in agents:
        os.kill(pid, signal.SIGCONT)
    assert wait_until(lambda: echo(server, first).status == 200)
    assert status(server, first) == "RUNNING"


def test_an_agent_that_dies_while_the_server_is_down_is_noticed(server):
    first, second = create(server, "first"), create(server, "second")
    server.kill9()
    for pid in agents_of(server, first):
        os.kill(pid, signal.SIGKILL)
    server.start()
    assert wait_until(lambda: echo(server, second).status == 200)
    # Started again, or told as lost: never RUNNING without an agent.
    assert wait_until(
        lambda: status(server, first) in ("ERROR", "STOPPED") or echo(server, first).status == 200
    ), status(server, first)


def test_a_killed_launcher_is_replaced(server):
    first = create(server, "first")
    launchers = [p for p in pids_naming("--launcher") if p in pids_naming(str(server.data_dir))]
    assert launchers, "no launcher was found"
    for pid in launchers:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(
        lambda: status(server, first) in ("ERROR", "STOPPED") or echo(server, first).status == 200
    ), status(server, first)
    assert wait_until(lambda: server.rest().ask("GET", "/ready").status == 200)
    second = create(server, "second")
    assert second["status"] == "RUNNING" and echo(server, second).status == 200


@pytest.mark.parametrize("kind", list(LIARS))
def test_a_provider_that_lies_or_hangs_does_not_hurt_the_server(make_server, tmp_path, kind):
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(BIN / "berthd", folder / "berthd")
    agent = pathlib.Path(folder / "berth-agent")
    agent.write_text(f"#!/bin/sh\n{LIARS[kind]}\n")
    agent.chmod(0o755)
    server = make_server()
    server.binary = folder / "berthd"
    server.start()
    told = Told(server)
    assert told.make(server.rest(), "account")
    host = server.rest().good("GET", "/api/v1/host")
    assert not host["works"] and host["problems"], host
    body = {"name": "first", "instance_type": "lightweight"}
    made = server.rest().ask("POST", "/api/v1/environments?wait=true&timeout_ms=20000", body)
    assert made.status >= 400 or made.body["environment"]["status"] != "RUNNING", made
    assert made.body.get("code") or made.body["environment"], made
    assert server.rest().ask("GET", "/health").status == 200
    told.check()
