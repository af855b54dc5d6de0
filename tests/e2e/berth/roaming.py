"""Clients of a cluster: they go to another node whenever the one they talk to fails them."""

import http.client
import time

from .rest import Answer, Rest, uuid7
from .terminal_client import TerminalClient

ANSWER_WITHIN_S = 5.0  # of one try: a node that is stopped keeps its clients waiting
AGAIN_AFTER_S = 0.05
CONNECT_AGAIN_AFTER_S = 0.2
EXEC_WITHIN_S = 60
# A line is its name and number; the rest makes the stream worth counting.
FILL = "x" * 80
PRINTER = r"""
use strict; use Time::HiRes qw(sleep); my ($name, $fill, $every) = @ARGV; $| = 1; my $n = 0;
until (-e "/workspace/$name.stop") { printf "%s %09d %s\n", $name, ++$n, $fill; sleep $every; }
open my $told, '>', "/workspace/$name.printed" or die; print $told "$n\n";
"""


class Roaming(Rest):
    """REST through whichever node answers. One thread has one."""

    def __init__(self, ports, token, first=0, again_on=(503,), timeout_s=ANSWER_WITHIN_S):
        super().__init__(ports[first % len(ports)], token, timeout_s)
        self._rests = [Rest(port, token, timeout_s) for port in ports]
        self._turn, self._again_on = first, again_on
        self.refused = self.cut = 0  # tries

    def move_on(self) -> None:
        """The next command goes to the next node."""
        self._turn += 1

    def ask(self, method, path, body=None, key=None, headers=None) -> Answer:
        return self._rests[self._turn % len(self._rests)].ask(method, path, body, key, headers)

    def surely(self, method, path, body=None, key=None, within_s=60) -> Answer:
        """Retries lost connections and the statuses of `again_on`, with the same key."""
        key = key or (None if method == "GET" else uuid7())
        until = time.monotonic() + within_s
        while True:
            try:
                answer = self.ask(method, path, body, key)
                if answer.status not in self._again_on:
                    return answer
                self.refused += 1
                why = repr(answer)
            except (OSError, http.client.HTTPException) as lost:
                self.cut += 1
                why = repr(lost)
            if time.monotonic() > until:
                raise TimeoutError(f"{method} {path}: no answer within {within_s:.0f} s: {why}")
            self.move_on()
            time.sleep(AGAIN_AFTER_S)


class RoamingTerminal(TerminalClient):
    """Each connection through the next node."""

    def __init__(self, ports, form, token, terminal, first=0, **more):
        super().__init__(ports[first % len(ports)], form, token, terminal, **more)
        self._ports, self._turn = ports, first

    def _connect_and_read(self) -> None:
        self.port = self._ports[self._turn % len(self._ports)]
        self._turn += 1
        began = time.monotonic()
        try:
            super()._connect_and_read()
        finally:
            spent = time.monotonic() - began
            if self.ended is None and not self.stopping and spent < CONNECT_AGAIN_AFTER_S:
                time.sleep(CONNECT_AGAIN_AFTER_S - spent)


class Printer:
    """A terminal that prints numbered lines until it is told to stop, and who reads it."""

    def __init__(self, rest: Rest, environment: str, name: str, every_s: float = 0.02):
        self.environment, self.name = environment, name
        script = 'stty raw -echo; exec perl -e "$0" "$@"'
        command = ["/bin/sh", "-c", script, PRINTER, name, FILL, str(every_s)]
        body = {"cols": 80, "rows": 24, "command": command}
        made = rest.good("POST", f"/api/v1/environments/{environment}/terminals", body, expect=201)
        self.terminal = made["terminal"]["id"]
        self.readers: list[RoamingTerminal] = []

    def read(self, ports, form: str, token: str, first=0) -> RoamingTerminal:
        reader = RoamingTerminal(ports, form, token, self.terminal, first)
        reader.start()
        self.readers.append(reader)
        return reader

    def tell_to_stop(self, rest: Rest) -> None:
        run_again(rest, self.environment, f"touch /workspace/{self.name}.stop")

    def leave(self) -> None:
        """Its readers go; the program prints on."""
        for reader in self.readers:
            reader.stopping = True
            reader.cut()

    def check(self, rests: list[Rest], within_s: float) -> int:
        """Told to stop: every reader, and the recording through each node, has every line once.

        Returns how many bytes that were.
        """
        until = time.monotonic() + within_s
        for reader in self.readers:
            reader.join(max(0.1, until - time.monotonic()))
            assert reader.problem is None, f"{self.name}: {reader.problem}"
            assert reader.ended, f"{self.name} did not end: at {reader.cursor}, {reader.last}"
        told = run_again(rests[0], self.environment, f"cat /workspace/{self.name}.printed")
        expected = self.lines(int(told))
        seen = {f"{each.form} reader": each.data() for each in self.readers}
        for rest in rests:
            within = max(1.0, until - time.monotonic())
            seen[f"recording through port {rest.port}"] = recorded(rest, self.terminal, within)
        for who, data in seen.items():
            assert data == expected, f"{self.name}, {who}: {first_difference(data, expected)}"
        return len(expected)

    def lines(self, count: int) -> bytes:
        return "".join(f"{self.name} {n:09d} {FILL}\n" for n in range(1, count + 1)).encode()


def first_difference(data: bytes, expected: bytes) -> str:
    pairs = enumerate(zip(data, expected, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(data), len(expected)))
    return (
        f"{len(data)} bytes, {len(expected)} were printed; different from {at} on: "
        f"{data[at : at + 40]!r}, not {expected[at : at + 40]!r}"
    )


def recorded(rest: Rest, terminal: str, within_s: float, size: int | None = None) -> bytes:
    """The output by REST: up to its end, or of a terminal that goes on its first `size` bytes."""
    until, data = time.monotonic() + within_s, b""
    while True:
        path = f"/api/v1/terminals/{terminal}/output?from={len(data)}"
        answer = rest.surely("GET", path)
        assert answer.status == 200, f"{path}: {answer}"
        assert int(answer.headers["berth-offset"]) == len(data), answer.headers
        data += answer.text
        wanted = size or answer.headers.get("berth-final-offset")
        if wanted is not None and len(data) >= int(wanted):
            return data
        assert time.monotonic() < until, f"{path}: {len(data)} bytes, {wanted or 'not ended'}"
        if not answer.text:
            time.sleep(AGAIN_AFTER_S)


def run_again(rest: Rest, environment: str, script: str) -> str:
    """Runs what does no harm twice, until its outcome is known."""
    body = {"command": ["/bin/sh", "-c", script], "timeout_ms": 10_000}
    path, until = f"/api/v1/environments/{environment}/exec", time.monotonic() + EXEC_WITHIN_S
    while True:
        try:
            answer = rest.ask("POST", path, body, uuid7())
            if answer.status == 200 and answer.body["exit_code"] == 0:
                return answer.body["stdout"]
            why = repr(answer)
        except (OSError, http.client.HTTPException) as lost:
            why = repr(lost)
        assert time.monotonic() < until, f"{script}: not done within {EXEC_WITHIN_S} s: {why}"
        time.sleep(AGAIN_AFTER_S)
