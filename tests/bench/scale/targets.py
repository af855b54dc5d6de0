"""What clients write to: sessions in every partition, environments on every node.

Each belongs to one of 16 accounts, one in every partition, and is written with its account's token.
A node asks for the account whenever a request comes in, so a command may take two hops: one to who
leads the account, one to who leads the stream.
"""
import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import time

from berth import wire
from berth.log_records import crc32c
from berth.rest import Rest
from peers.websocket import WebSocket

ORDINALS_MAX = 16  # events/core/partition.hpp
ACCOUNTS_A_PARTITION_MAX = 40  # to be made until each partition has one: some 4 of 16 are
SESSIONS_AN_ACCOUNT = 8
SESSION_ROUNDS_MAX = 32
ENVIRONMENTS_A_NODE = 2
OPENERS = 16
SEEN_WITHIN_S = 10
LOOK_EVERY_S = 0.02


class Leaders:
    """Who leads a stream, by the rule of events/core/partition.cpp, while these nodes are there."""

    def __init__(self, partitions, present):
        self.partitions, self.present = partitions, tuple(present)
        self.by_partition = [self._leader(each) for each in range(partitions)]

    def partition(self, stream):
        return _crc(stream) % self.partitions

    def of(self, stream):
        return self.by_partition[self.partition(stream)]

    def partitions_of(self, node):
        return [each for each, leader in enumerate(self.by_partition) if leader == node]

    def wait_true(self, nodes):
        """Until the nodes say the same: another rule would make every figure of hops wrong."""
        expected = {node: len(self.partitions_of(node)) for node in self.present}
        until = time.monotonic() + SEEN_WITHIN_S
        while True:
            views = [nodes.view(node) for node in self.present]
            said = [{each["ordinal"]: each["leads"] for each in view["nodes"]} for view in views]
            if all(each == expected for each in said):
                return
            assert time.monotonic() < until, (
                f"the nodes lead {said} partitions, {expected} by the rule of "
                "events/core/partition.cpp as it is written down here")
            time.sleep(LOOK_EVERY_S)

    def _leader(self, partition):
        home = partition % min(self.partitions, ORDINALS_MAX)
        if home in self.present:
            return home
        return max(self.present, key=lambda node: (_weight(f"{partition}@{node}"), node))


@functools.cache
def _crc(text):
    return crc32c(text.encode())


def _weight(text):
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


@dataclasses.dataclass(frozen=True)
class Account:
    stream: str
    token: str


@dataclasses.dataclass(frozen=True)
class Target:
    """One durable command by POST, again and again."""

    stream: str
    account: Account
    path: str
    body: tuple  # pairs, as of a dict

    @property
    def is_session(self):
        return self.stream.startswith("session/")


def hops(leaders, target, front):
    """Of a command through node `front`: (for the account, for the stream)."""
    return (int(leaders.of(target.account.stream) != front),
            int(leaders.of(target.stream) != front))


def make_accounts(nodes, leaders):
    """One in every partition."""
    rests = [Rest(port, nodes.admin_token) for port in nodes.ports]
    found = {}
    for number in range(ACCOUNTS_A_PARTITION_MAX * leaders.partitions):
        if len(found) == leaders.partitions:
            return list(found.values())
        made = rests[number % len(rests)].good(
            "POST", "/api/v1/accounts", {"name": f"scale-{number}"}, expect=201)
        stream = f"account/{made['account']['id']}"
        found.setdefault(leaders.partition(stream), Account(stream, made["secret"]))
    raise AssertionError(f"accounts only in partitions {sorted(found)}")


def open_session(port, token):
    """A new session's id and its socket."""
    socket = WebSocket(port, "/api/v1/ws", "berth.v1")
    try:
        socket.send(wire.encode_binary({"kind": "hello", "token": token, "client": "scale"}))
        while True:
            for frame in wire.decode_binary(socket.receive()):
                if frame["kind"] == "welcome":
                    return frame["session"], socket
                assert frame["kind"] not in ("error", "goaway"), frame
    except BaseException:
        socket.close()
        raise


def make_sessions(nodes, leaders, accounts):
    """Several of each account, and one in every partition at least; nobody is connected."""
    def make(number):
        account = accounts[number % len(accounts)]
        session, socket = open_session(nodes.ports[number % len(nodes.ports)], account.token)
        socket.close()
        return Target(f"session/{session}", account, f"/api/v1/sessions/{session}/hand-over",
                      (("client", "scale"),))

    found, made = [], 0
    with concurrent.futures.ThreadPoolExecutor(OPENERS) as pool:
        for rounds in range(SESSION_ROUNDS_MAX):
            found += pool.map(make, range(made, made + len(accounts)))
            made += len(accounts)
            reached = {leaders.partition(each.stream) for each in found}
            if rounds + 1 >= SESSIONS_AN_ACCOUNT and len(reached) == leaders.partitions:
                return found
    raise AssertionError(f"sessions only in partitions {sorted(reached)}")


@contextlib.contextmanager
def placing_on(nodes, wanted):
    """New environments are made on this node only."""
    others = [each for each in nodes.ordinals if each != wanted]
    rest = Rest(nodes.ports[wanted], nodes.admin_token)

    def set_cordons(action, is_cordoned):
        for each in others:
            rest.good("POST", f"/api/v1/cluster/nodes/{each}/{action}")
        until = time.monotonic() + SEEN_WITHIN_S
        while others and not all(
                each["cordoned"] == is_cordoned for node in nodes.ordinals
                for each in nodes.view(node)["nodes"] if each["ordinal"] in others):
            assert time.monotonic() < until, f"not every node has seen the {action}"
            time.sleep(LOOK_EVERY_S)

    try:
        set_cordons("cordon", True)
        yield
    finally:
        set_cordons("uncordon", False)


def make_environments(nodes, leaders, accounts):
    """Some on every node, of accounts that it leads: at home they take no hop."""
    found = []
    for node in nodes.ordinals:
        owner = next(each for each in accounts if leaders.of(each.stream) == node)
        rest = Rest(nodes.ports[node], owner.token)
        with placing_on(nodes, node):
            for number in range(ENVIRONMENTS_A_NODE):
                body = {"name": f"scale-{node}-{number}", "instance_type": "lightweight"}
                made = rest.good("POST", "/api/v1/environments?wait=true", body)
                key = made["environment"]["id"]
                target = Target(f"environment/{key}", owner,
                                f"/api/v1/environments/{key}/activity", (("kind", "keystroke"),))
                assert leaders.of(target.stream) == node, f"{key} was not placed on node {node}"
                found.append(target)
    return found


def delete_environments(nodes, environments):
    """As far as it goes: what is left is killed afterwards."""
    for each in environments:
        place = each.path.removesuffix("/activity")
        with contextlib.suppress(Exception):  # the cluster may be what broke
            rest = Rest(nodes.ports[nodes.running[0]], each.account.token, timeout_s=15)
            rest.ask("DELETE", f"{place}?wait=true&timeout_ms=10000")
