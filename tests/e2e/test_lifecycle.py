"""Starting, stopping, being killed, and who outlives whom."""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from berth.server import pids_naming
from berth.terminal_client import TerminalClient


def wait_until(what, within_s=20, why="did not happen in time"):
    until = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until, why
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def running(server):
    """A test that failed with the server down leaves the next one a server."""
    if server.process.poll() is not None:
        server.start()


def run(rest, environment, script) -> dict:
    body = {"command": ["/bin/sh", "-c", script]}
    return rest.good("POST", f"/api/v1/environments/{environment['id']}/exec", body)


def status_of(rest, environment) -> str:
    answer = rest.surely("GET", f"/api/v1/environments/{environment['id']}").body
    return answer.get("environment", answer)["status"]


def open_cat(server, rest, environment):
    path = f"/api/v1/environments/{environment['id']}/terminals"
    command = ["/bin/sh", "-c", "stty raw -echo; printf ready; exec cat"]
    terminal = rest.good("POST", path, {"command": command})["terminal"]["id"]
    client = TerminalClient(server.port, "binary", server.admin_token, terminal, right="drive")
    client.start()
    wait_until(lambda: client.data() == b"ready")
    client.type(b"before;")
    wait_until(lambda: client.data().endswith(b"before;"))
    return client


def agents(server) -> dict[int, str]:
    """Pids of berth-agent processes of this server: environment agents and the launcher."""
    found = {}
    for pid in pids_naming("berth-agent"):
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        if str(server.data_dir) in command or "--environment" in command:
            found[pid] = command
    return found


def test_a_second_server_on_the_same_directory_is_refused(server):
    second = subprocess.run(
        [*server.command()[:3], "--listen", "127.0.0.1:0"], capture_output=True, timeout=20
    )
    said = (second.stdout + second.stderr).decode()
    assert second.returncode == 4, said
    assert str(server.data_dir) in said and "stop it" in said


def test_check_config_says_what_is_in_force_and_what_is_wrong(server, tmp_path):
    good = tmp_path / "berthd.toml"
    good.write_text('listen = "127.0.0.1:7399"\n')
    berthd = server.command()[0]
    done = subprocess.run(
        [berthd, "--config", str(good), "--check-config", "--data-dir", str(tmp_path / "d")],
        capture_output=True,
        timeout=20,
    )
    assert done.returncode == 0 and b"7399" in done.stdout, done
    assert not (tmp_path / "d").exists(), "--check-config changed something"
    bad = tmp_path / "bad.toml"
    bad.write_text('listen = "127.0.0.1:7399"\nlisten_prot = 3\n')
    done = subprocess.run(
        [berthd, "--config", str(bad), "--check-config"], capture_output=True, timeout=20
    )
    assert done.returncode == 2, done
    assert b"listen_prot" in done.stderr and b"bad.toml" in done.stderr


def test_secrets_are_not_logged(server, rest, environment):
    run(rest, environment, "true")
    assert server.admin_token not in server.log()
    assert server.admin_token.split("_")[-1] not in server.log()


def test_sigterm_leaves_environments_and_says_how_many(server, rest, environment):
    client = open_cat(server, rest, environment)
    run(rest, environment, "nohup sleep 4321 >/dev/null 2>&1 &")
    assert server.stop(signal.SIGTERM) == 0
    last = server.log().strip().split("\n")[-1]
    assert re.search(r"\b1 environment", last) and "stop" in last, last
    server.start()
    assert status_of(rest, environment) == "RUNNING"
    assert (
        "sleep 4321"
        in run(
            rest,
            environment,
            "ps ax 2>/dev/null || ls -l /proc/*/exe; cat /proc/*/cmdline | tr '\\0' ' '",
        )["stdout"]
    )
    client.type(b"after;")
    wait_until(lambda: client.data().endswith(b"before;after;"))
    assert client.problem is None
    client.stopping = True


def test_ctrl_c_on_dev_run_leaves_environments_too(server, rest, environment):
    """Ctrl-C reaches the whole foreground group; launcher and agents are in another session."""
    before = agents(server)
    assert before and all(os.getsid(pid) != os.getsid(server.process.pid) for pid in before)
    assert server.stop(signal.SIGINT) in (0, 130)
    assert set(before) <= set(agents(server))
    server.start()
    assert status_of(rest, environment) == "RUNNING"
    assert run(rest, environment, "echo here")["stdout"] == "here\n"


def test_sigkill_of_the_server_is_healed_by_starting_it(server, rest, environment):
    client = open_cat(server, rest, environment)
    for number in range(3):
        server.kill9()
        client.type(f"{number};".encode())
        server.start()
    wait_until(lambda: client.data().endswith(b"before;0;1;2;"))
    assert client.problem is None and status_of(rest, environment) == "RUNNING"
    client.stopping = True


def started_at(rest, environment) -> str | None:
    """When the present life began; None while it does not run."""
    path = f"/api/v1/environments/{environment['id']}"
    return rest.good("GET", path)["environment"].get("started_at")


def agent_of(server, environment) -> int:
    found = [pid for pid, command in agents(server).items() if environment["id"] in command]
    assert len(found) >= 1, agents(server)
    return found[0]


def test_sigkill_of_an_agent_ends_its_terminals_and_starts_the_environment_again(
    server, rest, environment
):
    client = open_cat(server, rest, environment)
    run(rest, environment, "echo survives > /workspace/file")
    began = started_at(rest, environment)
    os.kill(agent_of(server, environment), signal.SIGKILL)
    client.join(20)
    assert client.ended and client.ended["reason"] == "agent_lost", client.ended
    assert client.ended["final_offset"] == client.cursor and client.data() == b"readybefore;"
    # RUNNING alone may still be the life that ended.
    wait_until(
        lambda: started_at(rest, environment) not in (None, began), why="was not started again"
    )
    assert run(rest, environment, "cat /workspace/file")["stdout"] == "survives\n"


def test_sigkill_of_server_and_agent_together(server, rest, environment):
    client = open_cat(server, rest, environment)
    agent = agent_of(server, environment)
    server.kill9()
    os.kill(agent, signal.SIGKILL)
    server.start()
    client.join(20)
    assert client.ended and client.data() == b"readybefore;", (client.ended, client.problem)
    wait_until(lambda: status_of(rest, environment) == "RUNNING", why="was not started again")
    assert run(rest, environment, "cat /workspace/file")["stdout"] == "survives\n"


def test_sigkill_of_the_launcher(server, rest, environment):
    launchers = [pid for pid, command in agents(server).items() if "--launcher" in command]
    assert len(launchers) == 1, agents(server)
    os.kill(launchers[0], signal.SIGKILL)
    until = time.monotonic() + 30
    while True:
        body = {"command": ["/bin/echo", "again"], "timeout_ms": 3000}
        path = f"/api/v1/environments/{environment['id']}/exec"
        answer = rest.surely("POST", path, body, within_s=5)
        if answer.status == 200 and answer.body["stdout"] == "again\n":
            break
        assert time.monotonic() < until, answer
        time.sleep(0.2)
    body = {"name": "after-launcher", "instance_type": "lightweight"}
    made = rest.good("POST", "/api/v1/environments?wait=true", body)
    assert made["environment"]["status"] == "RUNNING", made


def test_a_failed_creation_shows_the_cause_and_the_next_step(rest, host):
    refused = rest.ask(
        "POST",
        "/api/v1/environments",
        {"name": "nope", "instance_type": "lightweight", "template": "no-such-template"},
    )
    assert refused.status == 422 and refused.body["details"]["field"] == "template"
    assert "templates" in refused.body["error"]


def test_deleting_everything_leaves_no_process(server, rest, environment):
    for each in rest.items("/api/v1/environments"):
        rest.good("DELETE", f"/api/v1/environments/{each['id']}?wait=true")
    wait_until(
        lambda: not [c for c in agents(server).values() if environment["id"] in c],
        why="an agent is left",
    )
    assert environment["id"] not in "".join(
        pathlib.Path("/proc/self/mountinfo").read_text().split("\n")
    )
