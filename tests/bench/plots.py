#!/usr/bin/env python3
"""Bar charts (SVG) of a run of `./dev bench --peers --json FILE`: ours beside the peers.

    ./dev plots FILE.json        writes docs/plots/*.svg
"""
import argparse
import json
import pathlib

import pygal

HERE = pathlib.Path(__file__).resolve().parents[2]

# file, title, [(label, field)], [(whose, (bench, name))]; a whose with two figures is two bars.
ECHO = [("ours", ("server", "echo"))] + [
    (peer, (f"peer {peer}", "echo")) for peer in ("gotty", "wetty", "sshx")]
FLOOD = [("ours", ("server", "echo beside a flood, another environment"))] + [
    (peer, (f"peer {peer}", "echo beside a flood")) for peer in ("gotty", "wetty", "sshx")]
BULK = [("ours", ("server", "bulk"))] + [
    (peer, (f"peer {peer}", "bulk")) for peer in ("gotty", "wetty", "sshx")]
CREATE = [("ours", ("server", "create to first output, one after the other")),
          ("podman", ("peer podman", "create to first output"))]
OF_COMMANDS = (("ours", "server", "WebSocket"), ("Restate", "peer restate", "HTTP"))
COMMANDS = [
    (f"{whose}, {clients}", (bench, f"commands over {wire}, {clients}"))
    for clients in ("1 client", "32 clients", "256 clients")
    for whose, bench, wire in OF_COMMANDS]
CHARTS = [
    ("echo", "Keystroke to echo, µs", ("p50_us", "p99_us"), ECHO),
    ("echo_beside_flood", "Keystroke to echo beside a flood, µs", ("p50_us", "p99_us"), FLOOD),
    ("bulk", "Bulk output, MB/s", ("mb_per_second",), BULK),
    ("create", "Environment to its first output, µs", ("p50_us", "p99_us"), CREATE),
    ("commands", "Durable commands a second", ("per_second",), COMMANDS),
]


def draw(rows, file, title, fields, bars):
    found = {(row["bench"], row["name"]): row for row in rows}
    chart = pygal.HorizontalBar(
        title=title, print_values=True, width=800, height=120 + 70 * len(bars), js=[],
        disable_xml_declaration=True, formatter=lambda value: f"{value:,.4g}")
    chart.x_labels = [whose for whose, _ in bars]
    for field in fields:
        chart.add(field, [found.get(key, {}).get(field) for _, key in bars])
    file.write_text(chart.render(is_unicode=True) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", type=pathlib.Path)
    parser.add_argument("--to", type=pathlib.Path, default=HERE / "docs/plots")
    options = parser.parse_args()
    rows = json.loads(options.json.read_text(encoding="utf-8"))
    options.to.mkdir(parents=True, exist_ok=True)
    for name, title, fields, bars in CHARTS:
        draw(rows, options.to / f"{name}.svg", title, fields, bars)


if __name__ == "__main__":
    main()
