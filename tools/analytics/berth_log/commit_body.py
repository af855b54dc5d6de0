"""The body of a commit (schemas/commit.fbs): which stream, which versions, which events."""

import dataclasses
import struct

from .schemas import Schemas, byte_vector, text

KINDS = {1: "account", 2: "session", 3: "environment", 4: "terminal", 5: "host"}
PAYLOAD = 1  # field ids in schemas/commit.fbs


@dataclasses.dataclass(frozen=True)
class EventRecord:
    type: int  # union tag of the aggregate's schema
    payload: bytes  # FlatBuffer of that schema's root table


@dataclasses.dataclass(frozen=True)
class CommitBody:
    stream: str  # environment/env_…
    kind: str
    key: str
    first: int  # version of events[0]
    events: tuple[EventRecord, ...]

    @property
    def last(self) -> int:
        """Version of its stream behind it; a commit without events leaves it where it was."""
        return self.first + len(self.events) - 1


def decode_body(schemas: Schemas, data: bytes) -> CommitBody:
    """Raises ValueError if it is no commit. An aggregate of a later release is no error: its stream
    is read on, its events mean nothing here."""
    try:
        stored = schemas.commit.CommitBody.GetRootAs(data)
        key, first = stored.Key(), stored.First()
        kind = KINDS.get(stored.Kind(), f"kind-{stored.Kind()}")
        events = tuple(_event(stored.Events(i)) for i in range(stored.EventsLength()))
    except (struct.error, IndexError, TypeError, OverflowError) as why:
        raise ValueError(f"not a commit of schemas/commit.fbs: {why}") from None
    if key is None or first == 0:
        raise ValueError("not a commit of schemas/commit.fbs: no stream, or its version is 0")
    return CommitBody(f"{kind}/{text(key)}", kind, text(key), first, events)


def _event(stored) -> EventRecord:
    return EventRecord(stored.Type(), byte_vector(stored, PAYLOAD))
