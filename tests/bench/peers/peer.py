"""What the drivers of the peers share: installing into a cache, own processes, figures.

A peer is installed once, into build/peers, by its package manager's own defaults. A driver prints
JSON lines on stdout like every other driver and a table on stderr; a peer that cannot be installed
or run is a row that says why.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
CACHE = ROOT / "build" / "peers"
READY_WITHIN_S = 60
STOP_WITHIN_S = 10


class Unavailable(Exception):
    """This peer, or this figure of it, cannot be had here; the text says why."""


def need(program, package):
    """The path of a program that a package of the system brings."""
    found = shutil.which(program)
    if not found:
        raise Unavailable(f"no {program} here; it comes with {package}")
    return found


def call(command, timeout_s, **how):
    """Runs to the end; what it printed, or Unavailable with its last words."""
    try:
        done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout_s, check=False, **how)
    except subprocess.TimeoutExpired as late:
        raise Unavailable(f"{command[0]} took more than {timeout_s} s") from late
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or [""]
        raise Unavailable(f"{command[0]} ended with {done.returncode}: {last[0][:200]}")
    return done.stdout


def patiently(attempt, *failures):
    """What `attempt` returns once it does not fail: servers answer some time after they listen."""
    until = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            return attempt()
        except failures as why:
            if time.monotonic() > until:
                raise Unavailable(str(why)) from why
            time.sleep(0.1)


def install_once(peer, version, install):
    """`install(directory)` the first time; a directory is complete when its stamp is there."""
    directory = CACHE / peer
    stamp = directory / f"installed-{version}"
    if not stamp.exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        print(f"installing {peer} {version}", file=sys.stderr, flush=True)
        install(directory)
        stamp.touch()
    return directory


def python_packages(*pinned):
    """Makes these packages importable, from the cache."""
    def install(directory):
        call([sys.executable, "-m", "pip", "install", "--quiet", "--target", directory, *pinned],
             300)

    sys.path.insert(0, str(install_once("python", "-".join(pinned), install)))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A program in a session of its own, ended with all it started; its words go to a log."""

    def __init__(self, command, log, env=None, **how):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=os.environ | (env or {}), start_new_session=True, **how)

    def wait_listening(self, port):
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until:
            if self.child.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.02)
        raise Unavailable(f"does not listen: {self.last_words()}")

    def last_words(self):
        return self.log.read_text(errors="replace").strip()[-200:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.child.pid, number)
                self.child.wait(STOP_WITHIN_S)
            except ProcessLookupError:
                self.child.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                continue

    def rss_mib(self):
        with open(f"/proc/{self.child.pid}/status", encoding="utf-8") as status:
            kib = next(line.split()[1] for line in status if line.startswith("VmRSS:"))
        return int(kib) / 1024


@contextlib.contextmanager
def within(seconds):
    """What is inside raises Unavailable when it takes longer."""
    def late(*_):
        raise Unavailable(f"did not end within {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def spread(us):
    us = sorted(us)
    return {"p50_us": us[len(us) // 2], "p99_us": us[len(us) * 99 // 100]}


def report(peer, name, **figures):
    """A row; a text instead of figures is the reason why there are none."""
    print(json.dumps({"bench": f"peer {peer}", "name": name, **figures}), flush=True)
    text = "  ".join(f"{key} {value if isinstance(value, str) else format(value, ',.1f')}"
                     for key, value in figures.items())
    print(f"{peer + ': ' + name:52} {text}", file=sys.stderr, flush=True)


def drive(peer, measure):
    """The main of a driver: `measure(quick, directory)`, a temporary directory on the disk."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="berth-peer-") as directory:
        os.chmod(directory, 0o711)  # some run under a user of their own
        try:
            measure(options.quick, pathlib.Path(directory))
        except (Unavailable, OSError) as why:
            report(peer, "not measured", why=str(why))
