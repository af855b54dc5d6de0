// What happened to a terminal (schemas/terminal.fbs). Its output is in the bulk log.
#pragma once

#include <string>
#include <variant>

#include "events/terminal/commands.hpp"

namespace berth::terminal {

struct opened {
  account_id account;
  environment_id environment;
  std::uint16_t cols{};
  std::uint16_t rows{};
  std::vector<std::string> command;
  std::string working_directory;
  journal_mode journal{};
  std::uint64_t journal_tail_bytes{};
  timestamp at;
  timestamp deadline;
  bool operator==(const opened&) const = default;
};
struct started {
  std::string incarnation;
  std::int32_t pid{};
  timestamp at;
  bool operator==(const started&) const = default;
};
struct resized {
  std::uint64_t offset{};
  std::uint16_t cols{};
  std::uint16_t rows{};
  timestamp at;
  bool operator==(const resized&) const = default;
};
struct driver_changed {
  session_id session;
  timestamp at;
  bool operator==(const driver_changed&) const = default;
};
struct close_asked {
  timestamp at;
  timestamp deadline;
  bool operator==(const close_asked&) const = default;
};
struct ended {
  std::uint64_t final_offset{};
  std::optional<std::int32_t> exit_code;
  std::int32_t signal{};
  std::string reason;
  std::string detail;
  timestamp at;
  bool operator==(const ended&) const = default;
};
struct removed {
  timestamp at;
  bool operator==(const removed&) const = default;
};

using event = std::variant<opened, started, resized, driver_changed, close_asked, ended, removed>;

}  // namespace berth::terminal
