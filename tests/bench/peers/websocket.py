"""A WebSocket client (RFC 6455) over a blocking socket: it must cost less than what it measures."""
import base64
import os
import socket
import struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
READ_BYTES = 256 * 1024
TIMEOUT_S = 10


class WebSocket:
    def __init__(self, port, path, subprotocol=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.at = b"", 0
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: Upgrade",
                 "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode()]
        if subprotocol:
            lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode())
        status = self._line()
        if b" 101 " not in status:
            raise ConnectionError(f"no WebSocket at {path}: {status.decode(errors='replace')}")
        while self._line():
            pass

    def send(self, payload, kind=BINARY):
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | kind, 0x80 | size)
        else:
            head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, size)
        self.socket.sendall(head + bytes(4) + payload)  # masked with zeros: as it is

    def receive(self):
        """The next message; answers pings on the way."""
        message = b""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size == 126:
                size, = struct.unpack("!H", self._take(2))
            elif size == 127:
                size, = struct.unpack("!Q", self._take(8))
            payload, kind = self._take(size), first & 0x0F
            if kind == PING:
                self.send(payload, PONG)
            elif kind == CLOSE:
                raise ConnectionError(f"closed by the server: {payload[2:].decode()}")
            elif kind != PONG:
                message += payload
                if first & 0x80:
                    return message

    def close(self):
        self.socket.close()

    def _take(self, count):
        while len(self.buffer) - self.at < count:
            more = self.socket.recv(READ_BYTES)
            if not more:
                raise ConnectionError("the server hung up")
            self.buffer, self.at = self.buffer[self.at:] + more, 0
        self.at += count
        return self.buffer[self.at - count:self.at]

    def _line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            line += self._take(1)
        return line[:-2]
