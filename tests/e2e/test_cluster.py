"""Three nodes on one log: one server to its users, whichever node they ask and whichever is killed.

The tests build on each other, as a day of one cluster: made, spread, hurt, restarted, looked at.
"""

import time

import pytest

from berth.cluster import cluster_nodes, node_of
from berth.cluster_writers import Writers, account_streams, check_contiguous, check_replayed
from berth.everywhere import Everywhere
from berth.rest import Rest, uuid7
from berth.roaming import Printer, RoamingTerminal, recorded

PARTITIONS = 16
SESSION_S = 1.5
# Beside the session timeout: the others agree on who leads, read the log to its end and say so in
# it. The journal alone took half a second for that (docs/benchmarks.md); here all else wants the
# same cores, and a writer comes by its streams in turn.
FAILOVER_MARGIN_S = 4.0
SHARED_WITHIN_S = 45
SEEN_WITHIN_S = 5
HAPPENS_WITHIN_S = 20
SAME_WITHIN_S = 30
SPREAD = 6

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster():
    with cluster_nodes(
        nodes=3, brokers=3, partitions=PARTITIONS, session_timeout_ms=round(SESSION_S * 1000)
    ) as started:
        started.wait_shared(SHARED_WITHIN_S)
        yield started


@pytest.fixture(scope="module")
def rests(cluster) -> list[Rest]:
    """A client of each node, with the token that node 0 made."""
    found = [Rest(port, cluster.admin_token) for port in cluster.ports]
    host = found[0].good("GET", "/api/v1/host")
    if not host["works"]:
        pytest.skip(f"no provider works on this machine: {host['problems']}")
    return found


@pytest.fixture(scope="module")
def homes(cluster, rests) -> dict[int, str]:
    """By node, one environment that runs on it. Made through all nodes."""
    ids = [make(rests[number % 3], f"spread-{number}") for number in range(SPREAD)]
    for each in ids:
        running = rests[0].good("GET", f"/api/v1/environments/{each}/wait?state=RUNNING")
        assert running["environment"]["host"], running
    return {node_of(cluster, each): each for each in ids}


@pytest.fixture(scope="module")
def streams(rests) -> list[str]:
    """One in every partition, so that every node leads some."""
    return account_streams(rests, PARTITIONS)


@pytest.fixture
def crew(cluster):
    """Writers and printers of one test, who must not work on in the next if it fails."""
    found: list = []
    yield found
    for each in found:
        each.leave()


def make(rest: Rest, name: str) -> str:
    body = {"name": name, "instance_type": "lightweight"}
    return rest.good("POST", "/api/v1/environments", body, expect=201)["environment"]["id"]


def wait_until(what, why: str, within_s: float = HAPPENS_WITHIN_S) -> None:
    until = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until, f"not within {within_s} s: {why}"
        time.sleep(0.02)


def is_replayed(answer) -> bool:
    return answer.headers.get("idempotency-replayed") == "true"


def nodes_of(view: dict) -> dict[int, dict]:
    return {each["ordinal"]: each for each in view["nodes"]}


def test_an_environment_made_through_one_node_is_one_through_all(rests):
    first, *others = rests
    key, body = uuid7(), {"name": "roams", "instance_type": "lightweight"}
    made = first.surely("POST", "/api/v1/environments", body, key)
    assert made.status == 201 and not is_replayed(made), made
    path = f"/api/v1/environments/{made.body['environment']['id']}"
    after = {"Berth-After": made.headers["berth-position"]}
    for rest in others:
        again = rest.surely("POST", "/api/v1/environments", body, key)
        assert again.status == 201 and is_replayed(again), again
        assert again.headers["etag"] == made.headers["etag"]
        assert again.body["environment"]["id"] == made.body["environment"]["id"]
        assert rest.good("GET", path)["environment"]["name"] == "roams"
        listed = rest.ask("GET", "/api/v1/environments", headers=after)
        assert "roams" in [each["name"] for each in listed.body["items"]], listed
        taken = rest.ask("POST", "/api/v1/environments", body)
        assert (taken.status, taken.body["code"]) == (409, "name_taken"), taken

    assert others[0].good("GET", f"{path}/wait?state=RUNNING")["environment"]["host"]
    run = {"command": ["/bin/sh", "-c", "echo x >> /workspace/once; wc -l < /workspace/once"]}
    key = uuid7()
    for rest, replayed in zip([*others, first], (False, True, True), strict=True):
        done = rest.surely("POST", f"{path}/exec", run, key)
        assert done.status == 200 and is_replayed(done) == replayed, done
        assert done.body["stdout"].strip() == "1"

    key = uuid7()
    stopped = others[1].surely("POST", f"{path}/stop", {}, key)
    again = first.surely("POST", f"{path}/stop", {}, key)
    assert stopped.status == again.status == 200 and is_replayed(again), (stopped, again)
    assert again.headers["etag"] == stopped.headers["etag"]
    assert others[0].good("GET", f"{path}/wait?state=STOPPED")["environment"]["status"]
    first.good("DELETE", f"{path}?wait=true")


def test_a_token_issued_by_one_node_is_good_on_all_until_one_revokes_it(cluster, rests):
    body = {"label": "everywhere"}
    issued = rests[0].good("POST", "/api/v1/accounts/me/tokens", body, expect=201)
    clients = clients_of(cluster, issued["secret"])
    rests[2].good("DELETE", f"/api/v1/accounts/me/tokens/{issued['token']['id']}")
    wait_until(lambda: whoami(clients) == [401] * 3, "it is good on none", SEEN_WITHIN_S)


def clients_of(cluster, secret: str) -> list[Rest]:
    """Of each node, once the new token is good on all."""
    clients = [Rest(port, secret) for port in cluster.ports]
    wait_until(lambda: whoami(clients) == [200] * 3, "it is good on all nodes", SEEN_WITHIN_S)
    return clients


def whoami(clients: list[Rest]) -> list[int]:
    return [each.ask("GET", "/api/v1/auth/whoami").status for each in clients]


def test_environments_are_spread_over_the_nodes(cluster, rests, homes):
    assert len(homes) >= 2, f"{SPREAD} environments, all on node {next(iter(homes))}"
    items = rests[1].items("/api/v1/environments")
    running = [each for each in items if each["name"].startswith("spread-")]
    assert len(running) == SPREAD, items
    hosts = {ordinal: each["host"] for ordinal, each in nodes_of(cluster.view(1)).items()}
    for each in running:
        assert each["host"] == hosts[node_of(cluster, each["id"])], (each, hosts)
    wait_until(
        lambda: counts(cluster) == [SPREAD] * 3,
        f"every node counts {SPREAD} environments in the cluster",
        SEEN_WITHIN_S,
    )


def counts(cluster) -> list[int]:
    """Environments that run on all nodes together, as each node sees it."""
    views = [nodes_of(cluster.view(each)) for each in cluster.ordinals]
    return [sum(each["environments"] for each in view.values()) for view in views]


def test_the_cluster_is_seen_from_every_node(cluster, rests):
    for ordinal in cluster.ordinals:
        view = cluster.view(ordinal)
        assert (view["partitions"], view["node"]) == (PARTITIONS, ordinal), view
        nodes = nodes_of(view)
        assert sorted(nodes) == cluster.ordinals
        assert [each for each in nodes if nodes[each]["here"]] == [ordinal], view
        addresses = {f"127.0.0.1:{each.peer}" for each in cluster.plan.ports.values()}
        assert {each["address"] for each in nodes.values()} == addresses
    member = rests[0].good("POST", "/api/v1/accounts", {"name": "member"}, expect=201)["secret"]
    for rest in clients_of(cluster, member):
        assert rest.surely("GET", "/api/v1/cluster").status == 403
        assert rest.surely("POST", "/api/v1/cluster/nodes/0/cordon").status == 403


@pytest.mark.parametrize("form", ["json", "binary"])
def test_a_terminal_opened_through_one_node_is_driven_through_another(cluster, rests, homes, form):
    home, environment = next(iter(homes.items()))
    there, opener, viewer = (rests[(home + step) % 3] for step in range(3))
    command = ["/bin/sh", "-c", "stty raw -echo; printf ready; exec cat"]
    made = opener.good(
        "POST",
        f"/api/v1/environments/{environment}/terminals",
        {"cols": 80, "rows": 24, "command": command},
        expect=201,
    )
    terminal = made["terminal"]["id"]
    token = cluster.admin_token
    client = RoamingTerminal([viewer.port], form, token, terminal, right="drive")
    client.start()
    try:
        wait_until(lambda: client.data() == b"ready" or client.problem, "it greets")
        typed = [f"line {number} of {form}\n".encode() for number in range(200)]
        for piece in typed:
            client.type(piece)
        expected = b"ready" + b"".join(typed)
        wait_until(
            lambda: len(client.data()) >= len(expected) or client.problem,
            "what was typed comes back",
        )
        assert client.problem is None and client.data() == expected, client.problem
        wait_until(lambda: client.waiting_input() == 0, "all input is acknowledged")
        for rest in (opener, there):
            assert recorded(rest, terminal, SEEN_WITHIN_S, len(expected)) == expected
        opener.good("DELETE", f"/api/v1/terminals/{terminal}")
        wait_until(lambda: client.ended or client.problem, "its end is told")
        assert client.problem is None, client.problem
    finally:
        client.stopping = True
        client.cut()


def test_a_cordoned_node_gets_no_new_environment(cluster, rests, homes):
    home, teller = next(iter(homes)), rests[(next(iter(homes)) + 1) % 3]
    path = f"/api/v1/cluster/nodes/{home}"
    made: list[str] = []

    def cordoned(wanted: bool) -> bool:
        views = [nodes_of(cluster.view(each)) for each in cluster.ordinals]
        return all(view[home]["cordoned"] == wanted for view in views)

    def make_one() -> int:
        made.append(make(rests[len(made) % 3], f"placed-{len(made)}"))
        rests[0].good("GET", f"/api/v1/environments/{made[-1]}/wait?state=RUNNING")
        return node_of(cluster, made[-1])

    try:
        teller.good("POST", f"{path}/cordon")
        wait_until(lambda: cordoned(True), "every node knows of the cordon", SEEN_WITHIN_S)
        assert home not in [make_one() for _ in range(4)]
        teller.good("POST", f"{path}/uncordon")
        wait_until(lambda: cordoned(False), "every node knows of its end", SEEN_WITHIN_S)
        # The one with the least to do is its turn again.
        assert home in [make_one() for _ in range(4)]
    finally:
        teller.good("POST", f"{path}/uncordon")
        for each in made:
            rests[0].good("DELETE", f"/api/v1/environments/{each}?wait=true")


def test_a_killed_nodes_streams_go_on_and_its_terminals_once_it_is_back(
    cluster, rests, homes, streams, crew, seed
):
    killed = next(iter(homes))
    ports = [port for each, port in enumerate(cluster.ports) if each != killed]
    others = [rest for each, rest in enumerate(rests) if each != killed]
    printers = {
        home: Printer(others[0], environment, f"kill-{home}") for home, environment in homes.items()
    }
    crew += printers.values()
    for number, printer in enumerate(printers.values()):
        printer.read(ports, "binary", cluster.admin_token, number)
    elsewhere = next(printers[home].readers[0] for home in homes if home != killed)
    its_own = printers[killed].readers[0]
    # Activity on an environment of the dead node is a command like any other.
    written = [*streams, f"environment/{homes[killed]}"]
    writers = Writers(ports, cluster.admin_token, written, seed).start()
    crew.append(writers)
    writers.wait_each_stream(streams, 0, HAPPENS_WITHIN_S)
    wait_until(lambda: min(elsewhere.cursor, its_own.cursor) > 0, "the terminals print")
    assert nodes_of(cluster.view(killed))[killed]["leads"] > 0

    cluster.kill(killed)
    when = time.monotonic()
    first = writers.wait_each_stream(streams, when, SESSION_S + FAILOVER_MARGIN_S + 5)
    assert max(first.values()) <= SESSION_S + FAILOVER_MARGIN_S, sorted(first.values())
    printed = elsewhere.cursor
    wait_until(lambda: elsewhere.cursor > printed, "a living node's terminal goes on")

    printed = its_own.cursor
    cluster.start(killed)
    cluster.wait_shared(SHARED_WITHIN_S)
    wait_until(lambda: its_own.cursor > printed, f"its terminal goes on: {its_own.last}")
    writers.wait_each_stream(streams, time.monotonic(), HAPPENS_WITHIN_S)
    writers.stop()
    for printer in printers.values():
        printer.tell_to_stop(rests[0])
    size = sum(printer.check(rests, HAPPENS_WITHIN_S) for printer in printers.values())
    check_contiguous(writers.done)
    check_replayed(writers.done, cluster.ports, cluster.admin_token)
    print(
        f"a command on every partition {max(first.values()):.2f} s after the kill, "
        f"{len(writers.done)} acknowledged, {size} bytes printed"
    )


def test_a_paused_node_that_wakes_up_serves_nothing_old(cluster, rests, homes):
    paused, environment = next(iter(homes.items()))
    others = [rest for each, rest in enumerate(rests) if each != paused]
    path = f"/api/v1/environments/{environment}"
    before = rests[paused].good("GET", path)["environment"]["version"]
    woken = Rest(cluster.ports[paused], cluster.admin_token)
    cluster.pause(paused)
    try:
        key = uuid7()
        answers = []

        def acknowledged() -> bool:
            answers.append(others[0].surely("POST", f"{path}/activity", {"kind": "paused"}, key))
            return answers[-1].status == 200

        wait_until(acknowledged, "another node leads", SESSION_S + FAILOVER_MARGIN_S + 20)
        version = answers[-1].body["environment"]["version"]
        assert version > before
    finally:
        cluster.resume(paused)
    # At once, and until it surely leads again.
    until, seen = time.monotonic() + 3, 0
    while time.monotonic() < until:
        answer = woken.ask("GET", path)
        if answer.status == 200:
            seen += 1
            assert answer.body["environment"]["version"] >= version, answer
        else:
            assert answer.status == 503, answer
    assert seen > 0, "it answered no read in 3 s"
    cluster.wait_shared(SHARED_WITHIN_S)


def test_a_rolling_restart_fails_no_command_and_loses_no_line(
    cluster, rests, homes, streams, crew, seed
):
    printers = [
        Printer(rests[0], environment, f"roll-{home}") for home, environment in homes.items()
    ]
    crew += printers
    for number, printer in enumerate(printers):
        printer.read(cluster.ports, "json", cluster.admin_token, number)
    written = [*streams, *(f"environment/{each}" for each in homes.values())]
    writers = Writers(cluster.ports, cluster.admin_token, written, seed + 1).start()
    crew.append(writers)
    writers.wait_each_stream(written, 0, HAPPENS_WITHIN_S)
    for ordinal in cluster.ordinals:
        cluster.stop(ordinal)
        assert cluster.exit_code(ordinal) == 0, cluster.log(ordinal)
        cluster.start(ordinal)
        cluster.wait_shared(SHARED_WITHIN_S)
        writers.wait_each_stream(written, time.monotonic(), HAPPENS_WITHIN_S)
    writers.stop()
    for printer in printers:
        printer.tell_to_stop(rests[0])
    size = sum(printer.check(rests, HAPPENS_WITHIN_S) for printer in printers)
    check_contiguous(writers.done)
    check_replayed(writers.done, cluster.ports, cluster.admin_token)
    print(
        f"{len(writers.done)} acknowledged, {writers.refused} refused and {writers.cut} cut and "
        f"tried again, {size} bytes printed"
    )


def test_in_the_end_every_node_shows_the_same(cluster, rests, homes, streams):
    facts = Everywhere(rests).wait_same(SAME_WITHIN_S)
    assert {each["name"] for each in facts["environments"].values()} == {
        f"spread-{number}" for number in range(SPREAD)
    }
    shown = {stream for stream, _ in facts["log"]}
    assert set(streams) <= shown and {f"environment/{each}" for each in homes.values()} <= shown
    assert all(cluster.state(each) == "running" for each in cluster.ordinals)
