"""Asks one broker what it knows: a Kafka metadata request, by hand, from the protocol guide.

An open port says neither whose it is (machines are shared) nor that the broker may be used already;
the answer names the cluster and the brokers that the controller has let in. And a client library
asks whichever broker it likes, but a test must know that the slowest one has heard of a topic.
"""

import socket
import struct

METADATA, VERSION, CORRELATION = 3, 2, 7
ANSWER_BYTES_MAX = 1 << 20
CLIENT = b"berth-probe"


class _Reader:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def string(self) -> str:
        size = max(self.number(">h"), 0)  # -1 is null
        self.at += size
        return self.data[self.at - size : self.at].decode()


def _exactly(stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise OSError("the broker closed the connection")
    return data


def members(port: int, timeout_s: float) -> tuple[str, set[int]]:
    """Cluster id and the node ids in it, as this broker sees it; OSError if it does not answer."""
    cluster_id, nodes, _ = _ask(port, [], timeout_s)
    return cluster_id, nodes


def led_partitions(port: int, topic: str, timeout_s: float) -> int:
    """How many partitions of the topic have a leader and all replicas in sync, as it sees it."""
    return _ask(port, [topic.encode()], timeout_s)[2]


def _ask(port: int, topics: list[bytes], timeout_s: float) -> tuple[str, set[int], int]:
    header = struct.pack(">hhih", METADATA, VERSION, CORRELATION, len(CLIENT)) + CLIENT
    names = b"".join(struct.pack(">h", len(name)) + name for name in topics)
    request = header + struct.pack(">i", len(topics)) + names
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.settimeout(timeout_s)
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as stream:
            (size,) = struct.unpack(">i", _exactly(stream, 4))
            if not 0 < size <= ANSWER_BYTES_MAX:
                raise OSError(f"port {port} does not speak Kafka's protocol")
            answer = _Reader(_exactly(stream, size))
    try:
        return _parsed(answer)
    except (struct.error, UnicodeDecodeError) as why:
        raise OSError(f"port {port} does not speak Kafka's protocol") from why


def _parsed(answer: _Reader) -> tuple[str, set[int], int]:
    answer.number(">i")  # correlation id: one request a connection
    nodes = set()
    for _ in range(answer.number(">i")):
        nodes.add(answer.number(">i"))
        answer.string()  # host
        answer.number(">i")  # port
        answer.string()  # rack
    cluster_id = answer.string()
    answer.number(">i")  # controller
    led = sum(_led(answer) for _ in range(answer.number(">i")))
    return cluster_id, nodes, led


def _led(answer: _Reader) -> int:
    """Of one topic."""
    answer.number(">h")  # error: an unknown topic has no partitions
    answer.string()  # name
    answer.number(">b")  # internal
    led = 0
    for _ in range(answer.number(">i")):
        answer.number(">h")  # error
        answer.number(">i")  # index
        leader = answer.number(">i")
        replicas = {answer.number(">i") for _ in range(answer.number(">i"))}
        in_sync = {answer.number(">i") for _ in range(answer.number(">i"))}
        led += leader >= 0 and replicas == in_sync
    return led
