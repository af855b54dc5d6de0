"""One log_node process, asked over its pipes from many threads."""

import concurrent.futures
import itertools
import os
import pathlib
import signal
import subprocess
import threading


class NodeGone(Exception):
    """The node died, or was killed, before it answered."""


class Node:
    def __init__(self, command: list[str], name: str, log: pathlib.Path):
        self.command, self.name, self.log = command, name, log
        self.kills = self.pauses = 0
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        with self._lock:
            self._waiting: dict[int, tuple[concurrent.futures.Future, list]] = {}
            self._ready = threading.Event()
            with open(self.log, "ab") as log:
                self._process = subprocess.Popen(
                    self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
                )
            threading.Thread(
                target=self._hear, args=(self._process, self._waiting, self._ready), daemon=True
            ).start()

    def wait_ready(self, within_s: float) -> None:
        if not self._ready.wait(within_s):
            raise AssertionError(f"{self.name} is not ready within {within_s} s: see {self.log}")

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask(self, request: str, within_s: float) -> list[str]:
        """The answer's lines without the id; the last one ends it. TimeoutError, NodeGone."""
        number = next(self._ids)
        answer: concurrent.futures.Future = concurrent.futures.Future()
        with self._lock:
            if not self.alive:
                raise NodeGone(self.name)
            self._waiting[number] = (answer, [])
            try:
                self._process.stdin.write(f"{number} {request}\n".encode())
                self._process.stdin.flush()
            except (OSError, ValueError):  # it died, or was asked to end
                raise NodeGone(self.name) from None
        return answer.result(within_s)

    def kill(self) -> None:
        self.kills += 1
        self._process.kill()
        self._process.wait(10)

    def pause(self) -> None:
        self.pauses += 1
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self.alive:
            os.kill(self._process.pid, signal.SIGCONT)

    def end(self) -> int:
        """Asked to stop, as an operator would: it answers what it has and leaves its group."""
        self.resume()
        self._process.stdin.close()
        return self._process.wait(60)

    @staticmethod
    def _hear(process, waiting, ready) -> None:
        for line in process.stdout:
            words = line.decode().rstrip("\n").split(" ", 1)
            if words[0] == "ready":
                ready.set()
                continue
            answer, lines = waiting[int(words[0])]
            lines.append(words[1])
            if not words[1].startswith(("commit ", "verdict ")):
                del waiting[int(words[0])]
                answer.set_result(lines)
        for answer, _ in list(waiting.values()):
            answer.set_exception(NodeGone("it ended"))
