"""Real faults on the real binaries: `./dev faults [--only NAME]`.

BERTH_BIN names the folder of binaries; --kills how often the real server is killed.
"""

import os
import pathlib
import random
import shutil
import subprocess
import tempfile

import pytest

from faulty_server import FaultyServer, build_shim


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=random.randrange(10**6))
    parser.addoption("--kills", type=int, default=300)


def pytest_report_header(config):
    return f"berth faults: --seed {config.getoption('--seed')}"


@pytest.fixture
def seed(request) -> int:
    return request.config.getoption("--seed")


@pytest.fixture(scope="session")
def shim(tmp_path_factory) -> pathlib.Path:
    return build_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def make_server():
    """Servers of their own folders, ended and removed afterwards."""
    made: list[tuple[FaultyServer, pathlib.Path]] = []

    def make(**given) -> FaultyServer:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-faults-"))
        folder.chmod(0o711)
        made.append((FaultyServer(folder / "data", **given), folder))
        return made[-1][0]

    yield make
    for server, folder in made:
        server.work_again()
        server.cleanup()
        if os.environ.get("BERTH_E2E_KEEP"):
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def small_disk():
    """A file system of 64 MiB at a new folder."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-small-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "berth-small", str(folder)], capture_output=True
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode()}")
    folder.chmod(0o711)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()
