"""An authority of one's own and what it signs, by openssl: for tests and a developer's machine.

Keys are elliptic. What is signed is good for 127.0.0.1 and localhost, at both ends of a connection.
"""

import dataclasses
import pathlib
import shutil

from broker_process import Unavailable, run_to_end

OPENSSL_WITHIN_S = 30
TEST_DAYS = 30
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
EXTENSIONS = (
    "subjectAltName=IP:127.0.0.1,DNS:localhost",
    "basicConstraints=critical,CA:FALSE",
    "extendedKeyUsage=serverAuth,clientAuth",
)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Where a certificate and its key are, as PEM; the key is readable by its owner alone."""

    certificate: pathlib.Path
    key: pathlib.Path

    def exists(self) -> bool:
        return self.certificate.exists() and self.key.exists()


def make_authority(of: Pair, name: str, days: int = TEST_DAYS) -> None:
    _openssl(of, name, days)


def make_signed(of: Pair, name: str, by: Pair, days: int = TEST_DAYS) -> None:
    signed = ["-CA", str(by.certificate), "-CAkey", str(by.key)]
    for extension in EXTENSIONS:
        signed += ["-addext", extension]
    _openssl(of, name, days, *signed)


def _openssl(of: Pair, name: str, days: int, *more: str) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        raise Unavailable("no openssl in the PATH, which makes certificates: install openssl")
    command = [openssl, "req", "-x509", *KEY, "-days", str(days), "-subj", f"/CN={name}", *more]
    command += ["-keyout", str(of.key), "-out", str(of.certificate)]
    run_to_end(command, of.key.parent / "openssl.log", OPENSSL_WITHIN_S)
