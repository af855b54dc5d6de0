"""Real Kafka brokers for tests: infra/deploy/kafka with the manners of pytest, and an admin client.

@pytest.fixture(scope="module")
def kafka():
    with kafka_brokers(3) as started:
        yield started

kafka.kill(2); kafka.start(2)
make_topic(kafka, "berth.commits", partitions=4)
"""

import contextlib
import os
import sys
import time

import pytest

from .server import ROOT

sys.path.insert(0, str(ROOT / "infra/deploy/kafka"))

from brokers import Brokers, Unavailable, temporary  # noqa: E402

ADMIN_WITHIN_S = 20


@contextlib.contextmanager
def kafka_brokers(count: int = 1, **how):
    """Brokers, or a skipped test with the reason; `how` as of temporary() in brokers.py."""
    how.setdefault("keep", bool(os.environ.get("BERTH_E2E_KEEP")))
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(temporary(count, **how))
        except Unavailable as why:
            pytest.skip(str(why))
        if how["keep"]:
            print(f"kept {started.directory}")
        yield started


def admin(kafka: Brokers, **settings):
    client = pytest.importorskip("confluent_kafka.admin", reason="tests/e2e/requirements.txt")
    return client.AdminClient(kafka.client_settings() | settings)


def make_topic(kafka: Brokers, name: str, partitions: int = 1, **settings: str) -> None:
    """With as many replicas as there are brokers; returns when every broker knows."""
    client = admin(kafka)
    wanted = sys.modules["confluent_kafka.admin"].NewTopic(
        name, num_partitions=partitions, replication_factor=len(kafka.ids), config=settings
    )
    asked = client.create_topics([wanted], operation_timeout=ADMIN_WITHIN_S)
    asked[name].result(ADMIN_WITHIN_S)
    kafka.wait_topic(name, partitions, ADMIN_WITHIN_S)


def read_topic(kafka: Brokers, name: str, within_s: float = 30) -> list:
    """Every message there is, partition by partition in order."""
    client = pytest.importorskip("confluent_kafka", reason="tests/e2e/requirements.txt")
    settings = {"group.id": "test", "enable.partition.eof": True, "enable.auto.commit": False}
    consumer = client.Consumer(kafka.client_settings() | settings)
    partitions = consumer.list_topics(name, within_s).topics[name].partitions
    consumer.assign([client.TopicPartition(name, each, 0) for each in partitions])
    found, ended, until = [], set(), time.monotonic() + within_s
    try:
        while len(ended) < len(partitions):
            assert time.monotonic() < until, f"{name} was not read to its end in {within_s} s"
            for message in consumer.consume(500, 1):
                if not message.error():
                    found.append(message)
                    continue
                assert message.error().code() == client.KafkaError._PARTITION_EOF, message.error()
                ended.add(message.partition())
    finally:
        consumer.close()
    return found
