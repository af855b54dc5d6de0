"""Commands over HTTP by wrk (C, one thread a node): so many connections, one command on each."""
import dataclasses
import json
import resource
import subprocess

from peers import peer

TIMEOUT_S = 20  # a command may wait 15 s for its stream's leader
LATE_S = 60

SCRIPT = """
local commands = {%(commands)s}
local requests, at = {}, 0
function init()
  for i, each in ipairs(commands) do
    requests[i] = wrk.format("POST", each[1], {
      ["Authorization"] = "Bearer " .. each[2], ["Content-Type"] = "application/json"}, each[3])
  end
end
function request()
  at = at %% #requests + 1
  return requests[at]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %%d, "seconds": %%f, "p50_us": %%d, "p99_us": %%d, "failed": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclasses.dataclass
class Part:
    """One node's clients and what they write to, in turn."""

    port: int
    clients: int
    targets: list


@dataclasses.dataclass
class Done:
    requests: list  # by part
    per_second: float
    p50_us: float  # mean of the parts, by requests
    p99_us: float  # the worst part's
    failed: int
    cpu_s: float  # of the clients

    @property
    def total(self):
        return sum(self.requests)


def run(parts, seconds, directory):
    """All parts at once, to the end."""
    wrk = peer.need("wrk", "the Debian package wrk")
    before, running = _children_cpu(), []
    try:
        for number, part in enumerate(parts):
            script = directory / f"load-{number}.lua"
            _write_script(script, part.targets)
            command = [wrk, "--threads", "1", "--connections", str(part.clients), "--duration",
                       f"{seconds}s", "--timeout", f"{TIMEOUT_S}s", "--script", str(script),
                       f"http://127.0.0.1:{part.port}"]
            running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                            text=True))
        rows = [_row(each, seconds + LATE_S) for each in running]
    finally:
        for each in running:
            if each.poll() is None:
                each.kill()
                each.wait()
    total = sum(row["requests"] for row in rows)
    assert total > 0, f"no command was answered within {seconds} s: {rows}"
    return Done([row["requests"] for row in rows],
                sum(row["requests"] / row["seconds"] for row in rows),
                sum(row["p50_us"] * row["requests"] for row in rows) / total,
                max(row["p99_us"] for row in rows), sum(row["failed"] for row in rows),
                _children_cpu() - before)


def _row(process, within_s):
    printed, _ = process.communicate(timeout=within_s)
    lines = printed.strip().splitlines()
    assert process.returncode == 0 and lines, f"wrk ended with {process.returncode}: {printed}"
    return json.loads(lines[-1])


def _write_script(file, targets):
    commands = ", ".join(
        f"{{'{each.path}', '{each.account.token}', '{json.dumps(dict(each.body))}'}}"
        for each in targets)
    file.write_text(SCRIPT % {"commands": commands}, encoding="utf-8")


def _children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
