#include "infra/agent/link/ring_import.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "infra/agent/protocol/ring_file.hpp"

namespace berth::agent {
namespace {

constexpr const char* suffix = ".ring";

terminal_end end_of(const ring_file& ring) {
  terminal_end end;
  end.final_offset = ring.end();
  end.reason = "agent_lost";
  if (const auto status = ring.wait_status()) {
    if (WIFEXITED(*status)) end.exit_code = WEXITSTATUS(*status);
    if (WIFSIGNALED(*status)) end.signal = WTERMSIG(*status);
    end.reason = end.signal ? "signalled" : "exited";
  }
  return end;
}

}  // namespace

std::vector<terminal_id> list_rings(const std::string& state_directory) {
  std::vector<terminal_id> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{state_directory, error}) {
    if (entry.path().extension() == suffix)
      found.push_back(terminal_id{entry.path().stem().string()});
  }
  std::sort(found.begin(), found.end());
  return found;
}

host_result<ring_tail> import_ring(const std::string& state_directory, const terminal_id& terminal,
                                   std::uint64_t from) {
  const unique_fd directory{::open(state_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const auto name = terminal.value + suffix;
  int error = errno;
  const auto ring = directory ? ring_file::open(directory.get(), name, error) : std::nullopt;
  if (!ring) {
    const auto why = error == ESTALE   ? std::string{"it is of another boot of this machine"}
                     : error == EILSEQ ? std::string{"it is damaged or no ring file"}
                                       : std::string{std::strerror(error)};
    return host_error{error == ENOENT ? host_errc::not_found : host_errc::io,
                      state_directory + "/" + name + ": " + why,
                      "the terminal's output ends with what is stored"};
  }
  ring_tail tail;
  tail.end = end_of(*ring);
  tail.first = std::clamp(from, ring->base(), tail.end.final_offset);
  tail.bytes.reserve(static_cast<std::size_t>(tail.end.final_offset - tail.first));
  for (auto at = tail.first; at < tail.end.final_offset;) {
    const auto piece = ring->readable(at, static_cast<std::size_t>(tail.end.final_offset - at));
    tail.bytes += piece;
    at += piece.size();
  }
  return tail;
}

void remove_ring(const std::string& state_directory, const terminal_id& terminal) {
  ::unlink((state_directory + "/" + terminal.value + suffix).c_str());
}

}  // namespace berth::agent
