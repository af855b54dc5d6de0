#include "tools/replay/stream_hashes.hpp"

#include <algorithm>

#include "events/core/checksum.hpp"

namespace berth::replay {
namespace {

constexpr std::size_t commits_at_once = 2'000;

std::string_view text_of(const chain_hash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

journal_result<stream_hashes> hash_streams(const journal& from) {
  stream_hashes all;
  for (std::uint32_t partition = 0; partition < from.partitions(); ++partition) {
    for (position next{partition, 1};;) {
      const auto commits = from.read(next, commits_at_once);
      if (commits.has_error()) return commits.error();
      if (commits->empty()) break;
      for (const auto& each : *commits) {
        auto& hash = all.of[each.body.stream];
        hash = sha256({text_of(hash), encode_body(each.body)});
        all.events += each.body.events.size();
      }
      all.commits += commits->size();
      next.offset = commits->back().at().offset + 1;
    }
  }
  return all;
}

std::vector<std::string> differences(const stream_hashes& a, const stream_hashes& b,
                                     std::size_t limit) {
  std::vector<std::string> names;
  const auto compare = [&](const stream_hashes& one, const stream_hashes& other,
                           bool missing_only) {
    for (const auto& [stream, hash] : one.of) {
      if (names.size() >= limit) return;
      const auto found = other.of.find(stream);
      const bool missing = found == other.of.end();
      if (missing || (!missing_only && found->second != hash)) names.push_back(stream.text());
    }
  };
  compare(a, b, false);
  compare(b, a, true);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace berth::replay
