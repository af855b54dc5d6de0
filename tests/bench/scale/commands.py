"""Commands through all nodes, and by one client: how many, how fast, what they cost, who ran them.

Half of them are activity of environments, which all are in partitions at home on their own node;
half hand a session over to the next device, and sessions are in every partition. Each node holds a
socket as well: from the first one on it reads every commit for its sessions.
"""
import contextlib
import itertools
import threading
import time

from scale import load, processes
from scale.plan import CLIENTS
from scale.targets import hops, open_session

# What a node's clients write to: by the hops of a command.
MODES = {
    "at the leader": lambda for_account, for_stream: not for_account and not for_stream,
    "spread": lambda for_account, for_stream: True,
    "never at the leader": lambda for_account, for_stream: for_account and for_stream,
}
ALONE = {
    "at the leader": (0, 0),
    "stream led elsewhere": (0, 1),
    "stream and account led elsewhere": (1, 1),
}


@contextlib.contextmanager
def listeners(nodes):
    """A socket at every node, read by a thread."""
    sockets = []

    def listen(socket):
        with contextlib.suppress(OSError, ValueError):  # closed at the end
            while True:
                socket.receive()

    try:
        for port in nodes.ports:
            sockets.append(open_session(port, nodes.admin_token)[1])
            sockets[-1].socket.settimeout(None)
            threading.Thread(target=listen, args=(sockets[-1],), daemon=True).start()
        yield
    finally:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.socket.shutdown(2)  # a thread that waits in recv sees it
            each.close()


def mixed(targets):
    """As many commands to environments as to sessions."""
    sessions = [each for each in targets if each.is_session]
    environments = [each for each in targets if not each.is_session]
    if not environments:
        return sessions
    pairs = zip(sessions, itertools.cycle(environments))
    return [each for pair in pairs for each in pair] or environments


def parts_of(bench, mode):
    """The clients shared out evenly; nothing if a node has nothing to write to in this mode."""
    ports, parts = bench.nodes.ports, []
    for node, port in enumerate(ports):
        fits = [each for each in bench.targets if MODES[mode](*hops(bench.leaders, each, node))]
        if not fits:
            return []
        clients = CLIENTS // len(ports) + (node < CLIENTS % len(ports))
        parts.append(load.Part(port, clients, mixed(fits)))
    return parts


def where(bench, parts, done):
    """(hops a command, share of commands led elsewhere, commands by the node that leads them)."""
    both = led_elsewhere = 0
    ran = [0.0] * len(parts)
    for node, (part, requests) in enumerate(zip(parts, done.requests)):
        each_one = requests / len(part.targets)
        for target in part.targets:
            for_account, for_stream = hops(bench.leaders, target, node)
            both += (for_account + for_stream) * each_one
            led_elsewhere += for_stream * each_one
            ran[bench.leaders.of(target.stream)] += each_one
    return both / done.total, led_elsewhere / done.total, ran


def measure_mode(bench, mode):
    parts = parts_of(bench, mode)
    if not parts or (len(parts) == 1 and mode == "spread"):
        return  # of one node all is at the leader
    nodes, seconds = bench.nodes, bench.plan.load_s
    asked = processes.metric_of_all(nodes, "berth_commands_total")
    cpu, brokers = processes.nodes_cpu(nodes), processes.brokers_cpu(nodes)
    done = load.run(parts, seconds, bench.directory)
    cpu = [now - before for now, before in zip(processes.nodes_cpu(nodes), cpu)]
    brokers = processes.brokers_cpu(nodes) - brokers
    asked = [now - before for now, before in
             zip(processes.metric_of_all(nodes, "berth_commands_total"), asked)]
    hops_each, led_elsewhere, ran = where(bench, parts, done)
    figures = {
        "clients": CLIENTS, "per_second": done.per_second, "p50_us": done.p50_us,
        "p99_us": done.p99_us, "failed": done.failed, "forwarded_share": led_elsewhere,
        "hops_each": hops_each, "berthd_cpu_s_per_1000": sum(cpu) * 1e3 / done.total,
        "brokers_cpu_s_per_1000": brokers * 1e3 / done.total,
        "clients_cpu_s_per_1000": done.cpu_s * 1e3 / done.total,
        "busiest_node_cpu_share": max(cpu) / sum(cpu),
        # By the nodes' own counters, which also count what nobody here asked for.
        "led_off_by": max(abs(a - b) for a, b in zip(asked, ran)) / done.total,
    }
    bench.say(f"commands, {mode}", **figures)
    bench.measured[mode] = figures


def commands(bench):
    with listeners(bench.nodes):
        load.run(parts_of(bench, "spread"), 1 if bench.plan.quick else 3, bench.directory)
        for mode in MODES:
            measure_mode(bench, mode)


def one_client(bench):
    """Through node 0, one command in flight; in turns, for the machine is not the same twice."""
    found = {}
    with listeners(bench.nodes):
        for _ in range(bench.plan.alone_times):
            for what, wanted in ALONE.items():
                fits = [each for each in bench.targets
                        if each.is_session and hops(bench.leaders, each, 0) == wanted]
                if not fits:
                    continue
                part = load.Part(bench.nodes.ports[0], 1, fits)
                done = load.run([part], bench.plan.alone_s, bench.directory)
                found.setdefault(what, []).append(done)
    for what, runs in found.items():
        bench.say(f"one client, {what}", hops=sum(ALONE[what]),
                  p50_us=sum(each.p50_us for each in runs) / len(runs),
                  p99_us=max(each.p99_us for each in runs),
                  failed=sum(each.failed for each in runs))


def make_commits(bench, count, within_s):
    """So many, through all nodes; how many it were, by what node 0 applied."""
    port, until = bench.nodes.ports[0], time.monotonic() + within_s
    first = made = processes.metrics(port)["berth_journal_commits_total"]
    while made - first < count and time.monotonic() < until:
        load.run(parts_of(bench, "spread"), min(5, bench.plan.load_s), bench.directory)
        made = processes.metrics(port)["berth_journal_commits_total"]
    return made - first
