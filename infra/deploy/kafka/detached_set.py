"""Programs of one kind in one directory, by number: signalled, watched and ended."""

import pathlib
import signal
import time

from broker_process import Detached, tail

STOP_WITHIN_S = 20
KILL_WITHIN_S = 10
PAUSE_WITHIN_S = 5


class DetachedSet:
    """What brokers and nodes have in common; a kind says its noun and its error."""

    noun: str
    error: type[Exception]

    def __init__(self, directory: pathlib.Path, programs: dict[int, Detached]):
        self.directory = directory
        self._nodes = programs

    def kill(self, number: int) -> None:
        """As a crash: nothing is handed over, though the kernel still writes what it was given."""
        self._signal(number, signal.SIGKILL)
        if not self._nodes[number].wait_gone(KILL_WITHIN_S):
            raise self._survived(number)

    def pause(self, number: int) -> None:
        self._signal(number, signal.SIGSTOP)
        self._wait_state(number, "paused")

    def resume(self, number: int) -> None:
        self._signal(number, signal.SIGCONT)
        self._wait_state(number, "running")

    def state(self, number: int) -> str:
        """running, paused or stopped."""
        return self._node(number).state()

    def pid(self, number: int) -> int | None:
        return self._node(number).pid()

    def rss_bytes(self, number: int) -> int:
        return self._node(number).rss_bytes()

    def log(self, number: int, lines: int = 12) -> str:
        """Its last words."""
        return tail(self._node(number).log, lines)

    def _end_all(self, within_s: float) -> None:
        """SIGTERM to all at once, SIGKILL for what is left. 0 s: SIGKILL at once."""
        for number, patience_s in ((signal.SIGTERM, within_s), (signal.SIGKILL, KILL_WITHIN_S)):
            if number == signal.SIGTERM and not patience_s:
                continue
            for node in self._nodes.values():
                node.signal(number)
                node.signal(signal.SIGCONT)  # a paused one would not see SIGTERM
            deadline = time.monotonic() + patience_s
            for node in self._nodes.values():
                node.wait_gone(max(0.0, deadline - time.monotonic()))
        left = [each for each in self._nodes if self.state(each) != "stopped"]
        if left:
            raise self._survived(left[0])

    def _survived(self, number: int) -> Exception:
        return self.error(f"{self._named(number)} survived SIGKILL for {KILL_WITHIN_S} s")

    def _wait_state(self, number: int, wanted: str) -> None:
        if not self._nodes[number].wait_state(wanted, PAUSE_WITHIN_S):
            raise self.error(
                f"{self._named(number)} is {self.state(number)} {PAUSE_WITHIN_S} s after "
                f"the signal that makes it {wanted}; see whether somebody else signals it"
            )

    def _node(self, number: int) -> Detached:
        if number not in self._nodes:
            raise self.error(f"no {self.noun} {number} in {self.directory}, only {[*self._nodes]}")
        return self._nodes[number]

    def _named(self, number: int) -> str:
        return f"{self.noun} {number} of {self.directory}"

    def _signal(self, number: int, signum: int) -> None:
        if not self._node(number).signal(signum):
            raise self.error(f"{self._named(number)} does not run; start({number}) starts it")
