#include "tools/berthd/cluster_settings.hpp"

#include "events/core/partition.hpp"

namespace berth::berthd {

std::string mistake_in(const cluster_settings& of, std::uint32_t partitions) {
  if (!of.ordinal) return "cluster.ordinal is missing: this node's number, 0, 1, 2 …";
  if (*of.ordinal >= home_count(partitions))
    return "cluster.ordinal must be below " + std::to_string(home_count(partitions)) +
           ": a topic of " + std::to_string(partitions) + " partitions has room for so many nodes";
  for (const auto& [name, value] :
       {std::pair{"listen", &of.listen}, std::pair{"certificate_file", &of.certificate_file},
        std::pair{"key_file", &of.key_file}, std::pair{"ca_file", &of.ca_file},
        std::pair{"secret_file", &of.secret_file}})
    if (value->empty()) return std::string{"cluster."} + name + " is missing";
  return {};
}

}  // namespace berth::berthd
