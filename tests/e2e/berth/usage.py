"""Usage summed from events alone, by other code than the server's."""

import collections


def independent_usage(events) -> dict[str, tuple[int, int]]:
    """Environment -> (microseconds RUNNING, micro-USD) of closed intervals, by events alone."""
    since, price, total = {}, {}, collections.defaultdict(lambda: [0, 0])
    for event in events:
        if not event["stream"].startswith("environment/"):
            continue
        stream, kind, data = event["stream"].split("/")[1], event["type"], event.get("data", {})
        if kind == "created":
            price[stream] = data["price_pico_usd_per_second"]
        if kind == "started":
            since[stream] = data["at_us"]
        elif stream in since and kind in ("stop_asked", "lost", "delete_asked", "failed"):
            end = data["alive_until_us"] if kind == "lost" else data["at_us"]
            ran = max(0, end - since.pop(stream))
            pico = ran * price[stream] // 1_000_000
            micro, rest = divmod(pico, 1_000_000)
            micro += rest > 500_000 or (rest == 500_000 and micro % 2 == 1)
            total[stream][0] += ran
            total[stream][1] += micro
    return {key: tuple(value) for key, value in total.items()}
