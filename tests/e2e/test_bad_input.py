"""10,000 mutated frames and requests: typed errors, no crash, no hang, no growth, nor harm."""

import http.client
import json
import random
import socket as sockets
import struct
import time

import pytest
import websockets.exceptions

from berth import wire
from berth.rest import uuid7
from berth.terminal_client import Socket, TerminalClient

REQUESTS = 5_000
FRAMES = 5_000
GROWTH_BYTES_MAX = 64 * 1024 * 1024
ALIVE_WITHIN_S = 10


class Mutator:
    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def scalar(self):
        odd = [0, -1, 1, 2**31, 2**32, 2**63, 2**64 - 1, 1.5, True, None, "", "\0", "é" * 9, [], {}]
        odd += ["x" * self.random.choice([1, 63, 64, 65, 4096, 70_000]), "../../etc/passwd", "%00"]
        return self.random.choice(odd)

    def value(self, given, depth=0):
        if self.random.random() < 0.3 or depth > 3:
            return self.scalar()
        if isinstance(given, dict):
            out = dict(given)
            for key in list(out):
                roll = self.random.random()
                if roll < 0.3:
                    out[key] = self.value(out[key], depth + 1)
                elif roll < 0.4:
                    del out[key]
            if self.random.random() < 0.2:
                out[str(self.scalar())[:64]] = self.scalar()
            return out
        if isinstance(given, list):
            return [self.value(each, depth + 1) for each in given] * self.random.choice(
                [1, 1, 2, 40]
            )
        return self.scalar()

    def bytes(self, given: bytes) -> bytes:
        out = bytearray(given)
        for _ in range(self.random.randrange(1, 6)):
            roll = self.random.randrange(4)
            at = self.random.randrange(len(out) + 1)
            if roll == 0 and out:
                out[at % len(out)] ^= 1 << self.random.randrange(8)
            elif roll == 1:
                out[at:at] = self.random.randbytes(self.random.choice([1, 2, 4, 16]))
            elif roll == 2:
                del out[at : at + self.random.choice([1, 2, 8, 64])]
            elif len(out) >= 4:
                at = self.random.randrange(len(out) - 3)
                odd = self.random.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(out)])
                out[at : at + 4] = struct.pack("<I", odd)
        return bytes(out)


class Bystander:
    """A valid client that works all along and must see no error."""

    def __init__(self, server, rest, environment):
        path = f"/api/v1/environments/{environment['id']}/terminals"
        keep = "stty raw -echo; printf ready; exec cat"
        terminal = rest.good("POST", path, {"command": ["/bin/sh", "-c", keep]})["terminal"]["id"]
        self.client = TerminalClient(
            server.port, "binary", server.admin_token, terminal, right="drive"
        )
        self.client.start()
        until = time.monotonic() + ALIVE_WITHIN_S
        while self.client.data() != b"ready":
            assert time.monotonic() < until, "the bystander's terminal did not start"
            time.sleep(0.01)
        self.sent = b""
        self.alive()

    def alive(self) -> None:
        piece = f"{len(self.sent)};".encode()
        self.sent += piece
        until = time.monotonic() + ALIVE_WITHIN_S
        while not self.client.socket:
            assert time.monotonic() < until, "the bystander is not connected"
            time.sleep(0.01)
        self.client.type(piece)
        while not self.client.data().endswith(self.sent[-200:]):
            assert time.monotonic() < until, "the bystander got no echo"
            assert self.client.problem is None, self.client.problem
            time.sleep(0.002)
        assert self.client.connects == 1, "the bystander lost its connection"


@pytest.fixture(scope="module")
def bystander(server, rest, environment):
    return Bystander(server, rest, environment)


def valid_requests(environment) -> list[tuple[str, str, dict | None]]:
    place = f"/api/v1/environments/{environment['id']}"
    return [
        ("POST", "/api/v1/environments", {"name": "first", "instance_type": "lightweight"}),
        ("GET", "/api/v1/environments?limit=10", None),
        ("GET", place, None),
        ("POST", f"{place}/activity", {"kind": "x"}),
        (
            "POST",
            f"{place}/exec",
            {"command": ["/bin/true"], "stdin": "", "env": {"A": "b"}, "timeout_ms": 1000},
        ),
        ("POST", f"{place}/terminals", {"cols": 80, "rows": 24, "command": ["/bin/true"]}),
        ("GET", f"{place}/wait?state=RUNNING&timeout_ms=10", None),
        ("GET", "/api/v1/events?limit=5", None),
        ("GET", "/api/v1/usage?from=2026-01-01T00:00:00Z", None),
        ("GET", "/api/v1/terminals/term_00000000000000000000000000/output?from=0", None),
        ("POST", "/api/v1/accounts", {"name": "abc", "role": "member"}),
        ("POST", "/api/v1/auth/jwt", {"lifetime_s": 60}),
    ]


def mutated_request(mutator, valid, token):
    method, path, body = mutator.random.choice(valid)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    roll = mutator.random.random()
    if roll < 0.5 and body is not None:
        data = json.dumps(mutator.value(body)).encode()
    elif roll < 0.65 and data:
        data = mutator.bytes(data)
    elif roll < 0.85:
        head, _, query = path.partition("?")
        part = mutator.random.randrange(1, 5)
        pieces = head.split("/")
        pieces[-1 if part > 2 else len(pieces) // 2] = str(mutator.scalar())[:80]
        path = "/".join(pieces) + (f"?{query}&limit={mutator.scalar()}" if query else "")
        path = "".join(
            c if 32 < ord(c) < 127 and c not in " #" else f"%{ord(c) & 0xFF:02X}" for c in path
        )
    elif roll < 0.92:
        name = mutator.random.choice(
            ["Idempotency-Key", "If-Match", "Content-Type", "Authorization"]
        )
        headers[name] = (
            mutator.bytes(b"0190b9f0-5c3e-7d3a")
            .decode("latin-1")
            .translate({13: 63, 10: 63, 0: 63})
        )
    else:
        method = mutator.random.choice(["PUT", "PATCH", "OPTIONS", "TRACE", "HEAD", "X"])
    if method == "POST" and path.endswith("/environments") and roll < 0.5:
        headers["Idempotency-Key"] = uuid7()
    return method, path, data, headers


def test_mutated_requests_are_answered_with_typed_errors(server, environment, bystander, seed):
    mutator, statuses, passed = Mutator(seed), {}, 0
    valid = valid_requests(environment)
    before = server.rss_bytes()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ALIVE_WITHIN_S)
    for number in range(REQUESTS):
        method, path, data, headers = mutated_request(mutator, valid, server.admin_token)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (http.client.HTTPException, ConnectionError) as error:
            connection.close()  # only what breaks HTTP itself may be answered by closing
            assert (
                method in ("X", "TRACE") or "Idempotency-Key" in headers or roll_is_header(headers)
            ), f"seed {seed} request {number}: {method} {path}: {error!r}"
            continue
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        passed += answer.status not in (401, 404, 405)
        assert (
            answer.status < 500 or answer.status == 503
        ), f"seed {seed} request {number}: {method} {path} {data!r}: {text!r}"
        if answer.status >= 400 and method != "HEAD":
            body = json.loads(text)
            assert body["code"] and body["error"] and body["request_id"], f"{number}: {text!r}"
        if number % 250 == 0:
            bystander.alive()
    print(statuses)
    assert passed >= REQUESTS // 2, f"only {passed} passed authentication and routing: {statuses}"
    assert server.rss_bytes() - before < GROWTH_BYTES_MAX


def roll_is_header(headers: dict) -> bool:
    return any(not value.isascii() or not value.isprintable() for value in headers.values())


def valid_frames(environment, terminal) -> list[dict]:
    return [
        {"kind": "open", "channel": 2, "target": "environment", "id": environment["id"]},
        {"kind": "open", "channel": 3, "target": "terminal", "id": terminal, "credit_until": 1000},
        {"kind": "open", "channel": 4, "target": "feed", "after": ""},
        {"kind": "credit", "channel": 1, "consumed": 10, "until": 1000},
        {"kind": "input", "channel": 1, "sequence": 1, "data": b"x"},
        {"kind": "resize", "channel": 1, "cols": 80, "rows": 24},
        {"kind": "take_drive", "channel": 1},
        {"kind": "close", "channel": 3},
        {"kind": "ping", "offset": 7, "data": b"abc"},
        {
            "kind": "request",
            "id": 5,
            "method": "GET",
            "path": "/api/v1/environments",
            "headers": {"a": "b"},
        },
        {"kind": "body", "id": 5, "offset": 0, "data": b"abc"},
        {"kind": "hello", "token": "x", "client": "y"},
    ]


def mutated_message(mutator, frame, binary: bool):
    """Mostly within intact framing: a header that fits its payload, or JSON with a kind."""
    if not binary:
        plain = json.loads(wire.encode_json(frame))
        if mutator.random.random() < 0.85:
            kind = plain.pop("kind")
            mutated = mutator.value(plain) if mutator.random.random() < 0.9 else {}
            mutated = mutated if isinstance(mutated, dict) else {}
            if mutator.random.random() < 0.1:
                kind = str(mutator.scalar())[:50]
            return json.dumps({"kind": kind} | mutated), True
        return mutator.bytes(json.dumps(plain).encode()).decode("latin-1"), False
    whole = wire.encode_binary(frame)
    if mutator.random.random() < 0.85:
        channel, kind, flags, _, offset = wire.HEADER.unpack_from(whole)
        payload = mutator.bytes(whole[wire.HEADER.size :])[:65535]
        if mutator.random.random() < 0.2:
            kind = mutator.random.randrange(256)
        if mutator.random.random() < 0.2:
            channel = mutator.random.choice([0, 1, 2, 3, 2**32 - 1])
        if mutator.random.random() < 0.1:
            flags = mutator.random.randrange(256)
        return wire.HEADER.pack(channel, kind, flags, len(payload), offset) + payload, True
    return mutator.bytes(whole), False


@pytest.mark.parametrize("form", ["json", "binary"])
def test_mutated_frames_leave_the_connection_or_close_it_with_a_code(
    server, rest, environment, bystander, seed, form
):
    mutator, binary = Mutator(seed + len(form)), form == "binary"
    path = f"/api/v1/environments/{environment['id']}/terminals"
    terminal = rest.good("POST", path, {"command": ["/bin/cat"]})["terminal"]["id"]
    valid = valid_frames(environment, terminal)
    before = server.rss_bytes()
    framed = closes = 0
    codes = {}
    socket = None
    for number in range(FRAMES // 2):
        if socket is None:
            socket = Socket(server.port, form, server.admin_token)
            opening = {"kind": "open", "channel": 1, "target": "terminal", "id": terminal}
            socket.send({"kind": "hello"}, opening | {"right": "drive", "credit_until": 65536})
            socket.wait_for("opened", channel=1)
        message, intact = mutated_message(mutator, mutator.random.choice(valid), binary)
        framed += intact
        try:
            socket.link.send(message)
            if number % 20 == 19:  # answered in order, so a pong says all before it was dealt with
                socket.send({"kind": "ping", "offset": number + 1000, "data": b""})
                socket.wait_for("pong", ALIVE_WITHIN_S, offset=number + 1000)
        except websockets.exceptions.ConnectionClosed as closed:
            closes += 1
            assert (
                closed.rcvd is not None
            ), f"seed {seed} {form} frame {number}: closed without a code"
            codes[closed.rcvd.code] = codes.get(closed.rcvd.code, 0) + 1
            assert closed.rcvd.code in (
                1003,
                1007,
                1009,
                4400,
                4401,
                4403,
                4413,
            ), f"seed {seed} {form} frame {number}: {closed.rcvd}"
            socket = None
        if number % 250 == 0:
            bystander.alive()
    print(form, f"{framed} framed of {FRAMES // 2}, {closes} closes: {codes}")
    assert framed >= FRAMES // 4
    assert closes < FRAMES // 2 - framed + FRAMES // 20, "well-framed messages closed the socket"
    assert server.rss_bytes() - before < GROWTH_BYTES_MAX
    bystander.alive()


def test_raw_garbage_on_the_port_is_refused_and_forgotten(server, bystander, seed):
    chance = random.Random(seed)
    shapes = [
        lambda: chance.randbytes(chance.randrange(1, 4096)),
        lambda: b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        lambda: b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
        lambda: b"POST /api/v1/environments HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        lambda: b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(200),
    ]
    for number in range(200):
        with sockets.create_connection(("127.0.0.1", server.port), timeout=ALIVE_WITHIN_S) as raw:
            raw.settimeout(ALIVE_WITHIN_S)
            try:
                raw.sendall(shapes[number % len(shapes)]())
                raw.shutdown(sockets.SHUT_WR)
                while raw.recv(65536):
                    pass
            except (ConnectionError, BrokenPipeError):
                pass
    bystander.alive()


def test_the_server_is_the_same_process_still(server, bystander):
    assert server.process.poll() is None and server.kills == 0
    bystander.alive()
