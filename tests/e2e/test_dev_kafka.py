"""Brokers as a developer starts them, `./dev kafka`, and as tests do, seen by librdkafka."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from berth.kafka import ADMIN_WITHIN_S, admin, kafka_brokers, make_topic
from berth.server import ROOT

BROKERS = ROOT / "infra/deploy/kafka/brokers.py"


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def ended(pid: str | int) -> bool:
    """A zombie that nobody reaps has no command line any more."""
    try:
        return not pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


def free_base() -> int:
    """Three times one port: clients at the base, the controller 100 above, TLS 200 above."""
    settings = sys.modules["broker_settings"]
    for port in settings.free_ports(50):
        if all(settings.port_is_free(port + more) for more in (100, 200)):
            return port
    raise AssertionError("no free ports")


def write_and_read(kafka, topic: str, **settings) -> list[bytes]:
    """What a consumer finds after three acknowledged writes."""
    client = pytest.importorskip("confluent_kafka", reason="tests/e2e/requirements.txt")
    common = kafka.client_settings() | settings
    producer = client.Producer(common | {"enable.idempotence": True})
    failed = []
    for number in range(3):
        producer.produce(
            topic, b"%d" % number, callback=lambda why, _: failed.append(why) if why else None
        )
    assert producer.flush(ADMIN_WITHIN_S) == 0 and not failed, failed
    consumer = client.Consumer(common | {"group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.assign([client.TopicPartition(topic, 0, 0)])
    try:
        found = consumer.consume(3, ADMIN_WITHIN_S)
    finally:
        consumer.close()
    return [each.value() for each in found]


@pytest.fixture
def tree(tmp_path):
    """The real script and brokers; packages count as installed, the data is the test's own."""
    if not shutil.which("java") or not shutil.which("mvn"):
        pytest.skip("no java or no mvn: ./dev kafka up installs them")
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    (tmp_path / "path").mkdir()
    program = tmp_path / "path/dpkg-query"
    program.write_text("#!/bin/sh\necho install ok installed\n")
    program.chmod(0o755)
    yield tmp_path
    subprocess.run([sys.executable, BROKERS, "down", tmp_path / ".berth-kafka"], timeout=60)


def dev_kafka(tree, *words):
    env = os.environ | {"PATH": f"{tree / 'path'}:{os.environ['PATH']}"}
    command = [tree / "dev", "kafka", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=150)


def test_dev_kafka_up_stays_up_and_down_ends_it(tree):
    port = free_base()
    done = dev_kafka(tree, "up", "--port", str(port))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"127.0.0.1:{port}"
    assert answers(port)
    again = dev_kafka(tree, "up")
    assert again.returncode == 0 and again.stdout.splitlines()[0] == f"127.0.0.1:{port}", again
    other = dev_kafka(tree, "up", "--brokers", "3")
    assert other.returncode == 1 and "delete the directory" in other.stderr, other
    status = dev_kafka(tree, "status")
    assert status.returncode == 0 and f"127.0.0.1:{port}  running" in status.stdout, status

    pid = int((tree / ".berth-kafka/1/pid").read_text().split()[0])
    assert dev_kafka(tree, "down").returncode == 0
    assert not answers(port) and ended(pid)
    status = dev_kafka(tree, "status")
    assert status.returncode == 3 and "stopped" in status.stdout, status


def test_down_leaves_a_process_alone_that_has_the_pid_of_a_broker_of_old(tmp_path):
    settings, process = sys.modules["broker_settings"], sys.modules["broker_process"]
    settings.Cluster.of(1).save(tmp_path)
    stranger = process.Detached(tmp_path / "1")
    (tmp_path / "1").mkdir()
    stranger.start(["sleep", "60"], {})
    try:
        file = tmp_path / "1/pid"
        pid, ticks, boot = file.read_text().split()
        file.write_text(f"{pid} {int(ticks) - 1} {boot}\n")
        done = subprocess.run([sys.executable, BROKERS, "down", tmp_path], timeout=60)
        assert done.returncode == 0
        file.write_text(f"{pid} {ticks} {boot}\n")
        assert stranger.state() == "running"
    finally:
        stranger.signal(signal.SIGKILL)
        stranger.wait_gone(10)


def test_a_record_survives_a_stop_a_kill_and_a_pause():
    with kafka_brokers(1) as kafka:
        make_topic(kafka, "survivors")
        assert write_and_read(kafka, "survivors") == [b"0", b"1", b"2"]
        kafka.stop(1)
        kafka.start(1)
        kafka.kill(1)
        assert kafka.state(1) == "stopped"
        kafka.start(1)
        kafka.pause(1)
        assert kafka.state(1) == "paused"
        kafka.resume(1)
        kafka.wait_ready()
        assert write_and_read(kafka, "survivors") == [b"0", b"1", b"2"]
        kept, pid = kafka.directory, kafka.pid(1)
    assert not kept.exists() and ended(pid)


def test_three_brokers_keep_three_copies_and_one_may_go():
    with kafka_brokers(3) as kafka:
        make_topic(kafka, "copies")
        (topic,) = admin(kafka).list_topics("copies", ADMIN_WITHIN_S).topics.values()
        assert len(topic.partitions[0].isrs) == 3
        kafka.kill(topic.partitions[0].leader)
        assert write_and_read(kafka, "copies") == [b"0", b"1", b"2"]


def test_the_secure_door_opens_for_its_user_alone():
    with kafka_brokers(1, secure=True) as kafka:
        make_topic(kafka, "secrets")
        assert write_and_read(kafka, "secrets") == [b"0", b"1", b"2"]
        refusals = []
        stranger = admin(kafka, **{"sasl.password": "guessed"}, error_cb=refusals.append)
        until = time.monotonic() + ADMIN_WITHIN_S
        while "_AUTHENTICATION" not in {each.name() for each in refusals}:
            assert time.monotonic() < until, refusals
            stranger.poll(0.1)


@pytest.mark.parametrize("ending", [None, signal.SIGTERM, signal.SIGKILL])
def test_run_gives_the_address_and_the_exit_code_and_leaves_nothing(tmp_path, ending):
    script = 'echo $BERTH_KAFKA_BOOTSTRAP; cat "$BERTH_KAFKA_DIR/1/pid"; read never; exit 7'
    command = [sys.executable, BROKERS, "run", "--base-dir", tmp_path, "--", "sh", "-c", script]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        address, pid = run.stdout.readline().strip(), run.stdout.readline().split()[0]
        assert answers(int(address.removeprefix("127.0.0.1:")))
        if ending:
            run.send_signal(ending)
        else:
            run.stdin.close()
        assert run.wait(60) == {None: 7, signal.SIGTERM: 128 + 15, signal.SIGKILL: -9}[ending]
    finally:
        run.kill()
        run.wait(10)
    until = time.monotonic() + 30
    while not ended(pid) or list(tmp_path.iterdir()):
        assert time.monotonic() < until, f"broker {pid} or {list(tmp_path.iterdir())} is left"
        time.sleep(0.02)
