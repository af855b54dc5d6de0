"""From the embedded engine to Kafka and back: no client sees a difference, all goes on running."""

import json

import pytest

from berth.kafka import kafka_brokers
from berth.workload import Workload

COMMANDS = 600
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


def seen(rest, environment: str) -> dict:
    """What clients know: by id, without what only says when it was looked at."""
    return {
        "environments": rest.good("GET", "/api/v1/environments")["items"],
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
    before = seen(rest, made["id"])

    moved = mover.move("--to-kafka")
    assert moved["ok"] and moved["commits"] > COMMANDS
    rest = mover.start("kafka")
    assert seen(rest, made["id"]) == before
    assert not (mover.server.data_dir / "log").exists()
    again = rest.surely("POST", "/api/v1/environments", body, key=work.done[0].key)
    assert again.status == 409, "a command id of before is known"
    assert rest.good("POST", f"{path}/exec", command)["stdout"] == "kept\n"
    rest.good("POST", f"{path}/activity", {"kind": "api"})
    before = seen(rest, made["id"])

    back = mover.move("--from-kafka")
    assert back["ok"] and back["commits"] > moved["commits"]
    rest = mover.start("embedded")
    assert seen(rest, made["id"]) == before
    assert rest.good("POST", f"{path}/exec", command)["stdout"] == "kept\n"
    assert not mover.server.inspect("verify").get("problems")


def test_an_engine_is_not_started_over_the_other(kafka, make_server):
    mover = Mover(make_server(start=False), kafka)
    mover.start("embedded")
    assert mover.server.stop() == 0
    mover.config.write_text(f'engine = "kafka"\n{mover.kafka}')
    done = mover.server.tool("berthd", *mover.server.command()[1:])
    assert done.returncode == 1
    assert b"holds an embedded journal" in done.stderr
