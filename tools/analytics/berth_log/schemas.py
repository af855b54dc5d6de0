"""FlatBuffers readers made from Berth's schema files, by `flatc --python`, when they are needed.

The files are the repository's schemas/, or those a server gives at GET /schemas/<name>.fbs: the
latter know every event that this server may write.
"""

import atexit
import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import types

from flatbuffers import number_types

REPOSITORY_SCHEMAS = pathlib.Path(__file__).resolve().parents[3] / "schemas"
NEEDED = ("commit", "environment")
FLATC_WITHIN_S = 60
# A consumer may have a package `berth` of its own. Names are no part of what is stored.
PACKAGE = "berth_fb"
NAMESPACE = re.compile(r"^(\s*namespace\s+)berth\.fb\b", re.MULTILINE)


class SchemaError(Exception):
    """Why there are no readers, as a sentence that says what to do."""


class Schemas:
    """Readers by file and table: `schemas.commit.CommitBody.GetRootAs(bytes)`."""

    def __init__(self, folder: pathlib.Path = REPOSITORY_SCHEMAS, needed=NEEDED):
        generated = pathlib.Path(tempfile.mkdtemp(prefix="berth-schemas-"))
        atexit.register(shutil.rmtree, generated, ignore_errors=True)
        _generate(folder, needed, generated)
        sys.path.insert(0, str(generated))
        self.commit = types.SimpleNamespace(**_readers(generated, ""))
        for name in needed:
            if name != "commit":
                setattr(self, name, types.SimpleNamespace(**_readers(generated, name)))


def _generate(folder: pathlib.Path, needed, into: pathlib.Path) -> None:
    flatc = os.environ.get("FLATC") or shutil.which("flatc")
    if not flatc:
        raise SchemaError(
            "there is no flatc; install the FlatBuffers compiler (Debian: flatbuffers-compiler), "
            "or name it in the variable FLATC"
        )
    copies = []
    for name in needed:
        try:
            text = (folder / f"{name}.fbs").read_text(encoding="utf-8")
        except OSError as why:
            raise SchemaError(f"{why}; give the folder of Berth's schemas with --schemas") from None
        copies.append(into / f"{name}.fbs")
        copies[-1].write_text(NAMESPACE.sub(rf"\1{PACKAGE}", text), encoding="utf-8")
    command = [flatc, "--python", "-o", str(into), *map(str, copies)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FLATC_WITHIN_S)
    except (OSError, subprocess.TimeoutExpired) as why:
        raise SchemaError(f"{flatc}: {why}") from None
    if done.returncode != 0:
        raise SchemaError(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()}")


def _readers(generated: pathlib.Path, namespace: str) -> dict:
    """Every class of one namespace: all at once, so that no reader is imported record by record."""
    importlib.invalidate_caches()
    package = ".".join(filter(None, (PACKAGE, namespace)))
    found = {}
    for path in sorted((generated / package.replace(".", "/")).glob("*.py")):
        if path.stem != "__init__":
            module = importlib.import_module(f"{package}.{path.stem}")
            found[path.stem] = getattr(module, path.stem)
    return found


def byte_vector(table, field_id: int) -> bytes:
    """A [ubyte] field at once: the generated readers give single bytes, or need numpy."""
    inner = table._tab
    offset = number_types.UOffsetTFlags.py_type(inner.Offset(4 + 2 * field_id))
    if offset == 0:
        return b""
    start = inner.Vector(offset)
    return bytes(inner.Bytes[start : start + inner.VectorLen(offset)])


def text(value: bytes | None) -> str:
    """A string field; an absent one is empty."""
    return value.decode(errors="replace") if value else ""
