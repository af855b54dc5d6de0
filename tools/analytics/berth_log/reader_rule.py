"""Which records of a partition count (docs/events.md, "The reader rule").

 R1  A Lead is taken if and only if its epoch is the present one + 1.
 R2  A commit is applied if and only if epoch and nonce are the present leader's, its sequence is
     the last + 1 and its first version follows its stream's last.
 R3  Everything else is skipped and counted. Damage is not skipped: it is an error.

Whoever reads the same records decides alike; only so do the writer's repeated tries, and a writer
that was replaced and does not know it yet, change nothing.
"""

import collections
import dataclasses
import enum
from collections.abc import Callable

from .commit_body import CommitBody
from .record import NO_HASH, Corrupt, Envelope, chain_hash, kind_of, open_record


class Verdict(enum.StrEnum):
    APPLIED = "applied"
    LEAD_TAKEN = "lead_taken"
    VOID_LEAD = "void_lead"  # of an epoch that is not the next
    OTHER_LEADER = "other_leader"  # a commit of somebody who does not lead (any more)
    REPEATED = "repeated"  # a sequence that was applied before
    OUT_OF_ORDER = "out_of_order"  # a sequence that is not the next
    WRONG_VERSION = "wrong_version"  # not the next version of its stream
    FOREIGN = "foreign"  # not a record of Berth's, or of another partition


SKIPPED = tuple(each for each in Verdict if each not in (Verdict.APPLIED, Verdict.LEAD_TAKEN))


@dataclasses.dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    envelope: Envelope | None = None
    body: CommitBody | None = None  # of an applied commit


class PartitionReader:
    """What is known of one partition behind the records judged so far. An error changes nothing."""

    def __init__(self, partition: int, decode_body: Callable[[bytes], CommitBody]):
        self.partition = partition
        self.leader = (0, 0)  # epoch, nonce: none yet
        self.sequence = 0  # of the last applied commit
        self.hash = NO_HASH  # of it
        self.versions: dict[str, int] = {}  # last version of each stream
        self.counts: collections.Counter[Verdict] = collections.Counter()
        self._decode_body = decode_body

    def judge(self, record: bytes | None, offset: int) -> Judgement:
        """Judges the record at `offset` of the partition and moves on; raises Corrupt."""
        where = f"partition {self.partition} offset {offset}"
        kind = kind_of(record or b"")
        if kind is None:
            judged = Judgement(Verdict.FOREIGN)
        else:
            envelope, body = open_record(record, where)
            if envelope.partition != self.partition:
                judged = Judgement(Verdict.FOREIGN, envelope)
            elif kind == "lead":
                judged = self._judge_lead(envelope)
            else:
                judged = self._judge_commit(envelope, body, record, where)
        self.counts[judged.verdict] += 1
        return judged

    def _judge_lead(self, envelope: Envelope) -> Judgement:
        if envelope.epoch != self.leader[0] + 1:
            return Judgement(Verdict.VOID_LEAD, envelope)
        self.leader = (envelope.epoch, envelope.nonce)
        return Judgement(Verdict.LEAD_TAKEN, envelope)

    def _judge_commit(self, envelope: Envelope, body: bytes, record: bytes, where: str):
        nobody_leads = self.leader[0] == 0  # whatever a record says
        if nobody_leads or (envelope.epoch, envelope.nonce) != self.leader:
            return Judgement(Verdict.OTHER_LEADER, envelope)
        if envelope.sequence <= self.sequence:
            return Judgement(Verdict.REPEATED, envelope)
        if envelope.sequence != self.sequence + 1:
            return Judgement(Verdict.OUT_OF_ORDER, envelope)
        if envelope.previous_hash != self.hash:
            raise Corrupt(f"{where}: chain hash does not match the commit before")
        try:
            commit = self._decode_body(body)
        except ValueError as why:
            raise Corrupt(f"{where}: {why}") from None
        if commit.first != self.versions.get(commit.stream, 0) + 1:
            return Judgement(Verdict.WRONG_VERSION, envelope)
        self.versions[commit.stream] = commit.last
        self.sequence = envelope.sequence
        self.hash = chain_hash(record)
        return Judgement(Verdict.APPLIED, envelope, commit)
