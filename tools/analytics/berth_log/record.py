"""One record of the log: envelope, checksum and chain hash (docs/events.md, "The record").

    0      4          8      16     24        32       40         44        48             80
    magic  partition  epoch  nonce  sequence  time_us  body_size  checksum  previous_hash  zero
    4      u32        u64    u64    u64       i64      u32        u32       32 bytes       16

Little endian; the body follows at 96.
"""

import dataclasses
import hashlib
import struct

import google_crc32c

ENVELOPE = struct.Struct("<4sIQQQqII32s16x")
CHECKSUM = slice(44, 48)
PREVIOUS_HASH = slice(48, 80)
KINDS = {b"BRC1": "commit", b"BRL1": "lead"}
NO_HASH = bytes(32)  # stands before the first commit of a partition


class Corrupt(Exception):
    """A record that says it is Berth's and is not what was written; nothing behind it counts."""


@dataclasses.dataclass(frozen=True)
class Envelope:
    kind: str  # commit | lead
    partition: int
    epoch: int
    nonce: int
    sequence: int
    time_us: int
    previous_hash: bytes


def kind_of(record: bytes) -> str | None:
    """commit, lead, or nothing: not a record of Berth's."""
    return KINDS.get(record[:4]) if len(record) >= ENVELOPE.size else None


def checksum_of(record: bytes) -> int:
    """CRC-32C of the whole record with the checksum's own bytes zero."""
    before = google_crc32c.extend(google_crc32c.value(record[: CHECKSUM.start]), bytes(4))
    return google_crc32c.extend(before, record[CHECKSUM.stop :])


def chain_hash(record: bytes) -> bytes:
    """What the next commit of the partition carries as its previous_hash."""
    parts = (record[PREVIOUS_HASH], record[: CHECKSUM.start], record[ENVELOPE.size :])
    return hashlib.sha256(b"".join(parts)).digest()


def open_record(record: bytes, where: str) -> tuple[Envelope, bytes]:
    """Envelope and body of a record of a known kind, once size and checksum were found right."""
    magic, partition, epoch, nonce, sequence, time_us, size, checksum, previous = (
        ENVELOPE.unpack_from(record)
    )
    body = record[ENVELOPE.size :]
    if size != len(body):
        raise Corrupt(f"{where}: record says its body has {size} bytes, it has {len(body)}")
    if checksum != checksum_of(record):
        raise Corrupt(f"{where}: checksum does not match")
    envelope = Envelope(KINDS[magic], partition, epoch, nonce, sequence, time_us, previous)
    return envelope, body


def partition_of(stream: str, partitions: int) -> int:
    """Where the stream's commits are; neither this nor the number of partitions ever changes."""
    return google_crc32c.value(stream.encode()) % partitions
