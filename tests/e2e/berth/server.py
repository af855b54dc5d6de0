"""A berthd of our own: real binary, temporary data directory, free loopback port."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from .rest import Rest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "infra/deploy/cluster"))

from launchers import end_launchers, pids_naming  # noqa: E402

BIN = pathlib.Path(os.environ.get("BERTH_BIN", ROOT / "build/bin"))
READY_WITHIN_S = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, data_dir: pathlib.Path, flags: list[str] | None = None):
        self.data_dir = data_dir
        self.port = free_port()
        self.flags = flags or []
        self.process: subprocess.Popen | None = None
        self.log_path = data_dir.parent / f"{data_dir.name}.log"
        self.kills = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_token(self) -> str:
        return (self.data_dir / "admin-token").read_text().strip()

    def command(self) -> list[str]:
        listen = f"127.0.0.1:{self.port}"
        return [
            str(BIN / "berthd"),
            "--data-dir",
            str(self.data_dir),
            "--listen",
            listen,
            *self.flags,
        ]

    def start(self, wait: bool = True) -> "Server":
        assert self.process is None or self.process.poll() is not None, "already running"
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        log.close()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(
                    f"berthd ended with {self.process.returncode}:\n{self.log()[-3000:]}"
                )
            try:
                with urllib.request.urlopen(self.url + "/ready", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.01)
        raise AssertionError(f"not ready within {within_s} s:\n{self.log()[-3000:]}")

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill9(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.kills += 1

    def stop(self, number: int = signal.SIGTERM, within_s: float = 20) -> int:
        self.process.send_signal(number)
        return self.process.wait(within_s)

    def rest(self, token: str | None = None, timeout_s: float = 30) -> Rest:
        return Rest(self.port, self.admin_token if token is None else token, timeout_s)

    def tool(self, name: str, *arguments: str, timeout_s: float = 60, **more):
        return subprocess.run(
            [str(BIN / name), *arguments], capture_output=True, timeout=timeout_s, **more
        )

    def inspect(self, *arguments: str, timeout_s: float = 60):
        """The JSON that berth-inspect prints."""
        asked = ("--data-dir", str(self.data_dir), "-o", "json", *arguments)
        done = self.tool("berth-inspect", *asked, timeout_s=timeout_s)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def devctl(self, *arguments: str, stdin: bytes = b"", token: str | None = None, timeout_s=60):
        return self.tool(
            "devctl", *arguments, input=stdin, env=self.devctl_env(token), timeout_s=timeout_s
        )

    def devctl_env(self, token: str | None = None) -> dict:
        home = self.data_dir.parent / "home"
        home.mkdir(exist_ok=True)
        given = {k: v for k, v in os.environ.items() if k != "XDG_CONFIG_HOME"}
        return given | {
            "HOME": str(home),
            "BERTH_SERVER": self.url,
            "BERTH_TOKEN": self.admin_token if token is None else token,
        }

    def rss_bytes(self) -> int:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def launchers(self) -> list[int]:
        return [pid for pid in pids_naming(str(self.data_dir)) if pid != self.process.pid]

    def cleanup(self) -> None:
        """Deletes every environment, ends the server, then what is left of its launcher, by pid."""
        try:
            if self.process is None:
                return
            if self.process.poll() is None:
                self._delete_environments()
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait(10)
            end_launchers(self.data_dir)

    def _delete_environments(self) -> None:
        try:
            rest = self.rest(timeout_s=15)
            for each in rest.ask("GET", "/api/v1/environments").body.get("items", []):
                rest.ask("DELETE", f"/api/v1/environments/{each['id']}?wait=true&timeout_ms=10000")
        except Exception as error:  # the server may be what the test broke
            print(f"cleanup: {error}")
