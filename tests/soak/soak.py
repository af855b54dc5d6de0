"""Many sessions for a long time on real binaries that are killed at random; nothing may be lost.

    ./dev soak --minutes 15 [--sessions 1000] [--terminals 200] [--environments 20] [--seed N]

The server is killed during the first part; the last part is one life, for the slope of its memory.
"""

import argparse
import asyncio
import contextlib
import json
import pathlib
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from berth.server import Server  # noqa: E402
from kept import check_what_is_kept  # noqa: E402
from session import Session, Watched  # noqa: E402
from stats import Operations, Process  # noqa: E402

STREAMS_SHARE = 0.1  # of the terminals: 1024 B at 100 Hz, as Coder's scale test
TYPISTS_SHARE = 0.15  # a person at `cat`; the rest prints 1024 B a second
CALM_SHARE = 0.45  # of the time, at the end, without kills
KILL_AFTER_S = (15, 45)
HERD = 40  # environments created at nine o'clock
WARM_UP_S = 60
THINK_S = (3, 15)  # between two requests of a session
AGAIN_WITHIN_S = 45
READY_WITHIN_S = 60

# Line n of the output is n, 15 digits: whoever reads at an offset knows what must be there.
PRINTER = r"""
use strict; use Time::HiRes qw(sleep time);
my ($hertz) = @ARGV; $| = 1; my ($n, $began, $blocks) = (0, time, 0);
while (1) {
  print join '', map { sprintf("%015d\n", $n++) } 1 .. 64;
  my $ahead = ++$blocks / $hertz - (time - $began); sleep($ahead) if $ahead > 0;
}
"""


def is_counted(offset: int, data: bytes) -> bool:
    first, last = offset // 16, (offset + len(data) - 1) // 16
    lines = "".join(f"{n:015d}\n" for n in range(first, last + 1)).encode()
    return data == lines[offset - first * 16 : offset - first * 16 + len(data)]


def is_yes(offset: int, data: bytes) -> bool:
    pair = b"y\n" if offset % 2 == 0 else b"\ny"
    return data == (pair * (len(data) // 2 + 1))[: len(data)]


def caches_mib(url: str) -> float:
    with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
        page = answer.read().decode()
    found = re.findall(r"^berth_journal_(?:memtable|block_cache)_bytes (\S+)", page, re.M)
    assert len(found) == 2, found
    return sum(map(float, found)) / (1 << 20)


class Typed:
    """What must have been printed so far: a mark when the terminal is raw, then what `cat` was
    given."""

    def __init__(self):
        self.sent = b"."

    def check(self, offset: int, data: bytes) -> bool:
        return self.sent[offset : offset + len(data)] == data


class Soak:
    def __init__(self, server: Server, options):
        self.server, self.options = server, options
        self.random = random.Random(options.seed)
        self.operations = Operations()
        self.acknowledged: dict[str, str] = {}
        self.problems: list[str] = []
        self.output_bytes = 0
        self.began = time.monotonic()
        self.kills: list[float] = []
        self.lives: list[Process] = []
        self.sessions: list[Session] = []
        self.watched: list[Watched] = []
        self.over = asyncio.Event()

    def problem(self, what: str) -> None:
        if len(self.problems) < 50:
            self.problems.append(f"{time.monotonic() - self.began:.1f} s: {what}")
            print(self.problems[-1], file=sys.stderr)

    def timed(self, name: str, began: float) -> None:
        """A kill counts until everybody is back."""
        now = time.monotonic()
        touched = any(began < kill + AGAIN_WITHIN_S / 3 and kill < now for kill in self.kills)
        self.operations.done(name, now - began, touched)

    def time_left(self) -> float:
        return self.began + self.options.minutes * 60 - time.monotonic()

    async def pause(self, seconds: float) -> bool:
        """False when it is over."""
        try:
            await asyncio.wait_for(self.over.wait(), seconds)
            return False
        except TimeoutError:
            return True

    # What goes on.

    async def start_server(self) -> None:
        await asyncio.to_thread(self.server.start, False)
        await asyncio.to_thread(self.server.wait_ready, READY_WITHIN_S)
        self.lives.append(Process(self.server.process.pid, time.monotonic()))

    async def begin(self) -> None:
        await self.start_server()
        self.token = self.server.admin_token
        self.rest = self.server.rest(timeout_s=60)
        self.environments = await asyncio.to_thread(self._make_environments)
        self.began = time.monotonic()
        self.running = [asyncio.create_task(self._watch_process())]
        for number in range(self.options.sessions):
            one = Session(self, "binary" if number < self.options.terminals else "json")
            self.sessions.append(one)
            self.running.append(asyncio.create_task(one.run()))
            if number % 20 == 19:
                await asyncio.sleep(0.05)
        await asyncio.gather(
            *(self._open_terminal(number) for number in range(self.options.terminals))
        )
        print(
            f"{len(self.sessions)} sessions, {len(self.watched)} terminals, "
            f"{len(self.environments)} environments after {time.monotonic() - self.began:.1f} s",
            file=sys.stderr,
        )
        for one in self.sessions[self.options.terminals :]:
            self.running.append(asyncio.create_task(self._work(one)))

    def _make_environments(self) -> list[str]:
        made = []
        for number in range(self.options.environments):
            body = {"name": f"soak-{number}", "instance_type": "memory"}
            answer = self.rest.good("POST", "/api/v1/environments?wait=true", body, expect=201)
            environment = answer["environment"]
            assert environment["status"] == "RUNNING", answer
            put = {"command": ["/bin/sh", "-c", "cat > /workspace/print.pl"], "stdin": PRINTER}
            self.rest.good("POST", f"/api/v1/environments/{environment['id']}/exec", put)
            made.append(environment["id"])
        return made

    async def _open_terminal(self, number: int) -> None:
        share = number / self.options.terminals
        typed, right, check, pause_s = None, "view", is_counted, 0.0
        if number == 0:
            program, check, pause_s = "exec yes", is_yes, 0.02
        elif share < STREAMS_SHARE:
            program = "exec perl /workspace/print.pl 100"
        elif share < STREAMS_SHARE + TYPISTS_SHARE:
            typed = Typed()
            program, right, check = "printf .; exec cat", "drive", typed.check
        else:
            program = "exec perl /workspace/print.pl 1"
        environment = self.environments[number % len(self.environments)]
        body = {"cols": 80, "rows": 24}
        body["command"] = ["/bin/sh", "-c", f"stty raw -echo; {program}"]
        session = self.sessions[number]
        path = f"/api/v1/environments/{environment}/terminals"
        status, answer = await session.ask("open terminal", "POST", path, body)
        if status != 201:
            return self.problem(f"no terminal: {status} {answer}")
        watched = Watched(answer["terminal"]["id"], right, check, pause_s)
        self.watched.append(watched)
        await session.watch(watched)
        if typed:
            self.running.append(asyncio.create_task(self._type(session, watched, typed)))

    async def _type(self, session: Session, watched: Watched, typed: Typed) -> None:
        while watched.cursor == 0 and await self.pause(0.1):
            pass  # what is typed before `stty` would be echoed
        while await self.pause(self.random.uniform(0.15, 1.0)):
            if len(watched.typed) > 50:
                continue
            # One key, a letter at a time; what is echoed is what was typed.
            key = bytes([97 + len(typed.sent) % 26])
            watched.echo_wanted[len(typed.sent)] = time.monotonic()
            typed.sent += key
            await session.type(watched, key)

    async def _work(self, session: Session) -> None:
        """A person who looks, types and runs something now and then."""
        await self.pause(self.random.uniform(0, THINK_S[1]))
        while await self.pause(self.random.uniform(*THINK_S)):
            place = f"/api/v1/environments/{self.random.choice(self.environments)}"
            kind = self.random.random()
            if kind < 0.6:
                await session.ask("activity", "POST", f"{place}/activity", {"kind": "keystroke"})
            elif kind < 0.8:
                await session.ask("show", "GET", place)
            elif kind < 0.97:
                await session.ask("list", "GET", "/api/v1/environments?limit=20")
            else:
                body = {"command": ["/bin/echo", "soak"], "timeout_ms": 20_000}
                await session.ask("exec", "POST", f"{place}/exec", body)

    async def herd(self, wave: int) -> None:
        """Nine o'clock: all at once."""

        async def one(number: int) -> None:
            session = self.sessions[-1 - number % len(self.sessions)]
            began = time.monotonic()
            body = {"name": f"herd-{wave}-{number}", "instance_type": "lightweight"}
            status, answer = await session.ask("create", "POST", "/api/v1/environments", body)
            if status != 201:
                return self.problem(f"herd: {status} {answer}")
            path = f"/api/v1/environments/{answer['environment']['id']}"
            for _ in range(10):
                status, answer = await session.ask(
                    "wait", "GET", f"{path}/wait?state=RUNNING&timeout_ms=15000"
                )
                if status == 200 and answer["environment"]["status"] == "RUNNING":
                    self.timed("create until RUNNING", began)
                    break
            else:
                self.problem(f"herd: {path} does not run: {answer}")
            await self.pause(10)
            await session.ask("delete", "DELETE", path)

        await asyncio.gather(*(one(number) for number in range(HERD)))

    async def kill_now_and_then(self) -> None:
        calm_from = self.options.minutes * 60 * CALM_SHARE
        while self.time_left() > calm_from:
            await asyncio.sleep(min(self.random.uniform(*KILL_AFTER_S), self.time_left()))
            if self.time_left() < calm_from:
                return
            self.kills.append(time.monotonic())
            await asyncio.to_thread(self.server.kill9)
            await self.start_server()

    async def _watch_process(self) -> None:
        while True:
            life = self.lives[-1]
            with contextlib.suppress(OSError):  # killed, or not there yet
                caches = await asyncio.to_thread(caches_mib, self.server.url)
                life.look(time.monotonic(), caches)
            await asyncio.sleep(1)

    async def run(self) -> None:
        total = self.options.minutes * 60
        herds = [asyncio.create_task(self._later(total * at, n)) for n, at in enumerate((0.2, 0.7))]
        await self.kill_now_and_then()
        await asyncio.sleep(max(0, self.time_left()))
        await asyncio.gather(*herds)
        self.over.set()

    async def _later(self, seconds: float, wave: int) -> None:
        await asyncio.sleep(seconds)
        await self.herd(wave)

    # What is left.

    async def finish(self) -> None:
        await self._settle_typists()
        closing = self.sessions[0]
        for each in self.watched:
            await closing.ask("close terminal", "DELETE", f"/api/v1/terminals/{each.terminal}")
        # Who reads slower than is printed is not waited for; what it got was right.
        awaited = [each for each in self.watched if not each.pause_s]
        until = time.monotonic() + 60
        while any(each.ended is None for each in awaited) and time.monotonic() < until:
            await asyncio.sleep(0.2)
        for each in awaited:
            if each.ended is None:
                self.problem(f"{each.terminal} never ended for its viewer at {each.cursor}")
        for one in self.sessions:
            one.stopping = True
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        await asyncio.to_thread(check_what_is_kept, self)

    async def _settle_typists(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            waiting = [each for each in self.watched if each.typed or each.echo_wanted]
            if not waiting:
                return
            await asyncio.sleep(0.2)
        for each in waiting:
            self.problem(f"{each.terminal}: {len(each.typed)} inputs were never applied")

    def report(self) -> dict:
        rows = self.operations.rows()
        last = self.lives[-1].summary(WARM_UP_S)
        return {
            "minutes": self.options.minutes,
            "seed": self.options.seed,
            "sessions": len(self.sessions),
            "terminals": len(self.watched),
            "kills": len(self.kills),
            "reconnects": sum(max(0, one.connects - 1) for one in self.sessions),
            "commands_acknowledged": len(self.acknowledged),
            "output_mib": round(self.output_bytes / (1 << 20), 1),
            "operations": rows,
            "lives": [life.summary(WARM_UP_S) for life in self.lives],
            "last_life": last,
            "problems": self.problems,
        }


def print_report(report: dict) -> None:
    heads = ["operation", "count", "success", "p50", "p95", "p99", "p50 all", "p95 all", "p99 all"]
    print(("{:<22}{:>8}{:>9}" + "{:>10}" * 6).format(*heads) + "   (ms; all = kills included)")
    for row in report["operations"]:
        values = [row.get(f"{k}_p{p}_ms", "-") for k in ("calm", "all") for p in (50, 95, 99)]
        line = "{:<22}{:>8}{:>9.4f}" + "{:>10}" * 6
        print(line.format(row["operation"], row["count"], row["success"], *values), row["refused"])
    last = report["last_life"]
    print(
        f"{report['sessions']} sessions, {report['terminals']} terminals, "
        f"{report['kills']} SIGKILLs, {report['reconnects']} reconnects, "
        f"{report['commands_acknowledged']} commands acknowledged, "
        f"{report['output_mib']} MiB of output checked; last life {last['seconds']} s: RSS "
        f"{last['rss_mib_last']} MiB, slope {last['rss_mib_per_hour']} MiB/h; without the bounded "
        f"caches {last['rest_mib_last']} MiB, slope {last['rest_mib_per_hour']} MiB/h; "
        f"{last['descriptors_max']} descriptors; {len(report['problems'])} problems"
    )


async def soak(server: Server, options) -> dict:
    run = Soak(server, options)
    await run.begin()
    await run.run()
    await run.finish()
    return run.report()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--terminals", type=int, default=200)
    parser.add_argument("--environments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--keep", action="store_true", help="keep the data directory and its log")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-soak-"))
    folder.chmod(0o711)
    server = Server(folder / "data")
    try:
        report = asyncio.run(soak(server, options))
        wrong = re.findall(r".*(?:assertion|BERTH_ASSERT|terminate called).*", server.log())
        report["problems"] += [f"log: {line}" for line in wrong]
    finally:
        server.cleanup()
        if options.keep:
            print(f"kept {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    print_report(report)
    for problem in report["problems"]:
        print(problem)
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
