"""The files a node reads at its start: configuration, certificates, the secret of all nodes."""

import json
import pathlib
import secrets

import node_plan
from broker_settings import IN_SYNC_MIN, REPLICAS_MAX
from certificates import Pair, make_authority, make_signed
from node_plan import Plan

SECRET_BYTES = 32
VALID_DAYS = 3650  # nobody renews those of a developer's machine


def lay_out(directory: pathlib.Path, plan: Plan, brokers: int, bootstrap: str) -> None:
    """Certificates and secret once a cluster; the configuration each time."""
    for ordinal in plan.ports:
        node_plan.folder(directory, ordinal).mkdir(mode=0o700, exist_ok=True)
    _make_secret(directory / "cluster.secret")
    _make_certificates(directory, plan)
    for ordinal in plan.ports:
        tables = settings(directory, plan, ordinal, brokers, bootstrap)
        config_file(directory, ordinal).write_text(toml(tables), encoding="utf-8")


def config_file(directory: pathlib.Path, ordinal: int) -> pathlib.Path:
    return node_plan.folder(directory, ordinal) / "berthd.toml"


def settings(
    directory: pathlib.Path, plan: Plan, ordinal: int, brokers: int, bootstrap: str
) -> dict[str, dict]:
    """By table; that without a name comes first."""
    ports = plan.ports[ordinal]
    replicas = min(brokers, REPLICAS_MAX)
    pair = _node_pair(directory, ordinal)
    top = {
        "engine": "kafka",
        "data_dir": str(node_plan.data_dir(directory, ordinal)),
        "listen": f"127.0.0.1:{ports.http}",
    }
    kafka = {
        "bootstrap": bootstrap,
        "node": f"node-{ordinal}",
        "topic_prefix": plan.topic_prefix,
        "partitions": plan.partitions,
        "replication_factor": replicas,
        "min_insync_replicas": IN_SYNC_MIN if replicas == REPLICAS_MAX else 1,
        "session_timeout_ms": plan.session_timeout_ms,
    }
    cluster = {
        "ordinal": ordinal,
        "listen": f"127.0.0.1:{ports.peer}",
        "certificate_file": str(pair.certificate),
        "key_file": str(pair.key),
        "ca_file": str(_authority(directory).certificate),
        "secret_file": str(directory / "cluster.secret"),
    }
    return {"": top, "kafka": kafka, "cluster": cluster}


def toml(tables: dict[str, dict]) -> str:
    """Texts and whole numbers, which TOML writes as JSON does."""
    lines = []
    for name, table in tables.items():
        lines += [f"\n[{name}]"] * bool(name)
        lines += [f"{key} = {json.dumps(of, ensure_ascii=False)}" for key, of in table.items()]
    return "\n".join(lines) + "\n"


def _authority(directory: pathlib.Path) -> Pair:
    return Pair(directory / "ca.crt", directory / "ca.key")


def _node_pair(directory: pathlib.Path, ordinal: int) -> Pair:
    base = node_plan.folder(directory, ordinal)
    return Pair(base / f"node-{ordinal}.crt", base / f"node-{ordinal}.key")


def _make_secret(file: pathlib.Path) -> None:
    if file.exists():
        return
    made = file.with_suffix(".new")
    made.touch(mode=0o600)
    made.write_text(secrets.token_hex(SECRET_BYTES) + "\n", encoding="utf-8")
    made.rename(file)


def _make_certificates(directory: pathlib.Path, plan: Plan) -> None:
    """All or none: what was left half made was signed by another authority."""
    authority = _authority(directory)
    pairs = {ordinal: _node_pair(directory, ordinal) for ordinal in plan.ports}
    if authority.exists() and all(pair.exists() for pair in pairs.values()):
        return
    make_authority(authority, "Berth cluster CA", VALID_DAYS)
    for ordinal, pair in pairs.items():
        make_signed(pair, f"node-{ordinal}", authority, VALID_DAYS)
