"""tools/analytics over records that were written by hand, and over a journal of release 0.1."""

import collections
import functools
import struct
import sys

import pytest

from berth import flatbuffer, log_records
from berth.log_records import DELETE_ASKED, DELETED, EXEC_ASKED, PROVISIONED, START_ASKED, STOPPED
from berth.log_records import PartitionWriter, at, body_of, created, failed, lost, started
from berth.log_records import stop_asked
from berth.server import ROOT
from berth.usage import independent_usage

pytest.importorskip("google_crc32c", reason="tests/e2e/requirements.txt")
sys.path.insert(0, str(ROOT / "tools/analytics"))

from berth_log import commit_body, environment_events, environment_fold, money  # noqa: E402
from berth_log import reader_rule, record, schemas  # noqa: E402
from berth_log.bill import Bill  # noqa: E402
from berth_log.reader_rule import Verdict  # noqa: E402

SECOND = 1_000_000
GOLDEN = ROOT / "tests/golden/journal-0.1.bin"
A, B = "environment/env_a", "environment/env_b"


@pytest.fixture(scope="module")
def readers():
    try:
        return schemas.Schemas()
    except schemas.SchemaError as why:
        pytest.skip(str(why))


@pytest.fixture
def partition(readers):
    return reader_rule.PartitionReader(0, functools.partial(commit_body.decode_body, readers))


def verdicts(partition, records) -> list[str]:
    return [partition.judge(each, offset).verdict for offset, each in enumerate(records)]


# --- the record ---


def test_a_record_opens_to_what_was_sealed():
    sealed, hashed = log_records.seal(
        b"BRC1", b"body", partition=7, epoch=2, nonce=2**64 - 1, sequence=5, time_us=-1
    )
    assert record.kind_of(sealed) == "commit"
    envelope, body = record.open_record(sealed, "here")
    expected = record.Envelope("commit", 7, 2, 2**64 - 1, 5, -1, bytes(32))
    assert (envelope, body) == (expected, b"body")
    assert record.chain_hash(sealed) == hashed


def test_no_byte_of_a_record_changes_unseen():
    sealed, _ = log_records.seal(b"BRC1", b"body", epoch=1, nonce=2, sequence=3, previous=b"h" * 32)
    for place in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[place] ^= 1
        if place < 4:
            assert record.kind_of(bytes(damaged)) is None
            continue
        with pytest.raises(record.Corrupt, match="^here: "):
            record.open_record(bytes(damaged), "here")
    for cut in range(record.ENVELOPE.size, len(sealed)):
        with pytest.raises(record.Corrupt, match="its body has"):
            record.open_record(sealed[:cut], "here")


def test_streams_are_where_crc32c_puts_them():
    assert record.google_crc32c.value(b"123456789") == 0xE3069283
    for stream in (A, B, "account/acct_1", "host/host_1"):
        expected = log_records.crc32c(stream.encode())
        assert record.partition_of(stream, 64) == expected % 64


def test_the_records_of_the_page_are_a_lead_and_its_first_commit(partition):
    """docs/events.md §3: a reader in another language can be checked against them."""
    page = (ROOT / "docs/events.md").read_text()
    block = page.split("```\nLead ")[1].split("\n```")[0]
    lead, rest = block.split("commit ")
    commit, hashed = rest.split("hash ")
    lead, commit, hashed = (bytes.fromhex("".join(x.split())) for x in (lead, commit, hashed))
    assert verdicts(partition, [lead]) == [Verdict.FOREIGN], "they are of partition 5"
    partition.partition = 5
    assert verdicts(partition, [lead]) == [Verdict.LEAD_TAKEN]
    judged = partition.judge(commit, 1)
    assert judged.body.stream == "host/host_1" and judged.body.events[0].type == 2
    assert partition.hash == hashed and judged.envelope.partition == 5
    assert record.partition_of("host/host_1", 64) == 5
    assert record.partition_of("environment/env_1", 64) == 40


# --- the reader rule ---


def test_the_drawing_of_the_reader_rule(partition):
    """events/core/reader_rule.hpp, docs/events.md: L1 a, a1, a2, L2 b, a3, b3, L2 c, b3, b4."""
    writer = PartitionWriter()
    records = [writer.lead(1, 10)]
    records += [writer.commit(A, version, [at(EXEC_ASKED, 1)]) for version in (1, 2)]
    records.append(writer.lead(2, 11))
    records.append(writer.commit(A, 3, [at(EXEC_ASKED, 1)], epoch=1, nonce=10))
    b3 = writer.commit(A, 3, [at(EXEC_ASKED, 1)])
    loser = PartitionWriter()
    b4 = writer.commit(A, 4, [at(EXEC_ASKED, 1)])
    records += [b3, loser.lead(2, 12), b3, b4]
    assert verdicts(partition, records) == [
        Verdict.LEAD_TAKEN,
        Verdict.APPLIED,
        Verdict.APPLIED,
        Verdict.LEAD_TAKEN,
        Verdict.OTHER_LEADER,
        Verdict.APPLIED,
        Verdict.VOID_LEAD,
        Verdict.REPEATED,
        Verdict.APPLIED,
    ]
    assert (partition.leader, partition.sequence, partition.versions) == ((2, 11), 4, {A: 4})
    assert partition.counts.total() == 9


@pytest.mark.parametrize(
    "expected, made",
    [
        (Verdict.APPLIED, lambda w: w.commit(A, 2, [at(STOPPED, 9)])),
        (Verdict.APPLIED, lambda w: w.commit(A, 2, [])),
        (Verdict.APPLIED, lambda w: w.commit(B, 1, [at(STOPPED, 9), at(STOPPED, 10)])),
        (Verdict.APPLIED, lambda w: w.commit_of(body_of("task/t", 1, [(99, b"?")], kind=9))),
        (Verdict.LEAD_TAKEN, lambda w: w.lead(2, 10)),
        (Verdict.VOID_LEAD, lambda w: w.lead(1, 12)),
        (Verdict.VOID_LEAD, lambda w: w.lead(3, 12)),
        (Verdict.OTHER_LEADER, lambda w: w.commit(A, 2, [], nonce=9)),
        (Verdict.OTHER_LEADER, lambda w: w.commit(A, 2, [], epoch=2)),
        (Verdict.REPEATED, lambda w: w.commit(A, 2, [], sequence=1)),
        (Verdict.OUT_OF_ORDER, lambda w: w.commit(A, 2, [], sequence=3)),
        (Verdict.WRONG_VERSION, lambda w: w.commit(A, 1, [])),
        (Verdict.WRONG_VERSION, lambda w: w.commit(A, 3, [])),
        (Verdict.WRONG_VERSION, lambda w: w.commit(B, 2, [])),
        (Verdict.FOREIGN, lambda w: b"{}"),
        (Verdict.FOREIGN, lambda w: b"BRC1"),
        (Verdict.FOREIGN, lambda w: b"BRC2" + bytes(92)),
        (Verdict.FOREIGN, lambda w: None),
    ],
)
def test_each_verdict_and_what_stays_behind_a_skipped_record(partition, expected, made):
    writer = PartitionWriter()
    before = [writer.lead(1, 10), writer.commit(A, 1, [created(1)])]
    assert verdicts(partition, before) == [Verdict.LEAD_TAKEN, Verdict.APPLIED]
    known = (partition.leader, partition.sequence, partition.hash, dict(partition.versions))
    judged = partition.judge(made(writer), 2)
    assert judged.verdict == expected
    assert (judged.body is not None) == (expected == Verdict.APPLIED)
    changed = (partition.leader, partition.sequence, partition.hash, partition.versions) != known
    assert changed == (expected in (Verdict.APPLIED, Verdict.LEAD_TAKEN))
    assert (expected in reader_rule.SKIPPED) != changed


def test_nothing_is_applied_before_the_first_lead(partition):
    early = PartitionWriter().commit(A, 1, [], epoch=1, nonce=10)
    assert verdicts(partition, [early]) == [Verdict.OTHER_LEADER]


@pytest.mark.parametrize(
    "what, made",
    [
        ("checksum", lambda w: w.commit(A, 2, [])[:-1] + b"\xff"),
        ("checksum", lambda w: w.commit(A, 2, [], nonce=9)[:-1] + b"\xff"),  # whoever wrote it
        ("checksum", lambda w: w.lead(2, 3)[:-1] + b"\xff"),
        ("chain hash", lambda w: w.commit(A, 2, [], previous=bytes(32))),
        ("not a commit", lambda w: w.commit_of(b"")),
        ("not a commit", lambda w: w.commit_of(b"\xff" * 40)),
        ("not a commit", lambda w: w.commit_of(body_of(A, 0, []))),
    ],
)
def test_damage_is_an_error_that_names_the_place_and_changes_nothing(partition, what, made):
    writer = PartitionWriter()
    verdicts(partition, [writer.lead(1, 10), writer.commit(A, 1, [created(1)])])
    known = (partition.leader, partition.sequence, partition.hash, dict(partition.versions))
    with pytest.raises(record.Corrupt, match=f"^partition 0 offset 2: .*{what}"):
        partition.judge(made(writer), 2)
    assert (partition.leader, partition.sequence, partition.hash, partition.versions) == known
    assert partition.counts.total() == 2


# --- intervals and the bill ---


def bill_of(readers, *commits) -> tuple[environment_fold.EnvironmentFold, list]:
    """Each commit is a list of events of one environment."""
    fold = environment_fold.EnvironmentFold(environment_events.EnvironmentEvents(readers))
    bill, version = Bill(), 1
    for events in commits:
        body = commit_body.decode_body(readers, body_of(A, version, events))
        for ended in fold.fold(body):
            bill.add(ended)
        version = body.last + 1
    lines = [
        (of.from_us, of.to_us, of.first_version, of.last_version, line.amount_micro_usd)
        for line in bill.lines()
        for of in [line.interval]
    ]
    return fold, lines


BEGUN = [[created(0)], [at(PROVISIONED, 1 * SECOND)], [started(2 * SECOND)]]


@pytest.mark.parametrize(
    "after, lines, running",
    [
        ([], [], 1),
        ([[stop_asked(12 * SECOND)], [at(STOPPED, 13 * SECOND)]], [(2, 12, 3, 4, 230)], 0),
        ([[at(DELETE_ASKED, 12 * SECOND)], [at(DELETED, 13 * SECOND)]], [(2, 12, 3, 4, 230)], 0),
        # It ran until it was last known to be alive, within its life.
        ([[lost(12 * SECOND, 7 * SECOND)]], [(2, 7, 3, 4, 115)], 0),
        ([[lost(12 * SECOND, 99 * SECOND)]], [(2, 12, 3, 4, 230)], 0),
        ([[lost(12 * SECOND, 1 * SECOND)]], [], 0),
        ([[lost(1 * SECOND, 0)]], [], 0),
        # Execs and activity end nothing; versions count them.
        ([[at(EXEC_ASKED, 5 * SECOND)], [stop_asked(12 * SECOND)]], [(2, 12, 3, 5, 230)], 0),
        # An event that cannot be read changes nothing.
        ([[(99, b"later")], [stop_asked(12 * SECOND)]], [(2, 12, 3, 5, 230)], 0),
        ([[stop_asked(12 * SECOND, reason=3)]], [], 1),
        ([[stop_asked(2**62)]], [], 1),
        ([[(STOPPED, at(DELETED, 12 * SECOND)[1])]], [], 1),
        # Two lives.
        (
            [[stop_asked(3 * SECOND)], [at(STOPPED, 4 * SECOND)], [at(START_ASKED, 5 * SECOND)]]
            + [[started(6 * SECOND)], [failed(7 * SECOND, during=5)]],
            [(2, 3, 3, 4, 23), (6, 7, 7, 8, 23)],
            0,
        ),
        # A deletion that fails is tried again; its interval is one.
        (
            [[at(DELETE_ASKED, 12 * SECOND)], [failed(13 * SECOND, during=7)]]
            + [[at(DELETE_ASKED, 14 * SECOND)], [at(DELETED, 15 * SECOND)]],
            [(2, 12, 3, 4, 230)],
            0,
        ),
        # One commit, several events.
        ([[stop_asked(4 * SECOND), at(STOPPED, 5 * SECOND)]], [(2, 4, 3, 4, 46)], 0),
    ],
)
def test_running_is_billed_until_it_ends(readers, after, lines, running):
    fold, found = bill_of(readers, *BEGUN, *after)
    assert found == [(b * SECOND, e * SECOND, *rest) for b, e, *rest in lines]
    assert fold.running() == running


def test_every_status_has_one_interval_however_often_it_is_tried(readers):
    tries = [[at(DELETE_ASKED, 12)], [failed(13, during=7)], [at(DELETE_ASKED, 14)]]
    life = [[created(1)], [at(PROVISIONED, 2)], [started(3)], *tries, [at(DELETED, 15)]]
    fold = environment_fold.EnvironmentFold(environment_events.EnvironmentEvents(readers))
    bodies = [body_of(A, version, events) for version, events in enumerate(life, 1)]
    ended = [each for body in bodies for each in fold.fold(commit_body.decode_body(readers, body))]
    assert [
        (of.status, of.from_us, of.to_us, of.first_version, of.last_version) for of in ended
    ] == [
        ("CREATING", 1, 2, 1, 2),
        ("STARTING", 2, 3, 2, 3),
        ("RUNNING", 3, 12, 3, 4),
        ("DELETING", 12, 15, 4, 7),
    ]


@pytest.mark.parametrize(
    "pico, micro",
    [
        (0, 0),
        (499_999, 0),
        (500_000, 0),
        (500_001, 1),
        (1_500_000, 2),
        (2_500_000, 2),
        (-500_000, 0),
        (-1_500_000, -2),
        (-500_001, -1),
    ],
)
def test_a_line_is_rounded_half_to_even(pico, micro):
    assert money.round_to_micro_usd(pico) == micro


def test_an_amount_that_does_not_fit_is_said_to_overflow(readers):
    assert money.amount_pico_usd(2**62, 2 * SECOND - 1) == (2**62 * (2 * SECOND - 1)) // SECOND
    assert money.amount_pico_usd(2**62, 2 * SECOND) is None
    assert money.amount_pico_usd(-3, 500_000) == -1  # cut, not rounded down
    assert money.add_amounts(2**63 - 1, 1) is None
    fold = environment_fold.EnvironmentFold(environment_events.EnvironmentEvents(readers))
    events = [created(0, price=2**62), started(0), stop_asked(2 * SECOND)]
    bill = Bill()
    for ended in fold.fold(commit_body.decode_body(readers, body_of(A, 1, events))):
        bill.add(ended)
    (line,) = bill.lines()
    assert line.overflowed and (line.amount_pico_usd, line.amount_micro_usd) == (0, 0)
    assert bill.totals()["acct_1"].overflowed


# --- a journal that a release wrote ---


def golden_bodies() -> list[bytes]:
    data, bodies, place = GOLDEN.read_bytes(), [], 0
    while place < len(data):
        (size,) = struct.unpack_from("<I", data, place)
        bodies.append(data[place + 4 : place + 4 + size])
        place += 4 + size
    return bodies


def plain_events(body: bytes):
    """Environment events as berth/usage.py wants them, read by other code than the example's."""
    names = {1: ("created", 6), 4: ("started", 2), 5: ("stop_asked", 1), 7: ("failed", 3)}
    names |= {8: ("delete_asked", 0), 10: ("lost", 2)}
    table = flatbuffer.Table(body)
    if table.scalar(0, "u8") != log_records.KINDS["environment"]:
        return
    for stored in table.tables(13):
        name, time_field = names.get(stored.scalar(0, "u16"), (None, 0))
        if name is None:
            continue
        fields = flatbuffer.Table(stored.bytes(1)).table(1)
        data = {"at_us": fields.scalar(time_field, "u64")}
        if name == "created":
            data["price_pico_usd_per_second"] = fields.scalar(5, "u64")
        if name == "lost":
            data["alive_until_us"] = fields.scalar(1, "u64")
        yield {"stream": f"environment/{table.string(1)}", "type": name, "data": data}


def test_the_bill_of_a_recorded_journal_is_that_of_an_independent_sum(readers):
    """In four partitions, with a new leader now and then, and everything delivered twice."""
    decode = functools.partial(commit_body.decode_body, readers)
    writers = [PartitionWriter(each) for each in range(4)]
    partitions = [reader_rule.PartitionReader(each, decode) for each in range(4)]
    fold = environment_fold.EnvironmentFold(environment_events.EnvironmentEvents(readers))
    bill, bodies = Bill(), golden_bodies()
    for number, body in enumerate(bodies):
        place = record.partition_of(decode(body).stream, 4)
        writer, reader = writers[place], partitions[place]
        records = [writer.commit_of(body)] * 2
        if number % 97 == place or writer.sequence == 1:
            epoch = writer.epoch
            writer.sequence, writer.hash = reader.sequence, reader.hash
            records = [writer.lead(epoch + 1, number), *[writer.commit_of(body)] * 2]
        for each in records:
            judged = reader.judge(each, 0)
            for ended in fold.fold(judged.body) if judged.body else ():
                bill.add(ended)
    counts = sum((each.counts for each in partitions), collections.Counter())
    assert counts[Verdict.APPLIED] == counts[Verdict.REPEATED] == len(bodies) > 1000
    assert counts[Verdict.LEAD_TAKEN] > 8 and not fold.unreadable
    found = collections.defaultdict(lambda: [0, 0])
    for line in bill.lines():
        found[line.interval.environment][0] += line.interval.duration_us
        found[line.interval.environment][1] += line.amount_micro_usd
    expected = independent_usage(each for body in bodies for each in plain_events(body))
    assert {key: tuple(sums) for key, sums in found.items()} == {
        key: sums for key, sums in expected.items() if sums[0]
    }
    assert len(found) > 5
