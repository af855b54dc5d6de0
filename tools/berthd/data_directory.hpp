// The data directory as one server's own: made 0700, locked, with the server's key and the host's
// id in it.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "events/core/ids.hpp"

namespace berth::berthd {

using server_key = std::array<std::uint8_t, 32>;
// Of 64 hexadecimal digits in a file; nothing if it is not that.
std::optional<server_key> read_secret(const std::string& file);

class data_directory {
 public:
  // Creates it if it is missing. `error` says what went wrong; `in_use` that another server has the
  // lock.
  struct opened {
    std::optional<std::string> error;
    bool in_use{};
  };
  opened open(const std::string& path);
  ~data_directory();
  data_directory() = default;
  data_directory(const data_directory&) = delete;
  data_directory& operator=(const data_directory&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const berthd::server_key& server_key() const { return key_; }
  host_id this_host() const;
  // What hosts and agents know this start by: more than the last one's, and at least `at_least`,
  // whatever engine the journal is of. Noted before it returns; 0 if it could not be.
  std::uint64_t next_incarnation(std::uint64_t at_least) const;
  // Which engine's journal this is, `embedded` if nobody said so, and what tells its cursors from
  // those of the journals before it (DIR/engine).
  struct engine_name {
    std::string engine{"embedded"};
    std::string cursor_tag;
  };
  engine_name engine() const;
  std::optional<std::string> set_engine(const engine_name& name) const;

 private:
  std::optional<std::string> load_key();

  std::string path_;
  int lock_{-1};
  berthd::server_key key_{};
};

}  // namespace berth::berthd
