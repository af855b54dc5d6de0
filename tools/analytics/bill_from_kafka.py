#!/usr/bin/env python3
"""The bill, from Kafka alone: an example of a consumer of Berth's events (docs/events.md).

    bill_from_kafka.py --bootstrap HOST:PORT[,HOST:PORT] [--topic berth.commits] [--json] [--follow]

Reads every partition from its beginning to its end, decides by the reader rule which records count,
folds them into intervals and prices those. The lines are the server's own, to the micro-USD; it is
not asked. Intervals that are not over have no line yet. With --follow it goes on and prints each
new line; with --json the report is one object, and with both each thing is one line.

Exit codes: 0 fine, 1 Kafka or the schemas cannot be used, 2 arguments, 3 the topic does not hold
everything that was written, 6 a record is corrupt.
"""

import argparse
import functools
import json
import pathlib
import signal
import sys

from berth_log import kafka_source, report, schemas
from berth_log.bill import Bill, Line
from berth_log.commit_body import decode_body
from berth_log.environment_events import EnvironmentEvents
from berth_log.environment_fold import EnvironmentFold
from berth_log.money import usd
from berth_log.reader_rule import SKIPPED, PartitionReader, Verdict
from berth_log.record import Corrupt

UNUSABLE, INCOMPLETE, CORRUPT = 1, 3, 6


class BillReader:
    """Partition readers, the fold and the bill behind them, and what was counted on the way."""

    def __init__(self, readers: schemas.Schemas, partitions: list[int]):
        decode = functools.partial(decode_body, readers)
        self._partitions = {each: PartitionReader(each, decode) for each in partitions}
        self.environments = EnvironmentFold(EnvironmentEvents(readers))
        self.bill = Bill()
        self.events = 0

    def take(self, message: kafka_source.Message) -> list[Line]:
        """The lines that this record adds."""
        judged = self._partitions[message.partition].judge(message.value, message.offset)
        if judged.body is None:
            return []
        self.events += len(judged.body.events)
        added = [self.bill.add(ended) for ended in self.environments.fold(judged.body)]
        return [line for line in added if line]

    def count(self, verdict: Verdict) -> int:
        return sum(each.counts[verdict] for each in self._partitions.values())

    def read_counts(self) -> dict[str, int]:
        return {
            "records": sum(map(self.count, Verdict)),
            "commits": self.count(Verdict.APPLIED),
            "leads": self.count(Verdict.LEAD_TAKEN),
            "events": self.events,
            "unreadable_events": self.environments.unreadable.total(),
        }

    def skipped_counts(self) -> dict[str, int]:
        return {verdict.value: self.count(verdict) for verdict in SKIPPED}


def report_json(of: BillReader) -> dict:
    totals = of.bill.totals()
    return {
        "lines": [report.line_json(each) for each in of.bill.lines()],
        "totals": [report.total_json(account, totals[account]) for account in sorted(totals)],
        "running_environments": of.environments.running(),
        "read": of.read_counts(),
        "skipped": of.skipped_counts(),
    }


def report_text(of: BillReader) -> str:
    out = [report.table(of.bill.lines()), ""]
    for account, total in sorted(of.bill.totals().items()):
        more = " (an amount overflowed and is left out)" if total.overflowed else ""
        out.append(f"{account}: {usd(total.amount_micro_usd)} USD in {total.lines} lines{more}")
    out.append(f"{of.environments.running()} environments run and have no line for it yet")
    out.append(f"read: {report.counted(of.read_counts())}")
    out.append(f"skipped: {report.counted(of.skipped_counts())}")
    return "\n".join(out)


def run(asked: argparse.Namespace) -> None:
    readers = schemas.Schemas(asked.schemas)
    source = kafka_source.KafkaSource(kafka_settings(asked), asked.topic)
    try:
        reading = BillReader(readers, source.partitions)
        for message in source.read_to_end():
            reading.take(message)
        indent = None if asked.follow else 1
        print(
            json.dumps(report_json(reading), indent=indent) if asked.json else report_text(reading),
            flush=True,
        )
        for message in source.follow() if asked.follow else ():
            for line in reading.take(message):
                cells = "  ".join(report.line_cells(line))
                print(json.dumps(report.line_json(line)) if asked.json else cells, flush=True)
    finally:
        source.close()


def kafka_settings(asked: argparse.Namespace) -> dict[str, str]:
    """librdkafka's names for what was asked."""
    given = {
        "bootstrap.servers": asked.bootstrap,
        "security.protocol": asked.security_protocol,
        "sasl.username": asked.sasl_username,
        "sasl.mechanism": asked.sasl_mechanism if asked.sasl_username else None,
        "ssl.ca.location": asked.ca_file,
        "ssl.certificate.location": asked.certificate_file,
        "ssl.key.location": asked.key_file,
    }
    if asked.sasl_password_file:
        # Its first line; on the command line everybody on the machine could read it.
        given["sasl.password"] = asked.sasl_password_file.read_text().split("\n")[0]
    settings = {name: str(value) for name, value in given.items() if value}
    return settings | dict(asked.setting)


def setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--bootstrap", required=True, metavar="HOST:PORT[,…]", help="brokers")
    add("--topic", default="berth.commits", help="default %(default)s")
    add("--schemas", type=pathlib.Path, default=schemas.REPOSITORY_SCHEMAS, metavar="DIR")
    add("--json", action="store_true")
    add("--follow", action="store_true", help="go on until interrupted")
    secure = parser.add_argument_group("TLS and SASL")
    add = secure.add_argument
    protocols = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
    add("--security-protocol", choices=protocols, default="plaintext")
    add("--sasl-mechanism", default="SCRAM-SHA-512", help="default %(default)s")
    add("--sasl-username")
    add("--sasl-password-file", type=pathlib.Path, help="its first line")
    add("--ca-file", type=pathlib.Path, help="PEM")
    add("--certificate-file", type=pathlib.Path, help="PEM")
    add("--key-file", type=pathlib.Path, help="PEM")
    add("-X", dest="setting", action="append", default=[], type=setting, metavar="NAME=VALUE",
        help="any other setting of librdkafka")  # fmt: skip
    return parser


def main() -> int:
    asked = arguments().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(asked)
    except KeyboardInterrupt:
        return 0 if asked.follow else UNUSABLE
    except (schemas.SchemaError, kafka_source.SourceError, OSError) as why:
        print(f"bill_from_kafka: {why}", file=sys.stderr)
        return INCOMPLETE if isinstance(why, kafka_source.Incomplete) else UNUSABLE
    except Corrupt as why:
        print(f"bill_from_kafka: {asked.topic} {why}; nothing behind it counts", file=sys.stderr)
        return CORRUPT
    return 0


if __name__ == "__main__":
    sys.exit(main())
