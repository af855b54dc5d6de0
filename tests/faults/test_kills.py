"""SIGKILL of the real server, hundreds of times; 10,000 of its kernel and storage: berth_kills."""

import http.client
import random
import threading
import time

import pytest

from faulty_server import Told

CLIENTS = 3


@pytest.mark.timeout(1200)
def test_no_kill_loses_or_doubles_what_was_acknowledged(make_server, request, seed):
    server = make_server().start()
    told, random_ = Told(server), random.Random(seed)
    over = threading.Event()
    problems: list[str] = []

    def work(number: int) -> None:
        rest, turn = server.rest(timeout_s=10), 0
        while not over.is_set():
            turn += 1
            try:
                if not told.make(rest, f"k{number}-{turn}"):
                    problems.append(str(told.refusals[-1]))
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)

    clients = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(CLIENTS)]
    for each in clients:
        each.start()
    during_start = 0
    for _ in range(request.config.getoption("--kills")):
        ready = random_.random() < 0.8
        server.kill9()
        server.start(wait=ready)
        during_start += not ready
        time.sleep(random_.uniform(0, 0.15))
    server.kill9()
    over.set()
    for each in clients:
        each.join(20)
    server.start()
    told.check()
    assert not problems, problems[:5]
    assert told.names and server.kills > during_start
    print(f"{server.kills} kills, {during_start} during a start, {len(told.names)} acknowledged")
