// What a terminal may be asked, by its users and (report_…) by its effects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "events/core/ids.hpp"
#include "events/core/time.hpp"

namespace berth::terminal {

enum class journal_mode : std::uint8_t { full = 0, tail = 1, none = 2 };
enum class status : std::uint8_t { absent = 0, opening = 1, running = 2, ended = 3, removed = 4 };
std::string_view name_of(status s);  // "RUNNING"

struct open {
  account_id account;
  environment_id environment;
  std::uint16_t cols{80};
  std::uint16_t rows{24};
  std::vector<std::string> command;  // empty: login shell
  std::string working_directory;
  journal_mode journal{};
  std::uint64_t journal_tail_bytes{};
};
struct resize {
  std::uint64_t offset{};
  std::uint16_t cols{};
  std::uint16_t rows{};
};
struct take_drive {
  session_id session;
};
struct close {};
struct remove {};  // forget the recording; legal once ended

struct report_started {
  std::string incarnation;
  std::int32_t pid{};
};
struct report_ended {
  std::uint64_t final_offset{};
  std::optional<std::int32_t> exit_code;
  std::int32_t signal{};
  std::string reason;
  std::string detail;
};
struct deadline_passed {};

using command = std::variant<open, resize, take_drive, close, remove, report_started, report_ended,
                             deadline_passed>;

}  // namespace berth::terminal
