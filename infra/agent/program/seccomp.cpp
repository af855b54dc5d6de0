#include "infra/agent/program/seccomp.hpp"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "infra/agent/protocol/unique_fd.hpp"

namespace berth::agent {
namespace {

// EPERM, as Docker answers: programs probe for these and go on.
constexpr std::array denied_calls = {
    "acct",
    "add_key",
    "bpf",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "setns",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "_sysctl",
    "umount",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "ustat",
    "vhangup",
    "vm86",
    "vm86old",
};

constexpr std::uint64_t namespace_flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                                          CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                          CLONE_NEWCGROUP;

constexpr std::array kept_capabilities = {
    CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,           CAP_FOWNER,
    CAP_MKNOD,   CAP_NET_RAW,      CAP_SETGID,           CAP_SETUID,
    CAP_SETFCAP, CAP_SETPCAP,      CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT,
    CAP_KILL,    CAP_AUDIT_WRITE,
};

// Of the others some know no network namespace (AF_VSOCK ends at the hypervisor), the rest are code
// that nobody here needs the kernel to run.
constexpr std::array allowed_families = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};

bool allow_families(scmp_filter_ctx filter) {
  const int refused = SCMP_ACT_ERRNO(EAFNOSUPPORT);
  const int last = *std::max_element(allowed_families.begin(), allowed_families.end());
  for (int family = 0; family < last; ++family) {
    if (std::find(allowed_families.begin(), allowed_families.end(), family) !=
        allowed_families.end())
      continue;
    if (seccomp_rule_add(filter, refused, SCMP_SYS(socket), 1,
                         SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))) != 0)
      return false;
  }
  return seccomp_rule_add(filter, refused, SCMP_SYS(socket), 1,
                          SCMP_A0(SCMP_CMP_GT, static_cast<scmp_datum_t>(last))) == 0;
}

bool add_rules(scmp_filter_ctx filter) {
  for (const auto* name : denied_calls) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || number < 0) continue;  // Not a call of this machine.
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) != 0) return false;
  }
  // New namespaces by clone: each flag is its own rule, because a mask rule matches all its bits at
  // once.
  for (int bit = 0; bit < 32; ++bit) {
    const auto flag = std::uint64_t{1} << bit;
    if (!(namespace_flags & flag)) continue;
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                         SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag)) != 0)
      return false;
  }
  // The flags of clone3 are behind a pointer; ENOSYS sends the C library to clone.
  if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) != 0) return false;
  if (!allow_families(filter)) return false;
  // Typing into the controlling terminal of others.
  return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                          SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, 0x5412 /* TIOCSTI */)) == 0;
}

}  // namespace

std::optional<std::vector<sock_filter>> build_workload_filter() {
  auto* filter = seccomp_init(SCMP_ACT_ALLOW);
  if (!filter) return std::nullopt;
  const unique_fd memory{::memfd_create("filter", MFD_CLOEXEC)};
  std::optional<std::vector<sock_filter>> program;
  // Other architectures' calls (x32, i386) are refused by the library's default action for them.
  if (add_rules(filter) && seccomp_export_bpf(filter, memory.get()) == 0) {
    const auto bytes = ::lseek(memory.get(), 0, SEEK_END);
    program.emplace(static_cast<std::size_t>(bytes) / sizeof(sock_filter));
    if (::pread(memory.get(), program->data(), static_cast<std::size_t>(bytes), 0) != bytes)
      program.reset();
  }
  seccomp_release(filter);
  return program;
}

bool install_filter(std::vector<sock_filter>& filter) {
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

bool drop_capabilities() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return false;
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (std::find(kept_capabilities.begin(), kept_capabilities.end(), capability) !=
        kept_capabilities.end())
      continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return false;
  }
  // Inheritable is cleared too; effective and permitted stay until exec, the filter needs
  // CAP_SYS_ADMIN.
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  data[0].inheritable = data[1].inheritable = 0;
  return ::syscall(SYS_capset, &header, data) == 0;
}

}  // namespace berth::agent
