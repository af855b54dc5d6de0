"""The nodes of one directory and their brokers: started, ended, hurt and waited for."""

import os
import pathlib
import signal
import time

import launchers
import node_files
import node_plan
import node_rest
from broker_cluster import Brokers
from broker_process import POLL_S, Detached
from broker_settings import Cluster, port_is_free
from detached_set import STOP_WITHIN_S, DetachedSet
from node_plan import NodesError, Plan

READY_WITHIN_S = 60
SHARED_WITHIN_S = 60
DELETE_WITHIN_S = 20


class Nodes(DetachedSet):
    """One cluster in one directory (node_plan.py says what is where).

    A second object on the same directory, in another process too, sees and steers the same nodes.
    """

    noun = "node"
    error = NodesError

    def __init__(self, directory: pathlib.Path, plan: Plan, brokers: Brokers):
        directory = directory.resolve()
        programs = {
            each: Detached(node_plan.folder(directory, each), node_plan.log(directory, each))
            for each in plan.ports
        }
        super().__init__(directory, programs)
        self.plan = plan
        self.brokers = brokers

    @classmethod
    def make(cls, directory: pathlib.Path, plan: Plan, kafka: Cluster) -> "Nodes":
        """Only the description; `up` makes the rest."""
        inside = directory / "brokers"
        inside.mkdir(parents=True, exist_ok=True)
        kafka.save(inside)
        plan.save(directory)
        return cls(directory, plan, Brokers(inside, kafka))

    @classmethod
    def open(cls, directory: pathlib.Path) -> "Nodes":
        try:
            plan = Plan.load(directory)
        except FileNotFoundError:
            raise NodesError(f"no nodes in {directory}; `up` makes some") from None
        except (ValueError, KeyError, TypeError) as why:
            raise NodesError(f"{directory}/cluster.json: {why}; delete {directory}") from None
        return cls(directory, plan, Brokers.open(directory / "brokers"))

    @property
    def ordinals(self) -> list[int]:
        return list(self._nodes)

    @property
    def running(self) -> list[int]:
        return [each for each in self._nodes if self.state(each) == "running"]

    @property
    def ports(self) -> list[int]:
        """Of HTTP, by ordinal."""
        return [each.http for each in self.plan.ports.values()]

    @property
    def commits_topic(self) -> str:
        return f"{self.plan.topic_prefix}.commits"

    def url(self, ordinal: int) -> str:
        return f"http://127.0.0.1:{self.plan.ports[ordinal].http}"

    def data_dir(self, ordinal: int) -> pathlib.Path:
        return node_plan.data_dir(self.directory, ordinal)

    def token_file(self, ordinal: int = 0) -> pathlib.Path:
        """Of the first administrator; good on every node."""
        return self.data_dir(ordinal) / "admin-token"

    @property
    def admin_token(self) -> str:
        return self.token_file().read_text(encoding="utf-8").strip()

    def up(self, within_s: float = READY_WITHIN_S) -> "Nodes":
        """Starts what does not run, resumes what is paused; returns when all are ready."""
        self._check_programs()
        self._check_ports()
        self.brokers.up()
        if all(self.state(each) == "stopped" for each in self._nodes):
            self._lay_out()
        for each in self._nodes:
            state = self.state(each)
            if state == "stopped":
                self._launch(each)
            elif state == "paused":
                self.resume(each)
        self.wait_ready(within_s=within_s)
        return self

    def down(self, within_s: float = STOP_WITHIN_S) -> None:
        """Ends nodes and brokers, not environments. 0 s: by SIGKILL at once."""
        self._end_all(within_s)
        self.brokers.down(within_s=within_s)

    def launchers(self) -> list[int]:
        """Pids of what keeps environments running without their node."""
        return [pid for each in self._nodes for pid in launchers.launchers(self.data_dir(each))]

    def end_launchers(self) -> None:
        """Ends every environment as a power cut would; their files stay."""
        for each in self._nodes:
            launchers.end_launchers(self.data_dir(each))

    def delete_environments(self, within_s: float = DELETE_WITHIN_S) -> None:
        """Those of the administrator, as far as the nodes still do it."""
        if self.running and self.token_file().exists():
            port = self.plan.ports[self.running[0]].http
            node_rest.delete_environments(port, self.admin_token, within_s)

    def start(self, ordinal: int, wait: bool = True, within_s: float = READY_WITHIN_S) -> None:
        if self.state(ordinal) != "stopped":
            raise NodesError(f"{self._named(ordinal)} is {self.state(ordinal)} already")
        if not node_files.config_file(self.directory, ordinal).exists():
            raise NodesError(f"{self._named(ordinal)} was never made; `up` makes it")
        self._launch(ordinal)
        if wait:
            self.wait_ready([ordinal], within_s)

    def stop(self, ordinal: int, within_s: float = STOP_WITHIN_S) -> None:
        """As an operator does it: what it leads is handed over, its environments go on."""
        self._signal(ordinal, signal.SIGTERM)
        self._nodes[ordinal].signal(signal.SIGCONT)
        if not self._nodes[ordinal].wait_gone(within_s):
            raise NodesError(
                f"{self._named(ordinal)} did not end within {within_s:.0f} s of SIGTERM; "
                f"kill({ordinal}) ends it; its log ends:\n{self.log(ordinal)}"
            )
        code = self._nodes[ordinal].exit_code()
        if code:
            raise NodesError(f"{self._named(ordinal)} ended with {code}:\n{self.log(ordinal)}")

    def exit_code(self, ordinal: int) -> int | None:
        """Of a node this object started, once it has ended."""
        return self._node(ordinal).exit_code()

    def view(self, ordinal: int) -> dict:
        """The cluster as this node sees it: GET /api/v1/cluster, or one of node_rest.FAILURES."""
        return node_rest.ask(self.plan.ports[ordinal].http, self.admin_token, "/cluster")

    def wait_ready(
        self, ordinals: list[int] | None = None, within_s: float = READY_WITHIN_S
    ) -> None:
        deadline = time.monotonic() + within_s
        for each in self.ordinals if ordinals is None else ordinals:
            while why := self._why_not_ready(each):
                if time.monotonic() > deadline:
                    raise NodesError(
                        f"{self._named(each)} is not ready after {within_s:.0f} s: {why}; "
                        f"its log {self._nodes[each].log} ends:\n{self.log(each)}"
                    )
                time.sleep(POLL_S)

    def wait_shared(self, within_s: float = SHARED_WITHIN_S) -> None:
        """Until all that run are linked with each other, lead something, and together all."""
        deadline = time.monotonic() + within_s
        while why := self._why_not_shared():
            if time.monotonic() > deadline:
                raise NodesError(
                    f"the nodes of {self.directory} do not share the log after {within_s:.0f} s: "
                    f"{why}; see their logs beside it"
                )
            time.sleep(5 * POLL_S)

    def _why_not_ready(self, ordinal: int) -> str:
        if self.pid(ordinal) is None:
            code = self.exit_code(ordinal)
            ended = "ended" if code is None else f"ended with {code}"
            raise NodesError(f"{self._named(ordinal)} {ended}; its log ends:\n{self.log(ordinal)}")
        return node_rest.is_ready(self.plan.ports[ordinal].http)

    def _why_not_shared(self) -> str:
        try:
            return node_rest.why_not_shared({each: self.view(each) for each in self.running})
        except node_rest.FAILURES as why:
            return f"GET /cluster: {why}"

    def _launch(self, ordinal: int) -> None:
        berthd = pathlib.Path(self.plan.programs) / "berthd"
        config = node_files.config_file(self.directory, ordinal)
        # What a developer set for one server would beat each node's file.
        ours = [f"--unset={name}" for name in os.environ if name.startswith("BERTH_")]
        self._nodes[ordinal].start(["env", *ours, berthd, "--config", config], {})

    def _lay_out(self) -> None:
        self.plan.save(self.directory)
        brokers = self.brokers
        node_files.lay_out(self.directory, self.plan, len(brokers.ids), brokers.bootstrap)

    def _check_programs(self) -> None:
        for name in ("berthd", "berth-agent"):
            if not (pathlib.Path(self.plan.programs) / name).exists():
                raise NodesError(
                    f"no {name} in {self.plan.programs}; ./dev build makes it, --bin DIR names "
                    "another folder"
                )

    def _check_ports(self) -> None:
        """A foreign server on one of our ports would be taken for a node by every client."""
        wanted = {}
        for each, ports in self.plan.ports.items():
            if self.state(each) == "stopped":
                wanted |= {ports.http: "--http-base", ports.peer: "--peer-base"}
        kafka = self.brokers
        if all(kafka.state(each) == "stopped" for each in kafka.ids):
            for ports in kafka.cluster.ports.values():
                wanted |= {ports.client: "--kafka-base", ports.controller: "--kafka-base"}
        for port, option in wanted.items():
            if not port_is_free(port):
                raise NodesError(f"port {port} is taken; choose others with {option} PORT")
