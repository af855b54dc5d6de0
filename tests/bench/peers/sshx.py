#!/usr/bin/env python3
"""sshx (crates.io): shared terminals, an agent and a relay server, encrypted end to end.

Does not do: no journal, no credit: a viewer more than 2 MiB behind gets a hole. Resumes a dropped
socket by chunk number. Without its Redis a restart of the server ends the session.
"""
import re
import shutil

import peer
import terminals
import websocket

VERSION = "0.4.1"
SALT = (b"This is a non-random salt for sshx.io, since we want to stretch the security of "
        b"83-bit keys!")
OUTPUT_STREAM, INPUT_STREAM = 0x100000000, 0x200000000


def install(directory):
    cargo = peer.need("cargo", "Rust, by rustup; 1.95 was used")
    peer.need("protoc", "the Debian package protobuf-compiler")
    target = directory / "target"
    for crate in ("sshx-server", "sshx"):
        peer.call([cargo, "install", crate, "--version", VERSION, "--locked", "--quiet",
                   "--root", directory, "--target-dir", target], 1200)
    shutil.rmtree(target)


class Cipher:
    """AES-128-CTR by the Argon2id hash of the key in the link."""

    def __init__(self, key):
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
        self.key = Argon2id(salt=SALT, length=16, iterations=2, lanes=1,
                            memory_cost=19 * 1024).derive(key.encode())

    def segment(self, stream, offset, data):
        from cryptography.hazmat.primitives.ciphers import Cipher as Any, algorithms, modes
        start = stream.to_bytes(8, "big") + (offset // 16).to_bytes(8, "big")
        keystream = Any(algorithms.AES(self.key), modes.CTR(start)).encryptor()
        keystream.update(bytes(offset % 16))
        return keystream.update(data)

    def zeros(self):
        return self.segment(0, 0, bytes(16))


class Terminal:
    """Messages are CBOR maps of one entry, as in the server's web/protocol.rs."""

    def __init__(self, port, session, cipher):
        self.socket = websocket.WebSocket(port, f"/api/s/{session}")
        self.cipher, self.sent = cipher, 0
        self._say({"authenticate": [cipher.zeros(), None]})
        before = self._shells()
        self._say({"create": [0, 0]})
        self.shell = None
        while self.shell is None:
            self.shell = next(iter(self._shells() - before), None)
        self._say({"subscribe": [self.shell, 0]})

    def _say(self, message):
        import cbor2
        self.socket.send(cbor2.dumps(message))

    def _hear(self):
        import cbor2
        return cbor2.loads(self.socket.receive())

    def _shells(self):
        while True:
            message = self._hear()
            if "shells" in message:
                return {shell for shell, _ in message["shells"]}

    def send(self, data):
        sealed = self.cipher.segment(INPUT_STREAM, self.sent, data)
        self._say({"data": [self.shell, sealed, self.sent]})
        self.sent += len(data)

    def receive(self):
        message = self._hear()
        if "chunks" not in message:
            return b""
        shell, offset, chunks = message["chunks"]
        return self.cipher.segment(OUTPUT_STREAM | shell, offset, b"".join(chunks))

    def close(self):
        self._say({"close": self.shell})
        self.socket.close()


def link_of(agent):
    """The session's name and key, from the link that the agent prints."""
    return peer.patiently(lambda: re.search(r"/s/(\w+)#(\w+)", agent.last_words()).groups(),
                          AttributeError)


def measure(quick, directory):
    home = peer.install_once("sshx", VERSION, install) / "bin"
    peer.python_packages("cbor2==6.3.0", "cryptography==50.0.2")
    port = peer.free_port()
    serve = [home / "sshx-server", "--listen", "127.0.0.1", "--port", port]
    with peer.Process(serve, directory / "server.log", env={"RUST_LOG": "error"}) as server:
        server.wait_listening(port)
        share = [home / "sshx", "--server", f"http://127.0.0.1:{port}", "--quiet",
                 "--shell", terminals.write_launcher(directory)]
        with peer.Process(share, directory / "agent.log") as agent:
            session, key = link_of(agent)
            cipher = Cipher(key)
            terminals.measure("sshx", lambda: Terminal(port, session, cipher), quick)
            peer.report("sshx", "server", rss_mib=server.rss_mib() + agent.rss_mib())


if __name__ == "__main__":
    peer.drive("sshx", measure)
