"""The mirror, seen by an analyst: the example's bill, from Kafka alone, is the server's own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from berth import flatbuffer
from berth.kafka import kafka_brokers, make_topic, read_topic
from berth.log_records import KINDS, PartitionWriter, crc32c
from berth.server import BIN, ROOT, pids_naming
from berth.workload import Workload

confluent_kafka = pytest.importorskip("confluent_kafka", reason="tests/e2e/requirements.txt")
pytest.importorskip("google_crc32c", reason="tests/e2e/requirements.txt")

BILL = ROOT / "tools/analytics/bill_from_kafka.py"
TOPIC, PARTITIONS = "berth.commits", 8
CAUGHT_UP_WITHIN_S = 60
COMMANDS_MAX = 1_000_000  # the workload is told to stop
SETTINGS = """
engine = "embedded"
[kafka]
bootstrap = "{bootstrap}"
mirror = true
replication_factor = 1
min_insync_replicas = 1
partitions = {partitions}
"""


@pytest.fixture(scope="module")
def kafka():
    with kafka_brokers(1) as started:
        yield started


@pytest.fixture(scope="module")
def server(make_server, kafka, tmp_path_factory):
    config = tmp_path_factory.mktemp("mirror") / "berthd.toml"
    config.write_text(SETTINGS.format(bootstrap=kafka.bootstrap, partitions=PARTITIONS))
    return make_server(["--config", str(config)])


KILLS_MIN = 3  # of the broker, while the environments live


@pytest.fixture(scope="module")
def lives(server, rest, host, kafka, seed):
    """Environments that live while commands of every kind pour in, an agent and the server are
    killed, and the broker again and again, with commits on their way to Kafka.

    Answers each account's REST client, and the one environment that still runs.
    """
    other = rest.good("POST", "/api/v1/accounts", {"name": "other"}, expect=201)
    clients = {account_of(rest): rest, other["account"]["id"]: server.rest(other["secret"])}
    busy = make(rest, "busy")
    work = Workload(server.port, server.admin_token, busy, COMMANDS_MAX, seed, threads=4)
    work.start()
    copied = wait_copied(server, 100)
    hurt = Hurt(kafka)
    hurt.start()
    live(clients[other["account"]["id"]], "quiet")
    lose(server, rest, make(rest, "lost"))
    copied = wait_copied(server, copied + 100)
    server.kill9()
    server.start()
    wait_copied(server, copied + 100)
    assert hurt.end() >= KILLS_MIN, "the broker was hardly ever killed"
    work.stopping.set()
    work.join(60)
    assert not work.problems, work.problems
    rest.good("DELETE", f"/api/v1/environments/{busy}?wait=true")
    live(clients[other["account"]["id"]], "late")
    return clients, make(rest, "goes-on")


class Hurt(threading.Thread):
    """Kills the broker and starts it again until it is told to end, which leaves it running."""

    def __init__(self, kafka):
        super().__init__(daemon=True)
        self._kafka, self._over, self._kills = kafka, threading.Event(), 0

    def run(self) -> None:
        while not (self._over.wait(1.0) and self._kills >= KILLS_MIN):
            self._kafka.kill(1)
            self._kills += 1
            self._over.wait(0.5)
            self._kafka.start(1)

    def end(self) -> int:
        self._over.set()
        self.join(60)
        assert not self.is_alive(), "the broker could not be started again"
        return self._kills


def wait_copied(server, offset: int) -> int:
    """Until the mirror is past `offset` of the journal; where it is then."""
    until = time.monotonic() + CAUGHT_UP_WITHIN_S
    while (copied := metric(server, "berth_kafka_mirror_offset")) < offset:
        assert time.monotonic() < until, f"{copied} of {offset}; {server.log()[-2000:]}"
        time.sleep(0.02)
    return copied


def account_of(rest) -> str:
    return rest.good("GET", "/api/v1/auth/whoami")["account"]["id"]


def make(rest, name: str) -> str:
    body = {"name": name, "instance_type": "balanced"}
    made = rest.good("POST", "/api/v1/environments?wait=true", body, expect=201)
    assert made["environment"]["status"] == "RUNNING", made
    return made["environment"]["id"]


def live(rest, name: str) -> None:
    """Two stretches of RUNNING, an exec in the first."""
    path = f"/api/v1/environments/{make(rest, name)}"
    rest.good("POST", f"{path}/exec", {"command": ["/bin/true"]})
    rest.good("POST", f"{path}/stop?wait=true", {})
    rest.good("POST", f"{path}/start?wait=true", {})
    rest.good("DELETE", f"{path}?wait=true")


def lose(server, rest, environment: str) -> None:
    """Its agent is killed: it ran until it was last known to be alive, and is started again."""
    path = f"/api/v1/environments/{environment}"
    first = rest.good("GET", path)["environment"]["started_at"]
    for pid in set(pids_naming(environment)) - {server.process.pid}:
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 30
    while rest.good("GET", path)["environment"].get("started_at") in (None, first):
        assert time.monotonic() < until, "was not started again"
        time.sleep(0.05)
    rest.good("DELETE", f"{path}?wait=true")


def metric(server, name: str) -> int:
    with urllib.request.urlopen(server.url + "/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith(f"{name} ")]
    return int(float(value))


def bill(kafka, *more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(BILL), "--bootstrap", kafka.bootstrap, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def caught_up_bill(server, kafka) -> tuple[dict, int]:
    """A report made while nothing was written, and how many commits the journal had."""
    until = time.monotonic() + CAUGHT_UP_WITHIN_S
    while True:
        head = metric(server, "berth_journal_head")
        if metric(server, "berth_kafka_mirror_lag_commits") == 0:
            done = bill(kafka, "--json")
            assert done.returncode == 0, done.stderr
            if metric(server, "berth_journal_head") == head:
                return json.loads(done.stdout), head
        assert time.monotonic() < until, f"{head} commits; {server.log()[-2000:]}"
        time.sleep(0.1)


def test_the_bill_from_kafka_is_the_servers_to_the_micro_usd(server, kafka, lives):
    clients, running = lives
    report, head = caught_up_bill(server, kafka)
    assert report["read"]["commits"] == head
    assert report["read"]["unreadable_events"] == 0
    assert report["read"]["leads"] >= 2 * PARTITIONS  # led anew after the server was killed
    assert report["skipped"]["foreign"] == report["skipped"]["wrong_version"] == 0
    assert report["running_environments"] == 1

    by_account = {account: [] for account in clients}
    for line in report["lines"]:
        by_account[line.pop("account_id")].append(line)
    totals = {each.pop("account_id"): each for each in report["totals"]}
    for account, rest in clients.items():
        lines = rest.items("/api/v1/bill-lines")
        assert by_account[account] == lines
        assert len(lines) >= 2 and all(each["environment_id"] != running for each in lines)
        total = sum(each["amount_micro_usd"] for each in lines)
        expected = {"lines": len(lines), "amount_micro_usd": total, "overflowed": False}
        assert totals[account] == expected and total > 0
        usage = rest.good("GET", "/api/v1/usage?from=2020-01-01T00:00:00Z")
        for of in usage["environments"]:
            if of["environment_id"] != running:
                told = [each for each in lines if each["environment_id"] == of["environment_id"]]
                assert sum(each["amount_micro_usd"] for each in told) == of["amount_micro_usd"]


def test_keys_headers_and_partitions_are_as_documented(server, kafka, lives):
    _, head = caught_up_bill(server, kafka)
    sources, names = [], set()
    for message in read_topic(kafka, TOPIC):
        headers = dict(message.headers())
        value = message.value()
        assert value[:4] == {b"commit": b"BRC1", b"lead": b"BRL1"}[headers["berth-kind"]]
        if headers["berth-kind"] == b"lead":
            assert message.key() is None and "berth-source" not in headers
            continue
        table = flatbuffer.Table(value[96:])
        kind = {number: name for name, number in KINDS.items()}[table.scalar(0, "u8")]
        assert message.key().decode() == f"{kind}/{table.string(1)}"
        assert message.partition() == crc32c(message.key()) % PARTITIONS
        name, offset = headers["berth-source"].decode().rsplit("/", 1)
        names.add(name)
        sources.append(int(offset))
    assert len(names) == 1 and set(sources) >= set(range(1, head + 1))


def test_who_follows_sees_a_line_when_its_interval_ends(server, rest, kafka, lives):
    """Last of those that need `lives`: it ends what runs."""
    _, running = lives
    command = [sys.executable, str(BILL), "--bootstrap", kafka.bootstrap, "--json", "--follow"]
    following = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    patience = threading.Timer(60, following.kill)
    patience.start()
    try:
        before = json.loads(following.stdout.readline())["lines"]
        rest.good("POST", f"/api/v1/environments/{running}/stop?wait=true", {})
        line = json.loads(following.stdout.readline())
        assert line["environment_id"] == running and line not in before
        following.send_signal(signal.SIGTERM)
        assert following.wait(20) == 0
        assert line.pop("account_id") == account_of(rest)
        assert line in rest.items("/api/v1/bill-lines")
    finally:
        patience.cancel()
        following.kill()
        following.wait(10)
        following.stdout.close()


def test_what_cannot_be_read_is_said_in_a_sentence(kafka):
    done = bill(kafka, "--topic", "nothing.here")
    assert done.returncode == 1 and "nothing.here: " in done.stderr, done
    assert "Traceback" not in done.stderr
    done = bill(kafka, "--schemas", str(BIN))
    assert done.returncode == 1 and "--schemas" in done.stderr, done

    make_topic(kafka, "damaged", partitions=2)
    writer = PartitionWriter()
    producer = confluent_kafka.Producer(kafka.client_settings())
    for each in (writer.lead(1, 7), writer.lead(2, 7)[:-1] + b"?"):
        producer.produce("damaged", each, partition=1)
    assert producer.flush(20) == 0
    done = bill(kafka, "--topic", "damaged")
    assert done.returncode == 6 and not done.stdout, done
    assert "damaged partition 1 offset 1: checksum" in done.stderr


def test_the_example_comes_in_by_tls_and_scram(tmp_path):
    with kafka_brokers(1, secure=True) as kafka:
        make_topic(kafka, "secret")
        settings = kafka.client_settings()
        producer = confluent_kafka.Producer(settings)
        producer.produce("secret", PartitionWriter().lead(1, 7))
        assert producer.flush(20) == 0
        password = tmp_path / "password"
        password.write_text(settings["sasl.password"] + "\n")
        where = ["--bootstrap", settings["bootstrap.servers"], "--topic", "secret", "--json"]
        user = ["--sasl-username", settings["sasl.username"], "--sasl-password-file", str(password)]
        tls = ["--security-protocol", "sasl_ssl", "--ca-file", settings["ssl.ca.location"]]
        done = bill(kafka, *where, *user, *tls)
        assert done.returncode == 0, done
        assert json.loads(done.stdout)["read"]["leads"] == 1
        password.write_text("guessed")
        done = bill(kafka, *where, *user, *tls)
        assert done.returncode == 1 and "uthentication" in done.stderr, done
