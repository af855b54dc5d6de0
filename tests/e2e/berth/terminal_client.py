"""Clients of one terminal: they keep what they received, resume by cursor, check each offset."""

import threading
import time

import websockets.exceptions
from websockets.sync.client import connect

from . import wire

WINDOW = 256 * 1024
SILENCE_MAX_S = 15  # a stalled stream is a failure, not something to sit out


class Socket:
    """One connection in either form. Frames are dicts."""

    def __init__(self, port: int, form: str, token: str, open_timeout_s: float = 10):
        self.binary = form == "binary"
        opening = connect(
            f"ws://127.0.0.1:{port}/api/v1/ws",
            subprotocols=["berth.v1" if self.binary else "berth.v1.json"],
            additional_headers={"Authorization": f"Bearer {token}"},
            max_size=16 * 1024 * 1024,
            compression=None,
            open_timeout=open_timeout_s,
            close_timeout=1,
        )
        self.link = opening.__enter__()

    def send(self, *frames: dict) -> None:
        if self.binary:
            self.link.send(b"".join(wire.encode_binary(frame) for frame in frames))
        else:
            for frame in frames:
                self.link.send(wire.encode_json(frame))

    def receive(self, timeout_s: float | None = None) -> list[dict]:
        message = self.link.recv(timeout=timeout_s)
        return wire.decode_binary(message) if self.binary else wire.decode_json(message)

    def wait_for(self, kind: str, within_s: float = 10, **fields) -> dict:
        """The next frame of that kind (and fields); others are dropped."""
        until = time.monotonic() + within_s
        while True:
            for frame in self.receive(max(0.01, until - time.monotonic())):
                if frame["kind"] == kind and all(frame.get(k) == v for k, v in fields.items()):
                    return frame

    def cut(self) -> None:
        """Drops the connection as a network would: no close frame."""
        try:
            self.link.socket.shutdown(2)
        except OSError:
            pass

    def close(self) -> None:
        self.link.close()


class TerminalClient(threading.Thread):
    """Reads one terminal until it has ended, through any number of lost connections."""

    def __init__(
        self,
        port,
        form,
        token,
        terminal,
        mode="exact",
        right="view",
        start=0,
        pause_s=0.0,
        flows=False,
    ):
        super().__init__(daemon=True)
        self.port, self.form, self.token, self.terminal = port, form, token, terminal
        self.mode, self.right = mode, right
        self.cursor = start
        self.flows = flows  # the program prints all the time
        self.last: list[dict] = []
        self.pause_s = pause_s  # before each credit: a client on a slow line
        self.pieces: list[tuple[int, bytes]] = []  # exact: contiguous
        self.gaps: list[tuple[int, int]] = []
        self.durable = 0
        self.session = ""
        self.input_stream = ""
        self.connects = 0
        self.cuts = 0
        self.ended: dict | None = None
        self.problem: str | None = None
        self.lock = threading.Lock()
        self.unapplied: list[tuple[int, bytes]] = []
        self.next_sequence = 1
        self.socket: Socket | None = None
        self.stopping = False

    # Called by the test.
    def type(self, data: bytes) -> None:
        with self.lock:
            frame = (self.next_sequence, data)
            self.next_sequence += 1
            self.unapplied.append(frame)
            socket = self.socket
        if socket:
            try:
                socket.send(self._input(frame))
            except (OSError, websockets.exceptions.WebSocketException):
                pass  # sent again after reconnecting

    def cut(self) -> bool:
        socket = self.socket
        if not socket:
            return False
        socket.cut()
        self.cuts += 1
        return True

    def data(self) -> bytes:
        return b"".join(piece for _, piece in self.pieces)

    def waiting_input(self) -> int:
        with self.lock:
            return len(self.unapplied)

    def run(self) -> None:
        while not self.stopping and self.ended is None and self.problem is None:
            try:
                self._connect_and_read()
            except (OSError, EOFError, TimeoutError, websockets.exceptions.WebSocketException):
                time.sleep(0.02)
            except AssertionError as error:
                self.problem = str(error)
            finally:
                self.socket = None

    def _input(self, frame: tuple[int, bytes]) -> dict:
        return {"kind": "input", "channel": 1, "sequence": frame[0], "data": frame[1]}

    def _connect_and_read(self) -> None:
        socket = Socket(self.port, self.form, self.token)
        opening = {"kind": "open", "channel": 1, "target": "terminal", "id": self.terminal}
        opening |= {"mode": self.mode, "right": self.right, "from": self.cursor}
        opening |= {"credit_until": self.cursor + WINDOW}
        hello = {"kind": "hello", "session": self.session, "client": "e2e"}
        socket.send(hello | {"input_stream": self.input_stream}, opening)
        try:
            while not self.stopping:
                try:
                    frames = socket.receive(SILENCE_MAX_S)
                except TimeoutError:
                    silent = f"nothing came for {SILENCE_MAX_S} s at {self.cursor}: {self.last}"
                    assert not self.flows, silent
                    continue
                for frame in frames:
                    self._take(socket, frame)
                    if self.ended is not None and frame["kind"] == "closed":
                        socket.close()
                        return
        finally:
            socket.cut()

    def _return_credit(self, socket: Socket) -> None:
        credit = {"kind": "credit", "channel": 1, "consumed": self.cursor}
        socket.send(credit | {"until": self.cursor + WINDOW})

    def _take(self, socket: Socket, frame: dict) -> None:
        kind = frame["kind"]
        self.last = [*self.last[-5:], {k: v for k, v in frame.items() if k != "data"}]
        if kind == "welcome":
            self.session, self.input_stream = frame["session"], frame["input_stream"]
        elif kind == "opened":
            self.connects += 1
            assert self.mode == "screen" or frame["from"] == self.cursor, f"opened at {frame}"
            with self.lock:
                again = list(self.unapplied)
                self.socket = socket
            if again:
                socket.send(*(self._input(each) for each in again))
        elif kind == "output":
            assert frame["offset"] == self.cursor, f"offset {frame['offset']}, not {self.cursor}"
            self.pieces.append((frame["offset"], frame["data"]))
            self.cursor += len(frame["data"])
            if self.pause_s:
                time.sleep(self.pause_s)
            self._return_credit(socket)
        elif kind == "gap":
            assert self.mode == "screen", "a gap in an exact channel"
            assert frame["from"] == self.cursor, f"gap from {frame['from']}, not {self.cursor}"
            self.gaps.append((frame["from"], frame["to"]))
            self.cursor = frame["to"]
            self._return_credit(socket)
        elif kind == "durable":
            self.durable = max(self.durable, frame["offset"])
        elif kind == "input_applied":
            with self.lock:
                self.unapplied = [each for each in self.unapplied if each[0] > frame["sequence"]]
        elif kind == "input_refused":
            assert frame["code"] == "overloaded", f"input refused: {frame}"
        elif kind == "ended":
            self.ended = frame
        elif kind == "closed" and self.ended is None:
            # A server that is starting may not know the terminal's environment yet.
            assert frame["code"] in ("unavailable", "overloaded"), f"closed: {frame}"
            raise EOFError
        elif kind == "error":
            raise EOFError
