"""What a berthd leaves running on purpose: its launcher, the environments below, their network.

The launcher names the data directory in its command line; the rest of an environment ends with it.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

POLL_S = 0.1
TOOL_WITHIN_S = 10


def pids_naming(text: str) -> list[int]:
    """Processes whose command line names `text`."""
    return [pid for pid, words in _commands() if text in " ".join(words)]


def launchers(data_dir: pathlib.Path) -> list[int]:
    """The launchers of a data directory: one, or none."""
    found = _of_berth(data_dir)
    return [pid for pid, words in found if "--launcher" in words]


def end_launchers(data_dir: pathlib.Path, within_s: float = 10) -> None:
    """Kills all of Berth's programs that name the directory, and takes their network down.

    A launcher that is killed cannot do that, and 50 networks left over make a machine full.
    """
    tags: set[str] = set()
    until = time.monotonic() + within_s
    while left := _of_berth(data_dir):
        tags |= {words[words.index("--network-tag") + 1] for _, words in left if _has_tag(words)}
        for pid, _ in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > until:
            break
        time.sleep(POLL_S)
    for tag in tags:
        for command in (
            ["ip", "link", "delete", f"brth{tag}"],
            ["nft", "delete", "table", "inet", f"berth_{tag}"],
        ):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(command, capture_output=True, timeout=TOOL_WITHIN_S)


def _has_tag(words: list[str]) -> bool:
    return "--network-tag" in words[:-1]


def _of_berth(data_dir: pathlib.Path) -> list[tuple[int, list[str]]]:
    """An editor in the directory is none of our business."""
    return [
        (pid, words)
        for pid, words in _commands()
        if pathlib.Path(words[0]).name.startswith("berth") and str(data_dir) in " ".join(words)
    ]


def _commands() -> list[tuple[int, list[str]]]:
    """Every process and its command line. One that ended, or is the kernel's, has none."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            text = (entry / "cmdline").read_bytes().decode(errors="replace")
            if text:
                found.append((int(entry.name), text.rstrip("\0").split("\0")))
    return found
