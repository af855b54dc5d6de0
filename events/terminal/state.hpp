// A terminal: who drives it, its size, how it ended. absent -> OPENING -> RUNNING -> ENDED ->
// REMOVED
#pragma once

#include <optional>
#include <string>

#include "events/terminal/events.hpp"

namespace berth::terminal {

inline constexpr auto opening_max = std::chrono::seconds{30};
inline constexpr auto closing_max = std::chrono::seconds{15};
inline constexpr std::uint16_t cells_max = 1000;  // columns, rows

struct state {
  terminal::status status{status::absent};
  account_id account;
  environment_id environment;
  std::uint16_t cols{};
  std::uint16_t rows{};
  std::vector<std::string> command;
  std::string working_directory;
  journal_mode journal{};
  std::uint64_t journal_tail_bytes{};
  timestamp opened_at;
  timestamp changed_at;
  timestamp deadline;  // epoch = none
  std::string incarnation;
  std::int32_t pid{};
  session_id driver;  // empty: nobody drives
  bool close_asked{};
  std::optional<terminal::ended> end;
  bool operator==(const state&) const = default;
};

}  // namespace berth::terminal
