"""What one environment must not do to another, or to the host, by reaching out or by using up."""

import ctypes
import os
import socket
import statistics
import threading
import time

import pytest
from attacks.attacker import Attacker, refused

SLOW_MS = 3_000  # generous: the machine is shared; without limits these end in minutes or never


def make(rest, name: str) -> Attacker:
    body = {"name": name, "instance_type": "lightweight"}
    return Attacker(rest, rest.good("POST", "/api/v1/environments?wait=true", body)["environment"])


@pytest.fixture(scope="module")
def attacker(rest, host) -> Attacker:
    if host["isolation"] != "full" or "pids" not in host["limits"]:
        pytest.skip(f"{host['isolation']} isolation, limits {host['limits']}: {host['problems']}")
    return make(rest, "attacker")


@pytest.fixture(scope="module")
def victim(rest, attacker) -> Attacker:
    return make(rest, "victim")


@pytest.fixture(autouse=True)
def neighbour_is_well(server, attacker, victim):
    yield
    done = victim.sh("echo well")
    assert done["stdout"] == "well\n" and done["duration_ms"] < SLOW_MS, done
    assert server.process.poll() is None
    assert attacker.sh("echo usable")["stdout"] == "usable\n"


def in_background(attacker: Attacker, attack: str, hold_s: float = 4) -> threading.Thread:
    """Runs an attack that then holds what it has taken; returns once /workspace/held is there."""
    attacker.sh("rm -f /workspace/held")
    attack += f"\nwrite('/workspace/held', str(outcome))\ntime.sleep({hold_s})"
    thread = threading.Thread(target=attacker.run, args=(attack,))
    thread.start()
    until = time.monotonic() + 60
    while attacker.sh("test -e /workspace/held")["exit_code"] != 0:
        assert time.monotonic() < until, "the attack did not get ready"
        time.sleep(0.1)
    return thread


def test_inotify_instances_are_each_environments_own(attacker, victim):
    take = "outcome['taken'] = sum(libc.inotify_init() >= 0 for _ in range(1000))"
    thread = in_background(attacker, take)
    library = ctypes.CDLL(None)
    mine = [library.inotify_init() for _ in range(8)]
    try:
        assert victim.run(take)["taken"] >= 64
        assert min(mine) >= 0, "the host's own root has none left"
    finally:
        thread.join()
        for each in mine:
            os.close(each)


def test_pseudo_terminals_are_bounded(rest, attacker, victim):
    take = """
def all_of_them():
    taken = 0
    try:
        while taken < 4000: os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY); taken += 1
    except OSError: pass
    return taken
attempt('taken', all_of_them)
"""
    assert 1 <= attacker.run(take)["taken"] <= 256
    thread = in_background(attacker, take)
    try:
        path = f"/api/v1/environments/{victim.id}/terminals"
        body = {"cols": 80, "rows": 24, "command": ["/bin/sleep", "1"]}
        rest.good("POST", path, body, expect=201)
    finally:
        thread.join()


@pytest.mark.parametrize("folder", ["/dev/shm", "/run", "/dev"])
def test_empty_files_do_not_use_up_memory(attacker, folder):
    """A tmpfs full of inodes at its bound; the next command still has memory to run in."""
    attack = f"""
folder = '{folder}/many'
os.mkdir(folder)
def fill():
    made = 0
    try:
        while made < 300_000: os.close(os.open(f'{{folder}}/{{made}}', os.O_CREAT)); made += 1
    except OSError: pass
    return made
attempt('made', fill)
"""
    assert 100 < attacker.run(attack, root=True, timeout_ms=40_000)["made"] < 100_000
    assert attacker.sh("echo room")["stdout"] == "room\n"
    assert attacker.sh(f"rm -rf {folder}/many", root=True)["exit_code"] == 0


def test_a_full_shm_leaves_room_for_commands(attacker):
    attacker.sh("head -c 3G /dev/zero > /dev/shm/full")
    assert attacker.sh("python3 -c 'print(len(bytes(100_000_000)))'")["stdout"] == "100000000\n"
    attacker.sh("rm -f /dev/shm/full")


def test_ten_thousand_zombies_end_at_the_pids_limit(attacker):
    attack = """
def breed():
    made = 0
    try:
        while made < 10_000:
            if os.fork() == 0: os._exit(0)
            made += 1
    except OSError as why: return [made, errno.errorcode[why.errno]]
    return [made, 'no limit']
attempt('zombies', breed)
"""
    made, why = attacker.run(attack)["zombies"]
    assert why == "EAGAIN" and made < 10_000


def test_a_fork_bomb_is_held_and_its_environment_can_be_deleted(rest, victim):
    bomber = make(rest, "bomber")
    bomb = "bomb() { bomb | bomb & }; bomb; sleep 2"
    bomber.exec(["/bin/bash", "-c", bomb], timeout_ms=3_000)
    assert victim.sh("echo well")["duration_ms"] < SLOW_MS
    gone = rest.good("DELETE", f"/api/v1/environments/{bomber.id}?wait=true&timeout_ms=20000")
    assert gone["environment"]["status"] == "DELETED", gone


def test_a_memory_bomb_ends_itself_only(attacker, victim):
    bomb = "exec python3 -c 'x = [bytearray(1 << 26) for _ in range(100)]'"
    done = attacker.sh(bomb, timeout_ms=90_000)
    assert done["exit_code"] == 137, done


def test_descriptors_end_at_a_limit_of_their_own(attacker, victim):
    attack = """
def take():
    taken = 0
    try:
        while taken < 200_000: os.dup(0); taken += 1
    except OSError as why: return [taken, errno.errorcode[why.errno]]
    return [taken, 'no limit']
attempt('taken', take)
"""
    taken, why = attacker.run(attack)["taken"]
    assert why == "EMFILE" and taken <= 65_536


def test_busy_loops_leave_a_neighbour_its_share(attacker, victim):
    quiet = [victim.exec(["/bin/true"])["duration_ms"] for _ in range(10)]
    loops = "for i in 1 2 3 4 5 6 7 8; do timeout 4 sh -c 'while :; do :; done' & done; wait"
    thread = threading.Thread(target=attacker.sh, args=(loops,))
    thread.start()
    busy = [victim.exec(["/bin/true"])["duration_ms"] for _ in range(20)]
    thread.join()
    assert statistics.median(busy) <= statistics.median(quiet) * 10 + 100, (quiet, busy)


def test_huge_output_is_cut_and_said_to_be(server, attacker):
    before = server.rss_bytes()
    done = attacker.sh("head -c 200M /dev/zero | tr '\\0' x")
    assert done["truncated"] and len(done["stdout"]) <= 1 << 20
    line = attacker.sh("head -c 200k /dev/zero | tr '\\0' y")  # one line
    assert len(line["stdout"]) == 200 * 1024 and not line["truncated"]
    assert server.rss_bytes() - before < 64 << 20


def test_huge_variables_are_refused_or_fail_as_any_exec(rest, attacker):
    path = f"/api/v1/environments/{attacker.id}/exec"
    body = {"command": ["/bin/true"], "env": {"HUGE": "x" * 3_000_000}}
    answer = rest.ask("POST", path, body)
    assert answer.status in (400, 413, 422) or answer.body["exit_code"] == 126, answer
    for name in ("A=B", "", "A\0B"):
        answer = rest.ask("POST", path, {"command": ["/bin/true"], "env": {name: "x"}})
        assert 400 <= answer.status < 500, (name, answer)
    answer = rest.ask("POST", path, {"command": ["/bin/echo", "a\0b"]})
    assert 400 <= answer.status < 500, answer


def test_processes_of_a_neighbour_are_neither_seen_nor_signalled(attacker, victim):
    victim.sh("setsid sleep 34567 >/dev/null 2>&1 &")
    attack = """
seen = [read(f'/proc/{n}/cmdline', 400) for n in os.listdir('/proc') if n.isdigit()]
outcome['seen'] = [each for each in seen if '34567' in each or 'berth-agent' in each]
def all_of_them():
    for pid in range(2, 70_000):
        if pid == os.getpid() or pid == os.getppid(): continue
        try: os.kill(pid, 0)
        except OSError: continue
        try: name = read(f'/proc/{pid}/cmdline', 400)
        except OSError: continue
        if '34567' in name: return 'found'
    return 'none'
attempt('signalled', all_of_them)
"""
    for root in (False, True):
        found = attacker.run(attack, root)
        assert found == {"seen": [], "signalled": "none"}
    assert "34567" in victim.sh("ps -eo args")["stdout"]
    victim.sh("pkill -f '[3]4567'")


def test_shared_memory_queues_and_semaphores_are_each_environments_own(attacker, victim):
    made = victim.sh("ipcmk -M 4096 -p 0666; echo secret > /dev/shm/mine")
    assert "id" in made["stdout"], made
    found = attacker.sh("ipcs -m; ls -A /dev/shm", root=True)["stdout"]
    assert "0x" not in found and "mine" not in found, found


def test_abstract_sockets_of_host_and_neighbours_are_out_of_reach(attacker, victim):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0berth-attack-host")
        listening.listen()
        serve = """
s = socket.socket(socket.AF_UNIX); s.bind('\\0berth-attack-victim'); s.listen()
"""
        thread = in_background(victim, serve, hold_s=3)
        attack = """
for name in ('host', 'victim'):
    attempt(name, lambda: socket.socket(socket.AF_UNIX).connect('\\0berth-attack-' + name))
"""
        for root in (False, True):
            refused(attacker.run(attack, root))
        thread.join()


def test_the_agents_and_the_launchers_sockets_are_out_of_reach(server, attacker):
    attack = f"""
for path in ('{server.data_dir}/run/launcher.sock', '{server.data_dir}/admin.sock',
             '{server.data_dir}/run/envs/{attacker.id}/agent.sock'):
    attempt(path, lambda: socket.socket(socket.AF_UNIX).connect(path))
    attempt('seq ' + path, lambda: socket.socket(socket.AF_UNIX, 5).connect(path))
"""
    for root in (False, True):
        found = attacker.run(attack, root)
        refused(found)


def test_an_impostor_inside_is_not_taken_for_the_agent(server, attacker):
    """A program that listens where the agent's socket and the gateway's door are to be found."""
    attack = f"""
folder = '{server.data_dir}/run/envs/{attacker.id}'
os.makedirs(folder, exist_ok=True)
impostor = socket.socket(socket.AF_UNIX); impostor.bind(folder + '/agent.sock'); impostor.listen()
impostor.settimeout(2)
attempt('somebody came', lambda: impostor.accept() and 'yes')
door = socket.socket()
attempt('the door is taken', lambda: door.bind(('127.0.0.1', 7370)))
"""
    thread_found = []
    thread = threading.Thread(target=lambda: thread_found.append(attacker.run(attack, root=True)))
    thread.start()
    for _ in range(10):
        assert attacker.sh("echo genuine")["stdout"] == "genuine\n"
    thread.join()
    refused(thread_found[0])
