#!/usr/bin/env python3
"""wetty (npm): a terminal in a browser over socket.io, one process a socket.

Does not do: no journal, no resume: a dropped socket kills the process. Has credit: the browser
acknowledges every 256 KiB.
"""
import json

import peer
import terminals
import websocket

VERSION = "3.2.0"
ACK_BYTES = 262144  # FlowControlClient of its browser side


def install(directory):
    npm = peer.need("npm", "Node.js 20 or later")
    peer.call([npm, "install", "--prefix", directory, "--ignore-scripts", f"wetty@{VERSION}"], 300)
    peer.call([npm, "rebuild", "--prefix", directory, "node-pty"], 300)


class Terminal:
    """socket.io 4 in its WebSocket transport: events are JSON arrays behind `42`."""

    def __init__(self, port):
        self.socket = websocket.WebSocket(port, "/wetty/socket.io/?EIO=4&transport=websocket")
        self.unacknowledged = 0
        self._say("40")
        while not self.socket.receive().startswith(b"40"):
            pass
        self._event("resize", {"cols": 80, "rows": 24})

    def _say(self, text):
        self.socket.send(text.encode(), websocket.TEXT)

    def _event(self, name, value):
        self._say("42" + json.dumps([name, value]))

    def send(self, data):
        self._event("input", data.decode())

    def receive(self):
        message = self.socket.receive()
        if message == b"2":
            self._say("3")
        if not message.startswith(b'42["data",'):
            return b""
        data = json.loads(message[2:])[1].encode()
        self.unacknowledged += len(data)
        if self.unacknowledged >= ACK_BYTES:
            self.unacknowledged -= ACK_BYTES
            self._event("commit", ACK_BYTES)
        return data

    def close(self):
        self.socket.close()


def measure(quick, directory):
    home = peer.install_once("wetty", VERSION, install)
    port = peer.free_port()
    command = [peer.need("node", "Node.js 20 or later"),
               home / "node_modules" / "wetty" / "build" / "main.js",
               "--host", "127.0.0.1", "--port", port, "--base", "/wetty", "--log-level", "error",
               "--command", terminals.write_launcher(directory)]
    with peer.Process(command, directory / "log", env={"NODE_ENV": "production"}) as server:
        server.wait_listening(port)
        terminals.measure("wetty", lambda: Terminal(port), quick)
        peer.report("wetty", "server", rss_mib=server.rss_mib())


if __name__ == "__main__":
    peer.drive("wetty", measure)
