// Input is applied once: the last applied sequence number of each input stream of one terminal.
// Pure.
//
// A stream starts at sequence 1. The least recently used of more than streams_max is evicted; its
// name is remembered, so that a client that comes back with it is refused instead of being applied
// twice.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <set>

#include "infra/agent/protocol/message.hpp"

namespace berth::agent {

class input_table {
 public:
  static constexpr std::size_t streams_max = 64;
  static constexpr std::size_t evicted_names_max = 4096;

  enum class verdict : std::uint8_t {
    apply,    // the next one: queue it, then accepted()
    applied,  // done before
    pending,  // accepted before, not written yet
    unknown_stream,
    gap,
  };
  verdict judge(const id_bytes& stream, std::uint64_t sequence) const;
  void accepted(const id_bytes& stream, std::uint64_t sequence);  // after `apply`
  void applied(const id_bytes& stream, std::uint64_t sequence);   // in the order of acceptance
  std::uint64_t last_applied(const id_bytes& stream) const;

 private:
  struct entry {
    std::uint64_t accepted{};
    std::uint64_t applied{};
    std::list<id_bytes>::iterator used;
  };
  void evict();

  std::map<id_bytes, entry> streams_;
  std::list<id_bytes> by_use_;  // front = least recently used
  std::set<id_bytes> evicted_;
  std::deque<id_bytes> evicted_order_;
};

}  // namespace berth::agent
