"""The little of the nodes' REST API that it takes to see how they are, and to tidy up."""

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.request

ASK_WITHIN_S = 3
DELETE_WITHIN_MS = 5000
FAILURES = (OSError, http.client.HTTPException, ValueError)  # of urllib, and of what is no JSON
# The client's defaults look for a proxy in the environment; loopback needs none.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def is_ready(port: int, within_s: float = ASK_WITHIN_S) -> str:
    """Why not; empty if it is."""
    try:
        with _direct.open(f"http://127.0.0.1:{port}/ready", timeout=within_s):
            return ""
    except FAILURES as why:
        return f"/ready answers {why}"


def ask(port: int, token: str, path: str, method: str = "GET", within_s: float = ASK_WITHIN_S):
    """The JSON that is answered, or one of FAILURES."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1{path}",
        method=method,
        headers={"Authorization": f"Bearer {token}"},
    )
    with _direct.open(request, timeout=within_s) as answer:
        return json.loads(answer.read())


def why_not_shared(views: dict[int, dict]) -> str:
    """What is against it that the nodes (ordinal: its GET /cluster) are all linked and lead all."""
    for asked, view in views.items():
        seen = {each["ordinal"]: each for each in view["nodes"]}
        for ordinal in views:
            of = seen.get(ordinal)
            if of is None or not (of["linked"] or ordinal == asked):
                return f"node {asked} is not linked to node {ordinal}"
            if of["leads"] == 0:
                return f"node {asked} says that node {ordinal} leads no partition"
        led = sum(seen[ordinal]["leads"] for ordinal in views)
        if led != view["partitions"]:
            return f"node {asked} says that {led} of {view['partitions']} partitions are led"
    return ""


def delete_environments(port: int, token: str, within_s: float) -> None:
    """As far as it goes: what is left is killed afterwards."""
    until = time.monotonic() + within_s
    with contextlib.suppress(*FAILURES):
        for each in ask(port, token, "/environments")["items"]:
            if time.monotonic() > until:
                return
            path = f"/environments/{each['id']}?wait=true&timeout_ms={DELETE_WITHIN_MS}"
            with contextlib.suppress(urllib.error.HTTPError):
                ask(port, token, path, "DELETE", within_s=2 * DELETE_WITHIN_MS / 1000)
