"""What must be there after the soak: commands once, bytes as printed, the bill."""

import collections
import json

from berth.usage import independent_usage

READ_ALL_S = 900  # gigabytes of output


def check_what_is_kept(soak) -> None:
    for each in soak.watched[1:40]:
        check_stored(soak, each)
    for each in soak.rest.items("/api/v1/environments"):
        soak.rest.good("DELETE", f"/api/v1/environments/{each['id']}?wait=true")
    events = soak.server.inspect("events", timeout_s=READ_ALL_S)
    commits = collections.Counter()
    for place in {(e["command"], e["stream"], e["position"]["offset"]) for e in events}:
        commits[place[0]] += 1
    lost = [key for key in soak.acknowledged if not commits[key]]
    doubled = [key for key in soak.acknowledged if commits[key] > 1]
    if lost:
        soak.problem(f"{len(lost)} acknowledged commands are lost: {lost[:5]}")
    if doubled:
        soak.problem(f"{len(doubled)} commands were done twice: {doubled[:5]}")
    check_usage(soak, events)
    if not soak.server.inspect("verify", timeout_s=READ_ALL_S)["ok"]:
        soak.problem("berth-inspect verify is not content")


def check_stored(soak, each) -> None:
    at = 0
    while at < each.cursor:
        answer = soak.rest.ask("GET", f"/api/v1/terminals/{each.terminal}/output?from={at}")
        if answer.status == 410:
            at = int(json.loads(answer.text)["details"]["first_offset"])
            continue
        if answer.status != 200 or not answer.text or not each.check(at, answer.text):
            return soak.problem(f"{each.terminal} keeps other bytes at {at}: {answer.status}")
        at += len(answer.text)


def check_usage(soak, events: list[dict]) -> None:
    expected = independent_usage(events)
    usage = soak.rest.good("GET", "/api/v1/usage")
    served = {each["environment_id"]: each for each in usage["environments"]}
    for environment, (ran, cost) in expected.items():
        got = served.get(environment)
        if ran and (not got or got["microseconds_by_status"].get("RUNNING") != ran):
            soak.problem(f"usage of {environment} is {got}, not {ran} us")
    if usage["amount_micro_usd"] != sum(cost for _, cost in expected.values()):
        soak.problem(f"the bill is {usage['amount_micro_usd']} micro-USD, not {expected}")
