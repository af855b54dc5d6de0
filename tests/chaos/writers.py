"""Clients that write commands through whichever node takes them, and remember what was answered."""

import dataclasses
import itertools
import random
import threading
import time
from concurrent.futures import TimeoutError as FutureTimeout

from node import Node, NodeGone

ATTEMPT_WITHIN_S = 3.0
BETWEEN_ATTEMPTS_S = 0.01


@dataclasses.dataclass(frozen=True)
class Acknowledged:
    command: int
    stream: str
    partition: int
    sequence: int
    version: int
    began: float  # of the attempt that was answered
    ended: float


class Writers:
    """Each thread has its own streams; a command is tried with its id until somebody says yes."""

    def __init__(self, nodes: list[Node], threads: int, streams_each: int, seed: int):
        self.nodes = nodes
        self.done: list[Acknowledged] = []
        self.unknown = self.refused = self.again = 0
        self._led_by: dict[str, Node] = {}
        self._commands = itertools.count(1)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._broken: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(n, streams_each, seed), daemon=True)
            for n in range(threads)
        ]

    def start(self) -> None:
        for each in self._threads:
            each.start()

    def stop(self, within_s: float) -> None:
        """Every writer finishes the command it is at."""
        self._stop.set()
        until = time.monotonic() + within_s
        for each in self._threads:
            each.join(max(0.1, until - time.monotonic()))
            assert not each.is_alive(), f"a command is not answered within {within_s} s"
        assert not self._broken, self._broken

    def _run(self, number: int, streams_each: int, seed: int) -> None:
        try:
            self._write(number, streams_each, seed)
        except Exception as error:  # of this client; it must not end unseen
            self._broken.append(f"writer {number}: {error!r}")

    def _write(self, number: int, streams_each: int, seed: int) -> None:
        chosen = random.Random(seed * 1000 + number)
        streams = [f"environment/env_{number}_{n}" for n in range(streams_each)]
        while not self._stop.is_set():
            with self._lock:
                command = next(self._commands)
            self._surely(chosen.choice(streams), command, chosen)

    def _surely(self, stream: str, command: int, chosen: random.Random) -> None:
        while True:
            node = self._led_by.get(stream) or chosen.choice(self.nodes)
            began = time.monotonic()
            try:
                words = node.ask(f"do {stream} {command}", ATTEMPT_WITHIN_S)[-1].split(" ")
            except (NodeGone, FutureTimeout):
                words = ["no", "unknown_outcome"]
            if words[0] == "ok":
                return self._note(node, stream, command, words, began)
            self._led_by.pop(stream, None)
            with self._lock:
                self.unknown += words[1] == "unknown_outcome"
                self.refused += words[1] != "unknown_outcome"
            time.sleep(BETWEEN_ATTEMPTS_S)

    def _note(self, node: Node, stream: str, command: int, words: list[str], began: float) -> None:
        self._led_by[stream] = node
        partition, sequence, version = map(int, words[1:4])
        told = Acknowledged(
            command, stream, partition, sequence, version, began, time.monotonic()
        )
        with self._lock:
            self.done.append(told)
            self.again += words[4] == "again"
