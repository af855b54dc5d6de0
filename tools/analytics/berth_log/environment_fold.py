"""Stretches of one status of one environment, folded from its events as the server folds them.

An interval ends with the event that changes the status, or the time since which it holds; who
created the environment, and at which price, is in its first event.
"""

import collections
import dataclasses
from collections.abc import Iterator

from .commit_body import CommitBody
from .environment_events import Created, EnvironmentEvent, EnvironmentEvents, Unreadable

NO_INTERVAL = ("ABSENT", "DELETED")
# The status behind an event; that of Failed and DeleteAsked depends on the one before.
STATUS_AFTER = {
    "Created": "CREATING",
    "Provisioned": "STARTING",
    "StartAsked": "STARTING",
    "Started": "RUNNING",
    "StopAsked": "STOPPING",
    "Stopped": "STOPPED",
    "Failed": "ERROR",
    "DeleteAsked": "DELETING",
    "Deleted": "DELETED",
    "Lost": "STARTING",
}
DURING_DELETING = 7  # Status.deleting


@dataclasses.dataclass(frozen=True)
class Interval:
    environment: str
    what: Created
    status: str
    from_us: int
    to_us: int  # exclusive
    first_version: int  # of the event that began it
    last_version: int  # of the event that ended it

    @property
    def duration_us(self) -> int:
        return self.to_us - self.from_us


@dataclasses.dataclass(frozen=True)
class State:
    what: Created = Created("", "", "", "", 0)
    status: str = "ABSENT"
    changed_us: int = 0  # of the last change of status
    since: int = 0  # version of that change


def apply(now: State, event: EnvironmentEvent, version: int) -> State:
    """The state behind the event; `now` itself if the event changes no status."""
    if event.name == "Failed" and event.during == DURING_DELETING:
        return now  # DELETING is left by Deleted only: it is tried again
    if event.name == "DeleteAsked" and now.status == "DELETING":
        return now  # such a try
    status, what = STATUS_AFTER[event.name], event.created or now.what
    if (status, event.at_us) == (now.status, now.changed_us):
        return dataclasses.replace(now, what=what)
    return State(what, status, event.at_us, version)


def end_of(before: State, event: EnvironmentEvent) -> int:
    """When what was before ended: of an environment that was lost, when it was last known alive."""
    if event.name != "Lost" or before.status != "RUNNING":
        return event.at_us
    latest = max(event.at_us, before.changed_us)
    return min(max(event.alive_until_us, before.changed_us), latest)


class EnvironmentFold:
    """Every environment's present state."""

    def __init__(self, events: EnvironmentEvents):
        self._events = events
        self._states: dict[str, State] = {}
        self.unreadable: collections.Counter[str] = collections.Counter()

    def fold(self, commit: CommitBody) -> Iterator[Interval]:
        """The intervals that the commit ended; empty ones are not told."""
        if commit.kind != "environment":
            return
        for version, record in enumerate(commit.events, commit.first):
            try:
                event = self._events.decode(record)
            except Unreadable as why:
                self.unreadable[str(why)] += 1
                continue
            if event is None:
                continue
            before = self._states.get(commit.key, State())
            now = self._states[commit.key] = apply(before, event, version)
            if now.since == before.since or before.status in NO_INTERVAL:
                continue
            to_us = end_of(before, event)
            if before.changed_us < to_us:
                yield Interval(
                    commit.key,
                    before.what,
                    before.status,
                    before.changed_us,
                    to_us,
                    before.since,
                    version,
                )

    def running(self) -> int:
        """Environments whose present interval is not over: they have no line for it yet."""
        return sum(state.status == "RUNNING" for state in self._states.values())
