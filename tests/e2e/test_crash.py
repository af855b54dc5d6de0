"""The main promise: SIGKILL of the server at random moments loses, doubles and invents nothing.

One program prints a known pseudo-random stream while three clients read it, a fourth types, six
workers send commands, their sockets are cut and the server is killed again and again.
"""

import collections
import hashlib
import random
import time

import pytest

from berth.terminal_client import TerminalClient
from berth.usage import independent_usage
from berth.workload import Workload

STREAM_BYTES = 20 * 1024 * 1024
BLOCK = 64  # one SHA-256 in hex
KILLS = 22
KILLS_AHEAD = 10  # kills with forwarded > durable
CUTS = 54
COMMANDS = 10_000
TYPED_LINES = 400
RUN_WITHIN_S = 150
SCREEN_PAUSE_S = 0.1  # slow enough to be left behind

# Prints sha256("<seed>:<n>") in hex for n = 0, 1, …: printable, so the PTY changes no byte. Paced,
# so that the stream lasts as long as the killing does.
GENERATOR = r"""
use strict; use Digest::SHA qw(sha256_hex); use Time::HiRes qw(sleep time);
my ($seed, $blocks, $rate) = @ARGV; $| = 1; my $began = time;
for (my $n = 0; $n < $blocks; $n += 64) {
  my $piece = ''; my $last = $n + 64 < $blocks ? $n + 64 : $blocks;
  $piece .= sha256_hex("$seed:$_") for $n .. $last - 1;
  print $piece;
  my $ahead = $n * 64 / $rate - (time - $began); sleep($ahead) if $ahead > 0.01;
}
"""


def expected_stream(seed: int) -> bytes:
    hashed = (
        hashlib.sha256(f"{seed}:{n}".encode()).hexdigest() for n in range(STREAM_BYTES // BLOCK)
    )
    return "".join(hashed).encode()


def open_terminal(rest, environment, command) -> str:
    path = f"/api/v1/environments/{environment['id']}/terminals"
    body = {"cols": 80, "rows": 24, "command": command}
    return rest.good("POST", path, body, expect=201)["terminal"]["id"]


def run(rest, environment, script: str, stdin: str = "") -> str:
    body = {"command": ["/bin/sh", "-c", script], "stdin": stdin}
    done = rest.good("POST", f"/api/v1/environments/{environment['id']}/exec", body)
    assert done["exit_code"] == 0, done
    return done["stdout"]


class Crash:
    """Everything that happens at once, and what was seen."""

    def __init__(self, server, rest, environment, seed):
        self.server, self.rest, self.environment, self.seed = server, rest, environment, seed
        self.random = random.Random(seed)
        self.ahead = 0
        self.cuts = 0

    def begin(self) -> None:
        run(self.rest, self.environment, "cat > /workspace/gen.pl", GENERATOR)
        rate = STREAM_BYTES // 32
        numbers = f"{self.seed} {STREAM_BYTES // BLOCK} {rate}"
        command = f"stty raw -echo; exec perl /workspace/gen.pl {numbers}"
        stream = open_terminal(self.rest, self.environment, ["/bin/sh", "-c", command])
        keep = "stty raw -echo; printf ready; exec cat > /workspace/typed"
        typed = open_terminal(self.rest, self.environment, ["/bin/sh", "-c", keep])
        token, port = self.server.admin_token, self.server.port
        self.exact = [
            TerminalClient(port, "json", token, stream, flows=True),
            TerminalClient(port, "binary", token, stream, flows=True),
        ]
        self.screen = TerminalClient(
            port, "json", token, stream, mode="screen", pause_s=SCREEN_PAUSE_S, flows=True
        )
        self.typist = TerminalClient(port, "binary", token, typed, right="drive")
        self.clients = [*self.exact, self.screen, self.typist]
        for client in self.clients:
            client.start()
        until = time.monotonic() + 10
        while b"ready" not in self.typist.data():
            assert time.monotonic() < until, "the typist's terminal did not start"
            time.sleep(0.02)
        self.work = Workload(port, token, self.environment["id"], COMMANDS, self.seed)
        self.work.start()

    def problems(self) -> list[str]:
        return [c.problem for c in self.clients if c.problem] + self.work.problems

    def check(self) -> None:
        found = self.problems()
        if found:
            after = f"after {self.server.kills} kills and {self.cuts} cuts"
            pytest.fail("\n".join([after, *found]), pytrace=False)

    def torment(self) -> None:
        """Cuts, types and kills until all of it has been done."""
        until = time.monotonic() + RUN_WITHIN_S
        typed = 0
        while self.server.kills < KILLS or self.cuts < CUTS or typed < TYPED_LINES:
            assert (
                time.monotonic() < until
            ), f"{self.server.kills} kills, {self.cuts} cuts, {typed} lines"
            self.check()
            for _ in range(self.random.randrange(2, 6)):
                if typed < TYPED_LINES:
                    for _ in range(10):
                        typed += 1
                        self.typist.type(self.line(typed))
                time.sleep(self.random.uniform(0.02, 0.2))
                if self.cuts < CUTS + KILLS:
                    self.cuts += self.random.choice(self.clients).cut()
            if self.server.kills < KILLS:
                self.kill()

    def line(self, number: int) -> bytes:
        return f"line {number} {hashlib.md5(str(number).encode()).hexdigest()}\n".encode()

    def kill(self) -> None:
        """Kills while bytes are out that are not durable yet, if that can be had soon."""
        wait = time.monotonic() + self.random.uniform(0.05, 0.4)
        while time.monotonic() < wait and not self.forwarded_ahead():
            time.sleep(0.001)
        forwarded_ahead = self.forwarded_ahead()
        self.server.kill9()
        self.ahead += forwarded_ahead
        time.sleep(self.random.choice([0, 0, 0.05, 0.3]))
        self.server.start()

    def forwarded_ahead(self) -> bool:
        return any(not client.ended and client.cursor > client.durable for client in self.exact)

    def finish(self) -> None:
        self.screen.pause_s = 0
        self.work.join(RUN_WITHIN_S)
        for client in [*self.exact, self.screen]:
            client.join(RUN_WITHIN_S)
        until = time.monotonic() + 20
        while self.typist.waiting_input():
            assert time.monotonic() < until, f"{self.typist.waiting_input()} inputs never applied"
            self.check()
            time.sleep(0.02)


@pytest.fixture(scope="module")
def crash(server, rest, environment, seed):
    """The whole torment once; the tests below look at what is left."""
    found = Crash(server, rest, environment, seed)
    found.begin()
    found.torment()
    found.finish()
    yield found
    for client in found.clients:
        client.stopping = True
        client.cut()


pytestmark = pytest.mark.timeout(400)


def test_the_torment_was_one(crash):
    assert crash.problems() == []
    assert crash.server.kills >= 20
    assert crash.ahead >= KILLS_AHEAD, f"only {crash.ahead} kills with forwarded > durable"
    assert crash.cuts >= 50
    print(f"{crash.server.kills} kills, {crash.ahead} ahead of durable, {crash.cuts} cuts")


def test_exact_clients_got_every_byte_once(crash, seed):
    expected = expected_stream(seed)
    for client in crash.exact:
        assert client.ended and client.ended["final_offset"] == STREAM_BYTES, client.ended
        data = client.data()
        if data != expected:
            at = next(i for i, (a, b) in enumerate(zip(data, expected)) if a != b)
            pytest.fail(f"{client.form}: {len(data)} bytes, first difference at {at}")


def test_the_screen_client_missed_only_marked_gaps(crash, seed):
    expected, screen = expected_stream(seed), crash.screen
    assert screen.gaps, "the slow screen client was never left behind: nothing was tried"
    spans = sorted([(a, a + len(d)) for a, d in screen.pieces] + screen.gaps)
    assert spans[0][0] == 0 and spans[-1][1] == STREAM_BYTES
    assert all(a[1] == b[0] for a, b in zip(spans, spans[1:])), "a hole, or bytes twice"
    for offset, data in screen.pieces:
        assert expected[offset : offset + len(data)] == data, f"other bytes at {offset}"


def test_typed_input_was_applied_once_and_in_order(crash):
    expected = b"".join(crash.line(number) for number in range(1, TYPED_LINES + 1))
    body = {"command": ["/bin/sh", "-c", "cat /workspace/typed"]}
    path = f"/api/v1/environments/{crash.environment['id']}/exec"
    assert crash.rest.good("POST", path, body)["stdout"].encode() == expected


def test_every_acknowledged_command_has_its_events_once(crash):
    work = crash.work
    assert len(work.done) >= COMMANDS and work.retried >= len(work.done) // 4, work.retried
    kinds = {"account", "token", "revoke", "create", "stop", "start", "delete"}
    kinds |= {"terminal", "resize", "close", "exec", "activity", "disable", "hand_over", "logout"}
    assert set(work.kinds()) == kinds
    commits = collections.Counter()
    seen = set()
    for event in crash.server.inspect("events"):
        place = (event["stream"], event["position"]["offset"])
        if place not in seen:
            seen.add(place)
            commits[event["command"], event["stream"]] += 1
    doubled = [key for key, count in commits.items() if count > 1]
    assert not doubled, doubled[:5]
    recorded = {command for command, _ in commits}
    accepted = [each for each in work.done if each.answer.status < 300]
    lost = [each for each in accepted if each.key not in recorded]
    assert not lost, [(each.kind, each.key) for each in lost[:5]]
    print(work.kinds(), f"{work.retried} retried")


def test_versions_are_contiguous_and_verify_is_content(crash):
    versions: dict[str, int] = {}
    for event in crash.server.inspect("events"):
        if event["type"] != "(no events)":
            assert event["version"] == versions.get(event["stream"], 0) + 1, event
            versions[event["stream"]] = event["version"]
    assert crash.server.inspect("verify")["ok"]


def test_usage_equals_an_independent_sum(crash):
    rest = crash.rest
    for each in rest.items("/api/v1/environments"):
        rest.good("DELETE", f"/api/v1/environments/{each['id']}?wait=true")
    expected = independent_usage(crash.server.inspect("events"))
    usage = rest.good("GET", "/api/v1/usage")
    served = {each["environment_id"]: each for each in usage["environments"]}
    for environment, (ran, cost) in expected.items():
        if ran == 0:
            continue
        assert served[environment]["microseconds_by_status"]["RUNNING"] == ran, environment
        assert served[environment]["amount_micro_usd"] == cost, environment
    assert usage["amount_micro_usd"] == sum(cost for _, cost in expected.values())
    assert usage["amount_micro_usd"] > 0
