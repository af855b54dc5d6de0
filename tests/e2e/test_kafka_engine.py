"""berthd with Kafka as its journal: real brokers, real kills, the same promises as on one disk."""

import json
import shutil
import subprocess
import sys
import time

import pytest

from berth import flatbuffer
from berth.kafka import kafka_brokers, read_topic
from berth.server import ROOT
from berth.workload import Workload

COMMANDS = 1500
RETRIED = 100
KILLS = 3
KILL_EVERY_S = 2.5
WORK_WITHIN_S = 90


@pytest.fixture(scope="module")
def kafka():
    with kafka_brokers(1) as started:
        yield started


def configured(server, kafka, **more) -> None:
    """The server's configuration file: Kafka as the engine, on these brokers."""
    settings = {
        "bootstrap": kafka.bootstrap,
        "partitions": 8,
        "replication_factor": 1,
        "min_insync_replicas": 1,
        "delivery_timeout_ms": 20000,
    } | more
    text = 'engine = "kafka"\n[kafka]\n'
    for key, value in settings.items():
        text += f"{key} = {value!r}\n".replace("'", '"').replace("True", "true")
    path = server.data_dir.parent / "berthd.toml"
    path.write_text(text)
    server.flags = ["--config", str(path)]


@pytest.fixture(scope="module")
def kafka_server(kafka, make_server):
    server = make_server(start=False)
    configured(server, kafka, topic_prefix="engine")
    return server.start()


def facts(rest) -> tuple:
    """What a client can see of what happened: environments, and the whole feed."""
    environments = rest.good("GET", "/api/v1/environments")["items"]
    return sorted((each["id"], each["status"], each["version"]) for each in environments)


def events_of(rest) -> list:
    items, after = [], ""
    while True:
        page = rest.good("GET", f"/api/v1/events?limit=100&after={after}")
        if not page["items"]:
            return items
        items += page["items"]
        after = page["next_token"]


def settled(rest, server) -> None:
    """Until nothing changes any more: effects of the last commands have reported."""
    until = time.monotonic() + 30
    before = None
    while time.monotonic() < until:
        now = facts(rest)
        moving = [each for each in now if each[1].endswith("ING") and each[1] != "RUNNING"]
        if now == before and not moving:
            return
        before = now
        time.sleep(0.3)
    raise AssertionError(f"still moving: {before}\n{server.log()[-2000:]}")


def test_a_first_start_makes_the_topic_and_serves(kafka_server):
    rest = kafka_server.rest()
    assert rest.good("GET", "/api/v1/environments")["items"] == []
    metrics = rest.ask("GET", "/metrics").text
    assert b"berth_kafka_partitions_led 8" in metrics


def test_an_environment_runs_and_its_command_answers(kafka_server):
    rest = kafka_server.rest()
    body = {"name": "one", "instance_type": "lightweight"}
    made = rest.good("POST", "/api/v1/environments?wait=true", body, expect=201)["environment"]
    if made["status"] != "RUNNING":
        pytest.skip("no provider works on this machine")
    run = {"command": ["/bin/echo", "over kafka"]}
    done = rest.good("POST", f"/api/v1/environments/{made['id']}/exec", run)
    assert done["stdout"] == "over kafka\n"


def test_killed_servers_lose_nothing_that_was_acknowledged(kafka_server, seed):
    rest = kafka_server.rest()
    environment = rest.good("GET", "/api/v1/environments")["items"][0]["id"]
    before = len(events_of(rest))
    work = Workload(kafka_server.port, kafka_server.admin_token, environment, COMMANDS, seed)
    work.start()
    for _ in range(KILLS):
        time.sleep(KILL_EVERY_S)
        kafka_server.kill9()
        kafka_server.start()
    work.join(WORK_WITHIN_S)
    assert not work.problems, work.problems
    assert len(work.done) >= COMMANDS
    rest = kafka_server.rest()
    settled(rest, kafka_server)
    assert len(events_of(rest)) >= before + len(work.done) // 2
    for each in work.done[-RETRIED:]:
        again = rest.surely(each.method, each.path, each.body, each.key)
        assert again.headers.get("etag") == each.answer.headers.get("etag"), each.path


def test_the_bill_from_the_log_alone_is_the_servers(kafka_server, kafka):
    rest = kafka_server.rest()
    running = rest.good("GET", "/api/v1/environments")["items"][0]["id"]
    rest.good("POST", f"/api/v1/environments/{running}/stop?wait=true", {})
    settled(rest, kafka_server)
    program = ROOT / "tools/analytics/bill_from_kafka.py"
    command = [sys.executable, program, "--bootstrap", kafka.bootstrap, "--topic", "engine.commits"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    account = rest.good("GET", "/api/v1/auth/whoami")["account"]["id"]
    lines = [each for each in json.loads(done.stdout)["lines"] if each.pop("account_id") == account]
    assert lines == rest.items("/api/v1/bill-lines") and lines


def test_the_latest_states_are_a_topic(kafka_server, kafka):
    rest = kafka_server.rest()
    wanted = {f"environment/{e['id']}" for e in rest.good("GET", "/api/v1/environments")["items"]}
    until = time.monotonic() + 30
    while True:
        latest = {}
        for message in read_topic(kafka, "engine.state"):
            latest[message.key().decode()] = message
        live = {key for key, message in latest.items() if message.value() is not None}
        if wanted == {key for key in live if key.startswith("environment/")}:
            break
        assert time.monotonic() < until, (wanted, live)
        time.sleep(0.3)
    for key in wanted:
        shown = rest.good("GET", f"/api/v1/environments/{key.split('/')[1]}")["environment"]
        headers = dict(latest[key].headers())
        assert int(headers["berth-version"]) == shown["version"]
        assert flatbuffer.Table(latest[key].value()).string(2) == shown["name"]


def test_a_server_without_its_replica_reads_all_of_it_again(kafka_server):
    rest = kafka_server.rest()
    settled(rest, kafka_server)
    known, events = facts(rest), events_of(rest)
    assert kafka_server.stop() == 0
    shutil.rmtree(kafka_server.data_dir / "replica" / "state")
    kafka_server.start()
    rest = kafka_server.rest()
    settled(rest, kafka_server)
    assert facts(rest) == known
    assert sorted(map(str, events_of(rest)[: len(events)])) == sorted(map(str, events))


def test_a_broker_that_is_killed_delays_commands_and_loses_none(kafka_server, kafka):
    rest = kafka_server.rest(timeout_s=60)
    kafka.kill(1)
    kafka.start(1)
    body = {"name": "after-the-broker", "instance_type": "lightweight"}
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = rest.ask("POST", "/api/v1/environments", body, key="after-the-broker-1")
        if answer.status in (200, 201, 202):
            break
        time.sleep(0.2)
    assert answer.status in (200, 201, 202), answer
    names = [each["name"] for each in rest.good("GET", "/api/v1/environments")["items"]]
    assert names.count("after-the-broker") == 1


def test_a_second_server_takes_over_and_the_first_ends(kafka_server, make_server, kafka):
    settled(kafka_server.rest(), kafka_server)
    known = facts(kafka_server.rest())
    second = make_server(start=False)
    configured(second, kafka, topic_prefix="engine")
    second.start()
    assert kafka_server.process.wait(20) == 4, kafka_server.log()[-2000:]
    assert "leads partition" in kafka_server.log()
    # Another data directory, the same journal: tokens of before go on, and there is a new one.
    for token in (kafka_server.admin_token, second.admin_token):
        seen = second.rest(token=token).good("GET", "/api/v1/environments")["items"]
        assert [each["id"] for each in seen] == [each[0] for each in known]


def test_what_is_wrong_is_said_and_ends_the_start(make_server, kafka):
    server = make_server(start=False)
    server.data_dir.mkdir(mode=0o700)
    configured(server, kafka, topic_prefix="never-made", create_topics="false")
    path = server.data_dir.parent / "berthd.toml"
    path.write_text(path.read_text().replace('"false"', "false"))
    done = server.tool("berthd", *server.command()[1:])
    assert done.returncode == 1
    assert b"there is no topic never-made.commits" in done.stderr
    checked = server.tool("berthd", "--check-config", *server.flags, "--data-dir", "/x")
    assert checked.returncode == 1 and b"never-made.commits" in checked.stderr


def test_a_server_comes_in_by_tls_and_a_password(make_server, tmp_path):
    with kafka_brokers(1, secure=True) as guarded:
        known = guarded.client_settings()
        password = tmp_path / "password"
        password.write_text(known["sasl.password"] + "\n")
        server = make_server(start=False)
        server.data_dir.mkdir(mode=0o700)
        configured(
            server,
            guarded,
            bootstrap=known["bootstrap.servers"],
            security_protocol="sasl_ssl",
            sasl_mechanism="PLAIN",  # SCRAM: not this librdkafka with these brokers
            sasl_username=known["sasl.username"],
            sasl_password_file=str(password),
            ca_file=known["ssl.ca.location"],
            request_timeout_ms=5000,
        )
        server.start()
        body = {"name": "guarded", "instance_type": "lightweight"}
        server.rest().good("POST", "/api/v1/environments?wait=true", body, expect=201)
        shown = server.tool("berthd", "--check-config", *server.flags, "--data-dir", "/x")
        assert shown.returncode == 0 and known["sasl.password"].encode() not in shown.stdout
        server.cleanup()
        password.write_text("guessed\n")
        done = server.tool("berthd", *server.command()[1:])
        assert done.returncode == 1
        assert b"uthentication" in done.stderr, done.stderr
