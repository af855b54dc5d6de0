"""The peers' drivers, and their figures beside ours of the same run."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ("berth_http", "restate", "pekko", "gotty", "wetty", "sshx", "podman")
INSTALLED_AND_MEASURED_WITHIN_S = 3600
MORE_IS_BETTER = {"per_second": True, "mb_per_second": True, "p50_us": False, "p99_us": False,
                  "rss_mib": False}


def drivers(quick):
    flags = ["--quick"] if quick else []
    return {name: [sys.executable, f"{HERE}/{name}.py", *flags] for name in NAMES}


def pairs():
    """((bench, name) of ours, (bench, name) of the peer's), figures of the same meaning."""
    for clients in ("1 client", "32 clients", "256 clients"):
        theirs = ("peer restate", f"commands over HTTP, {clients}")
        yield ("peer berth", f"commands over HTTP, {clients}"), theirs
        yield ("server", f"commands over WebSocket, {clients}"), theirs
    yield ("peer berth", "server"), ("peer restate", "server")
    for journal in ("LevelDB", "PostgreSQL"):
        yield (("kernel", "commands, 1000 in flight, 1000 streams"),
               ("peer pekko", f"commands, 1000 in flight, {journal}"))
        yield (("kernel", "commands, 1 in flight, 1 stream"),
               ("peer pekko", f"commands, 1 in flight, {journal}"))
    for peer in ("gotty", "wetty", "sshx"):
        for ours, theirs in (("echo", "echo"), ("bulk", "bulk"),
                             ("echo beside a flood, another environment", "echo beside a flood"),
                             ("^C under a flood", "^C under a flood")):
            yield ("server", ours), (f"peer {peer}", theirs)
    yield (("server", "create to first output, one after the other"),
           ("peer podman", "create to first output"))


def table(rows):
    """Lines of a table in Markdown; ahead means how many times better ours is."""
    found = {(row["bench"], row["name"]): row for row in rows}
    lines = []
    for ours, theirs in pairs():
        mine, peers = found.get(ours, {}), found.get(theirs, {})
        for field, more in MORE_IS_BETTER.items():
            if mine.get(field) and peers.get(field):
                ratio = mine[field] / peers[field] if more else peers[field] / mine[field]
                lines.append(f"| {ours[1]}, {field} | {mine[field]:,.4g} | {theirs[0][5:]}: "
                             f"{theirs[1]} | {peers[field]:,.4g} | {ratio:.3g} x |")
    for row in rows:
        if "why" in row:
            lines.append(f"| | | {row['bench'][5:]}: {row['name']} | {row['why']} | |")
    head = ["| ours | | peer | | ahead |", "|---|---|---|---|---|"]
    return head + lines if lines else []
