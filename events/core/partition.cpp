#include "events/core/partition.hpp"

#include <algorithm>

#include "events/core/checksum.hpp"
#include "events/core/commit.hpp"
#include "events/core/invariant.hpp"

namespace berth {

std::uint32_t partition_of(const stream_id& stream, std::uint32_t partitions) {
  BERTH_ASSERT(partitions > 0);
  return partitions == 1 ? 0 : crc32c(stream.text()) % partitions;
}

std::uint32_t home_count(std::uint32_t partitions) {
  return std::min(partitions, ordinals_max);
}

std::uint32_t home_of(std::uint32_t partition, std::uint32_t partitions) {
  return partition % home_count(partitions);
}

std::uint32_t home_of(const stream_id& stream, std::uint32_t partitions) {
  return home_of(partition_of(stream, partitions), partitions);
}

std::optional<std::uint32_t> leader_among(std::span<const std::uint32_t> present,
                                          std::uint32_t partition, std::uint32_t partitions) {
  if (present.empty()) return std::nullopt;
  const auto home = home_of(partition, partitions);
  if (std::binary_search(present.begin(), present.end(), home)) return home;
  const auto weight = [&](std::uint32_t ordinal) {
    return content_hash(std::to_string(partition) + "@" + std::to_string(ordinal));
  };
  return *std::max_element(present.begin(), present.end(), [&](auto a, auto b) {
    return std::pair{weight(a), a} < std::pair{weight(b), b};
  });
}

std::string derived_id_at(std::uint32_t home, std::uint32_t partitions, aggregate_kind kind,
                          std::string_view prefix, std::string_view account,
                          const command_id& command) {
  BERTH_ASSERT(home < home_count(partitions));
  auto id = derived_id(prefix, account, command);
  for (std::uint32_t n = 1; home_of({kind, id}, partitions) != home; ++n)
    id = derived_id(prefix, std::string{account} + "#" + std::to_string(n), command);
  return id;
}

}  // namespace berth
