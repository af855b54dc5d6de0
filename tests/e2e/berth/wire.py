"""The frames of docs/protocol.md as plain dicts, in both forms: binary (`berth.v1`) and JSON.

A frame is {"kind": …, "channel": …, fields by name}; payload bytes are `data`, as bytes.
"""

import base64
import json
import struct

from .flatbuffer import Table, build

HEADER = struct.Struct("<IBBHQ")
KINDS = ["control", "output", "input", "snapshot_data", "credit", "durable", "input_applied"]
KINDS += ["ping", "pong", "body"]
END = 2**64 - 1

ENUMS = {
    "target": ["terminal", "environment", "feed", "files", "room", "conversation"],
    "mode": ["exact", "screen"],
    "right": ["view", "drive"],
}
# Message name -> fields in the order of their ids; the union's tag is the place in this list + 1.
MESSAGES = {
    "hello": "token:string session:string client:string zstd:bool input_stream:string",
    "welcome": "session:string input_stream:string server:string resumed:bool zstd:bool "
    "heartbeat_ms:u32 frame_payload_max:u32 message_bytes_max:u32 channels_max:u32 "
    "channel_window_bytes_max:u32 input_unacknowledged_bytes_max:u32 requests_in_flight_max:u32 "
    "request_body_bytes_max:u32",
    "open": "target:enum id:string mode:enum right:enum from:u64 credit_until:u64 after:string",
    "opened": "from:u64 end:u64 cols:u16 rows:u16 driver:string status:string after:string",
    "close": "",
    "closed": "code:string message:string details:pairs",
    "gap": "from:u64 to:u64",
    "snapshot": "offset:u64 cols:u16 rows:u16 size:u32",
    "resized": "offset:u64 cols:u16 rows:u16",
    "driver": "session:string",
    "ended": "final_offset:u64 has_exit_code:bool exit_code:i32 signal:i32 reason:string "
    "detail:string",
    "input_refused": "sequence:u64 code:string message:string",
    "resize": "cols:u16 rows:u16",
    "take_drive": "",
    "environment_state": "version:u64 body:string",
    "feed_event": "after:string body:string",
    "error": "code:string message:string details:pairs request_id:string",
    "request": "id:u32 method:string path:string headers:pairs body:bytes body_size:u32",
    "response": "id:u32 status:u16 headers:pairs body:bytes body_size:u32",
    "goaway": "code:string message:string reconnect:bool after_ms:u32",
}
FIELDS = {name: [f.split(":") for f in text.split()] for name, text in MESSAGES.items()}
NAMES = list(MESSAGES)
# The JSON form names what the binary header calls `offset`.
OFFSET_NAME = {"input": "sequence", "input_applied": "sequence", "credit": "consumed"}


def _message_fields(frame: dict) -> list:
    fields = []
    for number, (name, kind) in enumerate(FIELDS[frame["kind"]]):
        value = frame.get(name)
        if value is None:
            continue
        if kind == "enum":
            fields.append((number, "u8", ENUMS[name].index(value)))
        elif kind == "pairs":
            pairs = [[(0, "string", a), (1, "string", b)] for a, b in value.items()]
            fields.append((number, "tables", pairs))
        else:
            fields.append((number, kind, value))
    return fields


def encode_binary(frame: dict) -> bytes:
    kind, channel = frame["kind"], frame.get("channel", 0)
    if kind in FIELDS:
        tag = NAMES.index(kind) + 1
        payload = build([(0, "u8", tag), (1, "table", _message_fields(frame))])
        return HEADER.pack(channel, 0, 0, len(payload), 0) + payload
    payload = frame.get("data", b"")
    if kind == "credit":
        payload = struct.pack("<Q", frame["until"])
    if kind == "body":
        channel = frame["id"]
    offset = frame.get(OFFSET_NAME.get(kind, "offset"), 0)
    return HEADER.pack(channel, KINDS.index(kind), 0, len(payload), offset) + payload


def _decode_message(channel: int, payload: bytes) -> dict:
    control = Table(payload)
    name = NAMES[control.scalar(0, "u8") - 1]
    message = control.table(1)
    frame = {"kind": name, "channel": channel}
    for number, (field, kind) in enumerate(FIELDS[name]):
        if kind == "string":
            frame[field] = message.string(number)
        elif kind == "bytes":
            frame[field] = message.bytes(number)
        elif kind == "pairs":
            frame[field] = {p.string(0): p.string(1) for p in message.tables(number)}
        elif kind == "enum":
            frame[field] = ENUMS[field][message.scalar(number, "u8")]
        else:
            frame[field] = message.scalar(number, kind)
    return frame


def decode_binary(message: bytes) -> list[dict]:
    frames, at = [], 0
    while at < len(message):
        channel, kind, flags, length, offset = HEADER.unpack_from(message, at)
        payload = message[at + HEADER.size : at + HEADER.size + length]
        assert len(payload) == length, "the last frame is cut short"
        assert flags == 0, "compression was not asked for"
        at += HEADER.size + length
        if kind == 0:
            frames.append(_decode_message(channel, payload))
        else:
            name = KINDS[kind]
            frame = {"kind": name, "channel": channel, "data": payload}
            frame[OFFSET_NAME.get(name, "offset")] = offset
            if name == "body":
                frame["id"] = channel
            frames.append(frame)
    return frames


def encode_json(frame: dict) -> str:
    plain = dict(frame)
    if "data" in plain:
        plain["data"] = base64.b64encode(plain["data"]).decode()
    if isinstance(plain.get("body"), bytes):
        plain["body_base64"] = base64.b64encode(plain.pop("body")).decode()
    return json.dumps(plain)


def decode_json(message: str) -> list[dict]:
    frame = json.loads(message)
    kind = frame["kind"]
    if "data" in frame or kind in KINDS:
        frame["data"] = base64.b64decode(frame.get("data", ""))
    if kind == "response":
        body = frame.get("body_base64")
        frame["body"] = base64.b64decode(body) if body else frame.get("body", "").encode()
    defaults = {"string": "", "pairs": {}, "bytes": b""}
    for name, of in FIELDS.get(kind, []):
        frame.setdefault(name, defaults.get(of, 0))
    if kind in KINDS:
        frame.setdefault(OFFSET_NAME.get(kind, "offset"), 0)
    frame.setdefault("channel", 0)
    return [frame]
