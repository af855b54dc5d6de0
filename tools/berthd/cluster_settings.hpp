// What berthd is told of the nodes it is one of: the [cluster] table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace berth::berthd {

struct cluster_settings {
  std::optional<std::uint32_t> ordinal;  // nothing: this server is alone
  std::string listen;                    // ADDRESS:PORT for the other nodes
  std::string advertise;                 // HOST:PORT as they reach it; empty: `listen`
  std::string certificate_file;
  std::string key_file;
  std::string ca_file;
  std::string secret_file;  // 64 hexadecimal digits: the server key of all nodes
};

// What is wrong with them; empty: nothing. `partitions` of the topic bound the ordinals.
std::string mistake_in(const cluster_settings& of, std::uint32_t partitions);

}  // namespace berth::berthd
