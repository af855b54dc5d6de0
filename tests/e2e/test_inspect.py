"""berth-inspect and berth-replay, beside the running server and without one."""

import json
import time

import pytest


def replay(server, *arguments):
    return server.tool("berth-replay", "--data-dir", str(server.data_dir), *arguments)


@pytest.fixture(scope="module")
def stream(environment) -> str:
    return "environment/" + environment["id"]


def test_inspect_prints_events_and_states_at_any_point(server, stream):
    assert stream in [each["stream"] for each in server.inspect("streams")]
    events = [e for e in server.inspect("events", stream) if e["type"] != "(no events)"]
    assert [each["version"] for each in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "created" and events[0]["data"]["name"] == "first"
    for event in events[:5]:
        version = event["version"]
        at_version = server.inspect("state", stream, "--version", str(version))
        assert at_version["version"] == version
        assert at_version["time"] == event["time"]
    started = next(each for each in events if each["type"] == "started")
    before = server.inspect("state", stream, "--version", str(started["version"] - 1))
    after = server.inspect("state", stream, "--at", started["time"])
    assert (before["state"]["status"], after["state"]["status"]) == ("starting", "running")
    changes = server.inspect("diff", stream, str(started["version"] - 1), str(started["version"]))
    assert "/status" in [each["path"] for each in changes["changes"]]


def test_inspect_why_leads_back_to_the_request(server, stream):
    events = server.inspect("events", stream)
    started = next(each for each in events if each["type"] == "started")
    why = server.inspect("why", str(started["position"]["offset"]))
    assert why["chain"][-1]["type"] == "started"
    root = why["chain"][0]
    assert root["cause"] is None and not root["principal"]["system"]
    assert root["type"] == "environment_requested", [each["type"] for each in why["chain"]]
    assert {"created", "provisioned", "started"} <= {each["type"] for each in why["led_to"]}
    assert {each["correlation"] for each in why["led_to"]} == {root["correlation"]}
    assert server.inspect("why", f"{stream}@1")["chain"][-1]["type"] == "created"


def test_inspect_errors_name_what_and_where(server):
    tool = ["--data-dir", str(server.data_dir)]
    for arguments, code in [
        (["state", "nonsense"], 2),
        (["events", "environment/env_" + "0" * 26], 7),
        (["why", "999999999"], 7),
        (["state", "environment/x", "--version", "1", "--at", "2026-01-01T00:00:00Z"], 2),
    ]:
        done = server.tool("berth-inspect", *tool, *arguments)
        assert done.returncode == code and done.stderr, (arguments, done)


def test_verify_and_verify_fold_beside_the_server(server):
    report = server.inspect("verify")
    assert report["ok"] and report["commits"] > 0
    folded = replay(server, "--verify-fold", "-o", "json")
    assert folded.returncode == 0 and json.loads(folded.stdout)["ok"], folded


def test_rebuild_beside_the_server_is_identical(server):
    usage = server.rest().good("GET", "/api/v1/bill-lines")
    done = replay(server, "--rebuild", "-o", "json")
    assert done.returncode == 0, done
    answer = json.loads(done.stdout)
    assert answer["ok"] and len(answer["views"]) >= 4
    assert all(each["identical"] for each in answer["views"]), answer
    assert server.rest().good("GET", "/api/v1/bill-lines") == usage
    one = replay(server, "--rebuild", "--view", "usage")
    assert one.returncode == 0 and b"identical" in one.stdout, one
    none = replay(server, "--rebuild", "--view", "x")
    assert none.returncode == 1 and b"x" in none.stderr, none


def test_recordings_are_exported(server, rest, environment):
    path = f"/api/v1/environments/{environment['id']}/terminals"
    body = {"command": ["/bin/sh", "-c", "echo recorded-$((5+5)); exit 4"]}
    terminal = rest.good("POST", path, body)["terminal"]["id"]
    until = time.monotonic() + 15
    while rest.good("GET", f"/api/v1/terminals/{terminal}")["terminal"]["status"] != "ENDED":
        assert time.monotonic() < until, "the terminal did not end"
        time.sleep(0.02)
    done = replay(server, "--export", terminal, "--format", "asciicast-v3")
    assert done.returncode == 0, done
    header, *lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert header["version"] == 3
    assert "".join(line[2] for line in lines if line[1] == "o") == "recorded-10\r\n"
    assert lines[-1][1:] == ["x", "4"]
    older = replay(server, "--export", terminal, "--format", "asciicast-v2")
    assert json.loads(older.stdout.splitlines()[0])["version"] == 2
    raw = server.data_dir.parent / "recording"
    assert replay(server, "--export", terminal, "--format", "raw", "--to", str(raw)).returncode == 0
    assert raw.read_bytes() == b"recorded-10\r\n"
    assert replay(server, "--export", "term_none").returncode == 7


def test_offline_tools_give_the_same(server, stream):
    events = server.inspect("events", stream)
    hashes = replay(server, "--state-hashes")
    assert server.stop() == 0
    assert server.inspect("events", stream)[: len(events)] == events
    done = replay(server, "--rebuild", "-o", "json")
    assert done.returncode == 0 and all(
        v["identical"] for v in json.loads(done.stdout)["views"]
    ), done
    path = server.data_dir.parent / "hashes.json"
    path.write_bytes(hashes.stdout)
    against = ["--state-hashes", "--against", str(path)]
    done = replay(server, *against)
    assert done.returncode == 0 and b" 0 different" in done.stdout, done
    server.start()
