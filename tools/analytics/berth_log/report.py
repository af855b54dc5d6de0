"""The bill for people and for programs. A line's members are those of GET /api/v1/bill-lines."""

import datetime

from .bill import Line, Total
from .money import usd

EPOCH = datetime.datetime(1970, 1, 1)
HEADINGS = ("environment", "name", "type", "prices", "versions", "from", "to", "seconds", "USD")
RIGHT = ("seconds", "USD")


def rfc3339(us: int) -> str:
    when = EPOCH + datetime.timedelta(microseconds=us)
    return when.isoformat(timespec="microseconds") + "Z"


def line_json(line: Line) -> dict:
    of = line.interval
    return {
        "account_id": of.what.account,
        "environment_id": of.environment,
        "name": of.what.name,
        "instance_type": of.what.instance_type,
        "price_list": of.what.price_list,
        "price_pico_usd_per_second": of.what.price_pico_usd_per_second,
        "from": rfc3339(of.from_us),
        "to": rfc3339(of.to_us),
        "stream": f"environment/{of.environment}",
        "first_version": of.first_version,
        "last_version": of.last_version,
        "amount_pico_usd": line.amount_pico_usd,
        "amount_micro_usd": line.amount_micro_usd,
        "overflowed": line.overflowed,
    }


def total_json(account: str, total: Total) -> dict:
    return {
        "account_id": account,
        "lines": total.lines,
        "amount_micro_usd": total.amount_micro_usd,
        "overflowed": total.overflowed,
    }


def line_cells(line: Line) -> tuple[str, ...]:
    of = line.interval
    return (
        of.environment,
        of.what.name,
        of.what.instance_type,
        of.what.price_list,
        f"{of.first_version}-{of.last_version}",
        rfc3339(of.from_us),
        rfc3339(of.to_us),
        f"{of.duration_us / 1e6:.6f}",
        "overflowed" if line.overflowed else usd(line.amount_micro_usd),
    )


def table(lines: list[Line]) -> str:
    rows = [HEADINGS, *map(line_cells, lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]

    def laid_out(row) -> str:
        cells = zip(HEADINGS, row, widths)
        return "  ".join(
            cell.rjust(width) if heading in RIGHT else cell.ljust(width)
            for heading, cell, width in cells
        ).rstrip()

    return "\n".join(map(laid_out, rows))


def counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"
