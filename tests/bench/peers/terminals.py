"""What a person at a terminal of a peer sees: the figures that terminals_bench takes of ours.

A terminal has send(bytes), receive() -> bytes and close(); every one has a socket of its own. A
peer runs the launcher, which reads the script of the measurement from its terminal: not every peer
can be told a command.
"""
import contextlib
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from peer import Unavailable, report, spread, within

KEYS, KEYS_BESIDE_FLOOD, WARM_UP_KEYS = 1000, 500, 50
FLOOD_BEGAN_BYTES = 1_000_000
FLOOD_BYTES = 16 << 20
INTERRUPT_AFTER_BYTES = 1_500_000
READER_BYTES_PER_SECOND = 8e6
PROMPT_WITHIN_S = 10
SHORTEST_SLEEP_S = 1e-3
FIGURE_WITHIN_S = 300
PROMPT = b"READY> "

LAUNCHER = """#!/bin/sh
stty -echo
printf 'launcher\\n'
IFS= read -r line
stty echo
exec /bin/sh -c "$line"
"""
RAW_CAT = "stty raw -echo; printf r; exec cat"
# As ours: text through a PTY that changes nothing. Says its last byte, which no text has, until it
# is heard: some peers deliver the tail only with the next output.
BULK = "stty raw -echo; cat %s; while :; do printf '\\001'; sleep 0.1; done"
BULK_END = b"\x01"
FLOOD = "stty raw -echo; while cat %s; do :; done"
MAKE_TEXT = pathlib.Path(__file__).resolve().parents[1] / "make_text.sh"


def write_launcher(directory):
    path = directory / "launcher"
    path.write_text(LAUNCHER, encoding="utf-8")
    path.chmod(0o755)
    return path


def begin(connect, script):
    """A terminal whose launcher has been told the script."""
    terminal = connect()
    seen = b""
    while b"launcher\r\n" not in seen:
        seen += terminal.receive()
    terminal.send(script.encode() + b"\r")
    return terminal


def begin_raw_cat(connect):
    terminal = begin(connect, RAW_CAT)
    while not terminal.receive().endswith(b"r"):
        pass
    return terminal


def keystrokes(terminal, count):
    took = []
    for _ in range(count):
        began = time.perf_counter()
        terminal.send(b"k")
        got = b""
        while not got:
            got = terminal.receive()
        took.append((time.perf_counter() - began) * 1e6)
        if got != b"k":
            raise Unavailable(f"{got!r} is not the echo of the key")
    return took


def echo(connect, _quick):
    terminal = begin_raw_cat(connect)
    keystrokes(terminal, WARM_UP_KEYS)
    took = keystrokes(terminal, KEYS)
    terminal.close()
    return spread(took)


@contextlib.contextmanager
def text(size):
    """The path of a file of so many bytes that any user may read."""
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as directory:
        os.chmod(directory, 0o755)
        path = f"{directory}/text"
        subprocess.run([MAKE_TEXT, str(size), path], check=True, timeout=60)
        yield path


def bulk(connect, quick):
    size = (16 if quick else 64) << 20
    with text(size) as path:
        return bulk_of(connect, path, size)


def bulk_of(connect, path, size):
    terminal = begin(connect, BULK % path)
    began, cpu_began = time.perf_counter(), time.process_time()
    seen, last = 0, b""
    while not last.endswith(BULK_END):
        last = terminal.receive() or last
        seen += len(last)
    seconds = time.perf_counter() - began
    client_cpu_share = (time.process_time() - cpu_began) / seconds
    terminal.close()
    return {"mb_per_second": seen / seconds / 1e6, "bytes_missing": max(0, size - seen),
            "client_cpu_share": client_cpu_share}


def flood(connect, path, total):
    """A process of its own; ends at SIGTERM, and its shell with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    terminal = begin(connect, FLOOD % path)
    try:
        while True:
            total.value += len(terminal.receive())
    finally:
        terminal.close()


def echo_beside_flood(connect, _quick):
    with text(FLOOD_BYTES) as path:
        return echo_beside(connect, path)


def echo_beside(connect, path):
    quiet = begin_raw_cat(connect)
    fork = multiprocessing.get_context("fork")
    total = fork.Value("Q", 0, lock=False)
    reader = fork.Process(target=flood, args=(connect, path, total), daemon=True)
    reader.start()
    try:
        while total.value < FLOOD_BEGAN_BYTES:
            if not reader.is_alive():
                raise Unavailable("the flood ended")
            time.sleep(0.01)
        before, began = total.value, time.perf_counter()
        figures = spread(keystrokes(quiet, KEYS_BESIDE_FLOOD))
        figures["flood_mb_per_second"] = (
            (total.value - before) / (time.perf_counter() - began) / 1e6)
    finally:
        reader.terminate()
        reader.join()
        quiet.close()
    return figures


class PacedScreen:
    """Reads a terminal as a screen of 8 MB/s does; sleeps no less than a clock can."""

    def __init__(self, terminal):
        self.terminal = terminal
        self.drawn_at = time.monotonic()

    def receive(self):
        got = self.terminal.receive()
        now = time.monotonic()
        self.drawn_at = max(self.drawn_at, now) + len(got) / READER_BYTES_PER_SECOND
        if self.drawn_at - now > SHORTEST_SLEEP_S:
            time.sleep(self.drawn_at - now)
        return got

    def wait_prompt(self):
        """Bytes up to the prompt."""
        until = time.monotonic() + PROMPT_WITHIN_S
        seen, tail = 0, b""
        while not tail.endswith(PROMPT):
            if time.monotonic() > until:
                raise TimeoutError
            got = self.receive()
            seen, tail = seen + len(got), (tail + got)[-len(PROMPT):]
        return seen


def begin_prompt(connect):
    terminal = begin(connect, "exec bash --norc -i")
    terminal.send(b"PS1='READY> '\r")
    screen = PacedScreen(terminal)
    screen.wait_prompt()
    return screen


def interrupt_flood(screen):
    """Microseconds from ^C to the prompt, and the bytes that still came."""
    screen.terminal.send(b"yes\r")
    seen = 0
    while seen < INTERRUPT_AFTER_BYTES:
        seen += len(screen.receive())
    began = time.perf_counter()
    screen.terminal.send(b"\x03")
    after = screen.wait_prompt()
    return (time.perf_counter() - began) * 1e6, after


def interrupt(connect, quick):
    screen = begin_prompt(connect)
    found, never = [], 0
    for _ in range(5 if quick else 50):
        try:
            found.append(interrupt_flood(screen))
        except TimeoutError:
            never += 1
            screen.terminal.close()
            screen = begin_prompt(connect)
    screen.terminal.close()
    if not found:
        raise Unavailable(f"no prompt within {PROMPT_WITHIN_S} s, {never} times")
    return {**spread(us for us, _ in found), "never": never,
            "bytes_after_max": max(after for _, after in found)}


def measure(peer, connect, quick):
    """`connect()` opens a new terminal that runs the launcher."""
    for name, figure in (("echo", echo), ("bulk", bulk),
                         ("echo beside a flood", echo_beside_flood),
                         ("^C under a flood", interrupt)):
        try:
            with within(FIGURE_WITHIN_S):
                figures = figure(connect, quick)
            report(peer, name, **figures)
        except (Unavailable, OSError) as why:
            report(peer, name, why=str(why) or type(why).__name__)
