#include "infra/providers/sandbox/terminal_tails.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "infra/agent/program/launcher/protocol.hpp"
#include "infra/agent/protocol/ring_file.hpp"

namespace berth {

namespace fs = std::filesystem;
using agent::ring_file;
using agent::unique_fd;

namespace {
constexpr std::size_t chunk_bytes_max = 64 * 1024;
constexpr std::string_view suffix = ".ring";

std::optional<ring_file> open_ring(const std::string& folder, const terminal_id& terminal) {
  if (!launcher::is_plain_name(terminal.value)) return std::nullopt;
  const unique_fd directory{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory) return std::nullopt;
  int error = 0;
  return ring_file::open(directory.get(), terminal.value + std::string(suffix), error);
}

terminal_end end_of(const ring_file& ring, std::uint64_t final_offset, const std::string& reason) {
  terminal_end end{final_offset, {}, {}, reason};
  const auto status = ring.wait_status();
  if (!status || final_offset != ring.end()) return end;
  if (WIFEXITED(*status)) {
    end.exit_code = WEXITSTATUS(*status);
    end.reason = "exited";
  } else if (WIFSIGNALED(*status)) {
    end.signal = WTERMSIG(*status);
    end.reason = "signalled";
  }
  return end;
}
}  // namespace

std::vector<terminal_id> terminal_tails::shelve(const environment_id& id) const {
  std::vector<terminal_id> moved;
  const auto state = envs_ + "/" + id.value + "/state";
  std::error_code ignored;
  for (fs::directory_iterator each(state, ignored), end; !ignored && each != end;
       each.increment(ignored)) {
    const auto name = each->path().filename().native();
    if (name.size() <= suffix.size() || !name.ends_with(suffix)) continue;
    const terminal_id terminal{name.substr(0, name.size() - suffix.size())};
    if (!launcher::is_plain_name(terminal.value)) continue;
    ::mkdir(folder(id).c_str(), 0700);
    if (::rename(each->path().c_str(), (folder(id) + "/" + name).c_str()) == 0)
      moved.push_back(terminal);
  }
  return moved;
}

bool terminal_tails::holds(const environment_id& id, const terminal_id& terminal) const {
  return open_ring(folder(id), terminal).has_value();
}

void terminal_tails::deliver(const environment_id& id, const terminal_id& terminal,
                             std::uint64_t from, const std::string& reason,
                             host_observer& to) const {
  const auto ring = open_ring(folder(id), terminal);
  if (!ring || from < ring->base() || from > ring->end()) {
    to.terminal_ended(terminal, {from, {}, {}, reason});
    return;
  }
  while (from < ring->end()) {
    const auto bytes = ring->readable(from, chunk_bytes_max);
    to.terminal_output(terminal, from, share(std::string(bytes)));
    from += bytes.size();
  }
  to.terminal_ended(terminal, end_of(*ring, from, reason));
}

void terminal_tails::durable(const environment_id& id, const terminal_id& terminal,
                             std::uint64_t offset) const {
  bool done = false;
  if (const auto ring = open_ring(folder(id), terminal)) done = offset >= ring->end();
  if (done) remove(id, terminal);
}

void terminal_tails::remove(const environment_id& id, const terminal_id& terminal) const {
  if (!launcher::is_plain_name(terminal.value)) return;
  ::unlink((folder(id) + "/" + terminal.value + std::string(suffix)).c_str());
}

}  // namespace berth
