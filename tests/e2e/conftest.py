"""End to end: real binaries, killed for real, seen by independent clients.

BERTH_BIN names the folder of binaries (default build/bin). Each module has its own server;
BERTH_E2E_KEEP=1 keeps its data directory and log for a look afterwards.
"""

import os
import pathlib
import shutil
import tempfile

import pytest

from berth.server import BIN, Server


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=20261121, help="seed of everything random")


def pytest_report_header(config):
    return f"berth: binaries in {BIN}, seed {config.getoption('--seed')}"


@pytest.fixture(scope="session")
def seed(request) -> int:
    return request.config.getoption("--seed")


@pytest.fixture(scope="session", autouse=True)
def binaries():
    missing = [name for name in ("berthd", "berth-agent", "devctl") if not (BIN / name).exists()]
    assert not missing, f"{', '.join(missing)} not in {BIN}: run ./dev build first"


@pytest.fixture(scope="module")
def make_server():
    """Makes servers; each one's folder is short enough for unix sockets and goes at the end."""
    made: list[Server] = []
    folders: list[pathlib.Path] = []

    def make(flags: list[str] | None = None, start: bool = True) -> Server:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-e2e-"))
        folder.chmod(0o711)  # root inside an environment must fail for a better reason than this
        folders.append(folder)
        server = Server(folder / "data", flags)
        made.append(server)
        return server.start() if start else server

    yield make
    for server in made:
        server.cleanup()
    for folder in folders:
        if os.environ.get("BERTH_E2E_KEEP"):
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server(make_server) -> Server:
    return make_server()


@pytest.fixture(scope="module")
def rest(server):
    return server.rest()


@pytest.fixture(scope="module")
def host(rest) -> dict:
    """What this machine can do; without a working provider nothing here can be tested."""
    found = rest.good("GET", "/api/v1/host")
    if not found["works"]:
        pytest.skip(f"no provider works on this machine: {found['problems']}")
    return found


@pytest.fixture(scope="module")
def environment(rest, host) -> dict:
    body = {"name": "first", "instance_type": "lightweight"}
    answer = rest.good("POST", "/api/v1/environments?wait=true", body, expect=201)
    assert answer["environment"]["status"] == "RUNNING", answer
    return answer["environment"]
