"""Events of environments as plain values, those that change what an environment is."""

import dataclasses
import struct

from .commit_body import EventRecord
from .schemas import Schemas, text

TIME_US_MAX = 253_402_300_799_999_999  # the end of the year 9999: differences never overflow
# Fields that must be in range for the server to read the event; it ignores one that is not.
TIMES = ("AtUs", "DeadlineUs", "AliveUntilUs")
FREQUENT = ("ActivityRecorded", "ExecAsked", "ExecFinished", "ExecOutcomeUnknown")


class Unreadable(Exception):
    """An event of a later release, or damaged before it was sealed: it changes nothing here."""


@dataclasses.dataclass(frozen=True)
class Created:
    account: str
    name: str
    instance_type: str
    price_list: str
    price_pico_usd_per_second: int


@dataclasses.dataclass(frozen=True)
class EnvironmentEvent:
    name: str  # as in schemas/environment.fbs: Created, Provisioned, …
    at_us: int
    created: Created | None = None
    alive_until_us: int = 0  # of Lost
    during: int = 0  # of Failed: a Status


class EnvironmentEvents:
    """Decodes by the schema's own readers."""

    def __init__(self, schemas: Schemas):
        self._readers = schemas.environment
        tags = vars(self._readers.Event).items()
        self._names = {tag: name for name, tag in tags if isinstance(tag, int) and tag}

    def decode(self, record: EventRecord) -> EnvironmentEvent | None:
        """Nothing if the event has no bearing on what the environment is; raises Unreadable."""
        name = self._names.get(record.type)
        if name is None:
            raise Unreadable(f"environment event of type {record.type}")
        if name in FREQUENT:
            return None
        try:
            return self._read(name, self._table(name, record))
        except (struct.error, IndexError, TypeError, OverflowError) as why:
            raise Unreadable(f"{name}: {why}") from None

    def _table(self, name: str, record: EventRecord):
        root = self._readers.Record.GetRootAs(record.payload)
        inner = root.Event()
        if root.EventType() != record.type or inner is None:
            raise Unreadable("the event is not of the type its record says")
        table = getattr(self._readers, name)()
        table.Init(inner.Bytes, inner.Pos)
        return table

    def _read(self, name: str, table) -> EnvironmentEvent:
        for field in TIMES:
            value = getattr(table, field)() if hasattr(table, field) else 0
            if not 0 <= value <= TIME_US_MAX:
                raise Unreadable(f"{name}: {field} = {value} is no time")
        if name == "Failed" and table.During() > self._readers.Status.deleted:
            raise Unreadable(f"Failed: status {table.During()}")
        if name == "StopAsked" and table.Reason() > self._readers.StopReason.billing:
            raise Unreadable(f"StopAsked: reason {table.Reason()}")
        return EnvironmentEvent(
            name,
            table.AtUs(),
            created=_created(table) if name == "Created" else None,
            alive_until_us=table.AliveUntilUs() if name == "Lost" else 0,
            during=table.During() if name == "Failed" else 0,
        )


def _created(table) -> Created:
    return Created(
        text(table.Account()),
        text(table.Name()),
        text(table.InstanceType()),
        text(table.PriceList()),
        table.PricePicoUsdPerSecond(),
    )
