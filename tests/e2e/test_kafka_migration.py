"""From the embedded engine to Kafka and back: no client sees a difference, all goes on running."""

import json
import time

import pytest

from berth.kafka import kafka_brokers
from berth.workload import Workload

COMMANDS = 600
STARTS = 5
KAFKA = """
[kafka]
bootstrap = "{bootstrap}"
partitions = 8
replication_factor = 1
min_insync_replicas = 1
topic_prefix = "moved"
"""


@pytest.fixture(scope="module")
def kafka():
    with kafka_brokers(1) as started:
        yield started


class Mover:
    """A server whose engine is changed between starts."""

    def __init__(self, server, kafka):
        self.server = server
        self.config = server.data_dir.parent / "berthd.toml"
        self.kafka = KAFKA.format(bootstrap=kafka.bootstrap)

    def start(self, engine: str):
        self.config.write_text(f'engine = "{engine}"\n{self.kafka}')
        self.server.flags = ["--config", str(self.config)]
        self.server.start()
        return self.server.rest()

    def move(self, flag: str) -> dict:
        assert self.server.stop() == 0
        paths = ("--data-dir", str(self.server.data_dir), "--config", str(self.config))
        done = self.server.tool("berth-replay", *paths, "-o", "json", flag, timeout_s=120)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)


def settled(rest) -> None:
    """Until no environment is on its way from one status to another."""
    until = time.monotonic() + 30
    while any(
        each["status"] not in ("RUNNING", "STOPPED", "ERROR")
        for each in rest.items("/api/v1/environments")
    ):
        assert time.monotonic() < until, rest.items("/api/v1/environments")
        time.sleep(0.1)


def seen(rest, environment: str) -> dict:
    """What clients know: by id, without what only says when it was looked at."""
    settled(rest)
    return {
        "environments": rest.items("/api/v1/environments"),
        "environment": rest.good("GET", f"/api/v1/environments/{environment}"),
        "lines": rest.items("/api/v1/bill-lines"),
        "accounts": rest.items("/api/v1/accounts"),
        "tokens": len(rest.items("/api/v1/accounts/admin/tokens")),
    }


def test_a_journal_moves_to_kafka_and_back(kafka, make_server, seed):
    mover = Mover(make_server(start=False), kafka)
    rest = mover.start("embedded")
    body = {"name": "moves", "instance_type": "lightweight"}
    made = rest.good("POST", "/api/v1/environments?wait=true", body, expect=201)["environment"]
    if made["status"] != "RUNNING":
        pytest.skip("no provider works on this machine")
    work = Workload(mover.server.port, mover.server.admin_token, made["id"], COMMANDS, seed)
    work.start()
    work.join(60)
    assert not work.problems, work.problems
    command = {"command": ["/bin/sh", "-c", "echo kept > /workspace/file; cat /workspace/file"]}
    path = f"/api/v1/environments/{made['id']}"
    assert rest.good("POST", f"{path}/exec", command)["stdout"] == "kept\n"
    for _ in range(STARTS):  # the agent has seen as many owners
        assert mover.server.stop() == 0
        rest = mover.start("embedded")
    before = seen(rest, made["id"])
    old_cursor = rest.good("GET", "/api/v1/events?limit=5")["next_token"]

    moved = mover.move("--to-kafka")
    assert moved["ok"] and moved["commits"] > COMMANDS
    rest = mover.start("kafka")
    assert seen(rest, made["id"]) == before
    assert not (mover.server.data_dir / "log").exists()
    assert rest.ask("GET", f"/api/v1/events?after={old_cursor}").status == 422
    old_cursor = rest.good("GET", "/api/v1/events?limit=5")["next_token"]
    rest.good("POST", f"{path}/stop?wait=true", {})
    rest.good("POST", f"{path}/start?wait=true", {})
    again = rest.surely("POST", "/api/v1/environments", body, key=work.done[0].key)
    assert again.status == 409, "a command id of before is known"
    assert rest.good("POST", f"{path}/exec", command)["stdout"] == "kept\n"
    rest.good("POST", f"{path}/activity", {"kind": "api"})
    before = seen(rest, made["id"])

    back = mover.move("--from-kafka")
    assert back["ok"] and back["commits"] > moved["commits"]
    rest = mover.start("embedded")
    assert seen(rest, made["id"]) == before
    assert rest.ask("GET", f"/api/v1/events?after={old_cursor}").status == 422
    rest.good("POST", f"{path}/stop?wait=true", {})
    rest.good("POST", f"{path}/start?wait=true", {})
    assert rest.good("POST", f"{path}/exec", command)["stdout"] == "kept\n"
    assert not mover.server.inspect("verify").get("problems")


def test_an_engine_is_not_started_over_the_other(kafka, make_server):
    mover = Mover(make_server(start=False), kafka)
    mover.start("embedded")
    assert mover.server.stop() == 0
    mover.config.write_text(f'engine = "kafka"\n{mover.kafka}')
    done = mover.server.tool("berthd", *mover.server.command()[1:])
    assert done.returncode == 1
    assert b"holds a journal of engine = embedded" in done.stderr
