"""How long a stream waits while the node that leads it goes away and comes back.

Each of its streams has a client that writes through another node in a closed loop: the next command
is sent when the last was acknowledged. Nothing is tried again: what is not acknowledged, failed.
"""
import http.client
import threading
import time

from berth.rest import Rest, uuid7

from scale.plan import spread_ms

THINK_S = 0.005
ANSWER_WITHIN_S = 30  # a node gives a command up after 15 s
AGAIN_AFTER_S = 0.05  # behind a failure
MOVED_WITHIN_S = 30
STEADY_S = 0.5  # acknowledged again for so long: the move is over
LOOK_EVERY_S = 0.01


class Writer(threading.Thread):
    def __init__(self, port, target):
        super().__init__(daemon=True)
        self.target = target
        self.acknowledged, self.failures = [], []  # times; (time, why)
        self._rest = Rest(port, target.account.token, ANSWER_WITHIN_S)
        self._stopping = threading.Event()

    def run(self):
        body = dict(self.target.body)
        while not self._stopping.is_set():
            try:
                answer = self._rest.ask("POST", self.target.path, body, uuid7())
                why = "" if answer.status == 200 else repr(answer)
            except (OSError, http.client.HTTPException) as lost:
                why = repr(lost)
            if why:
                self.failures.append((time.monotonic(), why))
            else:
                self.acknowledged.append(time.monotonic())
            self._stopping.wait(AGAIN_AFTER_S if why else THINK_S)
        self._rest.close()

    def stop(self):
        self._stopping.set()

    def longest(self, since, until):
        """The longest time between two acknowledgements, of those that came in this time."""
        times = list(self.acknowledged)
        before = [each for each in times if each <= since][-1:] or [since]
        inside = [each for each in times if since < each <= until]
        edges = before + inside + ([] if inside else [until])
        return max(b - a for a, b in zip(edges, edges[1:]))


def wait_acknowledged(writers, since):
    """Until each has an acknowledgement after that."""
    until = time.monotonic() + MOVED_WITHIN_S
    while late := [each for each in writers if (each.acknowledged or [0])[-1] <= since]:
        if time.monotonic() > until:
            raise AssertionError(f"{late[0].target.stream} takes no command for {MOVED_WITHIN_S} "
                                 f"s: {late[0].failures[-1:]}")
        time.sleep(LOOK_EVERY_S)


def one_of_each(bench, gone, front):
    """Of each partition that `gone` leads a session; its account is led by the front if may be, so
    that what is seen is the stream's own wait."""
    leaders, found = bench.leaders, []
    for partition in leaders.partitions_of(gone):
        fits = [each for each in bench.targets
                if each.is_session and leaders.partition(each.stream) == partition]

        def distance(target):
            authority = leaders.of(target.account.stream)
            return (authority == gone, authority != front)

        found.append(min(fits, key=distance))
    return found


class Gaps:
    """Seconds, of each stream and each time, by what happened meanwhile."""

    def __init__(self):
        self.undisturbed, self.away, self.back = [], [], []
        self.commands, self.failures = 0, []

    def add(self, writers, calm, asked, back, end):
        for each in writers:
            self.undisturbed.append(each.longest(calm, asked))
            self.away.append(each.longest(asked, back))
            self.back.append(each.longest(back, end))
            self.commands += len(each.acknowledged)
            self.failures += [why for _, why in each.failures]


def move(bench, gone, end_it, gaps):
    nodes, front = bench.nodes, (gone + 1) % len(bench.nodes.ports)
    writers = [Writer(nodes.ports[front], each) for each in one_of_each(bench, gone, front)]
    for each in writers:
        each.start()
    try:
        calm = time.monotonic()
        wait_acknowledged(writers, calm)
        time.sleep(bench.plan.calm_s)
        asked = time.monotonic()
        end_it(gone)
        wait_acknowledged(writers, time.monotonic() + STEADY_S)
        back = time.monotonic()
        nodes.start(gone)
        nodes.wait_shared()
        bench.leaders.wait_true(nodes)
        wait_acknowledged(writers, time.monotonic() + STEADY_S)
        end = time.monotonic()
    finally:
        for each in writers:
            each.stop()
    for each in writers:
        each.join(ANSWER_WITHIN_S + 5)
        assert not each.is_alive(), "a writer hangs"
    gaps.add(writers, calm, asked, back, end)


def moves(bench, what, times, end_it):
    if len(bench.nodes.ports) == 1 or times == 0:
        return  # nobody to hand over to
    gaps = Gaps()
    for number in range(times):
        move(bench, number % len(bench.nodes.ports), end_it, gaps)
    for why in gaps.failures[:1]:
        bench.note(f"{len(gaps.failures)} commands failed, the first: {why}")
    bench.say(what, times=times, **spread_ms(gaps.away), failed=len(gaps.failures),
              commands=gaps.commands)
    bench.say(f"{what}, when it is back", **spread_ms(gaps.back))
    bench.say(f"{what}, undisturbed before", **spread_ms(gaps.undisturbed))


def handovers(bench):
    moves(bench, "planned handover", bench.plan.handovers, bench.nodes.stop)


def failovers(bench):
    moves(bench, "failover", bench.plan.failovers, bench.nodes.kill)
