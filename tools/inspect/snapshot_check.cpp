#include "tools/inspect/snapshot_check.hpp"

#include <map>

#include "tools/inspect/commit_fold.hpp"
#include "tools/inspect/log_fold.hpp"

namespace berth::inspect {
namespace {

constexpr std::size_t streams_per_read = 1024;

struct taken_snapshot {
  stream_version upto;
  std::uint32_t fold_version{};
  std::string hash;
  bool was_reached{};
};

// Of each stream the newest; a server beside this may take newer ones meanwhile.
journal_result<std::map<stream_id, taken_snapshot>> newest_snapshots(const journal& from) {
  std::map<stream_id, taken_snapshot> taken;
  std::optional<stream_id> after;
  for (;;) {
    const auto found = from.list_streams(after, streams_per_read);
    if (!found) return found.error();
    for (const auto& stream : *found) {
      const auto newest = from.load_snapshot(stream);
      if (newest)
        taken[stream] = {newest->upto, newest->fold_version, sha256_hex(newest->state), false};
    }
    if (found->size() < streams_per_read) return taken;
    after = found->back();
  }
}

}  // namespace

journal_result<snapshot_report> compare_snapshots(const journal& from) {
  auto taken = newest_snapshots(from);
  if (!taken) return taken.error();
  snapshot_report report;
  fold_told told;
  for (const auto& [stream, of] : *taken) told.stops.emplace(stream, of.upto);
  told.at_stop = [&](const stream_id& stream, const folded_state& folded) {
    auto& of = taken->at(stream);
    of.was_reached = true;
    if (of.fold_version != folded.fold_version) {
      ++report.other_build;
      return;
    }
    ++report.snapshots;
    if (folded.version != of.upto || folded.hash != of.hash)
      report.different.emplace_back(stream, of.upto);
  };
  const auto folded = fold_log(from, told);
  if (!folded) return folded.error();
  report.streams = folded->streams;
  for (const auto& [stream, of] : *taken)
    if (!of.was_reached) report.different.emplace_back(stream, of.upto);
  return report;
}

}  // namespace berth::inspect
