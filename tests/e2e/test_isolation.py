"""What root inside an environment, and what another account, must not reach."""

import re
import uuid

import pytest

from berth.rest import uuid7
from berth.terminal_client import Socket


def shell(rest, environment, script, user_root=True) -> dict:
    """Runs a script as root of the environment where there is sudo."""
    command = ["/bin/sh", "-c", script]
    if user_root:
        command = ["/bin/sh", "-c", 'exec sudo -n sh -c "$0"', script]
    body = {"command": command}
    return rest.good("POST", f"/api/v1/environments/{environment['id']}/exec", body)


@pytest.fixture(scope="module")
def root_works(rest, environment) -> bool:
    return shell(rest, environment, "id -u")["stdout"].strip() == "0"


@pytest.fixture(scope="module")
def second(rest, environment) -> dict:
    body = {"name": "second", "instance_type": "lightweight"}
    made = rest.good("POST", "/api/v1/environments?wait=true", body)["environment"]
    done = rest.good(
        "POST",
        f"/api/v1/environments/{made['id']}/exec",
        {
            "command": [
                "/bin/sh",
                "-c",
                "echo neighbour-secret > /workspace/mine; exec 3<&-; sleep 0",
            ]
        },
    )
    assert done["exit_code"] == 0
    return made


def test_root_inside_is_root_of_nothing_outside(server, rest, environment, root_works, host):
    secrets = {
        "/etc/shadow": open("/etc/shadow").read().split("\n")[0],
        str(server.data_dir / "admin-token"): server.admin_token,
    }
    for path, secret in secrets.items():
        done = shell(rest, environment, f"cat {path} 2>&1", root_works)
        assert secret not in done["stdout"], path
    done = shell(rest, environment, "ls -A /root; echo; ls -A /", root_works)
    assert "berth-e2e" not in done["stdout"]
    found = shell(rest, environment, f"ls {server.data_dir} 2>&1", root_works)
    assert found["exit_code"] != 0, found
    uid_map = shell(rest, environment, "cat /proc/self/uid_map", root_works)["stdout"].split()
    if host["isolation"] == "full":
        assert uid_map[1] != "0", "root inside is root outside"


def test_no_host_process_is_seen_or_killed(server, rest, environment, second, root_works):
    pids = shell(rest, environment, "ls /proc | grep -E '^[0-9]+$' | wc -l", root_works)
    assert int(pids["stdout"]) < 40, pids
    cmdlines = shell(rest, environment, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '", root_works)
    assert "berthd" not in cmdlines["stdout"] and "berth-agent" not in cmdlines["stdout"]
    shell(
        rest, environment, f"kill -9 {server.process.pid} 2>&1; kill -9 -1 2>&1 || true", root_works
    )
    assert server.process.poll() is None
    assert rest.good("GET", "/api/v1/environments/second")


def test_a_neighbours_files_are_out_of_reach(server, rest, environment, second, root_works):
    script = "grep -rsl neighbour-secret / --include=mine 2>/dev/null --exclude-dir=proc; true"
    done = shell(rest, environment, script, root_works)
    assert done["stdout"].strip() == "", done
    tricks = [
        "cat /proc/1/root/etc/shadow",
        "ls /proc/1/root/workspace/../../../../../../..",
        "mount -t tmpfs none /usr && mount --bind / /mnt",
        "mknod /tmp/disk b 254 0 && head -c 16 /tmp/disk",
        "echo c > /proc/sysrq-trigger",
        "echo /tmp/x > /proc/sys/kernel/core_pattern",
        "cat /proc/kcore | head -c 16",
        "unshare -m sh -c 'mount -t proc p /mnt && cat /mnt/1/cmdline'",
        "chroot /proc/1/root sh -c 'cat /etc/shadow'",
        "nsenter -t 1 -a cat /etc/shadow",
    ]
    shadow = open("/etc/shadow").read().split("\n")[0]
    for trick in tricks:
        done = shell(rest, environment, f"{{ {trick}; }} 2>&1; true", root_works)
        assert shadow not in done["stdout"] and "berthd" not in done["stdout"], trick
    assert open("/proc/sys/kernel/core_pattern").read() != "/tmp/x\n"
    assert rest.good("GET", "/api/v1/environments/second")


def test_the_hosts_services_are_not_reachable(server, rest, environment, root_works, host):
    script = (
        "python3 - <<'END'\nimport socket\n"
        f"for address in ('127.0.0.1', '10.0.0.1', '169.254.169.254'):\n"
        "  s = socket.socket(); s.settimeout(1)\n"
        f"  try: s.connect((address, {server.port})); print('reached', address)\n"
        "  except OSError: pass\nEND\n"
        f"ip route 2>/dev/null | awk '/default/ {{print $3}}'"
    )
    done = shell(rest, environment, script, root_works)
    assert "reached" not in done["stdout"], done


@pytest.fixture(scope="module")
def stranger(server, rest):
    made = rest.good("POST", "/api/v1/accounts", {"name": "stranger"}, expect=201)
    return server.rest(made["secret"]), made["account"]["id"]


def things(rest, environment) -> dict[str, str]:
    """One of each of the first account's things, by the name of its path parameter."""
    body = {"cols": 80, "rows": 24, "command": ["/bin/sleep", "300"]}
    path = f"/api/v1/environments/{environment['id']}/terminals"
    terminal = rest.good("POST", path, body)["terminal"]["id"]
    who = rest.good("GET", "/api/v1/auth/whoami")
    sessions = rest.items("/api/v1/sessions")
    return {
        "environment": environment["id"],
        "terminal": terminal,
        "account": who["account"]["id"],
        "token": who["token_id"],
        "session": sessions[0]["id"] if sessions else "sess_" + "0" * 26,
        "port": "8080",
        "ordinal": "0",
    }


def routes(rest) -> list[tuple[str, str]]:
    """Method and path of every route, from the served OpenAPI file (its `paths` block)."""
    text = rest.ask("GET", "/openapi.yaml").text.decode()
    found, path = [], None
    for line in text.split("\n"):
        if match := re.match(r"^  (/\S*):\s*$", line):
            path = match.group(1)
        elif (match := re.match(r"^    (get|post|put|patch|delete):\s*$", line)) and path:
            found.append((match.group(1).upper(), path))
    return found


def test_every_route_of_another_account_answers_404(server, rest, environment, stranger):
    socket = Socket(server.port, "json", server.admin_token)
    socket.send({"kind": "hello"})
    socket.wait_for("welcome")
    mine, (other, _) = things(rest, environment), stranger
    owned = [(m, p) for m, p in routes(rest) if "{" in p and p.startswith("/api/")]
    assert len(owned) >= 15, "the OpenAPI file was not understood"
    for method, template in owned:
        path = re.sub(r"\{(\w+)\}", lambda match: mine[match.group(1)], template)
        body = {"command": ["id"], "cols": 80, "rows": 24, "client": "x", "label": "x", "kind": "x"}
        headers = {"Upgrade": "tcp", "Connection": "Upgrade"} if "/ports/" in path else None
        answer = other.ask(method, path, None if method == "GET" else body, uuid7(), headers)
        other.close()
        assert answer.status in (404, 403) and (
            answer.status == 404 or "disable" in path or "/cluster/" in path
        ), f"{method} {template}: {answer}"
        if answer.status == 404:
            assert answer.body["code"] == "not_found", answer
    socket.close()


def test_a_foreign_name_is_as_unknown_as_one_that_never_was(rest, environment, stranger):
    other, _ = stranger
    foreign = other.ask("GET", f"/api/v1/environments/{environment['id']}")
    never = other.ask("GET", "/api/v1/environments/env_" + "0" * 26)
    assert foreign.status == never.status == 404
    assert foreign.body["code"] == never.body["code"]
    assert foreign.body["error"].replace(environment["id"], "") == never.body["error"].replace(
        "env_" + "0" * 26, ""
    )
    assert other.ask("GET", "/api/v1/environments/first").status == 404


def test_lists_of_one_account_show_nothing_of_the_other(rest, environment, stranger):
    other, account = stranger
    for path in ("environments", "terminals", "bill-lines", "audit", "events"):
        text = other.ask("GET", f"/api/v1/{path}").text.decode()
        assert environment["id"] not in text, path
    usage = other.good("GET", "/api/v1/usage")
    assert usage["environments"] == [] and usage["amount_micro_usd"] == 0


@pytest.mark.parametrize("form", ["json", "binary"])
def test_every_channel_of_another_account_answers_not_found(
    server, rest, environment, stranger, form
):
    mine, (other, _) = things(rest, environment), stranger
    owner = Socket(server.port, "json", server.admin_token)
    owner.send({"kind": "hello"})
    session = owner.wait_for("welcome")["session"]
    socket = Socket(server.port, form, other.token)
    socket.send({"kind": "hello"})
    socket.wait_for("welcome")
    for channel, target in enumerate(("terminal", "environment"), 1):
        socket.send({"kind": "open", "channel": channel, "target": target, "id": mine[target]})
        assert socket.wait_for("closed", channel=channel)["code"] == "not_found"
    asked = {"kind": "request", "id": 9, "method": "GET"}
    socket.send(asked | {"path": f"/api/v1/environments/{mine['environment']}"})
    assert socket.wait_for("response", id=9)["status"] == 404
    socket.send({"kind": "open", "channel": 3, "target": "feed"})
    socket.wait_for("opened", channel=3)
    rest.good("POST", f"/api/v1/environments/{mine['environment']}/activity", {"kind": "secret"})
    with pytest.raises(TimeoutError):  # its own session's events are all it may see
        while True:
            event = socket.wait_for("feed_event", within_s=1)
            assert mine["environment"] not in event["body"]
    thief = Socket(server.port, form, other.token)
    thief.send({"kind": "hello", "session": session})
    assert thief.wait_for("error")["code"] == "not_found"
    socket.close()
    owner.close()


def test_only_administrators_see_all_and_make_accounts(stranger):
    other, _ = stranger
    assert other.ask("GET", "/api/v1/accounts").status == 403
    assert other.ask("POST", "/api/v1/accounts", {"name": str(uuid.uuid4())[:8]}).status == 403
    assert other.ask("GET", "/api/v1/events?account=all").status == 403
