"""Clients that write through all nodes of a cluster, and remember what was acknowledged.

They retry lost connections and refusals of nodes that cannot serve just now, with the same key;
any other answer is a problem. A stream is written by one of them only.
"""

import concurrent.futures
import dataclasses
import itertools
import random
import threading
import time

from .log_records import crc32c
from .rest import Rest, uuid7
from .roaming import Roaming

COMMAND_WITHIN_S = 30
GOOD = (200, 201)
ACCOUNTS_A_PARTITION_MAX = 40  # to be made until each partition has one: some 4 of 16 are


@dataclasses.dataclass(frozen=True)
class Acknowledged:
    """A command that was answered with yes: what was asked, what was answered, when."""

    stream: str
    method: str
    path: str
    body: dict | None
    key: str
    status: int
    etag: str
    began: float  # of its first try
    ended: float

    @property
    def version(self) -> int:
        return int(self.etag.strip('"'))


class Writers:
    """`streams` are account/acct_… (tokens come and go) and environment/env_… (activity)."""

    def __init__(
        self, ports, token, streams, seed, threads=6, pause_s=0.08, again_on=(503,),
        command_within_s=COMMAND_WITHIN_S,
    ):  # fmt: skip
        self.done: list[Acknowledged] = []
        self.problems: list[str] = []
        self._ports, self._pause_s = ports, pause_s
        self._command_within_s = command_within_s
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._rests = [Roaming(ports, token, n, again_on) for n in range(threads)]
        self._threads = [
            threading.Thread(target=self._run, args=(n, streams[n::threads], seed), daemon=True)
            for n in range(min(threads, len(streams)))
        ]

    @property
    def refused(self) -> int:
        return sum(rest.refused for rest in self._rests)

    @property
    def cut(self) -> int:
        return sum(rest.cut for rest in self._rests)

    def start(self) -> "Writers":
        for each in self._threads:
            each.start()
        return self

    def stop(self) -> None:
        """Every writer finishes the command it is at."""
        self._stop.set()
        for each in self._threads:
            each.join(self._command_within_s + 10)
            assert not each.is_alive(), "a writer hangs"
        assert not self.problems, self.problems

    def leave(self) -> None:
        """As stop, of a test that is over: nobody waits for it."""
        self._stop.set()

    def snapshot(self) -> list[Acknowledged]:
        with self._lock:
            return list(self.done)

    def first_since(self, when: float) -> dict[str, float]:
        """By stream: how long after `when` the first command begun since then was acknowledged."""
        first: dict[str, float] = {}
        for each in self.snapshot():
            if each.began >= when:
                took = each.ended - when
                first[each.stream] = min(first.get(each.stream, took), took)
        return first

    def wait_each_stream(self, streams, when: float, within_s: float) -> dict[str, float]:
        """first_since, once it has every stream."""
        until = time.monotonic() + within_s
        while True:
            assert not self.problems, self.problems
            first = self.first_since(when)
            missing = set(streams) - set(first)
            if not missing:
                return first
            assert time.monotonic() < until, (
                f"{len(missing)} streams take no command {time.monotonic() - when:.1f} s after, "
                f"one of them {min(missing)}"
            )
            time.sleep(0.02)

    def _run(self, number: int, streams: list[str], seed: int) -> None:
        try:
            self._write(self._rests[number], streams, random.Random(seed * 1000 + number))
        except Exception as error:  # of this client; it must not end unseen
            self.problems.append(f"writer {number}: {error!r}")

    def _write(self, rest: Roaming, streams: list[str], chosen: random.Random) -> None:
        tokens: dict[str, str] = {}  # by stream, the one that was issued last
        for stream in itertools.cycle(streams):
            if self._stop.is_set():
                return
            method, path, body = command(stream, tokens.pop(stream, None))
            key, began = uuid7(), time.monotonic()
            rest.move_on()
            answer = rest.surely(method, path, body, key, self._command_within_s)
            if answer.status not in GOOD:
                self.problems.append(f"{method} {path}: {answer}")
                return
            if method == "POST" and stream.startswith("account/"):
                tokens[stream] = answer.body["token"]["id"]
            etag, ended = answer.headers["etag"], time.monotonic()
            one = Acknowledged(stream, method, path, body, key, answer.status, etag, began, ended)
            with self._lock:
                self.done.append(one)
            self._stop.wait(self._pause_s * chosen.uniform(0.5, 1.5))


def account_streams(rests: list[Rest], partitions: int) -> list[str]:
    """An account's stream in every partition of the log, so that each node leads some."""
    found: dict[int, str] = {}
    for number in range(ACCOUNTS_A_PARTITION_MAX * partitions):
        if len(found) == partitions:
            return list(found.values())
        body, rest = {"name": f"writer-{number}"}, rests[number % len(rests)]
        made = rest.good("POST", "/api/v1/accounts", body, expect=201)
        stream = f"account/{made['account']['id']}"
        found.setdefault(crc32c(stream.encode()) % partitions, stream)
    raise AssertionError(f"accounts only in partitions {sorted(found)} of {partitions}")


def command(stream: str, token: str | None) -> tuple[str, str, dict | None]:
    """The next one for the stream: each is one event."""
    kind, key = stream.split("/")
    if kind == "environment":
        return "POST", f"/api/v1/environments/{key}/activity", {"kind": "api"}
    if token:
        return "DELETE", f"/api/v1/accounts/{key}/tokens/{token}", None
    return "POST", f"/api/v1/accounts/{key}/tokens", {"label": "writer"}


def check_contiguous(done: list[Acknowledged]) -> None:
    """Nobody else writes to the accounts: their acknowledged versions have no gap, so no command
    had two effects, and none an effect at another's place."""
    last: dict[str, int] = {}
    for each in done:
        if each.stream.startswith("account/"):
            before = last.get(each.stream, each.version - 1)
            assert each.version == before + 1, (
                f"{each.stream}: version {each.version} was answered behind {before}: "
                f"{each.method} {each.path} {each.key}"
            )
            last[each.stream] = each.version


def check_replayed(done: list[Acknowledged], ports, token, threads=4) -> None:
    """Asked again with its key, through another node maybe, each gets its first answer."""

    def check(number: int) -> list[str]:
        rest, wrong = Roaming(ports, token, number), []
        for each in done[number::threads]:
            rest.move_on()
            again = rest.surely(each.method, each.path, each.body, each.key)
            seen = again.status, again.headers.get("etag")
            replayed = again.headers.get("idempotency-replayed") == "true"
            if seen != (each.status, each.etag) or not replayed:
                wrong.append(
                    f"{each.method} {each.path} {each.key} was answered {each.status} {each.etag}, "
                    f"again {again} {again.headers}"
                )
        return wrong

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        wrong = list(itertools.chain(*pool.map(check, range(threads))))
    assert not wrong, f"{len(wrong)} of {len(done)}: {wrong[:3]}"
