"""What was measured: latencies by operation, memory, and their summary."""

import math
import pathlib
import re


def percentile(sorted_values: list[float], of: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, math.ceil(of * len(sorted_values)) - 1)]


def slope(points: list[tuple[float, float]]) -> float:
    """Least squares, per unit of x."""
    count = len(points)
    if count < 3:
        return float("nan")
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


class Operations:
    """Latency of each try's end, with and without those a kill fell into."""

    def __init__(self):
        self.calm: dict[str, list[float]] = {}
        self.killed: dict[str, list[float]] = {}
        self.refused: dict[str, dict[str, int]] = {}

    def done(self, name: str, seconds: float, through_kill: bool) -> None:
        (self.killed if through_kill else self.calm).setdefault(name, []).append(seconds)

    def refuse(self, name: str, why: str) -> None:
        counts = self.refused.setdefault(name, {})
        counts[why] = counts.get(why, 0) + 1

    def rows(self) -> list[dict]:
        found = []
        for name in sorted({*self.calm, *self.killed, *self.refused}):
            calm = sorted(self.calm.get(name, []))
            every = sorted(calm + self.killed.get(name, []))
            refused = self.refused.get(name, {})
            total = len(every) + sum(refused.values())
            row = {"operation": name, "count": total, "refused": refused}
            row["success"] = len(every) / total
            for kind, values in (("calm", calm), ("all", every)):
                for of in (50, 95, 99) if values else ():
                    row[f"{kind}_p{of}_ms"] = round(1000 * percentile(values, of / 100), 2)
            found.append(row)
        return found


class Process:
    """Memory and descriptors of one process, over its life."""

    def __init__(self, pid: int, began: float):
        self.pid, self.began = pid, began
        self.memory: list[tuple[float, float]] = []  # hours, MiB
        self.caches: list[float] = []  # MiB of each, by the server's own count
        self.descriptors: list[int] = []

    def look(self, now: float, caches: float) -> None:
        try:
            status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
            self.descriptors.append(len(list(pathlib.Path(f"/proc/{self.pid}/fd").iterdir())))
        except OSError:
            return  # killed
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        if not found:
            return  # killed, and not waited for yet
        resident = int(found.group(1)) / 1024
        self.memory.append(((now - self.began) / 3600, resident))
        self.caches.append(caches)

    def summary(self, warm_up_s: float) -> dict:
        """Slopes of all of it, and of what is no cache with a bound."""
        warm = [(x, y) for x, y in self.memory if x * 3600 >= warm_up_s]
        cold = self.caches[len(self.memory) - len(warm) :]
        rest = [(x, y - cache) for (x, y), cache in zip(warm, cold)]
        return {
            "seconds": round(self.memory[-1][0] * 3600) if self.memory else 0,
            "rss_mib_last": round(self.memory[-1][1], 1) if self.memory else 0,
            "rss_mib_max": round(max((y for _, y in self.memory), default=0), 1),
            "rss_mib_per_hour": round(slope(warm), 1),
            "caches_mib_last": round(self.caches[-1], 1) if self.caches else 0,
            "rest_mib_last": round(rest[-1][1], 1) if rest else 0,
            "rest_mib_per_hour": round(slope(rest), 1),
            "descriptors_max": max(self.descriptors, default=0),
        }
