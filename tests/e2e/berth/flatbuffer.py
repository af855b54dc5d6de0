"""FlatBuffers by hand, from the format's documentation: enough to write and read control frames.

A table is described by a list of (id, type, value); types are u8 u16 u32 u64 bool string bytes
table and tables. Reading is by id and type, with the schema's default for what is absent.
"""

import struct

SCALARS = {"u8": ("<B", 1), "bool": ("<B", 1), "u16": ("<H", 2), "i32": ("<i", 4), "u32": ("<I", 4)}
SCALARS |= {"u64": ("<Q", 8)}
LARGEST = 8


def _pad(buffer: bytearray, alignment: int) -> None:
    buffer.extend(bytes(-len(buffer) % alignment))


def _write_table(buffer: bytearray, fields: list) -> int:
    """Appends vtable, table and children; returns the table's position."""
    present = [(number, kind, value) for number, kind, value in fields if value is not None]
    slots = max((number for number, _, _ in present), default=-1) + 1
    offsets, size = [0] * slots, 4
    for number, kind, _ in sorted(present, key=lambda field: -SCALARS.get(field[1], ("", 4))[1]):
        width = SCALARS.get(kind, ("", 4))[1]
        size += -size % width
        offsets[number] = size
        size += width
    while (len(buffer) + 4 + 2 * slots) % LARGEST:
        buffer.append(0)
    vtable = len(buffer)
    buffer += struct.pack(f"<HH{slots}H", 4 + 2 * slots, size, *offsets)
    start = len(buffer)
    buffer += struct.pack("<i", start - vtable) + bytes(size - 4)
    for number, kind, value in present:
        at = start + offsets[number]
        if kind in SCALARS:
            struct.pack_into(SCALARS[kind][0], buffer, at, int(value))
        else:
            target = _write_child(buffer, kind, value)
            struct.pack_into("<I", buffer, at, target - at)
    return start


def _write_child(buffer: bytearray, kind: str, value) -> int:
    if kind == "table":
        return _write_table(buffer, value)
    _pad(buffer, 4)
    start = len(buffer)
    if kind == "tables":
        buffer += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for index, fields in enumerate(value):
            at = start + 4 + 4 * index
            struct.pack_into("<I", buffer, at, _write_table(buffer, fields) - at)
        return start
    data = value.encode() if kind == "string" else bytes(value)
    buffer += struct.pack("<I", len(data)) + data
    if kind == "string":
        buffer.append(0)
    return start


def build(fields: list) -> bytes:
    buffer = bytearray(4)
    struct.pack_into("<I", buffer, 0, _write_table(buffer, fields))
    return bytes(buffer)


class Table:
    """A table read in place."""

    def __init__(self, data: bytes, at: int | None = None):
        self.data = data
        self.at = struct.unpack_from("<I", data, 0)[0] if at is None else at
        self.vtable = self.at - struct.unpack_from("<i", data, self.at)[0]
        self.slots = (struct.unpack_from("<H", data, self.vtable)[0] - 4) // 2

    def _place(self, number: int) -> int:
        if number >= self.slots:
            return 0
        offset = struct.unpack_from("<H", self.data, self.vtable + 4 + 2 * number)[0]
        return self.at + offset if offset else 0

    def scalar(self, number: int, kind: str) -> int:
        at = self._place(number)
        return struct.unpack_from(SCALARS[kind][0], self.data, at)[0] if at else 0

    def _target(self, number: int) -> int:
        at = self._place(number)
        return at + struct.unpack_from("<I", self.data, at)[0] if at else 0

    def bytes(self, number: int) -> bytes:
        at = self._target(number)
        if not at:
            return b""
        size = struct.unpack_from("<I", self.data, at)[0]
        return self.data[at + 4 : at + 4 + size]

    def string(self, number: int) -> str:
        return self.bytes(number).decode()

    def table(self, number: int) -> "Table | None":
        at = self._target(number)
        return Table(self.data, at) if at else None

    def tables(self, number: int) -> list["Table"]:
        at = self._target(number)
        if not at:
            return []
        count = struct.unpack_from("<I", self.data, at)[0]
        places = [at + 4 + 4 * i for i in range(count)]
        return [Table(self.data, p + struct.unpack_from("<I", self.data, p)[0]) for p in places]
