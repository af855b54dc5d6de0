// What the launcher needs of the kernel, without exceptions: whole-file reads and writes, pidfds,
// programs, and an error that carries the step and errno as one line a person can act on.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "infra/agent/protocol/ring_file.hpp"
#include "infra/agent/protocol/unique_fd.hpp"

namespace berth::launcher {

using agent::boot_id;
using agent::unique_fd;

// Nothing wrong if `text` is empty.
struct fault {
  std::string text;
  explicit operator bool() const { return !text.empty(); }
};
inline fault no_fault() {
  return {};
}
// "step: Operation not permitted (EPERM)", from errno.
fault errno_fault(std::string_view step);

std::string read_file(const std::string& path,
                      std::size_t bytes_max = 1 << 20);  // empty if unreadable
fault write_file(const std::string& path,
                 std::string_view bytes);  // an existing file, one write(2)
// Replaces the file so that a reader sees the old or the new one, never a part.
fault replace_file(const std::string& path, std::string_view bytes, unsigned mode = 0600);
fault make_dir(const std::string& path, unsigned mode);  // an existing one is fine
std::vector<std::string> list_dir(const std::string& path);
bool remove_tree(const std::string& path);  // by descriptor, follows no link

// Field 22 of /proc/<pid>/stat: with the pid it names one process of this boot. 0 if there is none.
std::uint64_t start_time_of(int pid);
std::int64_t monotonic_ms();

int open_pidfd(int pid);
bool signal_pidfd(int pidfd, int signal);
// Runs a program with `input` on its stdin and waits; its stderr (cut) in the fault. Never through
// a shell.
fault run_program(const std::vector<std::string>& argv, std::string_view input);

}  // namespace berth::launcher
