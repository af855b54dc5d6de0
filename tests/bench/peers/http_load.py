"""HTTP POSTs by wrk (C, one thread): so many connections, one request in flight on each."""
import json

import peer

PATHS = 1000

SCRIPT = """
local paths = {%(paths)s}
local at = 0
wrk.method, wrk.body = "POST", '%(body)s'
wrk.headers["Content-Type"] = "application/json"
%(headers)s
function request()
  at = at %% #paths + 1
  return wrk.format(nil, paths[at])
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"per_second": %%f, "p50_us": %%d, "p99_us": %%d, "failed": %%d}\\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99),
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


def write_script(file, paths, body, headers=None):
    file.write_text(SCRIPT % {
        "paths": ", ".join(f'"{path}"' for path in paths), "body": body,
        "headers": "\n".join(f'wrk.headers["{name}"] = "{value}"'
                             for name, value in (headers or {}).items())}, encoding="utf-8")


def load(port, script, clients, seconds):
    wrk = peer.need("wrk", "the Debian package wrk")
    printed = peer.call([wrk, "--threads", 1, "--connections", clients, "--duration",
                         f"{seconds}s", "--timeout", "10s", "--script", script,
                         f"http://127.0.0.1:{port}"], seconds + 60)
    return json.loads(printed.strip().splitlines()[-1])


def measure(name, port, script, quick):
    """A warm-up, then 1, 32 and 256 clients."""
    load(port, script, 32, 2)
    for clients in (1, 32, 256):
        figures = load(port, script, clients, 3 if quick else 10)
        peer.report(name, f"commands over HTTP, {clients} client{'s' * (clients > 1)}", **figures)
