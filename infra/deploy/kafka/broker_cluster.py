"""One cluster of brokers in one directory: started, ended, hurt and waited for."""

import pathlib
import signal
import time

import broker_jars
import broker_probe
import broker_settings
import broker_tls
from broker_process import POLL_S, BrokersError, Detached
from broker_settings import Cluster
from detached_set import STOP_WITHIN_S, DetachedSet

READY_WITHIN_S = 90
PROBE_WITHIN_S = 2


class Brokers(DetachedSet):
    """One cluster in one directory: `cluster.json`, and a folder a broker with settings and log.

    A second object on the same directory, in another process too, sees and steers the same brokers.
    """

    noun = "broker"
    error = BrokersError

    def __init__(self, directory: pathlib.Path, cluster: Cluster, settings: dict | None = None):
        directory = directory.resolve()
        super().__init__(
            directory, {node: Detached(directory / str(node)) for node in cluster.ports}
        )
        self.cluster = cluster
        self.settings = settings or {}  # of every broker, instead of ours

    @classmethod
    def open(cls, directory: pathlib.Path) -> "Brokers":
        try:
            return cls(directory, Cluster.load(directory))
        except FileNotFoundError:
            raise BrokersError(f"no brokers in {directory}; `up` makes some") from None
        except (ValueError, KeyError, TypeError) as why:
            raise BrokersError(f"{directory}/cluster.json: {why}; delete {directory}") from None

    @property
    def ids(self) -> list[int]:
        return list(self._nodes)

    @property
    def bootstrap(self) -> str:
        """127.0.0.1:p1,127.0.0.1:p2,…"""
        return self.cluster.bootstrap()

    def client_settings(self, secure: bool | None = None) -> dict[str, str]:
        """What librdkafka and its bindings need to connect."""
        if not (self.cluster.secure if secure is None else secure):
            return {"bootstrap.servers": self.bootstrap}
        bootstrap = {"bootstrap.servers": self.cluster.bootstrap("secure")}
        return bootstrap | broker_tls.client_settings(self.directory)

    def up(self, within_s: float = READY_WITHIN_S) -> "Brokers":
        """Starts what does not run, resumes what is paused; returns when all can be used."""
        made = broker_jars.prepare()
        if all(self.state(node) == "stopped" for node in self.ids):
            self._check_ports()
            self._lay_out(made)
        for node in self.ids:
            state = self.state(node)
            if state == "stopped":
                self._launch(node, made)
            elif state == "paused":
                self.resume(node)
        self._wait_members(set(self.ids), within_s)
        return self

    def down(self, within_s: float = STOP_WITHIN_S) -> None:
        """Ends all: SIGTERM to all at once, SIGKILL for what is left. 0 s: SIGKILL at once."""
        self._end_all(within_s)

    def start(self, node: int, wait: bool = True, within_s: float = READY_WITHIN_S) -> None:
        if self.state(node) != "stopped":
            raise BrokersError(f"{self._named(node)} is {self.state(node)} already")
        expected = self._running() | {node}
        self._launch(node, broker_jars.prepare())
        if wait:
            self._wait_members(expected, within_s)

    def stop(self, node: int, within_s: float = STOP_WITHIN_S) -> None:
        """As an operator does it: its partitions are handed over first."""
        self._signal(node, signal.SIGTERM)
        if not self._nodes[node].wait_gone(within_s):
            raise BrokersError(
                f"{self._named(node)} did not end within {within_s:.0f} s of SIGTERM (without a "
                f"majority of the brokers it cannot); kill({node}) ends it:\n{self.log(node)}"
            )

    def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Until every running broker answers and lists all running ones as members."""
        self._wait_members(self._running(), within_s)

    def wait_topic(self, topic: str, partitions: int, within_s: float = READY_WITHIN_S) -> None:
        """Until every running broker knows so many of its partitions, led and with all copies."""

        def why_not(port: int) -> str:
            led = broker_probe.led_partitions(port, topic, PROBE_WITHIN_S)
            return f"it knows {led} of {partitions} partitions of {topic}" * (led < partitions)

        self._wait(self._running(), within_s, why_not)

    def _wait_members(self, expected: set[int], within_s: float) -> None:
        def why_not(port: int) -> str:
            cluster_id, members = broker_probe.members(port, PROBE_WITHIN_S)
            if cluster_id != self.cluster.cluster_id:
                return f"another cluster answers on its port, {cluster_id}"
            return f"its cluster lacks {expected - members}" if expected - members else ""

        self._wait(expected, within_s, why_not)

    def _wait(self, nodes: set[int], within_s: float, why_not) -> None:
        """Until each broker, asked by its port, says nothing against it."""
        deadline = time.monotonic() + within_s
        for node in nodes:
            while why := self._asked(node, why_not):
                if time.monotonic() > deadline:
                    raise BrokersError(
                        f"{self._named(node)} is not ready after {within_s:.0f} s: {why}; "
                        f"its log {self._nodes[node].log} ends:\n{self.log(node)}"
                    )
                time.sleep(POLL_S)

    def _asked(self, node: int, why_not) -> str:
        if self._nodes[node].pid() is None:
            raise BrokersError(f"{self._named(node)} ended; its log ends:\n{self.log(node)}")
        try:
            return why_not(self.cluster.ports[node].client)
        except OSError as why:
            return str(why)

    def _launch(self, node: int, made: broker_jars.Distribution) -> None:
        folder = self.directory / str(node)
        self._nodes[node].start(made.command(folder), made.environment)

    def _lay_out(self, made: broker_jars.Distribution) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        checkpoint = made.checkpoint
        if self.cluster.secure:
            checkpoint = broker_tls.make(self.directory, made, self.cluster)
        for node in self.ids:
            folder = self.directory / str(node)
            broker_settings.lay_out(folder, self.cluster, node, checkpoint)
            ours = broker_settings.properties(self.cluster, node, folder)
            if self.cluster.secure:
                broker_tls.add(ours, self.directory, self.cluster.ports[node].secure)
            broker_settings.write(folder, ours | self.settings)
        self.cluster.save(self.directory)

    def _check_ports(self) -> None:
        """A foreign server on one of our ports would be taken for a broker by every client."""
        for ports in self.cluster.ports.values():
            used = [ports.client, ports.controller]
            for port in used + ([ports.secure] if self.cluster.secure else []):
                if not broker_settings.port_is_free(port):
                    raise BrokersError(f"port {port} is taken; choose others with --port BASE")

    def _running(self) -> set[int]:
        return {node for node in self.ids if self.state(node) == "running"}
