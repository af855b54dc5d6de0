// Where the commits of a stream and of a command are: the index of the memory engine, and in the
// RocksDB engine the part of the log that its on-disk index does not cover yet. Not synchronised:
// the engine that owns it locks.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "events/core/commit.hpp"
#include "events/core/journal.hpp"

namespace berth {

// A commit's place in its stream. Eventless commits repeat the version before.
struct stream_place {
  stream_version last;
  std::uint64_t offset{};
  bool operator==(const stream_place&) const = default;
};

// A command id in its deduplication scope.
struct command_key {
  account_id scope;
  command_id id;
  bool operator==(const command_key&) const = default;
};

struct command_key_hash {
  std::size_t operator()(const command_key& key) const noexcept {
    return std::hash<account_id>{}(key.scope) * 31 + std::hash<uuid>{}(key.id);
  }
};

// What an index knows of one commit.
struct indexed_commit {
  stream_id stream;
  stream_place place;
  command_key command;
  timestamp time;
  std::size_t bytes{};  // of the record

  static indexed_commit of(const commit& happened, std::size_t record_bytes);
};

class commit_index {
 public:
  // Offsets are added in order without a gap. O(1).
  void add(indexed_commit happened);
  // Forgets at most `count` of the oldest commits.
  void drop_oldest(std::size_t count);
  // Forgets the commits at offsets above `last`: they were written and never durable.
  void drop_after(std::uint64_t last);
  void clear();

  // Places with version > `after`, oldest first, appended to `into` until it holds `limit`.
  void places_after(const stream_id& stream, stream_version after, std::size_t limit,
                    std::vector<stream_place>& into) const;
  std::optional<stream_place> last_of(const stream_id& stream) const;
  std::optional<std::uint64_t> find(const command_key& command) const;
  // Streams with a name > `after`, in order of name. O(n log n).
  std::vector<stream_id> list(const std::string& after, std::size_t limit) const;

  const std::deque<indexed_commit>& commits() const { return commits_; }  // oldest first
  std::size_t bytes() const { return bytes_; }                            // of their records

 private:
  std::deque<indexed_commit> commits_;
  std::unordered_map<stream_id, std::deque<stream_place>> places_;
  std::unordered_map<command_key, std::uint64_t, command_key_hash> commands_;
  std::size_t bytes_{};
};

}  // namespace berth
