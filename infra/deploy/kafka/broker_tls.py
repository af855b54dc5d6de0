"""A second door of a cluster: TLS with a certificate of our own, users by SCRAM-SHA-512.

The plain listener stays, for the brokers among themselves and for a test's own look inside. Kafka
reads PEM, so openssl is all that keys take. The first user must be in the metadata before the first
start: Kafka's own formatting puts it there.
"""

import pathlib
import secrets
import tempfile

import broker_jars
import broker_settings
from certificates import Pair, make_authority, make_signed

USER = "berth"
MECHANISM = "SCRAM-SHA-512"


def make(directory: pathlib.Path, made, cluster) -> pathlib.Path:
    """Keys, certificate and user, once a cluster; returns the metadata that knows the user."""
    tls = directory / "tls"
    checkpoint = tls / "bootstrap.checkpoint"
    if checkpoint.exists():
        return checkpoint
    tls.mkdir(mode=0o700, exist_ok=True)
    _certificates(tls)
    password = secrets.token_urlsafe(18)
    _write_client(directory, password)
    _metadata_with_user(tls, made, cluster, password, checkpoint)
    return checkpoint


def add(settings: dict[str, object], directory: pathlib.Path, port: int) -> None:
    """The listener, in a broker's settings."""
    settings["listeners"] += f",SECURE://127.0.0.1:{port}"
    settings["advertised.listeners"] += f",SECURE://127.0.0.1:{port}"
    settings["listener.security.protocol.map"] += ",SECURE:SASL_SSL"
    prefix = "listener.name.secure"
    # PLAIN too: librdkafka before 2.6.1 cannot do SCRAM with brokers from 4.0 on.
    settings[f"{prefix}.sasl.enabled.mechanisms"] = f"{MECHANISM},PLAIN"
    password = (directory / "client.password").read_text(encoding="utf-8").strip()
    settings[f"{prefix}.plain.sasl.jaas.config"] = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'user_{USER}="{password}";'
    )
    settings[f"{prefix}.{MECHANISM.lower()}.sasl.jaas.config"] = (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    )
    settings[f"{prefix}.ssl.keystore.type"] = "PEM"
    settings[f"{prefix}.ssl.keystore.location"] = directory / "tls/broker.pem"


def client_settings(directory: pathlib.Path) -> dict[str, str]:
    text = (directory / "client.properties").read_text(encoding="utf-8")
    return dict(line.split("=", 1) for line in text.splitlines())


def _write_client(directory: pathlib.Path, password: str) -> None:
    """As librdkafka spells them; the password in a file of its own too, as berthd reads it."""
    file, alone = directory / "client.properties", directory / "client.password"
    for each in (file, alone):
        each.touch(mode=0o600)
    alone.write_text(password + "\n", encoding="utf-8")
    settings = {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": MECHANISM,
        "sasl.username": USER,
        "sasl.password": password,
        "ssl.ca.location": directory / "tls/ca.pem",
    }
    file.write_text(broker_settings.text(settings), encoding="utf-8")


def _certificates(tls: pathlib.Path) -> None:
    authority = Pair(tls / "ca.pem", tls / "ca.key")
    broker = Pair(tls / "broker.crt", tls / "broker.key")
    make_authority(authority, "Berth test CA")
    make_signed(broker, "broker", authority)
    chain = tls / "broker.pem"
    chain.touch(mode=0o600)
    parts = (broker.key, broker.certificate, authority.certificate)
    chain.write_text("".join(part.read_text() for part in parts))


def _metadata_with_user(tls, made, cluster, password: str, checkpoint: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(dir=tls) as temporary:
        node = pathlib.Path(temporary)
        broker_settings.write(node, broker_settings.properties(cluster, 1, node))
        user = f"{MECHANISM}=[name={USER},password={password}]"
        broker_jars.format_data(made, node, cluster.cluster_id, "--add-scram", user)
        (node / "data/bootstrap.checkpoint").rename(checkpoint)
