#include "events/core/ids.hpp"

#include <algorithm>

#include "events/core/checksum.hpp"
#include "events/core/invariant.hpp"

namespace berth {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base32_digits =
    "0123456789abcdefghjkmnpqrstvwxyz";  // Crockford: no i, l, o, u
constexpr std::size_t uuid_text_size = 36;

struct kind_name {
  aggregate_kind kind;
  std::string_view name;
};
constexpr kind_name kind_names[] = {{aggregate_kind::account, "account"},
                                    {aggregate_kind::session, "session"},
                                    {aggregate_kind::environment, "environment"},
                                    {aggregate_kind::terminal, "terminal"},
                                    {aggregate_kind::host, "host"}};

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void set_version(std::array<std::uint8_t, 16>& bytes, std::uint8_t version) {
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | (version << 4));
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
}

bool is_dash(std::size_t at) {
  return at == 8 || at == 13 || at == 18 || at == 23;
}

// Length first, so that ("ab", "c") and ("a", "bc") are different texts.
void add_part(std::string& text, std::string_view part) {
  for (int i = 0; i < 8; ++i) {
    text += static_cast<char>(static_cast<std::uint64_t>(part.size()) >> (8 * i));
  }
  text += part;
}

}  // namespace

bool uuid::is_nil() const {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

std::string uuid::text() const {
  std::string out;
  out.reserve(uuid_text_size);
  for (const auto byte : bytes) {
    if (is_dash(out.size())) out += '-';
    out += hex_digits[byte >> 4];
    out += hex_digits[byte & 15];
  }
  BERTH_ASSERT(out.size() == uuid_text_size);
  return out;
}

std::optional<std::int64_t> uuid::v7_time_ms() const {
  if ((bytes[6] >> 4) != 7 || (bytes[8] >> 6) != 2) return std::nullopt;
  std::int64_t ms = 0;
  for (int i = 0; i < 6; ++i) ms = (ms << 8) | bytes[static_cast<std::size_t>(i)];
  return ms;
}

std::optional<uuid> uuid::parse(std::string_view text) {
  if (text.size() != uuid_text_size) return std::nullopt;
  uuid out;
  std::size_t nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_dash(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const auto value = hex_value(text[i]);
    if (value < 0) return std::nullopt;
    auto& byte = out.bytes[nibble / 2];
    byte = static_cast<std::uint8_t>((byte << 4) | value);
    ++nibble;
  }
  BERTH_ASSERT(nibble == 32);
  return out;
}

uuid uuid::v7(std::int64_t time_ms, const std::array<std::uint8_t, 10>& random) {
  BERTH_ASSERT(time_ms >= 0 && time_ms < (std::int64_t{1} << 48));
  uuid out;
  for (std::size_t i = 0; i < 6; ++i) {
    out.bytes[i] = static_cast<std::uint8_t>(time_ms >> (8 * (5 - i)));
  }
  std::copy(random.begin(), random.end(), out.bytes.begin() + 6);
  set_version(out.bytes, 7);
  return out;
}

uuid uuid::derived(std::string_view domain, std::string_view part_a, std::string_view part_b) {
  BERTH_ASSERT(!domain.empty());
  std::string text;
  add_part(text, domain);
  add_part(text, part_a);
  add_part(text, part_b);
  const auto digest = sha256({text});
  uuid out;
  std::copy_n(digest.begin(), out.bytes.size(), out.bytes.begin());
  set_version(out.bytes, 8);
  return out;
}

std::string base32(const std::array<std::uint8_t, 16>& bits) {
  std::string out;
  std::uint32_t buffer = 0;
  int buffered = 2;  // 26 * 5 = 130: two zero bits come first
  for (const auto byte : bits) {
    buffer = (buffer << 8) | byte;
    buffered += 8;
    while (buffered >= 5) {
      buffered -= 5;
      out += base32_digits[(buffer >> buffered) & 31];
    }
  }
  BERTH_ASSERT(buffered == 0 && out.size() == 26);
  return out;
}

std::string derived_id(std::string_view prefix, std::string_view account,
                       const command_id& command) {
  BERTH_ASSERT(!prefix.empty());
  const std::string_view bytes{reinterpret_cast<const char*>(command.bytes.data()),
                               command.bytes.size()};
  return std::string{prefix} + "_" + base32(uuid::derived(prefix, account, bytes).bytes);
}

std::string_view name_of(aggregate_kind kind) {
  for (const auto& known : kind_names) {
    if (known.kind == kind) return known.name;
  }
  return "unknown";
}

std::optional<aggregate_kind> parse_aggregate_kind(std::string_view name) {
  for (const auto& known : kind_names) {
    if (known.name == name) return known.kind;
  }
  return std::nullopt;
}

std::string stream_id::text() const {
  return std::string{name_of(kind)} + "/" + key;
}

std::optional<stream_id> stream_id::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || slash + 1 == text.size()) return std::nullopt;
  const auto kind = parse_aggregate_kind(text.substr(0, slash));
  if (!kind) return std::nullopt;
  return stream_id{*kind, std::string{text.substr(slash + 1)}};
}

}  // namespace berth
