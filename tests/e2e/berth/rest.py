"""REST over http.client: one connection a thread, kept alive."""

import http.client
import json
import os
import threading
import time
import urllib.parse
import uuid

UNKNOWN_TRIES = 20


def uuid7() -> str:
    now = int(time.time() * 1000).to_bytes(6, "big")
    tail = bytearray(os.urandom(10))
    tail[0] = 0x70 | (tail[0] & 0x0F)
    tail[2] = 0x80 | (tail[2] & 0x3F)
    return str(uuid.UUID(bytes=now + bytes(tail)))


class Answer:
    def __init__(self, status: int, headers: dict, text: bytes):
        self.status, self.headers, self.text = status, headers, text

    @property
    def body(self):
        return json.loads(self.text) if self.text else None

    def __repr__(self):
        return f"<{self.status} {self.text[:300]!r}>"


class Rest:
    def __init__(self, port: int, token: str, timeout_s: float = 30):
        self.port, self.token, self.timeout_s = port, token, timeout_s
        self.local = threading.local()

    def close(self) -> None:
        connection = getattr(self.local, "connection", None)
        if connection:
            connection.close()
        self.local.connection = None

    def ask(
        self, method: str, path: str, body=None, key: str | None = None, headers=None
    ) -> Answer:
        """One try. Raises OSError or http.client.HTTPException if the connection fails."""
        given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            given["Content-Type"] = "application/json"
        if key:
            given["Idempotency-Key"] = key
        given |= headers or {}
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        fresh = getattr(self.local, "connection", None) is None
        if fresh:
            self.local.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=self.timeout_s
            )
        try:
            self.local.connection.request(method, path, data, given)
            answer = self.local.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            if not fresh and method == "GET":  # a kept connection that had gone
                return self.ask(method, path, body, key, headers)
            raise
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)

    def surely(self, method: str, path: str, body=None, key=None, within_s: float = 60) -> Answer:
        """Retries with the same key while the server is away or busy."""
        key = key or (None if method == "GET" else uuid7())
        until = time.monotonic() + within_s
        unknown = 0
        while True:
            try:
                answer = self.ask(method, path, body, key)
                if answer.status not in (429, 503) or time.monotonic() > until:
                    return answer
                # Recorded as unknown, it stays so; before that the retry may still find its answer.
                unknown += b'"unknown_outcome"' in answer.text
                if unknown > UNKNOWN_TRIES:
                    return answer
            except (OSError, http.client.HTTPException):
                if time.monotonic() > until:
                    raise
            time.sleep(0.02)

    def good(self, method: str, path: str, body=None, key=None, expect: int | None = None):
        answer = self.surely(method, path, body, key)
        wanted = [expect] if expect else range(200, 300)
        assert answer.status in wanted, f"{method} {path}: {answer}"
        return answer.body

    def items(self, path: str) -> list:
        found, token = [], None
        while True:
            joined = "&" if "?" in path else "?"
            extra = f"{joined}page_token={urllib.parse.quote(token)}" if token else ""
            page = self.good("GET", path + extra)
            found += page["items"]
            token = page.get("next_token")
            if not token:
                return found
