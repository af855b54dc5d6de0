"""What idle sessions, idle terminals and the log itself take of each node."""
import concurrent.futures
import time

from berth.rest import Rest

from scale import processes
from scale.commands import make_commits
from scale.targets import OPENERS, open_session

PER = 100_000  # commits
MIB = 1 << 20
WARMING_TERMINALS = 2


def by_node(name, values):
    return {f"{name}_node_{node}": value for node, value in enumerate(values)}


def idle_sessions(bench):
    """Sockets that said hello, spread over the nodes. Each is two commits, in every replica."""
    nodes, plan, token = bench.nodes, bench.plan, bench.nodes.admin_token
    before = processes.still_rss_kib(nodes, plan.still_within_s)
    made = processes.metrics(nodes.ports[0])["berth_journal_commits_total"]
    sockets, began = [], time.monotonic()
    try:
        with concurrent.futures.ThreadPoolExecutor(OPENERS) as pool:
            ports = [nodes.ports[n % len(nodes.ports)] for n in range(plan.sessions)]
            for _, socket in pool.map(lambda port: open_session(port, token), ports):
                sockets.append(socket)
        took = time.monotonic() - began
        time.sleep(plan.settle_s)
        after = processes.nodes_rss_kib(nodes)
        made = processes.metrics(nodes.ports[0])["berth_journal_commits_total"] - made
    finally:
        for each in sockets:
            each.close()
    bench.say("idle sessions", sessions=plan.sessions, opened_per_second=plan.sessions / took,
              rss_kib_each=(sum(after) - sum(before)) / plan.sessions,
              commits_each=made / plan.sessions,
              **by_node("rss_mib", [each / 1024 for each in after]))


def idle_terminals(bench):
    """In one environment on node 0, nobody looks at them."""
    if bench.why_no_environments:
        return bench.say("idle terminals", why=bench.why_no_environments)
    nodes, plan = bench.nodes, bench.plan
    at_home = next(each for each in bench.targets
                   if not each.is_session and bench.leaders.of(each.stream) == 0)
    rest = Rest(nodes.ports[0], at_home.account.token)
    place = at_home.path.replace("/activity", "/terminals")
    body = {"cols": 80, "rows": 24, "command": ["/bin/sh", "-c", "exec sleep 1000"]}

    def make():
        return rest.good("POST", place, body, expect=201)["terminal"]["id"]

    made = [make() for _ in range(WARMING_TERMINALS)]
    try:
        time.sleep(plan.settle_s)
        before = processes.still_rss_kib(nodes, plan.still_within_s)[0]
        agents = processes.agents_rss_kib()
        made += [make() for _ in range(plan.terminals)]
        time.sleep(plan.settle_s)
        berthd = (processes.nodes_rss_kib(nodes)[0] - before) / plan.terminals
        agent = (processes.agents_rss_kib() - agents) / plan.terminals
    finally:
        for each in made:
            rest.ask("DELETE", f"/api/v1/terminals/{each}")
    bench.say("idle terminals", terminals=plan.terminals, rss_kib_each=berthd + agent,
              berthd_kib_each=berthd, agent_kib_each=agent)
    return None


def replicas(bench):
    """Every node keeps all of the log: its growth is everybody's, whoever leads."""
    nodes, plan = bench.nodes, bench.plan
    processes.wait_level(nodes)
    if plan.restarts_for_disk:
        restart_each(nodes)
    disk, brokers = processes.replicas_bytes(nodes), processes.brokers_bytes(nodes)
    rss = processes.still_rss_kib(nodes, plan.still_within_s)
    made = make_commits(bench, plan.commits, plan.growth_within_s)
    processes.wait_level(nodes)
    rss = [a - b for a, b in zip(processes.still_rss_kib(nodes, plan.still_within_s), rss)]
    if plan.restarts_for_disk:
        restart_each(nodes)
    disk = [a - b for a, b in zip(processes.replicas_bytes(nodes), disk)]
    brokers = [a - b for a, b in zip(processes.brokers_bytes(nodes), brokers)]
    times = PER / made
    bench.say("replica, per 100,000 commits", commits=made,
              rss_mib=sum(rss) / len(rss) / 1024 * times,
              disk_mib=sum(disk) / len(disk) / MIB * times,
              broker_disk_mib=sum(brokers) / len(brokers) / MIB * times,
              after_restart=int(plan.restarts_for_disk),
              **by_node("rss_mib", [each / 1024 * times for each in rss]),
              **by_node("disk_mib", [each / MIB * times for each in disk]))


def restart_each(nodes):
    """Who stops in order writes down what is only in memory."""
    for each in nodes.ordinals:
        nodes.stop(each)
        nodes.start(each)
    nodes.wait_shared()
