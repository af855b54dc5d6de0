"""A clock that jumps by hours, both ways, also between two starts."""

import pytest

from berth.rest import uuid7
from faulty_server import Told

pytestmark = pytest.mark.timeout(120)
JUMPS = [5, -7, 30, 0, -48, 2]


def times(server) -> list[int]:
    """Commit times in the order of the log."""
    found = {}
    for event in server.inspect("events"):
        found[event["position"]["offset"]] = event["time"]
    return [found[offset] for offset in sorted(found)]


def test_commit_time_never_goes_back_and_every_command_is_answered(make_server, shim):
    server = make_server(shim=shim).start()
    told = Told(server)
    for turn, hours in enumerate(JUMPS):
        server.move_clock(hours)
        if turn % 2:
            server.kill9()
            server.start()
        assert told.make(server.rest(), f"jump-{turn}") or hours >= 24 or turn > 2
        for status, code in told.refusals:
            # Where the clock ran ahead, ids of today are older than the window.
            assert (status, code) == (410, "command_too_old") or code == "command_too_old", code
    server.move_clock(0)
    told.check()
    seen = times(server)
    assert seen == sorted(seen), "commit time went back"


def test_a_retry_within_the_window_is_answered_again_after_a_jump(make_server, shim):
    server = make_server(shim=shim).start()
    rest, key = server.rest(), uuid7()
    first = rest.ask("POST", "/api/v1/accounts", {"name": "jumper"}, key)
    assert first.status == 201
    for hours in (6, -6):
        server.move_clock(hours)
        again = rest.ask("POST", "/api/v1/accounts", {"name": "jumper"}, key)
        assert again.status == 201 and again.body["account"] == first.body["account"], again
    server.move_clock(30)
    late = rest.ask("POST", "/api/v1/accounts", {"name": "jumper"}, key)
    assert late.status >= 400 and late.body["code"] == "command_too_old", late


def test_tokens_and_health_survive_a_jump(make_server, shim):
    server = make_server(shim=shim).start()
    for hours in (12, -12, 0):
        server.move_clock(hours)
        assert server.rest().ask("GET", "/api/v1/auth/whoami").status == 200
        assert server.rest().ask("GET", "/health").status == 200
