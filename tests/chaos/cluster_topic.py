"""What the log is, by who reads the topic alone with code of its own (tools/analytics)."""

import collections
import dataclasses
import functools
import uuid

from berth_log.commit_body import CommitBody, decode_body
from berth_log.kafka_source import KafkaSource, Message
from berth_log.reader_rule import PartitionReader, Verdict
from berth_log.record import kind_of, open_record
from berth_log.report import line_json
from berth_log.schemas import Schemas, byte_vector
from bill_from_kafka import BillReader

COMMAND = 3  # field id in schemas/commit.fbs
# Written by a leader that was replaced and did not know it yet, or too late.
ZOMBIES = (Verdict.OTHER_LEADER, Verdict.OUT_OF_ORDER, Verdict.WRONG_VERSION)


@dataclasses.dataclass(frozen=True)
class Commit(CommitBody):
    command: str = ""


@dataclasses.dataclass
class Topic:
    """Applied commits by partition as (sequence, commit), zombies, and how records were judged."""

    applied: dict[int, list[tuple[int, Commit]]]
    zombies: list[Commit]
    verdicts: collections.Counter
    bill: BillReader

    def commits(self) -> list[Commit]:
        return [commit for of in self.applied.values() for _, commit in of]

    def events(self) -> dict[tuple[str, int], str]:
        """The command behind each (stream, version)."""
        return {
            (commit.stream, version): commit.command
            for commit in self.commits()
            for version in range(commit.first, commit.last + 1)
        }

    def bill_lines(self, account: str) -> list[dict]:
        lines = map(line_json, self.bill.bill.lines())
        return [each for each in lines if each.pop("account_id") == account]


def read_topic(bootstrap: str, name: str, schemas: Schemas) -> Topic:
    source = KafkaSource({"bootstrap.servers": bootstrap}, name)
    decode = functools.partial(decode_commit, schemas)
    readers = {each: PartitionReader(each, decode) for each in source.partitions}
    read = Topic(
        {each: [] for each in source.partitions},
        [],
        collections.Counter(),
        BillReader(schemas, source.partitions),
    )
    try:
        for message in source.read_to_end():
            read.bill.take(message)
            judged = readers[message.partition].judge(message.value, message.offset)
            read.verdicts[judged.verdict] += 1
            if judged.verdict is Verdict.APPLIED:
                read.applied[message.partition].append((judged.envelope.sequence, judged.body))
            elif judged.verdict in ZOMBIES and kind_of(message.value) == "commit":
                read.zombies.append(decode(body_of(message)))
    finally:
        source.close()
    return read


def body_of(message: Message) -> bytes:
    return open_record(message.value, f"partition {message.partition} offset {message.offset}")[1]


def decode_commit(schemas: Schemas, data: bytes) -> Commit:
    body = decode_body(schemas, data)
    command = byte_vector(schemas.commit.CommitBody.GetRootAs(data), COMMAND)
    text = str(uuid.UUID(bytes=command)) if len(command) == 16 else ""
    return Commit(body.stream, body.kind, body.key, body.first, body.events, text)


def check_whole(topic: Topic) -> None:
    """Sequences of each partition and versions of each stream have no gap."""
    versions: dict[str, int] = {}
    for partition, commits in topic.applied.items():
        sequences = [sequence for sequence, _ in commits]
        assert sequences == list(range(1, len(sequences) + 1)), f"partition {partition} has a gap"
        for _, commit in commits:
            before = versions.get(commit.stream, 0)
            assert commit.first == before + 1, f"{commit.stream}: {commit.first} is behind {before}"
            versions[commit.stream] = commit.last


def check_acknowledged(topic: Topic, done) -> None:
    """Each command is in the log once, at the version that was answered."""
    places: dict[str, list[Commit]] = {}
    for commit in topic.commits():
        places.setdefault(commit.command, []).append(commit)
    for each in done:
        found = [(of.stream, of.first, of.last) for of in places.get(each.key, [])]
        wanted = [(each.stream, each.version, each.version)]
        assert found == wanted, f"command {each.key} was answered {wanted}, the log has {found}"


def differences(topic: Topic, log: dict[tuple[str, int], dict]) -> str:
    """What the nodes' log (berth.everywhere) has otherwise than the topic; empty if nothing."""
    truth = topic.events()
    shown = {place: item["command"] for place, item in log.items()}
    places = [at for at in {**truth, **shown} if truth.get(at) != shown.get(at)]
    if not places:
        return ""
    at = places[0]
    return (
        f"{len(places)} events, first {at[0]} version {at[1]}: of command {shown.get(at)} at the "
        f"nodes, of {truth.get(at)} in the topic"
    )


def zombies_applied(topic: Topic, log: dict[tuple[str, int], dict]) -> int:
    """Events of commits that no reader counts and that the nodes show nevertheless."""
    counted = {commit.command for commit in topic.commits()}
    lost = {commit.command for commit in topic.zombies} - counted
    return sum(item["command"] in lost for item in log.values())
