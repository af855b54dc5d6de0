"""What processes cost, read from /proc, from the disk and from a node's own metrics."""
import contextlib
import os
import pathlib
import time
import urllib.request

METRICS_WITHIN_S = 5
LEVEL_WITHIN_S = 60
LOOK_EVERY_S = 0.3
STILL_SHARE, STILL_S = 0.01, 2  # memory that moves by less in this time is at rest
BLOCK_BYTES = 512  # of st_blocks: what is on the disk, not what a file is said to be long
# The client's defaults look for a proxy in the environment; loopback needs none.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def nodes_cpu(nodes):
    """Seconds of each node's berthd since its start."""
    return [cpu_seconds(nodes.pid(each)) for each in nodes.ordinals]


def brokers_cpu(nodes):
    return sum(cpu_seconds(nodes.brokers.pid(each)) for each in nodes.brokers.ids)


def nodes_rss_kib(nodes):
    return [nodes.rss_bytes(each) / 1024 for each in nodes.ordinals]


def still_rss_kib(nodes, within_s):
    """Of each node, once it no longer changes or the time is over."""
    until, before = time.monotonic() + within_s, nodes_rss_kib(nodes)
    while True:
        time.sleep(min(STILL_S, within_s))
        now = nodes_rss_kib(nodes)
        still = all(abs(a - b) <= STILL_SHARE * b for a, b in zip(now, before))
        if still or time.monotonic() > until:
            return now
        before = now


def agents_rss_kib():
    """Of every berth-agent on this machine: only differences mean something."""
    found = 0
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # ended meanwhile
            if (entry / "comm").read_text() != "berth-agent\n":
                continue
            for line in (entry / "status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    found += int(line.split()[1])
    return found


def disk_bytes(folder):
    """Files come and go while they are counted."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found += os.lstat(os.path.join(place, name)).st_blocks * BLOCK_BYTES
    return found


def replicas_bytes(nodes):
    return [disk_bytes(nodes.data_dir(each) / "replica") for each in nodes.ordinals]


def brokers_bytes(nodes):
    """Of each broker's data."""
    return [disk_bytes(nodes.brokers.directory / str(each) / "data")
            for each in nodes.brokers.ids]


def metrics(port):
    """By name, those without labels."""
    with _direct.open(f"http://127.0.0.1:{port}/metrics", timeout=METRICS_WITHIN_S) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line and line[0] != "#" and "{" not in line)
    return {name: float(value) for name, value in pairs}


def metric_of_all(nodes, name):
    return [metrics(port)[name] for port in nodes.ports]


def wait_level(nodes, within_s=LEVEL_WITHIN_S):
    """Until every node has read the log to its end and folded it: seen twice."""
    until, seen = time.monotonic() + within_s, 0
    while seen < 2:
        lag = sum(sum(metric_of_all(nodes, name)) for name in
                  ("berth_kafka_lag_records", "berth_projection_lag_commits"))
        seen = seen + 1 if lag == 0 else 0
        assert time.monotonic() < until, f"{lag:.0f} commits behind after {within_s} s"
        time.sleep(LOOK_EVERY_S)
