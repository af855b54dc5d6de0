"""One session over any number of sockets: requests that are sent again, terminals that resume."""

import asyncio
import json
import random
import time

import websockets.exceptions
from websockets.asyncio.client import connect

from berth import wire
from berth.rest import uuid7

WINDOW = 256 * 1024
LOST = (OSError, EOFError, TimeoutError, websockets.exceptions.WebSocketException)


class Asked:
    def __init__(self, number, name, method, path, body, key):
        self.name, self.key, self.began = name, key, time.monotonic()
        self.frame = {"kind": "request", "id": number, "method": method, "path": path}
        self.frame["headers"] = {"Idempotency-Key": key} if key else {}
        if body is not None:
            self.frame["headers"]["Content-Type"] = "application/json"
            self.frame["body"] = json.dumps(body).encode()
        self.answer = asyncio.get_running_loop().create_future()


class Watched:
    """A terminal as this session sees it: every byte checked when it comes."""

    def __init__(self, terminal: str, right: str, check, pause_s: float = 0.0):
        self.terminal, self.right, self.check, self.pause_s = terminal, right, check, pause_s
        self.cursor = 0
        self.ended: dict | None = None
        self.typed: list[tuple[int, bytes, float]] = []  # not seen applied
        self.sequence = 0
        self.echo_wanted: dict[int, float] = {}  # output offset -> when it was typed
        self.opened = asyncio.Event()


class Session:
    def __init__(self, soak, form: str = "json"):
        self.soak, self.binary = soak, form == "binary"
        self.session = ""
        self.link = None
        self.asked: dict[int, Asked] = {}
        self.next_id = 0
        self.channels: dict[int, Watched] = {}
        self.connects = 0
        self.stopping = False

    async def run(self) -> None:
        while not self.stopping:
            try:
                await self._connect_and_read()
            except LOST:
                pass
            self.link = None
            for each in self.channels.values():
                each.opened.clear()
            await asyncio.sleep(random.uniform(0.05, 0.6))

    async def send(self, *frames: dict) -> None:
        if not self.link or not frames:
            return  # said again after reconnecting
        try:
            if self.binary:
                await self.link.send(b"".join(wire.encode_binary(each) for each in frames))
            else:
                for each in frames:
                    await self.link.send(wire.encode_json(each))
        except LOST:
            pass

    async def _connect_and_read(self) -> None:
        began = time.monotonic()
        async with connect(
            f"ws://127.0.0.1:{self.soak.server.port}/api/v1/ws",
            subprotocols=["berth.v1" if self.binary else "berth.v1.json"],
            additional_headers={"Authorization": f"Bearer {self.soak.token}"},
            max_size=16 * 1024 * 1024,
            compression=None,
            open_timeout=20,
            close_timeout=0.2,
            ping_interval=None,
        ) as link:
            self.link = link
            await self.send({"kind": "hello", "session": self.session, "client": "soak"})
            async for message in link:
                decode = wire.decode_binary if self.binary else wire.decode_json
                for frame in decode(message):
                    if frame["kind"] == "welcome":
                        self.session = frame["session"]
                        self.connects += 1
                        self.soak.timed("connect", began)
                        await self._take_up_again()
                    else:
                        await self._take(frame)
                if self.stopping:
                    return

    async def _take_up_again(self) -> None:
        for number, each in self.channels.items():
            if each.ended is None:
                await self._open(number, each)
        await self.send(*(each.frame for each in self.asked.values()))

    async def _open(self, number: int, each: Watched) -> None:
        opening = {"kind": "open", "channel": number, "target": "terminal", "id": each.terminal}
        opening |= {"mode": "exact", "right": each.right, "from": each.cursor}
        await self.send(opening | {"credit_until": each.cursor + WINDOW})

    async def watch(self, each: Watched) -> None:
        number = len(self.channels) + 1
        self.channels[number] = each
        await self._open(number, each)

    async def type(self, each: Watched, data: bytes) -> None:
        """Bytes the terminal's program prints back at once."""
        number = next(n for n, one in self.channels.items() if one is each)
        each.sequence += 1
        each.typed.append((each.sequence, data, time.monotonic()))
        frame = {"kind": "input", "channel": number, "sequence": each.sequence, "data": data}
        if each.opened.is_set():
            await self.send(frame)

    async def ask(self, name, method, path, body=None, key=None, within_s=60.0):
        """(status, body) of the answer that counts: 429 and 503 are tried again, same key."""
        key = key or (None if method == "GET" else uuid7())
        began = time.monotonic()
        while True:
            self.next_id += 1
            asked = Asked(self.next_id, name, method, path, body, key)
            self.asked[self.next_id] = asked
            await self.send(asked.frame)
            left = within_s - (time.monotonic() - began)
            try:
                frame = await asyncio.wait_for(asked.answer, max(left, 0.1))
            except TimeoutError:
                self.soak.operations.refuse(name, "no answer")
                return 0, {}
            finally:
                self.asked.pop(asked.frame["id"], None)
            body_read = json.loads(frame["body"]) if frame["body"] else {}
            if frame["status"] in (429, 503) and time.monotonic() - began < within_s:
                self.soak.operations.refuse(name, f"{frame['status']} {body_read.get('code')}")
                await asyncio.sleep(random.uniform(0.05, 0.3))
                continue
            if frame["status"] < 300:
                self.soak.timed(name, began)
                if key:
                    self.soak.acknowledged[key] = name
            else:
                self.soak.operations.refuse(name, f"{frame['status']} {body_read.get('code')}")
            return frame["status"], body_read

    async def _take(self, frame: dict) -> None:
        kind = frame["kind"]
        if kind == "response":
            asked = self.asked.get(frame["id"])
            if asked and not asked.answer.done():
                asked.answer.set_result(frame)
            return
        each = self.channels.get(frame["channel"])
        if each is None:
            return
        if kind == "opened":
            await self._opened(frame, each)
        elif kind == "output":
            await self._output(frame, each)
        elif kind == "input_applied":
            each.typed = [one for one in each.typed if one[0] > frame["sequence"]]
        elif kind == "ended":
            each.ended = frame
            if frame["final_offset"] != each.cursor:
                self.soak.problem(f"{each.terminal} ended at {frame}, {each.cursor} were received")
        elif kind == "closed" and each.ended is None:
            if frame["code"] not in ("unavailable", "overloaded"):
                self.soak.problem(f"{each.terminal} closed: {frame}")
            asyncio.get_running_loop().call_later(
                0.2, lambda: asyncio.ensure_future(self._open(frame["channel"], each))
            )
        elif kind == "input_refused" and frame["code"] != "overloaded":
            self.soak.problem(f"{each.terminal} refused input: {frame}")

    async def _opened(self, frame: dict, each: Watched) -> None:
        if frame["from"] != each.cursor:
            self.soak.problem(f"{each.terminal} opened at {frame['from']}, not {each.cursor}")
        each.opened.set()
        again = [
            {"kind": "input", "channel": frame["channel"], "sequence": sequence, "data": data}
            for sequence, data, _ in each.typed
        ]
        await self.send(*again) if again else None

    async def _output(self, frame: dict, each: Watched) -> None:
        if frame["offset"] != each.cursor:
            self.soak.problem(f"{each.terminal}: offset {frame['offset']}, not {each.cursor}")
        if not each.check(frame["offset"], frame["data"]):
            self.soak.problem(f"{each.terminal}: other bytes at {frame['offset']}")
        end = each.cursor + len(frame["data"])
        for offset in [one for one in each.echo_wanted if one < end]:
            self.soak.timed("keystroke echo", each.echo_wanted.pop(offset))
        each.cursor = end
        self.soak.output_bytes += len(frame["data"])
        if each.pause_s:
            await asyncio.sleep(each.pause_s)
        credit = {"kind": "credit", "channel": frame["channel"], "consumed": each.cursor}
        await self.send(credit | {"until": each.cursor + WINDOW})
