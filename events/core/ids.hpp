// Strong ids. No bare string or integer names a thing in an interface.
//
// An aggregate's id is `<prefix>_` and 26 characters of Crockford base32 (128 bits), for example
// `env_01hf3v7qk2m4n8p0r5s7t9w1xz`. UUIDs follow RFC 9562. Everything here is a value: any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

// A text id that cannot be mistaken for another kind of text.
template <class Tag>
struct named_id {
  std::string value;
  auto operator<=>(const named_id&) const = default;
  explicit operator bool() const { return !value.empty(); }
};

using account_id = named_id<struct account_tag>;          // acct_…
using session_id = named_id<struct session_tag>;          // sess_…
using environment_id = named_id<struct environment_tag>;  // env_…
using terminal_id = named_id<struct terminal_tag>;        // term_…
using host_id = named_id<struct host_tag>;                // host_…
using token_id = named_id<struct token_tag>;              // tok_…
using exec_id = named_id<struct exec_tag>;                // exec_…

// 128 bits, RFC 9562 text form. Version 7 carries its creation time in milliseconds.
struct uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const uuid&) const = default;
  bool is_nil() const;
  std::string text() const;
  std::optional<std::int64_t> v7_time_ms() const;  // nothing if the version is not 7
  static std::optional<uuid> parse(std::string_view text);
  // A version 7 id from a time and 10 random bytes; both are arguments because events/ is pure.
  static uuid v7(std::int64_t time_ms, const std::array<std::uint8_t, 10>& random);
  // The id every retry arrives at: SHA-256 of the parts, as version 8.
  static uuid derived(std::string_view domain, std::string_view part_a,
                      std::string_view part_b = {});
};

using command_id = uuid;      // idempotency key of a command, scoped to its principal
using correlation_id = uuid;  // joins what one request caused
using effect_id = uuid;  // names one effect; hosts answer a repeated one with the recorded outcome
using input_stream_id = uuid;  // names one session's typed input to one terminal

// 26 lower-case Crockford base32 characters of 128 bits.
std::string base32(const std::array<std::uint8_t, 16>& bits);
// `<prefix>_<base32 of uuid::derived(prefix, account, command)>`: the id of what a command creates.
std::string derived_id(std::string_view prefix, std::string_view account,
                       const command_id& command);

enum class aggregate_kind : std::uint8_t {
  account = 1,
  session = 2,
  environment = 3,
  terminal = 4,
  host = 5
};
std::string_view name_of(aggregate_kind kind);
std::optional<aggregate_kind> parse_aggregate_kind(std::string_view name);

// Names one stream: `environment/env_…`.
struct stream_id {
  aggregate_kind kind{};
  std::string key;
  auto operator<=>(const stream_id&) const = default;
  std::string text() const;
  static std::optional<stream_id> parse(std::string_view text);
};

// Number of a commit's last event in its stream; the first event is 1, 0 is the empty stream.
struct stream_version {
  std::uint64_t value{};
  auto operator<=>(const stream_version&) const = default;
};

// A commit's place in the journal. Offsets of one partition start at 1 and have no gap.
struct position {
  std::uint32_t partition{};
  std::uint64_t offset{};
  auto operator<=>(const position&) const = default;
};

}  // namespace berth

template <>
struct std::hash<berth::stream_id> {
  std::size_t operator()(const berth::stream_id& id) const noexcept {
    return std::hash<std::string>{}(id.key) * 31 + static_cast<std::size_t>(id.kind);
  }
};
template <>
struct std::hash<berth::uuid> {
  std::size_t operator()(const berth::uuid& id) const noexcept {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
  }
};
template <class Tag>
struct std::hash<berth::named_id<Tag>> {
  std::size_t operator()(const berth::named_id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.value);
  }
};
