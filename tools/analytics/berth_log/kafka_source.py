"""Every record of a topic, each partition in order, from its beginning to its end, and then on.

No consumer group is joined and no offset is committed: who folds a log anew each time keeps its
place itself, or not at all.
"""

import dataclasses
import time
from collections.abc import Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

ASK_WITHIN_S = 10
SILENCE_MAX_S = 60  # without a record, before the end
POLL_S = 0.5
RECORDS_AT_ONCE = 1000


class SourceError(Exception):
    """Why the topic cannot be read, as a sentence."""


class Incomplete(SourceError):
    """The topic has not all that was written to it: whatever is folded from it is wrong."""


@dataclasses.dataclass(frozen=True)
class Message:
    partition: int
    offset: int
    value: bytes | None


class KafkaSource:
    def __init__(self, settings: dict[str, str], topic: str):
        self.topic = topic
        self._trouble = ""
        ours = {
            "group.id": "berth-analytics",  # asked for by the client, never joined
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "reconnect.backoff.ms": 200,
            "log_level": 2,  # a broker that is away is news once, by the callback
            "error_cb": self._hear,
        }
        try:
            self._consumer = Consumer(ours | settings)
        except KafkaException as why:  # of a setting
            raise SourceError(why.args[0].str()) from None
        try:
            self._ends = self._find_ends()
        except KafkaException as why:
            self._consumer.poll(0)  # calls back with what the trouble is
            raise SourceError(self._sentence(why.args[0])) from None
        places = [TopicPartition(topic, each, OFFSET_BEGINNING) for each in self.partitions]
        self._consumer.assign(places)

    @property
    def partitions(self) -> list[int]:
        return sorted(self._ends)

    def close(self) -> None:
        self._consumer.close()

    def read_to_end(self) -> Iterator[Message]:
        """Up to what was the end when the source was made."""
        unread = {partition for partition, end in self._ends.items() if end > 0}
        heard = time.monotonic()
        while unread:
            for partition, next_offset, message in self._poll():
                heard = time.monotonic()
                if message:
                    yield message
                if next_offset >= self._ends[partition]:
                    unread.discard(partition)
            if time.monotonic() - heard > SILENCE_MAX_S:
                raise SourceError(
                    f"{self.topic}: nothing came for {SILENCE_MAX_S} s and partitions "
                    f"{sorted(unread)} are not read to their end. {self._trouble}"
                )

    def follow(self) -> Iterator[Message]:
        """What comes after that, for ever; brokers may go and come back."""
        while True:
            yield from (message for _, _, message in self._poll() if message)

    def _poll(self) -> Iterator[tuple[int, int, Message | None]]:
        """Partition, its next offset, and the message if it was one."""
        for got in self._consumer.consume(RECORDS_AT_ONCE, POLL_S):
            error = got.error()
            if error is None:
                message = Message(got.partition(), got.offset(), got.value())
                yield message.partition, message.offset + 1, message
            elif error.code() == KafkaError._PARTITION_EOF:
                yield got.partition(), got.offset(), None
            elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
                raise Incomplete(f"{self.topic} partition {got.partition()}: {error.str()}")
            elif not error.retriable() and error.code() != KafkaError._TRANSPORT:
                raise SourceError(self._sentence(error))

    def _find_ends(self) -> dict[int, int]:
        found = self._consumer.list_topics(self.topic, ASK_WITHIN_S).topics[self.topic]
        if found.error:
            raise KafkaException(found.error)
        ends = {}
        for partition in found.partitions:
            place = TopicPartition(self.topic, partition)
            low, ends[partition] = self._consumer.get_watermark_offsets(place, ASK_WITHIN_S)
            if low > 0:
                raise Incomplete(
                    f"{self.topic} partition {partition} begins at offset {low}: what was before "
                    "is gone, so the rest folds to nothing true. It needs retention.ms = -1"
                )
        return ends

    def _hear(self, error: KafkaError) -> None:
        self._trouble = error.str()

    def _sentence(self, error: KafkaError) -> str:
        told = f"{self.topic}: {error.str()}"
        if self._trouble:
            told += f" ({self._trouble})"
        return f"{told}; check --bootstrap, --topic and that the brokers are up"
