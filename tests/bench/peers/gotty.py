#!/usr/bin/env python3
"""gotty (Go proxy): a terminal in a browser, one process a socket.

Does not do: no journal, no credit (TCP only), no resume: a dropped socket kills the process.
"""
import base64
import json

import peer
import terminals
import websocket

VERSION = "1.6.0"  # later tags say v2 and more but have no module path for it


def install(directory):
    """Not `go install`: that asks the proxy for every version, which it may not tell."""
    go = peer.need("go", "Go 1.23 or later")
    module = f"github.com/sorenisanerd/gotty@v{VERSION}"
    told = json.loads(peer.call([go, "mod", "download", "-json", module], 300))
    peer.call([go, "build", "-C", told["Dir"], "-o", directory / "gotty", "."], 600)


class Terminal:
    """webtty: the first byte is the kind, output is base64."""

    def __init__(self, port):
        self.socket = websocket.WebSocket(port, "/ws", "webtty")
        self._say('{"Arguments":"","AuthToken":""}')
        self._say('3{"columns":80,"rows":24}')

    def _say(self, text):
        self.socket.send(text.encode(), websocket.TEXT)

    def send(self, data):
        self.socket.send(b"1" + data, websocket.TEXT)

    def receive(self):
        message = self.socket.receive()
        return base64.b64decode(message[1:]) if message[:1] == b"1" else b""

    def close(self):
        self.socket.close()


def measure(quick, directory):
    program = peer.install_once("gotty", VERSION, install) / "gotty"
    port = peer.free_port()
    command = [program, "--address", "127.0.0.1", "--port", port, "--permit-write", "--quiet",
               terminals.write_launcher(directory)]
    with peer.Process(command, directory / "log") as server:
        server.wait_listening(port)
        terminals.measure("gotty", lambda: Terminal(port), quick)
        peer.report("gotty", "server", rss_mib=server.rss_mib())


if __name__ == "__main__":
    peer.drive("gotty", measure)
