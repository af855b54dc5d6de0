"""devctl as its users run it."""

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


def test_vim_top_and_colours_work_in_a_terminal(server):
    child = spawn(server, "terminal", "open", "tools")
    child.expect("attached")
    child.send("vim /workspace/written.txt\r")
    child.expect("written.txt")
    child.send("iwritten in vim")
    child.expect("written in vim")
    child.send("\x1b:wq\r")
    child.expect(r"\x1b\[\?1049l")  # vim has left its screen
    child.expect(r"\$ ")
    child.send("cat /workspace/written.txt\r")
    child.expect("written in vim\r\n")
    child.send("top\r")
    child.expect("load average")
    child.send("q")
    child.expect(r"\$ ")
    child.send("printf '\\033[31mred\\033[0m\\n'; tput colors\r")
    child.expect_exact("\x1b[31mred\x1b[0m\r\n")
    child.expect("(8|256)\r\n")
    child.send("exit\r")
    child.expect("exit status 0")


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
