"""The command mix of the crash test: every kind of command, retried, with what was acknowledged."""

import random
import threading

import websockets.exceptions

from .rest import Rest, uuid7
from .terminal_client import Socket


class Acknowledged:
    """A command the server said yes to: its key, where, and what was answered."""

    def __init__(self, kind, method, path, body, key, answer):
        self.kind, self.method, self.path, self.body = kind, method, path, body
        self.key, self.answer = key, answer


class Workload:
    """Threads that send commands until `target` are acknowledged; a quarter is sent again."""

    def __init__(self, port: int, token: str, environment: str, target: int, seed: int, threads=6):
        self.port, self.token, self.environment, self.target = port, token, environment, target
        self.seed = seed
        self.done: list[Acknowledged] = []
        self.retried = 0
        self.problems: list[str] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        for each in self.threads:
            each.start()

    def join(self, within_s: float) -> None:
        for each in self.threads:
            each.join(within_s)
            if each.is_alive():
                self.problems.append(f"{each.name} did not end: {len(self.done)} acknowledged")
                self.stopping.set()

    def count(self) -> int:
        with self.lock:
            return len(self.done)

    def kinds(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in self.done:
            found[each.kind] = found.get(each.kind, 0) + 1
        return found

    def _command(self, rest, kind, method, path, body=None, expect=(200, 201), key=None):
        key = key or uuid7()
        answer = rest.surely(method, path, body, key, within_s=60)
        if answer.status not in expect:
            self.problems.append(f"{kind} {method} {path}: {answer}")
            self.stopping.set()
            return None
        with self.lock:
            self.done.append(Acknowledged(kind, method, path, body, key, answer))
        return answer

    def _retry(self, rest, random_: random.Random) -> None:
        """The same key again: the same answer, whatever happened in between."""
        with self.lock:
            one = self.done[-random_.randrange(1, min(len(self.done), 200) + 1)]
        again = rest.surely(one.method, one.path, one.body, one.key, within_s=60)
        with self.lock:
            self.retried += 1
        same = again.status == one.answer.status and again.headers.get(
            "etag"
        ) == one.answer.headers.get("etag")
        if not same:
            self.problems.append(f"retried {one.kind} {one.path}: {one.answer} then {again}")
            self.stopping.set()

    def _run(self, number: int) -> None:
        random_ = random.Random(self.seed * 1000 + number)
        rest = Rest(self.port, self.token)
        turn = 0
        try:
            while not self.stopping.is_set() and self.count() < self.target:
                turn += 1
                self._turn(rest, number, turn, random_)
                if self.done and random_.random() < 0.34:
                    self._retry(rest, random_)
        except Exception as error:
            self.problems.append(f"worker {number}: {error!r}")
            self.stopping.set()

    def _turn(self, rest, number: int, turn: int, random_: random.Random) -> None:
        if number == 0 and turn % 25 == 1:
            self._account_life(rest, f"acct-{number}-{turn}")
        elif number == 1 and turn % 40 == 1:
            self._environment_life(rest, f"env-{number}-{turn}")
        elif number == 2 and turn % 30 == 1:
            self._terminal_life(rest)
        elif number == 4 and turn % 40 == 1:
            self._session_life(rest)
        elif number == 3 and turn % 20 == 1:
            body = {"command": ["/bin/echo", str(turn)], "timeout_ms": 20_000}
            # An exec whose agent's answer was lost with the server may be reported as unknown.
            self._command(
                rest, "exec", "POST", f"{self._place()}/exec", body, expect=(200, 202, 409, 503)
            )
        else:
            kind = random_.choice(["keystroke", "connection", "api"])
            self._command(rest, "activity", "POST", f"{self._place()}/activity", {"kind": kind})

    def _place(self) -> str:
        return f"/api/v1/environments/{self.environment}"

    def _account_life(self, rest, name: str) -> None:
        made = self._command(rest, "account", "POST", "/api/v1/accounts", {"name": name})
        if not made:
            return
        tokens = f"/api/v1/accounts/{made.body['account']['id']}/tokens"
        token = self._command(rest, "token", "POST", tokens, {"label": "crash"})
        if token:
            self._command(rest, "revoke", "DELETE", f"{tokens}/{token.body['token']['id']}")
        disable = f"/api/v1/accounts/{made.body['account']['id']}/disable"
        self._command(rest, "disable", "POST", disable, {"reason": "crash test"})

    def _environment_life(self, rest, name: str) -> None:
        body = {"name": name, "instance_type": "lightweight"}
        made = self._command(rest, "create", "POST", "/api/v1/environments", body)
        if not made:
            return
        path = f"/api/v1/environments/{made.body['environment']['id']}"
        rest.surely("GET", f"{path}/wait?state=RUNNING&timeout_ms=20000")
        self._command(rest, "stop", "POST", f"{path}/stop", {})
        rest.surely("GET", f"{path}/wait?state=STOPPED&timeout_ms=20000")
        self._command(rest, "start", "POST", f"{path}/start", {})
        self._command(rest, "delete", "DELETE", path)

    def _session_life(self, rest) -> None:
        """Opened by a socket, handed over to another device, logged out."""
        try:
            socket = Socket(self.port, "json", self.token)
            socket.send({"kind": "hello", "client": "workload"})
            session = socket.wait_for("welcome")["session"]
            socket.cut()
        except (OSError, EOFError, TimeoutError, websockets.exceptions.WebSocketException):
            return  # the server is away; nothing was acknowledged
        path = f"/api/v1/sessions/{session}"
        self._command(rest, "hand_over", "POST", f"{path}/hand-over", {"client": "other device"})
        self._command(rest, "logout", "DELETE", path)

    def _terminal_life(self, rest) -> None:
        body = {"cols": 80, "rows": 24, "command": ["/bin/sleep", "600"]}
        made = self._command(rest, "terminal", "POST", f"{self._place()}/terminals", body)
        if not made:
            return
        path = f"/api/v1/terminals/{made.body['terminal']['id']}"
        self._command(rest, "resize", "POST", f"{path}/resize", {"cols": 100, "rows": 30})
        self._command(rest, "close", "DELETE", path)
