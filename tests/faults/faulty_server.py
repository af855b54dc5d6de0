"""A berthd whose disk and clock do as we say, and whose limits are low (shim.c)."""

import errno
import mmap
import os
import pathlib
import resource
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from berth.rest import uuid7  # noqa: E402
from berth.server import BIN, Server  # noqa: E402

WRITES, SYNCS = 1, 2
EXIT_STORAGE = 5
EIO, ENOSPC = errno.EIO, errno.ENOSPC
LAYOUT = struct.Struct("<iiiiq")


def build_shim(folder: pathlib.Path) -> pathlib.Path:
    made = folder / "shim.so"
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", str(made), str(HERE / "shim.c"), "-ldl"], check=True)
    return made


class FaultyServer(Server):
    def __init__(self, data_dir: pathlib.Path, shim: pathlib.Path | None = None, limits=None):
        super().__init__(data_dir)
        self.shim, self.limits = shim, limits or {}
        self.binary = BIN / "berthd"
        path = data_dir.parent / f"{data_dir.name}.control"
        path.write_bytes(bytes(LAYOUT.size))
        self.control_path = path
        with open(path, "r+b") as file:
            self.control = mmap.mmap(file.fileno(), LAYOUT.size)

    def command(self) -> list[str]:
        return [str(self.binary), *super().command()[1:]]

    def start(self, wait: bool = True) -> "FaultyServer":
        assert self.process is None or self.process.poll() is not None, "already running"
        given = dict(os.environ)
        if self.shim:
            given |= {"LD_PRELOAD": str(self.shim), "BERTH_FAULT_FOLDER": str(self.data_dir)}
            given["BERTH_FAULT_CONTROL"] = str(self.control_path)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=given,
                preexec_fn=self._limit,
            )
        if wait:
            self.wait_ready(60)
        return self

    def _limit(self) -> None:
        for which, most in self.limits.items():
            resource.setrlimit(which, (most, most))

    def fail(self, kinds: int, after: int, error: int) -> None:
        """From the call number `after` on, calls of these kinds fail."""
        offset = LAYOUT.unpack(self.control[:])[4]
        self.control[:] = LAYOUT.pack(kinds, after, error, 0, offset)

    def failures(self) -> int:
        return LAYOUT.unpack(self.control[:])[3]

    def work_again(self) -> None:
        self.fail(0, 0, 0)

    def move_clock(self, hours: float) -> None:
        kinds, after, error, failed, _ = LAYOUT.unpack(self.control[:])
        self.control[:] = LAYOUT.pack(kinds, after, error, failed, int(hours * 3600 * 10**9))


class Told:
    """Accounts somebody was told exist: the cheapest command there is."""

    def __init__(self, server: Server):
        self.server = server
        self.names: dict[str, str] = {}  # name -> idempotency key
        self.refusals: list[tuple[int, str]] = []

    def make(self, rest, name: str) -> bool:
        """One try. Whether it was acknowledged."""
        key = uuid7()
        answer = rest.ask("POST", "/api/v1/accounts", {"name": name}, key)
        if answer.status == 201:
            self.names[name] = key
        else:
            self.refusals.append((answer.status, answer.body["code"]))
        return answer.status == 201

    def check(self) -> None:
        """All are there, each once; the data directory is as it should be."""
        names = [each["name"] for each in self.server.rest().items("/api/v1/accounts")]
        assert len(names) == len(set(names)), "an account is there twice"
        lost = set(self.names) - set(names)
        assert not lost, f"{len(lost)} acknowledged accounts are lost: {sorted(lost)[:5]}"
        commits: dict[str, set] = {}
        for event in self.server.inspect("events"):
            commits.setdefault(event["command"], set()).add(event["position"]["offset"])
        twice = [key for key in self.names.values() if len(commits[key]) != 1]
        assert not twice, twice[:5]
        assert self.server.inspect("verify")["ok"]
