#!/usr/bin/env python3
"""podman (Debian) with crun: a container created, started and its first output.

The root is a directory with a static busybox, not an image; no network and no log, the least that
podman can be asked to do. Does not do: nothing is recorded durably before the answer.
"""
import ctypes
import os
import shutil
import subprocess
import time

import peer

TIMEOUT_S = 60
CLONE_NEWNS = 0x20000
UNIFIED = "/sys/fs/cgroup/unified"


def leave_hybrid_cgroups():
    """crun refuses cgroups of both versions at once: in our own mount namespace the first stays."""
    if os.path.ismount(UNIFIED) and ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0:
        peer.call(["mount", "--make-rprivate", "/"], TIMEOUT_S)
        peer.call(["umount", UNIFIED], TIMEOUT_S)


def make_root(directory):
    root = directory / "root"
    for name in ("bin", "dev", "proc", "sys", "tmp", "etc", "run"):
        (root / name).mkdir(parents=True)
    busybox = peer.need("busybox", "the Debian package busybox-static")
    shutil.copy(busybox, root / "bin" / "busybox")
    return root


def run_once(command):
    """Microseconds from the call to the first output."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as child:
        try:
            with peer.within(TIMEOUT_S):
                first = child.stdout.readline()
                took = (time.perf_counter() - began) * 1e6
                rest = child.communicate()[1]
        except peer.Unavailable:
            child.kill()
            raise
    if first != "hi\n":
        raise peer.Unavailable(rest.strip()[-200:])
    return took


def measure(quick, directory):
    podman = peer.need("podman", "the Debian package podman")
    peer.need("crun", "the Debian package crun")
    leave_hybrid_cgroups()
    command = [podman, "--root", str(directory / "store"), "--runroot", str(directory / "run"),
               "--storage-driver", "vfs", "--events-backend", "none", "--runtime", "crun",
               "--cgroup-manager", "cgroupfs", "run", "--rm", "--network", "none",
               "--log-driver", "none", "--ulimit", "nofile=1024:1024",
               "--ulimit", "nproc=1024:1024",  # its defaults may be above what we may set
               "--rootfs", str(make_root(directory)), "/bin/busybox", "echo", "hi"]
    run_once(command)  # makes its store
    took = [run_once(command) for _ in range(10 if quick else 50)]
    peer.report("podman", "create to first output", **peer.spread(took))


if __name__ == "__main__":
    peer.drive("podman", measure)
