"""Too few descriptors, too little memory: refused politely, or ended cleanly; nothing is lost."""

import http.client
import resource
import socket
import threading
import time

import pytest

from faulty_server import Told

pytestmark = pytest.mark.timeout(180)
DESCRIPTORS = 220
ADDRESS_SPACE = 1600 * 1024 * 1024


def test_without_descriptors_connections_wait_or_are_refused_and_it_recovers(make_server):
    server = make_server(limits={resource.RLIMIT_NOFILE: DESCRIPTORS}).start()
    told = Told(server)
    assert told.make(server.rest(), "before")
    held = []
    for _ in range(DESCRIPTORS + 100):
        try:
            held.append(socket.create_connection(("127.0.0.1", server.port), 2))
        except OSError:
            break
    assert len(held) > DESCRIPTORS / 2
    time.sleep(0.5)
    assert server.process.poll() is None, server.log()[-2000:]
    for each in held:
        each.close()
    until = time.monotonic() + 30
    made, tries = False, 0
    while not made and time.monotonic() < until:
        tries += 1
        try:
            made = told.make(server.rest(timeout_s=5), f"after-{tries}")
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    assert made, f"did not recover: {told.refusals[-3:]}\n{server.log()[-2000:]}"
    told.check()


def test_without_memory_it_refuses_or_ends_and_loses_nothing(make_server):
    server = make_server(limits={resource.RLIMIT_AS: ADDRESS_SPACE}).start()
    told = Told(server)

    def flood(number: int) -> None:
        rest = server.rest(timeout_s=10)
        body = b'{"name":"' + b"x" * (3 * 1024 * 1024)
        for turn in range(20):
            try:
                told.make(rest, f"m{number}-{turn}")
                rest.ask("POST", "/api/v1/accounts", body)
            except (OSError, http.client.HTTPException):
                return

    floods = [threading.Thread(target=flood, args=(n,), daemon=True) for n in range(32)]
    for each in floods:
        each.start()
    for each in floods:
        each.join(60)
    ended = server.process.poll()
    assert ended is None or ended != 0
    for status, _ in told.refusals:
        assert status in (400, 413, 429, 503), told.refusals
    server.limits = {}
    server.kill9() if ended is None else None
    server.start()
    assert told.make(server.rest(), "afterwards")
    told.check()
