// What the host and its launcher say to each other over DIR/run/launcher.sock (SOCK_SEQPACKET, mode
// 0600): one packet is one message, a message is lines `key value\n`. Keys may repeat. Values hold
// no newline. At most 16 KiB.
//
//   request      keys                       answer
//   do version                              version pid
//   do probe                                works isolation limits network problem*
//   do start     see start_request.hpp      pid start_time incarnation problem* + pidfd
//   do open      id                         incarnation + pidfd
//   do stop      id incarnation grace_ms    status, when it is gone
//   do kill      id incarnation             status, when it is gone
//   do list      after                      environment* = "id incarnation pid start_time", the
//                                           first listed_max behind that id in order; more 1
//   do quit      if_idle                    pid group* (it exits, environments run on)
//
// The pidfd is checked against pid and start time by the launcher. Every request may carry `tag`,
// which its answer repeats. A failed one answers `error TEXT`.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::launcher {

inline constexpr int protocol_version = 2;
inline constexpr std::size_t listed_max = 64;  // environments in one answer
inline constexpr std::size_t message_bytes_max = 16 * 1024;

class message {
 public:
  message() = default;
  message& add(std::string_view key, std::string_view value) {
    std::string clean(value);
    for (auto& c : clean) {
      if (c == '\n' || c == '\0') c = ' ';
    }
    fields_.emplace_back(std::string(key), std::move(clean));
    return *this;
  }
  message& add(std::string_view key, std::uint64_t value) {
    return add(key, std::to_string(value));
  }

  const std::string& text(std::string_view key) const {
    static const std::string none;
    for (const auto& [name, value] : fields_) {
      if (name == key) return value;
    }
    return none;
  }
  std::uint64_t number(std::string_view key) const {
    const auto& value = text(key);
    std::uint64_t number = 0;
    for (const char c : value) {
      if (c < '0' || c > '9') return 0;
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return number;
  }
  std::vector<std::string> all(std::string_view key) const {
    std::vector<std::string> values;
    for (const auto& [name, value] : fields_) {
      if (name == key) values.push_back(value);
    }
    return values;
  }
  bool has(std::string_view key) const {
    for (const auto& field : fields_) {
      if (field.first == key) return true;
    }
    return false;
  }

  std::string encode() const {
    std::string bytes;
    for (const auto& [name, value] : fields_) bytes += name + ' ' + value + '\n';
    return bytes;
  }
  static message decode(std::string_view bytes) {
    message decoded;
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      const auto line = bytes.substr(0, end);
      const auto space = line.find(' ');
      if (space != std::string_view::npos)
        decoded.add(line.substr(0, space), line.substr(space + 1));
      if (end == std::string_view::npos) break;
      bytes.remove_prefix(end + 1);
    }
    return decoded;
  }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// An environment id as it may name a folder, a cgroup and a host name.
inline bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-';
    if (!plain) return false;
  }
  return true;
}

}  // namespace berth::launcher
