"""The server with a certificate: REST, sockets and devctl over TLS; none without one elsewhere."""

import asyncio
import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from berth import wire
from berth.server import BIN, Server, free_port
from websockets.asyncio.client import connect


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=berth", "-out", files[0], "-keyout", files[1]]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return files


class TlsServer(Server):
    certificate: tuple

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate[0])

    def get(self, path: str, token: str = "") -> tuple[int, bytes]:
        asked = urllib.request.Request(self.url + path)
        if token:
            asked.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(asked, timeout=5, context=self.context()) as answer:
            return answer.status, answer.read()

    def wait_ready(self, within_s: float = 20) -> None:
        until = time.monotonic() + within_s
        while True:
            try:
                if self.get("/ready")[0] == 200:
                    return
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None and time.monotonic() < until, self.log()[-3000:]
            time.sleep(0.02)

    def devctl(self, *arguments: str, ca: bool = True):
        env = self.devctl_env() | ({"BERTH_CA_FILE": str(self.certificate[0])} if ca else {})
        return self.tool("devctl", *arguments, env=env)

    def _delete_environments(self) -> None:
        for each in json.loads(self.devctl("-o", "json", "env", "list").stdout or b"[]"):
            self.devctl("env", "delete", "--yes", each["id"])


@pytest.fixture(scope="module")
def server(certificate, tmp_path_factory):
    folder = tmp_path_factory.mktemp("t")
    flags = ["--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])]
    made = TlsServer(folder / "data", flags)
    made.certificate = certificate
    made.start()
    yield made
    made.cleanup()


def test_rest_over_tls_by_another_client(server):
    assert json.loads(server.get("/api/v1/environments", server.admin_token)[1])["items"] == []
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.get("/api/v1/environments")
    assert refused.value.code == 401
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(server.url + "/ready", timeout=5)  # an unknown authority
    with pytest.raises((urllib.error.URLError, OSError)):
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/ready", timeout=5)


def test_old_versions_of_tls_are_refused(server):
    context = server.context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((urllib.error.URLError, ssl.SSLError)):
        urllib.request.urlopen(server.url + "/ready", timeout=5, context=context)


# Not the threaded client of the other tests: it reads and writes one SSL object from two threads,
# which Python's ssl does not protect, and once in some hundred times its request is never sent.
async def first_answer_over_tls(server) -> dict:
    async with connect(
        f"wss://127.0.0.1:{server.port}/api/v1/ws",
        subprotocols=["berth.v1.json"],
        additional_headers={"Authorization": f"Bearer {server.admin_token}"},
        ssl=server.context(),
    ) as socket:
        await socket.send(wire.encode_json({"kind": "hello"}))
        return wire.decode_json(await asyncio.wait_for(socket.recv(), 10))[0]


def test_a_socket_over_tls(server):
    assert asyncio.run(first_answer_over_tls(server))["kind"] == "welcome"


def test_devctl_over_tls_trusts_the_authority_it_is_given_and_no_other(server):
    assert server.devctl("env", "list").returncode == 0
    unknown = server.devctl("env", "list", ca=False)
    assert unknown.returncode == 6, unknown
    made = server.devctl("env", "create", "first", "--wait")
    if made.returncode != 0:
        pytest.skip(f"no environment can be made here: {made.stderr.decode()}")
    assert server.devctl("exec", "first", "--", "echo", "over tls").stdout == b"over tls\n"
    # Files go through a terminal, so over the socket.
    source = server.data_dir.parent / "file"
    source.write_text("copied\n")
    done = server.devctl("cp", str(source), "first:/workspace/")
    assert done.returncode == 0, done
    assert server.devctl("exec", "first", "--", "cat", "/workspace/file").stdout == b"copied\n"


def test_the_door_inside_leads_to_the_gateway_over_tls_too(server):
    script = "curl -skm 10 -o /dev/null -w '%{http_code} ' $BERTH_GATEWAY/ready;"
    script += "echo $BERTH_GATEWAY"
    done = server.devctl("exec", "first", "--", "sh", "-c", script)
    if b"no environment" in done.stderr:
        pytest.skip("no environment could be made")
    assert done.stdout == b"200 https://127.0.0.1:7370\n", done


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]"])
def test_without_a_certificate_only_loopback_is_served(tmp_path, address):
    command = [str(BIN / "berthd"), "--data-dir", str(tmp_path / "data")]
    command += ["--listen", f"{address}:{free_port()}"]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode != 0
    assert b"certificate" in done.stderr + done.stdout, done


def test_a_key_without_its_certificate_is_refused(tmp_path, certificate):
    command = [str(BIN / "berthd"), "--data-dir", str(tmp_path / "data")]
    command += ["--listen", f"127.0.0.1:{free_port()}", "--tls-key", str(certificate[1])]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode != 0 and done.stderr + done.stdout
