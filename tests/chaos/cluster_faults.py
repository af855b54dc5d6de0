"""Nodes and brokers of a cluster killed, stopped and restarted, one fault after the other."""

import collections
import random
import time

PAUSE_S = (0.5, 2.5)  # between two faults


class Faults:
    def __init__(self, nodes, seed: int):
        self.nodes, self.brokers = nodes, nodes.brokers
        self.chosen = random.Random(seed)
        self.done: collections.Counter[str] = collections.Counter()
        self.kills: list[float] = []  # of nodes, when
        self._kinds = [self.kill_node, self.pause_node] * 2 + [self.restart_node]
        if len(self.brokers.ids) > 1:
            self._kinds += [self.kill_broker, self.pause_broker]

    def run(self, seconds: float, check) -> None:
        """`check` is asked after each: it raises if something is broken already."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            fault = self.chosen.choice(self._kinds)
            fault()
            self.done[fault.__name__] += 1
            self.check_alive()
            check()
            time.sleep(self.chosen.uniform(*PAUSE_S))

    def check_alive(self) -> None:
        """Who was not ended by us has no reason to end."""
        for each in self.nodes.ordinals:
            state = self.nodes.state(each)
            ended = f"node {each} is {state} ({self.nodes.exit_code(each)}) by itself"
            assert state == "running", f"{ended}; its log ends:\n{self.nodes.log(each)}"

    def kill_node(self) -> None:
        node = self._any_node()
        self.nodes.kill(node)
        self.kills.append(time.monotonic())
        # Long enough for the others to take over, now and then not.
        time.sleep(self.chosen.choice([0.0, 0.5, 2.5, 3.0]))
        self.nodes.start(node)

    def restart_node(self) -> None:
        node = self._any_node()
        self.nodes.stop(node)
        self.nodes.start(node)

    def pause_node(self) -> None:
        node = self._any_node()
        self.nodes.pause(node)
        time.sleep(self.chosen.choice([0.3, 1.0, 2.5, 4.0]))
        self.nodes.resume(node)

    def kill_broker(self) -> None:
        broker = self.chosen.choice(self.brokers.ids)
        self.brokers.kill(broker)
        time.sleep(self.chosen.uniform(0, 2))
        self.brokers.start(broker)

    def pause_broker(self) -> None:
        broker = self.chosen.choice(self.brokers.ids)
        self.brokers.pause(broker)
        time.sleep(self.chosen.uniform(0.5, 3))
        self.brokers.resume(broker)

    def _any_node(self) -> int:
        return self.chosen.choice(self.nodes.ordinals)
