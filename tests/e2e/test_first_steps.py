"""What a newcomer does in the first minutes."""

import time

from berth.rest import uuid7
from berth.terminal_client import Socket, TerminalClient


def wait_until(what, within_s=15):
    until = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)


def open_terminal(rest, environment, command=None, **more) -> str:
    body = {"cols": 80, "rows": 24} | ({"command": command} if command else {}) | more
    path = f"/api/v1/environments/{environment['id']}/terminals"
    return rest.good("POST", path, body, expect=201)["terminal"]["id"]


def test_health_needs_no_token_and_everything_else_does(server):
    nobody = server.rest(token="")
    for path in ("/health", "/live", "/ready", "/metrics", "/openapi.yaml"):
        assert nobody.ask("GET", path).status == 200, path
    refused = nobody.ask("GET", "/api/v1/environments")
    assert refused.status == 401
    assert set(refused.body) >= {"error", "code", "request_id"}
    assert refused.body["code"] == "unauthenticated"


def test_the_admin_token_is_private(server):
    path = server.data_dir / "admin-token"
    assert path.stat().st_mode & 0o777 == 0o600


def test_create_answers_the_interface_fixed_in_the_issue(rest, environment):
    assert {"id", "name", "status", "instance_type", "created_at"} <= set(environment)
    by_name = rest.good("GET", "/api/v1/environments/first")
    by_id = rest.good("GET", f"/api/v1/environments/{environment['id']}")
    assert by_name.get("environment", by_name)["id"] == by_id.get("environment", by_id)["id"]
    assert "first" in [each["name"] for each in rest.items("/api/v1/environments")]


def test_a_taken_name_and_a_retried_create(rest, environment):
    body = {"name": "first", "instance_type": "lightweight"}
    taken = rest.ask("POST", "/api/v1/environments", body)
    assert (taken.status, taken.body["code"]) == (409, "name_taken")


def test_exec_splits_streams_and_gives_the_exit_code(rest, environment):
    path = f"/api/v1/environments/{environment['id']}/exec"
    command = ["/bin/sh", "-c", "cat; echo err >&2; echo $WHO; exit 3"]
    body = {"command": command, "stdin": "from stdin\n", "env": {"WHO": "berth"}}
    done = rest.good("POST", path, body)
    assert done["exit_code"] == 3
    assert (done["stdout"], done["stderr"]) == ("from stdin\nberth\n", "err\n")
    assert done["duration_ms"] >= 0


def test_a_retried_exec_runs_once(rest, environment):
    path = f"/api/v1/environments/{environment['id']}/exec"
    body = {"command": ["/bin/sh", "-c", "echo x >> /workspace/once; wc -l < /workspace/once"]}

    key = uuid7()
    first = rest.ask("POST", path, body, key)
    second = rest.ask("POST", path, body, key)
    assert first.status == second.status == 200
    assert first.body["stdout"].strip() == second.body["stdout"].strip() == "1"
    other = rest.ask("POST", path, {"command": ["true"]}, key)
    assert (other.status, other.body["code"]) == (409, "idempotency_conflict")


def test_the_environment_is_a_place_to_work(rest, environment):
    path = f"/api/v1/environments/{environment['id']}/exec"
    script = "id -un; pwd; echo $HOME; locale charmap; command -v git vim python3 sudo ps"
    done = rest.good("POST", path, {"command": ["/bin/bash", "-lc", script]})
    lines = done["stdout"].split("\n")
    assert lines[0] in ("dev", "root") and lines[1] == "/workspace"
    assert "UTF-8" in done["stdout"]
    assert "/git" in done["stdout"] and "/vim" in done["stdout"], done


def test_a_second_client_sees_the_same_bytes_from_the_same_offset(server, rest, environment):
    terminal = open_terminal(rest, environment)
    driver = TerminalClient(server.port, "binary", server.admin_token, terminal, right="drive")
    driver.start()
    wait_until(lambda: driver.socket)
    driver.type(b"echo $((6*7))-answer\r")
    wait_until(lambda: b"42-answer" in driver.data())
    viewer = TerminalClient(server.port, "json", server.admin_token, terminal)
    viewer.start()
    wait_until(lambda: len(viewer.data()) >= len(driver.data()))
    late = TerminalClient(server.port, "binary", server.admin_token, terminal, start=5)
    late.start()
    wait_until(lambda: len(late.data()) + 5 >= len(driver.data()))
    driver.type(b"exit 7\r")
    for client in (driver, viewer, late):
        client.join(15)
        assert client.problem is None and client.ended, client.problem
        assert (client.ended["has_exit_code"], client.ended["exit_code"]) == (1, 7)
    assert viewer.data() == driver.data() and late.data() == driver.data()[5:]
    shown = rest.good("GET", f"/api/v1/terminals/{terminal}")
    assert shown.get("terminal", shown)["end"]["exit_code"] == 7


def test_the_driver_sizes_the_terminal(server, rest, environment):
    terminal = open_terminal(rest, environment)
    driver = TerminalClient(server.port, "json", server.admin_token, terminal, right="drive")
    driver.start()
    wait_until(lambda: driver.socket)
    driver.type(b"true\r")
    wait_until(lambda: driver.waiting_input() == 0)
    driver.socket.send({"kind": "resize", "channel": 1, "cols": 132, "rows": 43})
    driver.type(b"stty size\r")
    wait_until(lambda: b"43 132" in driver.data())
    driver.type(b"exit\r")
    driver.join(15)
    assert driver.problem is None


def test_state_changes_and_events_are_pushed(server, rest, environment):
    socket = Socket(server.port, "json", server.admin_token)
    socket.send({"kind": "hello", "client": "e2e"})
    socket.send({"kind": "open", "channel": 1, "target": "environment", "id": environment["id"]})
    socket.send({"kind": "open", "channel": 2, "target": "feed"})
    socket.wait_for("environment_state", channel=1)
    rest.good("POST", f"/api/v1/environments/{environment['id']}/activity", {"kind": "e2e"})
    while "activity_recorded" not in socket.wait_for("feed_event", channel=2)["body"]:
        pass
    socket.close()


def test_requests_go_over_the_socket_too(server, environment):
    for form in ("json", "binary"):
        socket = Socket(server.port, form, server.admin_token)
        asked = {"kind": "request", "id": 7, "method": "GET", "path": "/api/v1/environments"}
        socket.send({"kind": "hello"}, asked)
        answer = socket.wait_for("response", id=7)
        assert answer["status"] == 200 and b'"first"' in answer["body"]
        socket.close()


def test_stop_keeps_files_and_start_brings_them_back(rest, environment):
    path = f"/api/v1/environments/{environment['id']}"
    script = "echo kept > /workspace/kept; echo home > ~/kept"
    rest.good("POST", f"{path}/exec", {"command": ["/bin/sh", "-c", script]})
    stopped = rest.good("POST", f"{path}/stop?wait=true", {})
    assert stopped["environment"]["status"] == "STOPPED"
    refused = rest.ask("POST", f"{path}/exec", {"command": ["true"]})
    assert (refused.status, refused.body["code"]) == (409, "wrong_state")
    assert rest.good("POST", f"{path}/start?wait=true", {})["environment"]["status"] == "RUNNING"
    done = rest.good(
        "POST", f"{path}/exec", {"command": ["/bin/sh", "-c", "cat /workspace/kept ~/kept"]}
    )
    assert done["stdout"] == "kept\nhome\n"
