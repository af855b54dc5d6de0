"""Processes that outlive the command that started them and are found again by a file.

A pid alone may belong to somebody else by now. The file also holds when the process started and in
which boot, and only a process that agrees with it is ever signalled.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import signal
import subprocess
import time

POLL_S = 0.02
LOG_EXCERPT_LINES = 12


class BrokersError(Exception):
    """What went wrong, as a sentence that says what to do."""


class Unavailable(BrokersError):
    """This machine lacks what a broker needs; the text says what."""


def until(condition, within_s: float) -> bool:
    """Whether the condition came true in time; it is asked at least once."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


@contextlib.contextmanager
def locked(path: pathlib.Path, within_s: float):
    """One process at a time; the kernel gives the lock back when its holder dies, however."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as held:

        def taken() -> bool:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not until(taken, within_s):
            raise BrokersError(
                f"another process has held {path} for {within_s:.0f} s; see what it does (fuser -v "
                "names it), end it or try again"
            )
        yield


def run_to_end(command: list, log: pathlib.Path, within_s: float, env: dict | None = None) -> None:
    """A program that must succeed. Its words go to a file, so that no grandchild holds a pipe."""
    program = pathlib.Path(command[0]).name
    with open(log, "wb") as out:
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=os.environ | (env or {}),
            start_new_session=True,
        )
    try:
        code = child.wait(within_s)
    except subprocess.TimeoutExpired:
        raise BrokersError(f"{program} did not end within {within_s:.0f} s:\n{tail(log)}") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if code != 0:
        raise BrokersError(f"{program} ended with {code}:\n{tail(log)}")


def tail(log: pathlib.Path, lines: int = LOG_EXCERPT_LINES) -> str:
    """The log's last words, indented to stand inside a message."""
    if not log.exists():
        return "  (no log)"
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    return "\n".join("  " + line[:300] for line in last) or "  (the log is empty)"


def _fields(stat: pathlib.Path) -> list[str]:
    """From the third on: the second, the name, may hold blanks."""
    text = stat.read_text(encoding="utf-8", errors="replace")
    return text[text.rindex(")") + 2 :].split()


def _birth(pid: int) -> tuple[str, str] | None:
    """State letter and what tells this process from a later one of the same pid."""
    try:
        fields = _fields(pathlib.Path(f"/proc/{pid}/stat"))
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else (state, f"{start_ticks} {boot}")


class Detached:
    """A program in a session of its own; `directory` gets its `pid` and, if no other file is named,
    its `log`."""

    def __init__(self, directory: pathlib.Path, log: pathlib.Path | None = None):
        self.directory = directory
        self.log = log or directory / "log"
        self._file = directory / "pid"
        self._child: subprocess.Popen | None = None

    def start(self, command: list, env: dict) -> None:
        with open(self.log, "ab") as out:
            self._child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.directory,  # where a JVM that crashes leaves its report
                env=os.environ | env,
                start_new_session=True,
            )
        born = _birth(self._child.pid)
        if born:  # else it ended at once; whoever waits for it says so
            self._file.write_text(f"{self._child.pid} {born[1]}\n", encoding="utf-8")

    def state(self) -> str:
        """running, paused or stopped."""
        found = self._found()
        return "stopped" if not found else "paused" if found[1] == "T" else "running"

    def pid(self) -> int | None:
        found = self._found()
        return found[0] if found else None

    def exit_code(self) -> int | None:
        """What it ended with; nothing while it runs, or if another process had started it."""
        return self._child.poll() if self._child else None

    def signal(self, number: int) -> bool:
        """Whether there was a process to signal."""
        pid = self.pid()
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return True

    def wait_gone(self, within_s: float) -> bool:
        return until(lambda: self.pid() is None, within_s)

    def wait_state(self, wanted: str, within_s: float) -> bool:
        """A signal that pauses returns before the last thread has stopped."""
        return until(lambda: self.state() == wanted and self._threads_agree(wanted), within_s)

    def rss_bytes(self) -> int:
        pid = self.pid()
        if pid is None:
            return 0
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def _threads_agree(self, wanted: str) -> bool:
        letters = set()
        for stat in pathlib.Path(f"/proc/{self.pid()}/task").glob("*/stat"):
            with contextlib.suppress(OSError):  # a thread may end meanwhile
                letters.add(_fields(stat)[0])
        return letters == {"T"} if wanted == "paused" else "T" not in letters

    def _found(self) -> tuple[int, str] | None:
        if self._child:
            self._child.poll()  # reaps it, if it was ours
        try:
            pid, birth = self._file.read_text(encoding="utf-8").strip().split(" ", 1)
        except (OSError, ValueError):
            return None
        now = _birth(int(pid))
        return (int(pid), now[0]) if now and now[1] == birth else None
