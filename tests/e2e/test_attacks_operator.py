"""What a program inside sends must not act on the screen, files or keyboard of whoever looks."""

import base64
import io
import os
import re
import socket
import tarfile
import threading
import time

import pytest
from attacks.attacker import Attacker
from berth.terminal_client import Socket, TerminalClient

# Title, OSC 52, device status, answerback, cursor, and the one-byte C1 forms in UTF-8.
EVIL = "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[6n\x1b[c\x05\x1b[2J\x7f"
EVIL += "\u009b6n\u009d0;owned\u009c"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f]")


@pytest.fixture(scope="module")
def attacker(rest, host, environment) -> Attacker:
    return Attacker(rest, environment)


def calm(done) -> str:
    """The output of a tool, which must hold no control character but the ends of lines."""
    text = done.stdout.decode() + done.stderr.decode()
    assert not CONTROL.search(text), repr(CONTROL.search(text)) + repr(text[:2000])
    return text


@pytest.fixture(scope="module")
def evil_things(server, rest, attacker) -> None:
    """Everything a tenant may name is named as badly as the server allows."""
    place = f"/api/v1/environments/{attacker.id}"
    taken = 0
    body = {"cols": 80, "rows": 24, "command": ["/bin/echo", EVIL]}
    taken += rest.ask("POST", f"{place}/terminals", body).status == 201
    taken += rest.ask("POST", f"{place}/activity", {"kind": EVIL}).status < 300
    account = rest.good("GET", "/api/v1/auth/whoami")["account"]["id"]
    label = {"label": EVIL}
    taken += rest.ask("POST", f"/api/v1/accounts/{account}/tokens", label).status < 300
    connected = Socket(server.port, "json", server.admin_token)
    connected.send({"kind": "hello", "client": EVIL})
    try:
        taken += bool(connected.wait_for("welcome"))
        connected.close()
    except EOFError:
        pass
    attacker.exec(["/bin/echo", EVIL])
    rest.ask("POST", f"{place}/exec", {"command": [EVIL]})
    assert taken, "nothing bad was accepted, so nothing is tested"


@pytest.mark.parametrize(
    "name", [EVIL, "a\nb", "a\tb", "\u009bA", "a\0b", "..", "a/b", "", "A" * 300]
)
@pytest.mark.parametrize("what", ["environments", "accounts"])
def test_names_with_control_characters_are_refused(rest, evil_things, what, name):
    body = {"name": name, "instance_type": "lightweight"}
    answer = rest.ask("POST", f"/api/v1/{what}", body if what == "environments" else {"name": name})
    assert answer.status in (400, 422), answer


@pytest.mark.parametrize(
    "arguments",
    [
        ["env", "list"],
        ["env", "show", "first"],
        ["env", "logs", "first"],
        ["terminal", "list"],
        ["session", "list"],
        ["token", "list"],
        ["account", "list"],
        ["usage"],
        ["events"],
        ["env", "show", EVIL],
    ],
    ids=lambda words: " ".join(words)[:14].strip(),
)
def test_devctl_lists_hold_no_control_character(server, evil_things, arguments):
    assert calm(server.devctl(*arguments))


@pytest.mark.parametrize("command", ["streams", "events", "state"])
def test_inspect_prints_no_control_character(server, attacker, evil_things, command):
    stream = [] if command == "streams" else [f"environment/{attacker.id}"]
    done = server.tool("berth-inspect", "--data-dir", str(server.data_dir), command, *stream)
    assert done.returncode == 0 and calm(done)


def test_the_servers_log_holds_no_control_character(server, evil_things):
    assert not CONTROL.search(server.log())


def test_questions_to_the_terminal_are_not_answered_by_the_server(server, rest, attacker):
    """A screen client without the right to type makes the server emulate the terminal."""
    script = "stty raw -echo; printf '\\033[6n\\033[c\\033[5n\\033[>c\\005\\033[18t';"
    script += "printf '\\033P$qm\\033\\\\';"
    script += " timeout 2 head -c 1 | od -c | head -1; stty sane; echo silent"
    path = f"/api/v1/environments/{attacker.id}/terminals"
    body = {"cols": 80, "rows": 24, "command": ["/bin/sh", "-c", script]}
    terminal = rest.good("POST", path, body, expect=201)["terminal"]["id"]
    viewer = TerminalClient(server.port, "json", server.admin_token, terminal, mode="screen")
    viewer.start()
    viewer.join(20)
    exact = TerminalClient(server.port, "json", server.admin_token, terminal)
    exact.start()
    exact.join(20)
    tail = exact.data().split(b"\x1b\\")[-1]
    assert b"silent" in tail and b"0000000 " not in tail, exact.data()


def evil_archive(members: list[tuple]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, what in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o6755
            if kind == tarfile.SYMTYPE:
                info.linkname = what
                tar.addfile(info)
            else:
                info.size = len(what)
                tar.addfile(info, io.BytesIO(what))
    return buffer.getvalue()


def lying_tar(attacker: Attacker, archive: bytes) -> None:
    """Replaces the environment's tar by one that sends `archive`, whatever it is asked for."""
    done = attacker.sh(
        "base64 -d > /workspace/evil.tar; echo asked > /workspace/asked;"
        "printf '#!/bin/sh\\nexec cat /workspace/evil.tar\\n'"
        " | sudo tee /usr/local/bin/tar >/dev/null;"
        "sudo chmod 755 /usr/local/bin/tar",
        stdin=base64.b64encode(archive).decode(),
    )
    assert done["exit_code"] == 0, done


@pytest.fixture
def honest_tar(attacker):
    yield
    attacker.sh("rm -f /usr/local/bin/tar", root=True)


@pytest.mark.parametrize(
    "members",
    [
        [(".bashrc", tarfile.REGTYPE, b"evil"), ("asked", tarfile.REGTYPE, b"x")],
        [("../escaped", tarfile.REGTYPE, b"evil"), ("asked", tarfile.REGTYPE, b"x")],
        [("asked", tarfile.SYMTYPE, ".."), ("asked/escaped", tarfile.REGTYPE, b"evil")],
        [("asked/escaped", tarfile.REGTYPE, b"evil")],
    ],
    ids=["another name", "dot dot", "through a link it sends", "through a link of an earlier copy"],
)
def test_copying_from_an_environment_writes_nothing_but_what_was_asked_for(
    server, attacker, tmp_path, honest_tar, members
):
    lying_tar(attacker, evil_archive(members))
    into = tmp_path / "into"
    into.mkdir()
    if len(members) == 1:
        (into / "asked").symlink_to(tmp_path)
    server.devctl("cp", "first:/workspace/asked", str(into))
    assert not (tmp_path / "escaped").exists()
    assert not (into / ".bashrc").exists()
    assert {each.name for each in into.iterdir()} <= {"asked"}
    for each in into.rglob("*"):
        assert each.is_symlink() or not each.stat().st_mode & 0o6000, "set-id bits came along"


def test_copying_into_an_environment_resolves_links_inside(server, attacker, tmp_path):
    before = os.stat("/etc/passwd").st_mtime
    (tmp_path / "passwd").write_text("evil\n")
    attacker.sh("ln -sfn /etc /workspace/etc-link; ln -sfn ../../../../../../etc /workspace/up")
    for place in ("/workspace/etc-link/", "/workspace/up/"):
        server.devctl("cp", str(tmp_path / "passwd"), f"first:{place}")
    assert os.stat("/etc/passwd").st_mtime == before
    assert "evil" not in open("/etc/passwd").read()


def test_ports_that_are_forwarded_are_the_environments_own(server, rest, attacker):
    """The host listens on a loopback port; asked for by a port of the environment, nobody does."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        for asked in (port, server.port):
            path = f"/api/v1/environments/{attacker.id}/ports/{asked}"
            headers = {"Upgrade": "tcp", "Connection": "Upgrade"}
            assert rest.ask("GET", path, headers=headers).status >= 400
            rest.close()


def test_the_door_to_the_gateway_works_and_cannot_be_used_up(server, rest, attacker):
    ask = "curl -sm 10 -o /dev/null -w '%{http_code}' $BERTH_GATEWAY/ready"
    assert attacker.sh(ask)["stdout"] == "200"
    over = "curl -sm 10 --unix-socket /run/berth/gateway.sock -w '%{http_code}' http://x/ready"
    assert attacker.sh(over)["stdout"].endswith("200")
    unauthorised = "curl -sm 10 -w '%{http_code}' $BERTH_GATEWAY/api/v1/environments -o /dev/null"
    assert attacker.sh(unauthorised)["stdout"] == "401", "the agent lends no credential"
    flood = """
import resource
held = []
def all_of_them():
    for _ in range(1500):
        s = socket.socket(); s.settimeout(1); held.append(s); s.connect(('127.0.0.1', 7370))
        try: s.send(b'GET /ready HTTP/1.1\\r\\n')
        except OSError: pass
    return len(held)
attempt('made', all_of_them)
time.sleep(1)
outcome['open'] = len(held)
"""
    before = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    found = []
    thread = threading.Thread(target=lambda: found.append(attacker.run(flood)))
    thread.start()
    most = 0
    while thread.is_alive():
        most = max(most, len(os.listdir(f"/proc/{server.process.pid}/fd")))
        assert rest.ask("GET", "/ready").status == 200
        time.sleep(0.02)
    assert found and found[0]["open"] > 64, found
    assert most - before < 400, "one environment holds descriptors without bound"
    until = time.monotonic() + 20
    while attacker.sh(ask)["stdout"] != "200":
        assert time.monotonic() < until
