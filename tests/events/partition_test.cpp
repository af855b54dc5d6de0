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

}  // namespace berth
