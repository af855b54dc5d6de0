#include "events/core/partition.hpp"

#include <vector>

#include "tests/support/catch.hpp"

namespace berth {

TEST_CASE("partition: a stream's is CRC-32C of its name, and never another", "[events]") {
  struct row {
    stream_id stream;
    std::uint32_t of_3, of_7, of_64;
  };
  // Made with another implementation of CRC-32C.
  const std::vector<row> rows{
      {{aggregate_kind::account, "acct_1"}, 1, 1, 14},
      {{aggregate_kind::environment, "env_1"}, 1, 2, 40},
      {{aggregate_kind::terminal, "term_1"}, 1, 5, 1},
      {{aggregate_kind::session, "sess_1"}, 1, 2, 37},
      {{aggregate_kind::host, "host_1"}, 0, 6, 5},
      {{aggregate_kind::environment, "env_6z5t7689nbh0yacr2mnjphddv2"}, 2, 4, 59}};
  for (const auto& each : rows) {
    CAPTURE(each.stream.text());
    CHECK(partition_of(each.stream, 1) == 0);
    CHECK(partition_of(each.stream, 3) == each.of_3);
    CHECK(partition_of(each.stream, 7) == each.of_7);
    CHECK(partition_of(each.stream, 64) == each.of_64);
  }
}

TEST_CASE("partition: derived ids are spread over all partitions alike", "[events]") {
  constexpr std::uint32_t partitions = 64;
  constexpr int streams = 64'000;
  std::vector<int> counts(partitions);
  for (int i = 0; i < streams; ++i) {
    const auto key = derived_id("env", "acct_1", uuid::derived("test", std::to_string(i)));
    ++counts[partition_of({aggregate_kind::environment, key}, partitions)];
  }
  for (const auto count : counts) {
    CHECK(count > 850);
    CHECK(count < 1'150);
  }
}

TEST_CASE("partition: each has a home, and every ordinal there is room for has some", "[events]") {
  CHECK(home_count(1) == 1);
  CHECK(home_count(8) == 8);
  CHECK(home_count(64) == 16);
  std::vector<int> counts(home_count(64));
  for (std::uint32_t p = 0; p < 64; ++p) ++counts[home_of(p, 64)];
  for (const auto count : counts) CHECK(count == 4);
}

TEST_CASE("partition: the node at home leads while it is there", "[events]") {
  const std::vector<std::uint32_t> all{0, 1, 2};
  const std::vector<std::uint32_t> without_1{0, 2};
  std::vector<int> leads(3);
  for (std::uint32_t p = 0; p < 64; ++p) {
    const auto leader = leader_among(all, p, 64);
    REQUIRE(leader);
    ++leads[*leader];
    const auto home = home_of(p, 64);
    if (home < 3) CHECK(*leader == home);
    // Only what a node led moves when it leaves.
    if (*leader != 1) CHECK(leader_among(without_1, p, 64) == leader);
    if (*leader == 1) CHECK(leader_among(without_1, p, 64) != 1U);
  }
  for (const auto count : leads) CHECK(count > 10);
  CHECK_FALSE(leader_among({}, 0, 64));
}

TEST_CASE("partition: an id is made for its home, the same one every time", "[events]") {
  for (int i = 0; i < 200; ++i) {
    const auto command = uuid::derived("test", std::to_string(i));
    const std::uint32_t home = i % 16;
    const auto id = derived_id_at(home, 64, aggregate_kind::environment, "env", "acct_1", command);
    CHECK(home_of({aggregate_kind::environment, id}, 64) == home);
    CHECK(id == derived_id_at(home, 64, aggregate_kind::environment, "env", "acct_1", command));
  }
  // With one partition nothing changed.
  CHECK(derived_id_at(0, 1, aggregate_kind::environment, "env", "acct_1", uuid{}) ==
        derived_id("env", "acct_1", uuid{}));
}

}  // namespace berth
