// The data directory as one server's own: made 0700, locked, with the server's key and the host's
// id in it.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "events/core/ids.hpp"

namespace berth::berthd {

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
  const std::array<std::uint8_t, 32>& server_key() const { return key_; }
  host_id this_host() const;

 private:
  std::optional<std::string> load_key();

  std::string path_;
  int lock_{-1};
  std::array<std::uint8_t, 32> key_{};
};

}  // namespace berth::berthd
