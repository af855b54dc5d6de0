"""A second door of a cluster: TLS with a certificate of our own, users by SCRAM-SHA-512.

The plain listener stays, for the brokers among themselves and for a test's own look inside. Kafka
reads PEM, so openssl is all that keys take. The first user must be in the metadata before the first
start: Kafka's own formatting puts it there.
"""

import pathlib
import secrets
import shutil
import tempfile

import broker_jars
import broker_settings
from broker_process import Unavailable, run_to_end

USER = "berth"
MECHANISM = "SCRAM-SHA-512"
OPENSSL_WITHIN_S = 30
VALID_DAYS = "30"  # of a test's certificate


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


def _openssl(tls: pathlib.Path, *words: str) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        raise Unavailable("no openssl in the PATH, which makes certificates: install openssl")
    run_to_end([openssl, *words], tls / "openssl.log", OPENSSL_WITHIN_S)


def _certificates(tls: pathlib.Path) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made = ["req", "-x509", *key, "-days", VALID_DAYS]
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    ca, ca_key, broker = tls / "ca.pem", tls / "ca.key", tls / "broker.pem"
    _openssl(tls, *made, "-subj", "/CN=Berth test CA", "-keyout", str(ca_key), "-out", str(ca))
    signed = ["-CA", str(ca), "-CAkey", str(ca_key), "-addext", names]
    signed += ["-addext", "basicConstraints=critical,CA:FALSE"]
    key_file, cert_file = tls / "broker.key", tls / "broker.crt"
    _openssl(
        tls, *made, "-subj", "/CN=broker", *signed, "-keyout", str(key_file), "-out", str(cert_file)
    )
    broker.touch(mode=0o600)
    broker.write_text(key_file.read_text() + cert_file.read_text() + ca.read_text())


def _metadata_with_user(tls, made, cluster, password: str, checkpoint: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(dir=tls) as temporary:
        node = pathlib.Path(temporary)
        broker_settings.write(node, broker_settings.properties(cluster, 1, node))
        user = f"{MECHANISM}=[name={USER},password={password}]"
        broker_jars.format_data(made, node, cluster.cluster_id, "--add-scram", user)
        (node / "data/bootstrap.checkpoint").rename(checkpoint)
