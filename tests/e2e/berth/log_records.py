"""Records of Berth's log, written by hand from docs/events.md: by other code than what reads them.

    writer = PartitionWriter()
    records = [writer.lead(1, 7), writer.commit("environment/env_1", 1, [started(2_000_000)])]

What a partition may hold beside a leader's own commits is made by giving fields of the envelope.
"""

import functools
import hashlib
import struct

from . import flatbuffer

ENVELOPE = struct.Struct("<4sIQQQqII32s16s")
KINDS = {"account": 1, "session": 2, "environment": 3, "terminal": 4, "host": 5}
PRICE = 23_000_000  # pico-USD a second, of `lightweight`
CREATED, PROVISIONED, START_ASKED, STARTED, STOP_ASKED = 1, 2, 3, 4, 5
STOPPED, FAILED, DELETE_ASKED, DELETED, LOST, EXEC_ASKED = 6, 7, 8, 9, 10, 12

Event = tuple[int, bytes]


@functools.cache
def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


def crc32c(data: bytes) -> int:
    table, crc = _crc_table(), 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def seal(magic, body, *, partition=0, epoch, nonce, sequence, time_us=0, previous=bytes(32)):
    """The record, and the chain hash of the one that follows it."""
    numbers = (magic, partition, epoch, nonce, sequence, time_us, len(body))
    record = bytearray(ENVELOPE.pack(*numbers, 0, previous, bytes(16)) + body)
    record[44:48] = struct.pack("<I", crc32c(record))
    hashed = hashlib.sha256(previous + record[:44] + body).digest()
    return bytes(record), hashed


def body_of(stream: str, first: int, events: list[Event], kind: int | None = None) -> bytes:
    """CommitBody of schemas/commit.fbs."""
    name, key = stream.split("/")
    records = [[(0, "u16", tag), (1, "bytes", payload)] for tag, payload in events]
    fields = [(0, "u8", kind or KINDS[name]), (1, "string", key), (2, "u64", first)]
    fields += [(3, "bytes", bytes(16)), (5, "string", "acct_1"), (8, "bytes", bytes(16))]
    return flatbuffer.build(fields + [(13, "tables", records)])


def event(tag: int, *fields) -> Event:
    """A Record of one of the aggregates' schemas: union tag and table."""
    return tag, flatbuffer.build([(0, "u8", tag), (1, "table", list(fields))])


def created(at_us: int, account="acct_1", name="first", price=PRICE) -> Event:
    texts = (account, name, "lightweight", "host", "2026-11")
    fields = [(number, "string", text) for number, text in enumerate(texts)]
    return event(CREATED, *fields, (5, "u64", price), (6, "u64", at_us))


def at(tag: int, at_us: int) -> Event:
    """An event whose first field is its time."""
    return event(tag, (0, "u64", at_us))


def started(at_us: int) -> Event:
    return event(STARTED, (0, "string", "inc_1"), (1, "string", "host_1"), (2, "u64", at_us))


def stop_asked(at_us: int, reason=0) -> Event:
    return event(STOP_ASKED, (0, "u8", reason), (1, "u64", at_us))


def failed(at_us: int, during: int) -> Event:
    return event(FAILED, (0, "u8", during), (1, "string", "why"), (3, "u64", at_us))


def lost(at_us: int, alive_until_us: int) -> Event:
    return event(LOST, (0, "string", "gone"), (1, "u64", alive_until_us), (2, "u64", at_us))


class PartitionWriter:
    """A leader as R1 and R2 want it: next epoch, next sequence, chain link of its own last."""

    def __init__(self, partition: int = 0):
        self.partition = partition
        self.epoch, self.nonce, self.sequence, self.hash = 0, 0, 0, bytes(32)

    def lead(self, epoch: int, nonce: int) -> bytes:
        """Announces, and leads from here on."""
        self.epoch, self.nonce = epoch, nonce
        body = flatbuffer.build([(0, "string", "node-1")])
        return self._seal(b"BRL1", body)[0]

    def commit(self, stream: str, first: int, events: list[Event], **fields) -> bytes:
        """The next commit; given fields of the envelope it is another record, and no next one."""
        return self.commit_of(body_of(stream, first, events), **fields)

    def commit_of(self, body: bytes, **fields) -> bytes:
        if fields:
            return self._seal(b"BRC1", body, **({"sequence": self.sequence + 1} | fields))[0]
        self.sequence += 1
        record, self.hash = self._seal(b"BRC1", body)
        return record

    def _seal(self, magic: bytes, body: bytes, **fields):
        ours = {"epoch": self.epoch, "nonce": self.nonce, "sequence": self.sequence}
        ours |= {"partition": self.partition, "previous": self.hash}
        return seal(magic, body, **(ours | fields))
