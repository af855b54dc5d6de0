// The stored form of a commit: round trip, and every way its bytes can be wrong.
#include "events/core/commit.hpp"

#include "events/core/checksum.hpp"
#include "tests/support/catch.hpp"

namespace berth {
namespace {

uuid id_of(std::uint8_t byte) {
  uuid id;
  id.bytes.fill(byte);
  return id;
}

commit_body sample() {
  commit_body body;
  body.stream = {aggregate_kind::environment, "env_01hf3v7qk2m4n8p0r5s7t9w1xz"};
  body.first = {7};
  body.command = id_of(3);
  body.command_hash = 0x1122334455667788;
  body.by = {{"acct_a"}, "tok_b", false};
  body.correlation = id_of(4);
  body.because = cause{{aggregate_kind::account, "acct_a"}, {2}};
  body.asked_at = from_us(1'700'000'000'000'001);
  body.events = {{1, "first"}, {65'535, std::string("\0\xff", 2)}, {3, ""}};
  body.answer = "yes";
  return body;
}

commit_envelope envelope_of(std::uint64_t sequence) {
  commit_envelope envelope;
  envelope.partition = 3;
  envelope.epoch = 9;
  envelope.nonce = 0xABCDEF;
  envelope.sequence = sequence;
  envelope.time = from_us(1'700'000'000'000'002);
  envelope.previous_hash.fill(5);
  return envelope;
}

constexpr position here{3, 12};

}  // namespace

TEST_CASE(
    "checksum: CRC-32C has the RFC's value, continues, and is the same without the instruction",
    "[events]") {
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c_portable("123456789") == 0xE3069283);
  const std::string zeros(32, '\0');
  CHECK(crc32c(zeros) == 0x8A9136AA);
  CHECK(crc32c("456789", crc32c("123")) == 0xE3069283);
  CHECK(crc32c_portable("456789", crc32c("123")) == 0xE3069283);
}

TEST_CASE("checksum: SHA-256 of parts is that of the whole", "[events]") {
  const auto digest = sha256({"a", "", "bc"});
  CHECK(digest == sha256({"abc"}));
  CHECK(digest[0] == 0xba);
  CHECK(digest[31] == 0xad);
}

TEST_CASE("commit: a body survives its bytes, and equal bodies give equal bytes", "[events]") {
  const auto body = sample();
  const auto bytes = encode_body(body);
  CHECK(bytes == encode_body(body));
  CHECK(decode_body(bytes).value() == body);
  commit_body bare;
  bare.stream = {aggregate_kind::account, "acct_a"};
  bare.first = {1};
  CHECK(decode_body(encode_body(bare)).value() == bare);
  CHECK(bare.last().value == 0);
}

TEST_CASE("commit: a body is read from any alignment", "[events]") {
  const auto bytes = encode_body(sample());
  for (std::size_t shift = 0; shift < 16; ++shift) {
    const auto moved = std::string(shift, 'x') + bytes;
    CHECK(decode_body(std::string_view{moved}.substr(shift)).value() == sample());
  }
}

TEST_CASE("commit: a body cut or changed anywhere is read or refused, never trusted blindly",
          "[events]") {
  const auto bytes = encode_body(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = decode_body(std::string_view{bytes}.substr(0, size));
    if (cut.has_error()) CHECK(cut.error().code == journal_errc::corrupt);
  }
  CHECK(decode_body("").has_error());
  std::size_t refused = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x80);
    refused += decode_body(changed).has_error();
  }
  CHECK(refused > 20);
}

TEST_CASE("commit: a body of an unknown aggregate kind is refused by name", "[events]") {
  auto body = sample();
  body.stream.kind = static_cast<aggregate_kind>(200);
  const auto read = decode_body(encode_body(body));
  REQUIRE(read.has_error());
  CHECK(read.error().code == journal_errc::corrupt);
  CHECK(read.error().message.find("200") != std::string::npos);
}

TEST_CASE("commit: a sealed record opens to what was sealed", "[events]") {
  const auto body_bytes = encode_body(sample());
  const auto envelope = envelope_of(12);
  const auto record = seal(envelope, body_bytes);
  CHECK(record.bytes.size() == commit_envelope::size + body_bytes.size());
  const auto opened = open_record(record.bytes, here, &envelope.previous_hash).value();
  CHECK(opened.envelope.partition == 3);
  CHECK(opened.envelope.epoch == 9);
  CHECK(opened.envelope.nonce == 0xABCDEF);
  CHECK(opened.envelope.sequence == 12);
  CHECK(opened.envelope.time == envelope.time);
  CHECK(opened.envelope.previous_hash == envelope.previous_hash);
  CHECK(opened.body_bytes == body_bytes);
  CHECK(opened.hash == record.hash);
}

TEST_CASE("commit: every flipped bit and every cut of a record is found, and the place is named",
          "[events]") {
  const auto record = seal(envelope_of(12), encode_body(sample())).bytes;
  for (std::size_t at = 0; at < record.size(); ++at) {
    auto changed = record;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
    const auto opened = open_record(changed, here);
    REQUIRE(opened.has_error());
    REQUIRE(opened.error().code == journal_errc::corrupt);
    REQUIRE(opened.error().where == here);
    REQUIRE(open_record(std::string_view{record}.substr(0, at), here).has_error());
  }
  CHECK(open_record(record, here).has_value());
}

TEST_CASE("commit: a record that follows another history is refused", "[events]") {
  const auto record = seal(envelope_of(12), encode_body(sample()));
  chain_hash other{};
  const auto opened = open_record(record.bytes, here, &other);
  REQUIRE(opened.has_error());
  CHECK(opened.error().message.find("chain") != std::string::npos);
}

TEST_CASE("commit: the chain hash depends on content, order and history", "[events]") {
  const auto body = encode_body(sample());
  const auto one = seal(envelope_of(12), body).hash;
  CHECK(one == seal(envelope_of(12), body).hash);
  CHECK(one != seal(envelope_of(13), body).hash);
  auto elsewhere = envelope_of(12);
  elsewhere.previous_hash.fill(6);
  CHECK(one != seal(elsewhere, body).hash);
  CHECK(one != seal(envelope_of(12), body + "x").hash);
}

TEST_CASE("journal error: what may be retried and what nobody knows", "[events]") {
  CHECK(journal_error{journal_errc::overloaded, "", {}}.retryable());
  CHECK(journal_error{journal_errc::closed, "", {}}.retryable());
  CHECK_FALSE(journal_error{journal_errc::unknown_outcome, "", {}}.retryable());
  CHECK(journal_error{journal_errc::unknown_outcome, "", {}}.unknown_outcome());
  CHECK(std::string{name_of(journal_errc::data_loss)} == "data_loss");
}

}  // namespace berth
