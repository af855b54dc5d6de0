"""A disk that fails or is full: refused with a typed error, or the server ends with its code and a
clear last line; the next start has everything that was acknowledged."""

import http.client
import random

import pytest

from faulty_server import EIO, ENOSPC, EXIT_STORAGE, SYNCS, WRITES, FaultyServer, Told

COMMANDS_MAX = 3000
LIVES = 4
pytestmark = pytest.mark.timeout(180)


def work_until_it_fails(told: Told, prefix: str, enough, at_most: int = COMMANDS_MAX) -> None:
    rest = told.server.rest(timeout_s=10)
    for number in range(at_most):
        try:
            told.make(rest, f"{prefix}-{number}")
        except (OSError, http.client.HTTPException):
            return
        if enough():
            return


@pytest.mark.parametrize("error", [EIO, ENOSPC], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("kinds", [SYNCS, WRITES], ids=["sync", "write"])
def test_a_failing_disk_ends_the_server_and_loses_nothing(make_server, shim, kinds, error, seed):
    server = make_server(shim=shim).start()
    told, random_ = Told(server), random.Random(seed)
    for life in range(LIVES):
        server.fail(kinds, random_.randrange(0, 60), error)
        work_until_it_fails(told, f"life{life}", lambda: server.failures() > 50)
        code = server.process.wait(20)
        assert code == EXIT_STORAGE, f"ended with {code}:\n{server.log()[-2000:]}"
        last = [line for line in server.log().splitlines() if line.strip()][-1]
        assert "storage failed" in last and str(server.data_dir) in last, last
        assert server.failures() > 0
        server.work_again()
        server.start()
        told.check()
    assert len(told.names) > LIVES, "nothing was acknowledged: nothing was tried"


def test_a_full_disk_refuses_or_ends_and_goes_on_when_there_is_room(small_disk):
    server = FaultyServer(small_disk / "data").start()
    try:
        told = Told(server)
        for number in range(20):
            assert told.make(server.rest(), f"before-{number}")
        filler = small_disk / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(64 * 1024))
            except OSError as full:
                assert full.errno == ENOSPC
        refused = len(told.refusals)
        # The log's file has its next megabytes already: those are written first.
        work_until_it_fails(told, "full", lambda: len(told.refusals) > refused + 20, 40_000)
        ended = server.process.poll() is not None or wait_for_end(server)
        assert ended or len(told.refusals) > refused, "a full disk was not noticed"
        if ended:
            assert server.process.returncode == EXIT_STORAGE, server.log()[-2000:]
            # Still full: another start says so, or serves what is there.
            server.start(wait=False)
            code = wait_for_end(server)
            assert code in (None, 1, EXIT_STORAGE), server.log()[-2000:]
        for status, code in told.refusals:
            assert status in (429, 503, 507), (status, code)
        filler.unlink()
        if server.process.poll() is not None:
            server.start()
        else:
            server.wait_ready(60)
        for number in range(20):
            assert told.make(server.rest(), f"after-{number}"), told.refusals[-1]
        told.check()
    finally:
        server.cleanup()


def wait_for_end(server) -> int | None:
    try:
        return server.process.wait(5)
    except Exception:
        return None
