#include <array>

#include "events/account/aggregate.hpp"
#include "events/core/arguments.hpp"
#include "events/core/ids.hpp"
#include "events/core/instance_type.hpp"
#include "events/core/time.hpp"
#include "events/environment/aggregate.hpp"
#include "events/event_json.hpp"
#include "events/terminal/aggregate.hpp"
#include "tests/support/catch.hpp"

namespace berth {

TEST_CASE("ids: a UUID has the text of RFC 9562 and back, in either case", "[events]") {
  const auto id = uuid::parse("019000d4-89ab-7cde-8f01-23456789abcd");
  REQUIRE(id);
  CHECK(id->text() == "019000d4-89ab-7cde-8f01-23456789abcd");
  CHECK(uuid::parse("019000D4-89AB-7CDE-8F01-23456789ABCD") == id);
  CHECK(id->v7_time_ms() == 0x019000d489ab);
  for (const auto* bad :
       {"", "019000d4-89ab-7cde-8f01-23456789abc", "019000d489ab7cde8f0123456789abcd",
        "019000d4-89ab-7cde-8f01-23456789abcg", "019000d4-89ab-7cde-8f0123456789-abcd"}) {
    CAPTURE(bad);
    CHECK_FALSE(uuid::parse(bad));
  }
}

TEST_CASE("ids: version 7 carries its time and the bits of the RFC", "[events]") {
  std::array<std::uint8_t, 10> random;
  random.fill(0xff);
  const auto id = uuid::v7(1'700'000'000'123, random);
  CHECK(id.v7_time_ms() == 1'700'000'000'123);
  CHECK(id.text() == "018bcfe5-687b-7fff-bfff-ffffffffffff");
  CHECK_FALSE(uuid::derived("a", "b").v7_time_ms());
  CHECK(uuid{}.is_nil());
}

TEST_CASE("ids: derived ids depend on every part and its borders, and never change", "[events]") {
  CHECK(uuid::derived("d", "ab", "c") != uuid::derived("d", "a", "bc"));
  CHECK(uuid::derived("d", "ab") != uuid::derived("da", "b"));
  CHECK(uuid::derived("d", "ab", "c").text() == uuid::derived("d", "ab", "c").text());
  const auto command = *uuid::parse("018bcfe5-687b-7fff-bfff-ffffffffffff");
  const auto id = derived_id("env", "acct_1", command);
  CHECK(id == "env_6z5t7689nbh0yacr2mnjphddv2");
  CHECK(derived_id("env", "acct_2", command) != id);
}

TEST_CASE("ids: base32 is Crockford's, lower case, 26 characters", "[events]") {
  std::array<std::uint8_t, 16> bits{};
  CHECK(base32(bits) == "00000000000000000000000000");
  bits.fill(0xff);
  CHECK(base32(bits) == "7zzzzzzzzzzzzzzzzzzzzzzzzz");
  bits.fill(0);
  bits[15] = 32;
  CHECK(base32(bits) == "00000000000000000000000010");
}

TEST_CASE("ids: a stream's name reads back, others are refused", "[events]") {
  const stream_id id{aggregate_kind::terminal, "term_1"};
  CHECK(id.text() == "terminal/term_1");
  CHECK(stream_id::parse("terminal/term_1") == id);
  for (const auto* bad : {"", "terminal", "terminal/", "planet/x", "/x"})
    CHECK_FALSE(stream_id::parse(bad));
}

TEST_CASE("time: RFC 3339 with microseconds, and back", "[events]") {
  CHECK(to_rfc3339(from_us(0)) == "1970-01-01T00:00:00.000000Z");
  CHECK(to_rfc3339(from_us(1'795'266'245'000'001)) == "2026-11-21T13:04:05.000001Z");
  CHECK(parse_rfc3339("2026-11-21T13:04:05.000001Z") == from_us(1'795'266'245'000'001));
  CHECK(parse_rfc3339("2026-11-21T14:04:05.000001+01:00") == from_us(1'795'266'245'000'001));
  CHECK(parse_rfc3339("2026-11-21T13:04:05Z") == from_us(1'795'266'245'000'000));
  CHECK(parse_rfc3339("2026-11-21T13:04:05.1234567Z") == from_us(1'795'266'245'123'456));
  CHECK(parse_rfc3339("2024-02-29T00:00:00Z").has_value());
  for (const auto* bad :
       {"", "2026-11-21", "2026-11-21T13:04:05", "2026-02-29T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T13:04:05.Z", "2026-11-21T13:04:05Zx", "2026-13-01T00:00:00Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_rfc3339(bad));
  }
}

TEST_CASE("instance types: the four of the product, with prices in the current list only",
          "[events]") {
  CHECK(instance_types().size() == 4);
  const auto* type = find_instance_type("memory");
  REQUIRE(type != nullptr);
  CHECK(type->cpu_millis == 2000);
  CHECK(type->memory_bytes == 8ull << 30);
  CHECK(price_of(current_price_list, "memory") == 64'000'000);
  CHECK_FALSE(price_of("2025-01", "memory"));
  CHECK(find_instance_type("huge") == nullptr);
}

TEST_CASE("arguments: text is cut at a character's border and judged as RFC 3629 does",
          "[events]") {
  CHECK(clipped("aé", 2) == "a");
  CHECK(clipped("aé", 3) == "aé");
  CHECK(is_utf8("é€😀"));
  for (const auto* bad :
       {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f"}) {
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("event json: names, defaults, enums, ids and bytes", "[events]") {
  using namespace environment;
  const auto at = from_us(5);
  const auto asked = environment::aggregate::encode(
      exec_asked{{{"exec_1"},
                  *uuid::parse("018bcfe5-687b-7fff-bfff-ffffffffffff"),
                  {"echo", "\"x\""},
                  {{"A", "1"}},
                  std::string("\xff\x00", 2),
                  "",
                  1000},
                 at,
                 at});
  CHECK(event_name(aggregate_kind::environment, asked.type) == "exec_asked");
  CHECK(event_to_json(aggregate_kind::environment, asked) ==
        R"({"exec":"exec_1","effect":"018bcfe5-687b-7fff-bfff-ffffffffffff",)"
        R"("command":["echo","\"x\""],"env":[{"name":"A","value":"1"}],)"
        R"("stdin_bytes":{"base64":"/wA="},"working_directory":"",)"
        R"("timeout_ms":1000,"at_us":5,"deadline_us":5})");
  const auto stopped = environment::aggregate::encode(stop_asked{stop_reason::asked, at, at});
  CHECK(event_to_json(aggregate_kind::environment, stopped) ==
        R"({"reason":"asked","at_us":5,"deadline_us":5})");
  const auto created =
      environment::aggregate::encode(environment::created{{"a"}, "n", "t", "host", "p", 1, at, at});
  CHECK(event_to_json(aggregate_kind::environment, created).find(R"("template":"host")") !=
        std::string::npos);
}

TEST_CASE("event json: a token's hash is hex, an unknown type says so, a state is printed whole",
          "[events]") {
  account::token_issued token{{"tok_1"}, "ci\x01\xff", {}, {}, from_us(5)};
  token.hash.fill(0xab);
  const auto record = account::aggregate::encode(token);
  const auto json = event_to_json(aggregate_kind::account, record);
  CHECK(json.find(R"("label":"ci\u0001\ufffd","secret_hash":"abab)") != std::string::npos);
  CHECK(event_name(aggregate_kind::account, 999) == "unknown_999");
  CHECK(event_to_json(aggregate_kind::account, {999, record.payload}).find("unreadable") !=
        std::string::npos);
  CHECK(event_to_json(aggregate_kind::account, {1, record.payload}).find("unreadable") !=
        std::string::npos);
  CHECK(event_to_json(aggregate_kind::account, {record.type, "x"}).find("unreadable") !=
        std::string::npos);
  terminal::state state;
  state.status = terminal::status::running;
  const auto shown =
      state_to_json(aggregate_kind::terminal, terminal::aggregate::encode_state(state));
  CHECK(shown.find(R"("status":"running")") != std::string::npos);
  CHECK(shown.find(R"("ended":null)") != std::string::npos);
}

TEST_CASE("codec: an event type of a later build is unknown, not malformed", "[events]") {
  auto record = environment::aggregate::encode(environment::deleted{from_us(5)});
  record.type = 999;
  const auto read = environment::aggregate::decode(record);
  REQUIRE(read.has_error());
  CHECK(read.error().why == decode_error::reason::unknown_type);
  record.type = 1;
  CHECK(environment::aggregate::decode(record).error().why == decode_error::reason::malformed);
}

}  // namespace berth
