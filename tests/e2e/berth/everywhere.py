"""What a client can see of a cluster, and that every node shows the same."""

import time

from .rest import Rest

LISTS = ("environments", "accounts", "terminals", "bill-lines")
PLACE = "cursor"  # differs by which partition was read first
LOOK_AGAIN_AFTER_S = 0.2


class Feed:
    """The events that one node shows, by (stream, version): `me` an account's, `all` the log.

    Each stream's come in order, in the log without a gap.
    """

    def __init__(self, rest: Rest, account: str = "me"):
        self._rest, self._account = rest, account
        self._events: dict[tuple[str, int], dict] = {}
        self._last: dict[str, int] = {}
        self._after = ""

    def read_on(self) -> dict[tuple[str, int], dict]:
        """All until now; only what is new is asked for."""
        path = f"/api/v1/events?account={self._account}&limit=100&after="
        while True:
            page = self._rest.good("GET", path + self._after)
            for item in page["items"]:
                self._take(item)
            # A page of commands without events is empty and not the last.
            if page["next_token"] == self._after:
                return dict(self._events)
            self._after = page["next_token"]

    def _take(self, item: dict) -> None:
        stream, version = item["stream"], item["version"]
        before = self._last.get(stream, 0)
        follows = version == before + 1 or (self._account == "me" and version > before)
        assert follows, f"{stream}: version {version} came after {before}"
        self._last[stream] = version
        self._events[stream, version] = {k: v for k, v in item.items() if k != PLACE}


class Shown:
    """The lists and feeds of one node, each by what tells its items apart."""

    def __init__(self, rest: Rest):
        self.rest = rest
        self._feeds = {"feed": Feed(rest), "log": Feed(rest, "all")}

    def facts(self) -> dict[str, dict]:
        found = {}
        for name in LISTS:
            items = self.rest.items(f"/api/v1/{name}")
            found[name] = {str(each.get("id", each)): each for each in items}
        return found | {name: feed.read_on() for name, feed in self._feeds.items()}


class Everywhere:
    def __init__(self, rests: list[Rest]):
        self._nodes = [Shown(rest) for rest in rests]

    def wait_same(self, within_s: float) -> dict[str, dict]:
        """The facts, once all nodes agree and nothing changes any more."""
        until, before = time.monotonic() + within_s, None
        while True:
            seen = [each.facts() for each in self._nodes]
            if seen[0] == before and all(each == before for each in seen):
                return before
            why = self._differences(seen) or "they agree, and change all the time"
            assert time.monotonic() < until, f"not the same after {within_s:.0f} s: {why}"
            before = seen[0]
            time.sleep(LOOK_AGAIN_AFTER_S)

    def _differences(self, seen: list[dict[str, dict]]) -> str:
        lines = []
        for node, facts in zip(self._nodes[1:], seen[1:], strict=True):
            for name, expected in seen[0].items():
                other = facts[name]
                keys = [
                    each for each in expected | other if expected.get(each) != other.get(each)
                ]
                if keys:
                    lines.append(
                        f"{name}: {len(keys)} items, first {keys[0]}: port "
                        f"{self._nodes[0].rest.port} has {expected.get(keys[0])}, port "
                        f"{node.rest.port} {other.get(keys[0])}"
                    )
        return "; ".join(lines)
