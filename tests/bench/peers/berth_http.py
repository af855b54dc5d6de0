#!/usr/bin/env python3
"""Our own berthd under the load that Restate gets: one command a POST, by the same client."""
import pathlib
import sys

import http_load
import peer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
ENVIRONMENTS = 32


def measure(quick, directory):
    if not (peer.ROOT / "build" / "bin" / "berthd").exists():
        raise peer.Unavailable("no berthd; `./dev build` makes it")
    from berth.server import Server

    server = Server(directory / "data")
    try:
        rest = server.start().rest()
        paths = []
        for number in range(ENVIRONMENTS):
            made = rest.good("POST", "/api/v1/environments?wait=true",
                             {"name": f"bench-{number}", "instance_type": "lightweight"})
            paths.append(f"/api/v1/environments/{made['environment']['id']}/activity")
        script = directory / "activity.lua"
        http_load.write_script(script, paths, '{"kind": "keystroke"}',
                               {"Authorization": f"Bearer {server.admin_token}"})
        http_load.measure("berth", server.port, script, quick)
        peer.report("berth", "server", rss_mib=server.rss_bytes() / (1 << 20))
    finally:
        server.cleanup()


if __name__ == "__main__":
    peer.drive("berth", measure)
