"""What a program inside must not get from the kernel: each attempt as dev and as root by sudo."""

import pytest
from attacks.attacker import Attacker, changes, host_state, refused


@pytest.fixture(scope="module")
def attacker(server, rest, host, environment) -> Attacker:
    if host["isolation"] != "full":
        pytest.skip(f"isolation is {host['isolation']}: {host['problems']}")
    return Attacker(rest, environment)


@pytest.fixture(scope="module", autouse=True)
def untouched(server, attacker):
    """After all attacks the host is as it was, the server lives and makes environments."""
    before = host_state(server.data_dir)
    yield
    assert changes(before, host_state(server.data_dir)) == {}
    assert server.process.poll() is None
    body = {"name": "after", "instance_type": "lightweight"}
    made = server.rest().good("POST", "/api/v1/environments?wait=true", body)["environment"]
    assert made["status"] == "RUNNING"
    assert Attacker(server.rest(), made).sh("echo works")["stdout"] == "works\n"


# Title, Python for inside.py. Every attempt must be refused, whoever makes it.
ATTACKS = {
    "a new user namespace": "attempt('unshare', lambda: call(272, 0x10000000))\n"
    "attempt('clone', lambda: call(56, 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0))\n"
    "attempt('clone3', lambda: call(435, 0, 0))",
    "any other new namespace": "for bit in (0x20000, 0x2000000, 0x4000000, 0x8000000, "
    "0x20000000, 0x40000000, 0x80):\n  attempt(hex(bit), lambda: call(272, bit))",
    "the namespaces of pid 1": "for kind in ('mnt', 'net', 'pid', 'user', 'cgroup'):\n"
    "  attempt(kind, lambda: os.open(f'/proc/1/ns/{kind}', os.O_RDONLY))\n"
    "attempt('setns', lambda: call(308, os.open('/proc/self/ns/net', os.O_RDONLY), 0))\n"
    "attempt('setns by pidfd', lambda: call(308, call(434, 1, 0), 0x20000))",
    "the descriptors and memory of pid 1": "attempt('fd', lambda: entry('/proc/1/fd/0'))\n"
    "attempt('root', lambda: os.listdir('/proc/1/root/'))\n"
    "attempt('cwd', lambda: os.listdir('/proc/1/cwd/'))\n"
    "attempt('exe', lambda: entry('/proc/1/exe'))\n"
    "attempt('mem', lambda: entry('/proc/1/mem'))\n"
    "attempt('environ', lambda: read('/proc/1/environ'))\n"
    "attempt('getfd', lambda: call(438, call(434, 1, 0), 0, 0))\n"
    "attempt('attach', lambda: call(101, 16, 1, 0, 0))\n"
    "attempt('seize', lambda: call(101, 0x4206, 1, 0, 0))\n"
    "buffer = ctypes.create_string_buffer(8)\n"
    "vector = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 8)\n"
    "attempt('readv', lambda: call(310, 1, vector, 1, vector, 1, 0))\n"
    "attempt('writev', lambda: call(311, 1, vector, 1, vector, 1, 0))",
    "mounting": "attempt('tmpfs', lambda: call(165, b'x', b'/mnt', b'tmpfs', 0, 0))\n"
    "attempt('cgroup', lambda: call(165, b'x', b'/mnt', b'cgroup', 0, b'memory'))\n"
    "attempt('cgroup2', lambda: call(165, b'x', b'/mnt', b'cgroup2', 0, 0))\n"
    "attempt('overlay', lambda: call(165, b'x', b'/mnt', b'overlay', 0, "
    "b'lowerdir=/,upperdir=/tmp,workdir=/tmp'))\n"
    "attempt('bind', lambda: call(165, b'/proc', b'/mnt', 0, 4096, 0))\n"
    "attempt('remount rw', lambda: call(165, 0, b'/sys', 0, 32, 0))\n"
    "attempt('umount proc', lambda: call(166, b'/proc', 2))\n"
    "attempt('fsopen', lambda: call(430, b'tmpfs', 0))\n"
    "attempt('open_tree', lambda: call(428, -100, b'/', 1))\n"
    "attempt('move_mount', lambda: call(429, -100, b'/usr', -100, b'/mnt', 0))\n"
    "attempt('mount_setattr', lambda: call(442, -100, b'/usr', 0, 0, 0))\n"
    "attempt('pivot_root', lambda: call(155, b'/', b'/mnt'))",
    "cgroup files": "for name in ('release_agent', 'notify_on_release', 'cgroup.procs', 'tasks'):\n"
    "  attempt(name, lambda: write('/sys/fs/cgroup/' + name, '1'))\n"
    "attempt('mkdir', lambda: os.mkdir('/sys/fs/cgroup/mine'))",
    "devices made by hand": "for name, kind, major, minor in (('sda', 0x6000, 8, 0), "
    "('vda', 0x6000, 254, 0), ('mem', 0x2000, 1, 1), ('kmsg', 0x2000, 1, 11), "
    "('port', 0x2000, 1, 4), ('kvm', 0x2000, 10, 232), ('fuse', 0x2000, 10, 229), "
    "('vsock', 0x2000, 10, 121)):\n"
    "  for where in ('/tmp/', '/workspace/', '/dev/shm/', '/dev/'):\n"
    "    attempt(where + name, lambda: (os.mknod(where + name, kind | 0o666, "
    "os.makedev(major, minor)), entry(where + name)))",
    "memory and consoles of the kernel": "for path in ('/dev/mem', '/dev/kmem', '/dev/kmsg', "
    "'/dev/port', '/proc/kcore', '/proc/kmsg', '/proc/kpageflags', '/dev/vsock', '/dev/kvm', "
    "'/dev/vhost-vsock', '/dev/vda', '/dev/sda'):\n  attempt(path, lambda: entry(path))\n"
    "attempt('syslog', lambda: call(103, 3, ctypes.create_string_buffer(99), 99))\n"
    "attempt('syslog clear', lambda: call(103, 5, 0, 0))",
    "settings of the kernel": "for path in ('kernel/core_pattern', 'kernel/modprobe', "
    "'kernel/hotplug', 'kernel/sysrq', 'vm/drop_caches', 'vm/overcommit_memory', "
    "'kernel/randomize_va_space', 'fs/binfmt_misc/register', 'kernel/panic', 'kernel/pid_max', "
    "'kernel/pty/max', 'fs/inotify/max_user_instances', 'fs/file-max', 'kernel/hostname'):\n"
    "  attempt(path, lambda: write('/proc/sys/' + path, '1'))\n"
    "attempt('sysrq', lambda: write('/proc/sysrq-trigger', 'h'))\n"
    "attempt('sysfs', lambda: write('/sys/kernel/uevent_helper', '/tmp/x'))\n"
    "attempt('sysfs power', lambda: write('/sys/power/state', 'mem'))",
    "keyrings": "attempt('add', lambda: call(248, b'user', b'a', b'b', 1, -4))\n"
    "attempt('ask', lambda: call(249, b'user', b'a', 0, -4))\n"
    "attempt('join', lambda: call(250, 1, 0, 0, 0, 0))",
    "code in the kernel": "attempt('bpf', lambda: call(321, 0, 0, 0))\n"
    "attempt('perf', lambda: call(298, 0, 0, -1, -1, 0))\n"
    "attempt('userfaultfd', lambda: call(323, 0))\n"
    "attempt('io_uring', lambda: call(425, 8, 0))\n"
    "attempt('kexec', lambda: call(246, 0, 0, 0, 0))\n"
    "attempt('kexec file', lambda: call(320, -1, -1, 0, 0, 0))\n"
    "attempt('init_module', lambda: call(175, 0, 0, b''))\n"
    "attempt('finit_module', lambda: call(313, 0, b'', 0))\n"
    "attempt('delete_module', lambda: call(176, b'x', 0))\n"
    "attempt('ioperm', lambda: call(173, 0x60, 1, 1))\nattempt('iopl', lambda: call(172, 3))",
    "clocks, names, swap and quotas of the machine": "now = (ctypes.c_long * 2)(1, 0)\n"
    "attempt('clock', lambda: call(227, 0, now))\n"
    "attempt('day', lambda: call(164, now, 0))\n"
    "attempt('adjust', lambda: call(305, 0, ctypes.create_string_buffer(b'\\1' * 256)))\n"
    "attempt('host name', lambda: call(170, b'mine', 4))\n"
    "attempt('domain name', lambda: call(171, b'mine', 4))\n"
    "attempt('swap', lambda: call(167, b'/tmp/x', 0))\n"
    "attempt('quota', lambda: call(179, 0, b'/dev/vda', 0, 0))\n"
    "attempt('accounting', lambda: call(163, b'/tmp/x'))\n"
    "attempt('reboot', lambda: call(169, 0xfee1dead, 672274793, 0x89abcdef, 0))",
    "priority over others": "attempt('fifo', lambda: os.sched_setscheduler(0, os.SCHED_FIFO, "
    "os.sched_param(50)))\nattempt('nice', lambda: os.nice(-20) and 'nice')\n"
    "attempt('oom', lambda: write('/proc/self/oom_score_adj', '-1000'))\n"
    "attempt('lock', lambda: call(149, 0, 1 << 40))",
    "files by handle": "handle = struct.pack('IiQ', 8, 1, 2)\n"
    "attempt('open', lambda: call(304, os.open('/', os.O_RDONLY), handle, 0))\n"
    "attempt('workspace', lambda: call(304, os.open('/workspace', os.O_RDONLY), handle, 0))",
    "socket families without a network namespace": "for family in (3, 4, 9, 15, 21, 29, 30, 31, "
    "36, 38, 39, 40, 41, 42, 43, 44):\n  for kind in (1, 2, 3, 5):\n"
    "    attempt(f'{family}/{kind}', lambda: socket.socket(family, kind))",
    "a system call of another kind of machine": "import mmap\n"
    "code = mmap.mmap(-1, 4096, prot=7)\n"
    "code.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))\n"
    "child = os.fork()\n"
    "if child == 0:\n"
    "  address = ctypes.addressof(ctypes.c_char.from_buffer(code))\n"
    "  got = ctypes.CFUNCTYPE(ctypes.c_int)(address)()\n"
    "  os._exit(0 if got > 0 else 1)\n"
    "status = os.waitpid(child, 0)[1]\n"
    "outcome['int 0x80'] = 'refused by signal' if os.WIFSIGNALED(status) else 'ran'",
}


@pytest.mark.parametrize("root", [False, True], ids=["dev", "root"])
@pytest.mark.parametrize("title", ATTACKS)
def test_is_refused(attacker, title, root):
    refused(attacker.run(ATTACKS[title], root))


def test_typing_into_a_terminal_is_refused(attacker):
    """TIOCSTI with and without bits above the 32 the kernel looks at; TIOCLINUX, TIOCCONS."""
    attack = """
import pty, fcntl
master, slave = pty.openpty()
attempt('session', os.setsid); outcome.clear()
fcntl.ioctl(slave, 0x540E, 0)
for number in (0x5412, 0x100005412, 0x541C, 0x541D, 0x5437):
    attempt(hex(number), lambda: call(16, slave, number, ctypes.create_string_buffer(b'x')))
"""
    refused(attacker.run(attack))
    refused(attacker.run(attack, root=True))


def test_a_chroot_is_left_for_the_environments_own_root_only(attacker):
    attack = """
out = os.open('/', os.O_RDONLY)
os.makedirs('/tmp/jail', exist_ok=True)
os.chroot('/tmp/jail')
os.fchdir(out)
for _ in range(64): os.chdir('..')
os.chroot('.')
outcome['hostname'] = read('/etc/hostname').strip()
outcome['top'] = os.listdir('/')
"""
    found = attacker.run(attack, root=True)
    assert found["hostname"] == attacker.name
    assert "workspace" in found["top"] and "boot" not in found["top"]


def test_a_command_inherits_three_descriptors(attacker):
    for root in (False, True):
        found = attacker.run("outcome['fds'] = sorted(int(n) for n in os.listdir('/proc/self/fd'))",
                             root)
        assert found["fds"] == [0, 1, 2, 3], "3 is the listing itself"


def test_setuid_and_capabilities_of_files_end_at_the_environments_root(attacker):
    """A setuid program is root of the namespace, with no more than Docker's capabilities."""
    done = attacker.sh(
        "cp /bin/bash /workspace/rootsh; chown root:root /workspace/rootsh;"
        "chmod 4755 /workspace/rootsh; setcap all+ep /workspace/rootsh 2>/dev/null; true",
        root=True,
    )
    assert done["exit_code"] == 0, done
    done = attacker.sh("/workspace/rootsh -p -c 'id -u; grep CapEff /proc/self/status'")
    words = done["stdout"].split()
    if "CapEff:" in words:
        assert int(words[-1], 16) & ~0xA80425FB == 0, done
    bounding = attacker.sh("grep CapBnd /proc/self/status", root=True)["stdout"].split()[1]
    assert int(bounding, 16) == 0xA80425FB
