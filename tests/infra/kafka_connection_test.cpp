#include "infra/kafka/kafka_connection.hpp"

#include "tests/support/kafka_engines.hpp"

using namespace berth;
using namespace berth::testing;

namespace {

// The offset of the next record within the deadline; nothing, or an error that ends the reading.
journal_result<std::optional<std::uint64_t>> next_offset(kafka::connection& of,
                                                         std::chrono::seconds within) {
  const auto until = std::chrono::steady_clock::now() + within;
  std::optional<std::uint64_t> seen;
  while (!seen && std::chrono::steady_clock::now() < until) {
    bool found = false;
    if (auto lost = of.poll_record(std::chrono::milliseconds{50}, found,
                                   [&](const auto& got) { seen = got.offset; }))
      return *lost;
  }
  return seen;
}

}  // namespace

TEST_CASE("kafka: a broker that has nothing where it is read, for a moment, is read again",
          "[.kafka]") {
  kafka_node topic{kafka_on_test_brokers(1)};
  topic.open();  // makes the topic
  auto opened = kafka::connection::open(topic.options(), false);
  REQUIRE(opened);
  auto& log = **opened;
  REQUIRE_FALSE(log.assign({2}));
  // As it looks when the broker that answers is behind the one that had the records.
  const auto before = next_offset(log, std::chrono::seconds{2});
  REQUIRE(before);
  CHECK_FALSE(*before);
  for (std::uint64_t number = 1; number <= 3; ++number)
    REQUIRE(log.produce(0, {number, "key", "record", {}}));
  const auto after = next_offset(log, std::chrono::seconds{10});
  REQUIRE(after);
  CHECK(*after == 2U);
}

TEST_CASE("kafka: records that stay away are a loss", "[.kafka]") {
  kafka_node topic{kafka_on_test_brokers(1)};
  topic.open();
  auto opened = kafka::connection::open(topic.options(), false);
  REQUIRE(opened);
  REQUIRE_FALSE((*opened)->assign({5}));
  const auto found = next_offset(**opened, std::chrono::seconds{15});
  REQUIRE_FALSE(found);
  CHECK(found.error().code == journal_errc::data_loss);
}
