"""Runs attacks in an environment and looks at the host before and after."""

import hashlib
import json
import pathlib

PRELUDE = (pathlib.Path(__file__).parent / "inside.py").read_text()
# Counters and clocks that change by themselves.
RESTLESS = ("random", "dentry", "inode", "file-nr", "nr_", "state", "ns_last_pid", "count")
RESTLESS += ("pty/nr", "loadavg", "sched_", "event", "flush", "stat_refresh", "net/", "quota")
WATCHED = ("/etc/passwd", "/etc/shadow", "/etc/hosts", "/etc/resolv.conf", "/root/.bashrc")


class Attacker:
    """One environment, seen from a program inside as `dev` or as root by sudo."""

    def __init__(self, rest, environment: dict):
        self.rest, self.id, self.name = rest, environment["id"], environment["name"]

    def exec(self, command: list[str], timeout_ms: int = 20_000, **more) -> dict:
        body = {"command": command, "timeout_ms": timeout_ms} | more
        return self.rest.good("POST", f"/api/v1/environments/{self.id}/exec", body)

    def sh(self, script: str, root: bool = False, **more) -> dict:
        sudo = ["sudo", "-n"] if root else []
        return self.exec([*sudo, "/bin/sh", "-c", script], **more)

    def run(self, attack: str, root: bool = False, timeout_ms: int = 20_000) -> dict:
        """What each attempt of `attack` (Python, see inside.py) came to."""
        program = f"{PRELUDE}\n{attack}\nprint(json.dumps(outcome))\n"
        sudo = ["sudo", "-n"] if root else []
        done = self.exec([*sudo, "python3", "-"], timeout_ms, stdin=program)
        assert done["exit_code"] == 0, done
        return json.loads(done["stdout"].strip().split("\n")[-1])


def refused(outcome: dict) -> None:
    """Every attempt was made, and none succeeded."""
    assert outcome, "nothing was attempted"
    held = {name: got for name, got in outcome.items() if not str(got).startswith("refused ")}
    assert not held, f"succeeded: {held}"


def sysctls() -> dict[str, str]:
    found = {}
    for path in pathlib.Path("/proc/sys").rglob("*"):
        name = str(path)
        if any(word in name for word in RESTLESS):
            continue
        try:
            if path.is_file():
                found[name] = path.read_text(errors="replace")
        except OSError:
            pass
    return found


def host_state(data_dir: pathlib.Path) -> dict:
    """What an attack from inside must leave as it was: mounts, kernel settings, files, devices."""
    mounts = [line.split() for line in open("/proc/self/mountinfo")]
    return {
        "mounts": sorted(each[4] for each in mounts if not each[4].startswith("/tmp/")),
        "sysctls": sysctls(),
        "files": {
            path: hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
            for path in WATCHED
            if pathlib.Path(path).exists()
        },
        "devices": sorted(each.name for each in pathlib.Path("/dev").iterdir()),
        "hostname": pathlib.Path("/proc/sys/kernel/hostname").read_text(),
        "data": sorted(each.name for each in data_dir.iterdir()),
    }


def changes(before: dict, after: dict) -> dict:
    found = {}
    for what, was in before.items():
        now = after[what]
        if isinstance(was, dict):
            differ = {k: (was.get(k), now.get(k)) for k in was | now if was.get(k) != now.get(k)}
            found |= {what: differ} if differ else {}
        elif was != now:
            found[what] = (was, now)
    return found
