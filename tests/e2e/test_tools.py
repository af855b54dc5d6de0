"""devctl, berth-inspect and berth-replay as their users run them."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request

import pexpect
import pytest

from berth.server import BIN, free_port


def devctl_json(server, *arguments):
    done = server.devctl("-o", "json", *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def spawn(server, *arguments, cols=80, rows=24):
    child = pexpect.spawn(
        str(BIN / "devctl"),
        list(arguments),
        env=server.devctl_env(),
        dimensions=(rows, cols),
        timeout=15,
    )
    return child


def modes_of(child) -> list:
    import termios

    return termios.tcgetattr(child.child_fd)


# devctl


def test_login_keeps_the_token_private(server):
    env = server.devctl_env()
    for name in ("BERTH_TOKEN", "BERTH_SERVER"):
        env.pop(name)
    token_file = server.data_dir / "admin-token"
    login = ["login", "--server", server.url, "--token-file", str(token_file)]
    done = server.tool("devctl", *login, env=env)
    assert done.returncode == 0, done
    saved = server.data_dir.parent / "home/.config/berth/config.toml"
    assert saved.stat().st_mode & 0o777 == 0o600
    who = server.tool("devctl", "-o", "json", "whoami", env=env)
    assert json.loads(who.stdout)["account"]["role"] == "admin"
    assert server.tool("devctl", "logout", env=env).returncode == 0
    assert server.tool("devctl", "whoami", env=env).returncode == 4


@pytest.mark.parametrize(
    "arguments,code",
    [
        (["env", "show", "no-such"], 3),
        (["env", "create"], 2),
        (["env", "create", "x", "--type", "no-such"], 2),
        (["frobnicate"], 2),
        (["exec", "no-such", "--", "true"], 3),
    ],
)
def test_exit_codes_and_messages(server, arguments, code):
    done = server.devctl(*arguments)
    assert done.returncode == code, done
    assert done.stderr.strip(), "no message"


def test_wrong_token_and_no_server(server):
    assert server.devctl("env", "list", token="berth_wrong").returncode == 4
    began = time.monotonic()
    env = server.devctl_env() | {"BERTH_SERVER": f"http://127.0.0.1:{free_port()}"}
    done = server.tool("devctl", "doctor", env=env)
    assert done.returncode == 6 and b"start it" in done.stdout, done
    assert time.monotonic() - began < 10


def test_environments_by_devctl(server, host):
    done = server.devctl("env", "create", "tools", "--wait")
    assert done.returncode == 0 and b"RUNNING" in done.stdout, done
    assert server.devctl("env", "create", "tools").returncode == 5
    listed = server.devctl("env", "list").stdout.decode()
    assert re.search(r"^tools +RUNNING", listed, re.M), listed
    assert devctl_json(server, "env", "show", "tools")["status"] == "RUNNING"
    logs = server.devctl("env", "logs", "tools").stdout.decode()
    assert re.search(r"created.*\n(.*\n)*.*started", logs), logs


def test_exec_is_transparent(server):
    script = "cat; echo err >&2; exit 42"
    done = server.devctl("exec", "-i", "tools", "--", "sh", "-c", script, stdin=b"\x00\xff in\n")
    assert (done.returncode, done.stdout, done.stderr) == (42, b"\x00\xff in\n", b"err\n"), done
    done = server.devctl("exec", "-e", "A=b c", "tools", "--", "sh", "-c", 'echo "$A"')
    assert done.stdout == b"b c\n"


def test_cp_both_ways(server, tmp_path):
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    content = os.urandom(3_000_000)
    (tree / "deep" / "random").write_bytes(content)
    (tree / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (tree / "run.sh").chmod(0o755)
    up = server.devctl("cp", str(tree), "tools:/workspace/")
    assert up.returncode == 0, up.stderr.decode()
    assert server.devctl("exec", "tools", "--", "/workspace/tree/run.sh").stdout == b"ran\n"
    renamed = server.devctl("cp", str(tree / "run.sh"), "tools:/workspace/other name.sh")
    assert renamed.returncode == 0, renamed.stderr.decode()
    back = tmp_path / "back"
    back.mkdir()
    down = server.devctl("cp", "tools:/workspace/tree", str(back))
    assert down.returncode == 0, down.stderr.decode()
    assert (back / "tree/deep/random").read_bytes() == content
    one = server.devctl("cp", "tools:/workspace/other name.sh", str(tmp_path / "one.sh"))
    assert one.returncode == 0, one.stderr.decode()
    assert (tmp_path / "one.sh").read_text().endswith("echo ran\n")
    assert server.devctl("cp", "tools:/no/such", str(back)).returncode == 3


def test_port_forward(server):
    serve = "cd /workspace && echo inside > page && nohup python3 -m http.server 8123"
    serve += " --bind 127.0.0.1 >/dev/null 2>&1 &"
    assert server.devctl("exec", "tools", "--", "sh", "-c", serve).returncode == 0
    child = subprocess.Popen(
        [str(BIN / "devctl"), "port-forward", "tools", "0:8123"],
        env=server.devctl_env(),
        stdout=subprocess.PIPE,
    )
    try:
        port = re.search(rb"127.0.0.1:(\d+) ->", child.stdout.readline()).group(1).decode()
        until = time.monotonic() + 15
        while True:
            try:
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/page", timeout=3).read()
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.1)
        assert page == b"inside\n"
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0


def test_terminal_open_detach_attach_and_exit_status(server):
    child = spawn(server, "terminal", "open", "tools", cols=100, rows=30)
    raw_before = modes_of(child)
    child.expect("attached")
    child.send("stty size; echo marker-$((6*7))\r")
    child.expect("30 100")
    child.expect("marker-42")
    child.setwinsize(40, 120)
    time.sleep(0.3)
    child.send("stty size\r")
    child.expect("40 120")
    child.send("\r~.")
    child.expect("detached at offset")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    again = spawn(server, "terminal", "attach", "tools", "--mode", "exact")
    again.expect("marker-42")
    again.send("exit 9\r")
    again.expect("exit status 9")
    again.expect(pexpect.EOF)
    again.close()
    assert again.exitstatus == 9
    assert raw_before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGSEGV])
def test_raw_mode_is_undone_on_every_way_out(server, number):
    """Run below a shell, whose terminal must be as it was afterwards."""
    child = pexpect.spawn("/bin/sh", env=server.devctl_env() | {"PS1": "$ "}, timeout=15)
    child.setwinsize(24, 80)
    child.sendline("stty -a > /dev/null; stty -g")
    child.expect(r"([0-9a-f]+:[0-9a-f:]+)")
    before = child.match.group(1)
    child.sendline(f"trap '' HUP; {BIN}/devctl terminal open tools")
    child.expect("attached")
    time.sleep(0.3)
    pid = next(
        int(p) for p in os.listdir("/proc") if p.isdigit() and _is_child_devctl(int(p), child.pid)
    )
    os.kill(pid, number)
    until = time.monotonic() + 15
    while _is_child_devctl(pid, child.pid):
        assert time.monotonic() < until, "devctl did not end"
        time.sleep(0.02)
    child.sendline("echo left-$((1+1)); stty -g")
    child.expect("left-2")
    child.expect(r"([0-9a-f]+:[0-9a-f:]+)")
    assert child.match.group(1) == before
    child.sendline("exit")
    child.close()


def _is_child_devctl(pid: int, parent: int) -> bool:
    try:
        stat = open(f"/proc/{pid}/stat").read()
    except OSError:
        return False
    return "(devctl)" in stat and int(stat.rsplit(")", 1)[1].split()[1]) == parent


def test_attach_survives_a_killed_server_visibly(server):
    child = spawn(server, "terminal", "open", "tools")
    child.expect("attached")
    child.send("echo one-$((1+1))\r")
    child.expect("one-2")
    server.kill9()
    child.expect("connection lost")
    child.send("echo typed-while-away-$((40+2))\r")
    server.start()
    child.expect("connected again")
    child.expect("typed-while-away-42")
    child.send("exit\r")
    child.expect("exit status 0")


def test_view_attaches_do_not_type(server):
    made = devctl_json(server, "terminal", "open", "-d", "tools")
    child = spawn(server, "terminal", "attach", made["id"], "--view", "--mode", "exact")
    child.expect("attached")
    child.send("echo not-typed\r")
    with pytest.raises(pexpect.TIMEOUT):
        child.expect("not-typed", timeout=1)
    child.sendintr()
    child.close(force=True)
    assert server.devctl("terminal", "close", made["id"]).returncode == 0
    listed = devctl_json(server, "terminal", "list", "tools")
    assert made["id"] in [each["id"] for each in listed]


def test_events_usage_accounts_sessions(server):
    follower = subprocess.Popen(
        [str(BIN / "devctl"), "-o", "json", "events", "--follow"],
        env=server.devctl_env(),
        stdout=subprocess.PIPE,
    )
    try:
        time.sleep(1)
        server.rest().good("POST", "/api/v1/environments/tools/activity", {"kind": "followed"})
        line = follower.stdout.readline()
        while b"activity" not in line:
            line = follower.stdout.readline()
        assert json.loads(line)["data"]["kind"] == "followed"
    finally:
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 0
    assert "tools" in server.devctl("usage").stdout.decode()
    made = devctl_json(server, "account", "create", "colleague")
    assert server.devctl("env", "list", token=made["secret"]).returncode == 0
    token = devctl_json(server, "token", "create", "--label", "ci")
    assert server.devctl("whoami", token=token["secret"]).returncode == 0
    assert server.devctl("token", "revoke", token["token"]["id"]).returncode == 0
    assert server.devctl("whoami", token=token["secret"]).returncode == 4
    assert devctl_json(server, "session", "list")


def test_doctor_names_what_the_machine_lacks(server):
    checks = devctl_json(server, "doctor")
    assert {"server", "login", "environments"} <= {each["check"] for each in checks}
    assert "problem" not in [each["result"] for each in checks], checks


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script(server, shell):
    script = server.devctl("completion", shell).stdout.decode()
    assert "port-forward" in script
    if shell == "bash":
        probe = script + "\nCOMP_WORDS=(devctl env st); COMP_CWORD=2; _devctl; echo ${COMPREPLY[@]}"
        done = subprocess.run(["bash", "-c", probe], capture_output=True, env=server.devctl_env())
        assert done.stdout.decode().split() == ["start", "stop"], done


# berth-inspect and berth-replay, beside the running server


@pytest.fixture(scope="module")
def stream(server) -> str:
    return "environment/" + devctl_json(server, "env", "show", "tools")["id"]


def test_inspect_prints_events_and_states_at_any_point(server, stream):
    assert stream in [each["stream"] for each in server.inspect("streams")]
    events = [e for e in server.inspect("events", stream) if e["type"] != "(no events)"]
    assert [each["version"] for each in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "created" and events[0]["data"]["name"] == "tools"
    for event in events[:5]:
        version = event["version"]
        at_version = server.inspect("state", stream, "--version", str(version))
        assert at_version["version"] == version
        assert at_version["time"] == event["time"]
    started = next(each for each in events if each["type"] == "started")
    before = server.inspect("state", stream, "--version", str(started["version"] - 1))
    after = server.inspect("state", stream, "--at", started["time"])
    assert (before["state"]["status"], after["state"]["status"]) == ("starting", "running")
    changes = server.inspect("diff", stream, str(started["version"] - 1), str(started["version"]))
    assert "/status" in [each["path"] for each in changes["changes"]]


def test_inspect_why_leads_back_to_the_request(server, stream):
    events = server.inspect("events", stream)
    started = next(each for each in events if each["type"] == "started")
    why = server.inspect("why", str(started["position"]["offset"]))
    assert why["chain"][-1]["type"] == "started"
    root = why["chain"][0]
    assert root["cause"] is None and not root["principal"]["system"]
    assert root["type"] == "environment_requested", [each["type"] for each in why["chain"]]
    assert {"created", "provisioned", "started"} <= {each["type"] for each in why["led_to"]}
    assert server.inspect("why", f"{stream}@1")["chain"][-1]["type"] == "created"


def test_inspect_errors_name_what_and_where(server):
    tool = ["--data-dir", str(server.data_dir)]
    for arguments, code in [
        (["state", "nonsense"], 2),
        (["events", "environment/env_" + "0" * 26], 7),
        (["why", "999999999"], 7),
        (["state", "environment/x", "--version", "1", "--at", "2026-01-01T00:00:00Z"], 2),
    ]:
        done = server.tool("berth-inspect", *tool, *arguments)
        assert done.returncode == code and done.stderr, (arguments, done)


def test_verify_and_verify_fold_beside_the_server(server):
    report = server.inspect("verify")
    assert report["ok"] and report["commits"] > 0
    folded = server.tool(
        "berth-replay", "--data-dir", str(server.data_dir), "--verify-fold", "-o", "json"
    )
    assert folded.returncode == 0 and json.loads(folded.stdout)["ok"], folded


def test_rebuild_beside_the_server_is_identical(server):
    usage = server.rest().good("GET", "/api/v1/bill-lines")
    done = server.tool(
        "berth-replay", "--data-dir", str(server.data_dir), "--rebuild", "-o", "json"
    )
    assert done.returncode == 0, done
    answer = json.loads(done.stdout)
    assert answer["ok"] and len(answer["views"]) >= 4
    assert all(each["identical"] for each in answer["views"]), answer
    assert server.rest().good("GET", "/api/v1/bill-lines") == usage
    one = server.tool(
        "berth-replay", "--data-dir", str(server.data_dir), "--rebuild", "--view", "usage"
    )
    assert one.returncode == 0 and b"identical" in one.stdout, one
    none = server.tool(
        "berth-replay", "--data-dir", str(server.data_dir), "--rebuild", "--view", "x"
    )
    assert none.returncode == 1 and b"x" in none.stderr, none


def test_recordings_are_exported(server):
    child = spawn(server, "terminal", "open", "tools")
    child.expect("attached")
    child.send("echo recorded-$((5+5)); exit\r")
    child.expect("exit status 0")
    terminal = max(devctl_json(server, "terminal", "list", "tools"), key=lambda t: t["opened_at"])
    time.sleep(0.2)
    tool = ["--data-dir", str(server.data_dir), "--export", terminal["id"]]
    done = server.tool("berth-replay", *tool, "--format", "asciicast-v3")
    assert done.returncode == 0, done
    header, *lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert header["version"] == 3
    assert "recorded-10" in "".join(line[2] for line in lines if line[1] == "o")
    raw = server.tool("berth-replay", *tool, "--format", "raw")
    assert b"recorded-10" in raw.stdout


def test_offline_tools_give_the_same(server, stream):
    events = server.inspect("events", stream)
    hashes = server.tool("berth-replay", "--data-dir", str(server.data_dir), "--state-hashes")
    assert server.stop() == 0
    assert server.inspect("events", stream)[: len(events)] == events
    done = server.tool(
        "berth-replay", "--data-dir", str(server.data_dir), "--rebuild", "-o", "json"
    )
    assert done.returncode == 0 and all(
        v["identical"] for v in json.loads(done.stdout)["views"]
    ), done
    path = server.data_dir.parent / "hashes.json"
    path.write_bytes(hashes.stdout)
    against = ["--state-hashes", "--against", str(path)]
    done = server.tool("berth-replay", "--data-dir", str(server.data_dir), *against)
    assert done.returncode == 0 and b" 0 different" in done.stdout, done
    server.start()
