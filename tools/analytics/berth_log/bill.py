"""Bill lines, one an ended interval of RUNNING, and their sums. ERROR, STARTING … never bill."""

import dataclasses

from .environment_fold import Interval
from .money import add_amounts, amount_pico_usd, round_to_micro_usd


@dataclasses.dataclass(frozen=True)
class Line:
    interval: Interval
    amount_pico_usd: int  # exact
    amount_micro_usd: int  # rounded once, half to even
    overflowed: bool = False  # the amount does not fit; both are 0


@dataclasses.dataclass
class Total:
    """Of one account: the sum of its rounded lines."""

    lines: int = 0
    amount_micro_usd: int = 0
    overflowed: bool = False  # a line's amount, or the sum, did not fit and is not in the sum

    def add(self, line: Line) -> None:
        total = add_amounts(self.amount_micro_usd, line.amount_micro_usd)
        self.lines += 1
        self.overflowed = self.overflowed or line.overflowed or total is None
        if total is not None:
            self.amount_micro_usd = total


def line_of(interval: Interval) -> Line | None:
    """Nothing if the interval is not billed."""
    if interval.status != "RUNNING":
        return None
    amount = amount_pico_usd(interval.what.price_pico_usd_per_second, interval.duration_us)
    if amount is None:
        return Line(interval, 0, 0, overflowed=True)
    return Line(interval, amount, round_to_micro_usd(amount))


class Bill:
    """Lines in the order of the server's answer: by account, end, environment and version."""

    def __init__(self):
        self._lines: list[Line] = []

    def add(self, interval: Interval) -> Line | None:
        line = line_of(interval)
        if line:
            self._lines.append(line)
        return line

    def lines(self) -> list[Line]:
        def place(line: Line):
            of = line.interval
            return of.what.account, of.to_us, of.environment, of.last_version

        return sorted(self._lines, key=place)

    def totals(self) -> dict[str, Total]:
        totals: dict[str, Total] = {}
        for line in self.lines():
            totals.setdefault(line.interval.what.account, Total()).add(line)
        return totals
