"""What an environment must not reach or pretend to be on the network. Needs outbound network."""

import contextlib
import pathlib
import socket
import subprocess
import threading
import time

import pytest
from attacks.attacker import Attacker, refused

NOWHERE = "203.0.113.77"  # TEST-NET-3: leaves through the uplink and arrives at nobody


@pytest.fixture(scope="module")
def attacker(rest, host) -> Attacker:
    if host["network"] != "outbound":
        pytest.skip(f"no outbound network for environments: {host['problems']}")
    return make(rest, "attacker")


@pytest.fixture(scope="module")
def victim(rest, attacker) -> Attacker:
    return make(rest, "victim")


def make(rest, name: str) -> Attacker:
    body = {"name": name, "instance_type": "lightweight"}
    return Attacker(rest, rest.good("POST", "/api/v1/environments?wait=true", body)["environment"])


def address_of(which: Attacker) -> str:
    return which.sh("hostname -I")["stdout"].split()[0]


def hardware_of(which: Attacker) -> str:
    return which.sh("cat /sys/class/net/eth0/address")["stdout"].strip()


def gateway_of(which: Attacker) -> str:
    address = address_of(which).split(".")
    return f"{address[0]}.{address[1]}.0.1"


def uplink() -> str:
    for line in open("/proc/net/route"):
        words = line.split()
        if words[1] == words[7] == "00000000":
            return words[0]
    raise AssertionError("no default route, and yet outbound network")


def host_addresses() -> list[str]:
    listed = subprocess.run(["ip", "-4", "-br", "addr"], capture_output=True, text=True).stdout
    return [word.split("/")[0] for word in listed.split() if "/" in word]


class Sniffer:
    """What passes an interface of the host, as long as it is open."""

    def __init__(self, interface: str):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((interface, 0))
        self.socket.settimeout(0.2)
        self.seen: list[bytes] = []
        self.open = True
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while self.open:
            try:
                self.seen.append(self.socket.recv(2048))
            except TimeoutError:
                pass

    def until(self, marker: bytes, within_s: float = 5) -> bool:
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if any(marker in each for each in list(self.seen)):
                return True
            time.sleep(0.02)
        return False

    def close(self) -> None:
        self.open = False
        self.thread.join()
        self.socket.close()


@pytest.fixture
def on_uplink():
    sniffer = Sniffer(uplink())
    yield sniffer
    sniffer.close()


RAW = """
import socket, struct
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def ip(source, target, payload, protocol=17):
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + payload
def udp(text, port=4242):
    return struct.pack('!HHHH', port, port, 8 + len(text), 0) + text
def mac(text): return bytes.fromhex(text.replace(':', ''))
packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
packet.bind(('eth0', 0))
def frame(target, source, kind, payload):
    return packet.send(mac(target) + mac(source) + struct.pack('!H', kind) + payload)
own = open('/sys/class/net/eth0/address').read().strip()
"""


def test_no_port_of_the_host_answers_at_any_of_its_addresses(server, attacker):
    """TCP and UDP, berthd's own port, a resolver's; at the gateway, the uplink, the loopback."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("0.0.0.0", 0))
        tcp.listen()
        udp.bind(("0.0.0.0", 0))
        udp.settimeout(0.1)
        ports = [tcp.getsockname()[1], server.port, 22, 53]
        addresses = sorted({*host_addresses(), gateway_of(attacker), "127.0.0.1"})
        attack = f"""
for address in {addresses}:
    for port in {ports}:
        def knock():
            with socket.socket() as s:
                s.settimeout(0.3)
                try: s.connect((address, port))
                except TimeoutError: raise OSError(errno.ETIMEDOUT, 'late')
                return 'open'
        attempt(f'{{address}}:{{port}}', knock)
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        try: s.sendto(b'knock', (address, {udp.getsockname()[1]}))
        except OSError: pass
"""
        refused(attacker.run(attack))
        with pytest.raises(TimeoutError):
            udp.recv(10)
        # Both would have answered somebody who is allowed to ask.
        socket.create_connection(("127.0.0.1", ports[0]), 5).close()


def test_metadata_link_local_and_multicast_addresses_are_not_forwarded(attacker, on_uplink):
    attack = f"""
for target in ('169.254.169.254', '224.0.0.251', '239.1.1.1'):
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        attempt(target, lambda: s.sendto(b'forbidden-marker', (target, 80)))
with socket.socket(type=socket.SOCK_DGRAM) as s:
    attempt('allowed', lambda: s.sendto(b'allowed-marker', ('{NOWHERE}', 80)))
"""
    assert attacker.run(attack)["allowed"] == 14
    assert on_uplink.until(b"allowed-marker")
    assert not on_uplink.until(b"forbidden-marker", 0.3)


@contextlib.contextmanager
def listening(marker: bytes, *which: Attacker):
    """Gives a dict that says afterwards how many frames with the marker each of them saw."""
    listen = f"""
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300); s.bind(('eth0', 0)); s.settimeout(0.2)
write('/workspace/ready', 'x')
heard, end = 0, time.monotonic() + 60
while time.monotonic() < end and not os.path.exists('/workspace/stop'):
    try: heard += {marker} in s.recv(2048)
    except OSError: pass
outcome['heard'] = heard
"""
    heard: dict[str, int] = {}
    hear = lambda who: heard.update({who.name: who.run(listen, True, 90_000)["heard"]})
    threads = [threading.Thread(target=hear, args=(each,)) for each in which]
    for each, thread in zip(which, threads):
        each.sh("rm -f /workspace/ready /workspace/stop")
        thread.start()
    for each in which:
        while each.sh("test -e /workspace/ready")["exit_code"]:
            time.sleep(0.05)
    yield heard
    for each in which:
        each.sh("touch /workspace/stop")
    for thread in threads:
        thread.join()


def test_a_neighbour_is_not_reached_by_any_frame(attacker, victim):
    """TCP, UDP, ping, broadcast, IPv6 link-local and multicast, frames to its hardware address."""
    target, hardware = address_of(victim), hardware_of(victim)
    attack = f"""{RAW}
text = b'neighbour-marker'
for where in ('{hardware}', 'ff:ff:ff:ff:ff:ff', '33:33:00:00:00:01', '01:00:5e:00:00:fb'):
    for kind, payload in ((0x0800, ip('{address_of(attacker)}', '{target}', udp(text))),
                          (0x0806, text * 2), (0x86dd, text * 4), (0x88b5, text), (0x888e, text)):
        attempt(f'{{where}} {{kind:x}}', lambda: frame(where, own, kind, payload))
for port in (22, 80):
    s = socket.socket(); s.settimeout(0.2)
    attempt(f'connect {{port}}', lambda: s.connect(('{target}', port)))
attempt('udp', lambda: socket.socket(type=2).sendto(text, ('{target}', 53)))
"""
    with listening(b"neighbour-marker", victim) as heard:
        sent = attacker.run(attack, root=True)
    assert sum(isinstance(got, int) for got in sent.values()) >= 20, sent
    assert heard["victim"] == 0


def test_a_neighbours_traffic_is_not_drawn_by_claiming_its_addresses(attacker, victim):
    """ARP answers and frames in the victim's name: what the host sends it still arrives there."""
    target, hardware = address_of(victim), hardware_of(victim)
    spoof = f"""{RAW}
gateway = '{gateway_of(attacker)}'
def claim(sender):
    body = struct.pack('!HHBBH', 1, 0x0800, 6, 4, 1) + mac(sender) + socket.inet_aton('{target}')
    body += bytes(6) + socket.inet_aton(gateway)
    return frame('ff:ff:ff:ff:ff:ff', sender, 0x0806, body)
for _ in range(20):
    attempt('arp with own hardware', lambda: claim(own))
    attempt('arp and frame as the victim', lambda: claim('{hardware}'))
    attempt('frame as the victim', lambda: frame('ff:ff:ff:ff:ff:ff', '{hardware}', 0x88b5,
                                                 b'x' * 60))
    attempt('as the gateway', lambda: frame('{hardware}', own, 0x0806, b'x' * 60))
"""
    with listening(b"for-the-victim", victim, attacker) as heard:
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"so that it is known", (target, 4242))
            time.sleep(1.2)  # the kernel believes no second answer within a second
            assert all(isinstance(got, int) for got in attacker.run(spoof, root=True).values())
            for _ in range(20):
                sender.sendto(b"for-the-victim", (target, 4242))
                time.sleep(0.01)
    assert heard["attacker"] == 0 and heard["victim"] > 0, heard


def test_packets_in_another_name_do_not_leave(attacker, victim, on_uplink):
    """IP source of the neighbour, of a stranger, of the host: dropped; its own: forwarded."""
    hardware = "02:be:" + ":".join(f"{int(n):02x}" for n in gateway_of(attacker).split("."))
    names = [address_of(victim), "198.51.100.9", gateway_of(attacker), host_addresses()[0]]
    attack = f"""{RAW}
for source in {names}:
    attempt(source, lambda: frame('{hardware}', own, 0x0800,
                                  ip(source, '{NOWHERE}', udp(b'spoofed-marker'))))
attempt('own', lambda: frame('{hardware}', own, 0x0800,
                             ip('{address_of(attacker)}', '{NOWHERE}', udp(b'genuine-marker'))))
"""
    assert all(isinstance(got, int) for got in attacker.run(attack, root=True).values())
    assert on_uplink.until(b"genuine-marker"), "the test itself does not work"
    assert not on_uplink.until(b"spoofed-marker", 0.3)


def test_tables_of_the_host_do_not_fill(attacker):
    """Thousands of senders by ARP and of connections: the machine's tables are everyone's."""
    counter = pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_count")
    if not counter.exists():
        pytest.skip("this kernel does not count tracked connections")
    before = int(counter.read_text())
    prefix = ".".join(address_of(attacker).split(".")[:2])
    attack = f"""{RAW}
def flood():
    s = socket.socket(type=socket.SOCK_DGRAM)
    for number in range(8_000):
        try: s.sendto(b'x', (f'203.0.113.{{1 + number % 250}}', 1024 + number // 250))
        except OSError: pass
    return 'sent'
attempt('connections', flood)
def crowd():
    for number in range(1_000):
        sender = f'02:aa:bb:cc:{{number >> 8:02x}}:{{number & 255:02x}}'
        body = struct.pack('!HHBBH', 1, 0x0800, 6, 4, 1) + mac(sender)
        body += socket.inet_aton(f'{prefix}.{{100 + (number >> 8)}}.{{number & 255}}')
        body += bytes(6) + socket.inet_aton('{gateway_of(attacker)}')
        frame('ff:ff:ff:ff:ff:ff', sender, 0x0806, body)
    return 'sent'
attempt('neighbours', crowd)
"""
    assert attacker.run(attack, True, 60_000) == {"connections": "sent", "neighbours": "sent"}
    assert int(counter.read_text()) - before < 5_500
    arp = pathlib.Path("/proc/net/arp").read_text()
    assert "02:aa:bb:cc" not in arp
    known = subprocess.run(["bridge", "fdb", "show"], capture_output=True, text=True).stdout
    assert "02:aa:bb:cc" not in known


def test_the_environments_network_cannot_be_changed_from_inside(attacker):
    attack = """
import fcntl
s = socket.socket(type=socket.SOCK_DGRAM)
request = struct.pack('16sH14s', b'eth0', socket.AF_INET, b'\\0\\0' + socket.inet_aton('10.99.0.1'))
attempt('address', lambda: fcntl.ioctl(s, 0x8916, request))
attempt('down', lambda: fcntl.ioctl(s, 0x8914, struct.pack('16sH14s', b'eth0', 0, b'')))
attempt('hardware', lambda: fcntl.ioctl(s, 0x8924, struct.pack('16sH14s', b'eth0', 1, b'\\2' * 6)))
netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
def ask(kind, body):
    netlink.send(struct.pack('IHHII', 16 + len(body), kind, 5, 1, 0) + body)
    code = struct.unpack_from('i', netlink.recv(4096), 16)[0]
    if code: raise OSError(-code, 'refused')
    return 'done'
attempt('route', lambda: ask(24, struct.pack('BBBBBBBBI', 2, 0, 0, 0, 254, 4, 0, 1, 0)))
attempt('link', lambda: ask(16, struct.pack('BxHiII', 0, 0, 0, 0, 0)))
attempt('netfilter', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12).send(
    struct.pack('IHHII', 20, 0xa00, 5, 1, 0) + b'\\2\\0\\0\\0') and ask(24, b'\\2' * 12))
"""
    for root in (False, True):
        refused(attacker.run(attack, root))
