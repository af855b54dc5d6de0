#!/usr/bin/env python3
"""Restate (npm): a virtual object's `add` by HTTP, its handler in Node.js.

Durable as ours: its log is a RocksDB written with fsync before the answer (its defaults). Does
not do: state is a key and a value of the handler's, not a stream of events that can be read back.
"""
import pathlib
import urllib.request

import http_load
import peer

SERVER_VERSION, SDK_VERSION = "1.7.12", "1.17.2"
HERE = pathlib.Path(__file__).resolve().parent


def install(directory):
    npm = peer.need("npm", "Node.js 20 or later")
    peer.call([npm, "install", "--prefix", directory,
               f"@restatedev/restate-server@{SERVER_VERSION}",
               f"@restatedev/restate-sdk@{SDK_VERSION}"], 300)


def server_command(modules, directory):
    found = sorted(modules.glob("@restatedev/restate-server-*/bin/restate-server"))
    if not found:
        raise peer.Unavailable("npm has no restate-server for this machine")
    return [found[0], "--no-logo", "--listen-mode", "tcp", "--bind-ip", "127.0.0.1",
            "--base-dir", directory / "data"]


def register(admin, service):
    """Tells the server where the handler is; the admin side comes up last."""
    body = f'{{"uri": "http://127.0.0.1:{service}"}}'.encode()
    request = urllib.request.Request(f"http://127.0.0.1:{admin}/deployments", body,
                                     {"Content-Type": "application/json"})

    def ask():
        urllib.request.urlopen(request, timeout=10).close()

    peer.patiently(ask, OSError)


def measure(quick, directory):
    modules = peer.install_once("restate", SERVER_VERSION, install) / "node_modules"
    node = peer.need("node", "Node.js 20 or later")
    service, ingress, admin, fabric = (peer.free_port() for _ in range(4))
    config = {"RESTATE_INGRESS__BIND_PORT": str(ingress), "RESTATE_ADMIN__BIND_PORT": str(admin),
              "RESTATE_BIND_PORT": str(fabric), "RESTATE_DISABLE_TELEMETRY": "true",
              "RESTATE_LOG_FILTER": "error", "DO_NOT_TRACK": "1"}
    handler = peer.Process(
        [node, HERE / "restate_counter.cjs"], directory / "service.log",
        env={"NODE_PATH": str(modules), "COUNTER_PORT": str(service), "NODE_ENV": "production"})
    with handler, peer.Process(server_command(modules, directory), directory / "server.log",
                               env=config) as server:
        handler.wait_listening(service)
        server.wait_listening(ingress)
        register(admin, service)
        script = directory / "add.lua"
        paths = [f"/Counter/{number}/add" for number in range(http_load.PATHS)]
        http_load.write_script(script, paths, "1")
        http_load.measure("restate", ingress, script, quick)
        peer.report("restate", "server", rss_mib=server.rss_mib())


if __name__ == "__main__":
    peer.drive("restate", measure)
