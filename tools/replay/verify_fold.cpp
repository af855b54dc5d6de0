#include "tools/replay/verify_fold.hpp"

#include <fstream>
#include <iterator>
#include <map>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "infra/rocksdb/embedded_engine.hpp"
#include "tools/inspect/log_fold.hpp"
#include "tools/inspect/queries.hpp"
#include "tools/inspect/stream_fold.hpp"

namespace berth::replay {
namespace json = boost::json;
namespace {

constexpr std::size_t streams_per_read = 1024;

// Calls `visit(stream)` until it returns an error.
template <class Visit>
std::optional<journal_error> each_stream(const journal& from, Visit visit) {
  std::optional<stream_id> after;
  for (;;) {
    const auto found = from.list_streams(after, streams_per_read);
    if (!found) return found.error();
    for (const auto& stream : *found)
      if (auto error = visit(stream)) return error;
    if (found->size() < streams_per_read) return {};
    after = found->back();
  }
}

}  // namespace

int verify_fold(const embedded_options& engine, bool as_json) {
  const auto reader = open_reader(engine);
  if (!reader) return inspect::fail(reader.error());
  const auto& from = (*reader)->journal();
  // Of each stream the newest snapshot, which a server beside this may replace meanwhile.
  std::unordered_map<stream_id, snapshot> taken;
  inspect::fold_told told;
  const auto error =
      each_stream(from, [&](const stream_id& stream) -> std::optional<journal_error> {
        auto newest = from.load_snapshot(stream);
        if (!newest) return {};
        told.stops.emplace(stream, newest->upto);
        taken.emplace(stream, std::move(*newest));
        return {};
      });
  if (error) return inspect::fail(*error);
  std::uint64_t snapshots = 0, other_build = 0;
  json::array different;
  told.at_stop = [&](const stream_id& stream, const inspect::folded_state& folded) {
    const auto& of = taken.at(stream);
    if (of.fold_version != folded.fold_version) {
      ++other_build;
      return;
    }
    ++snapshots;
    if (folded.version != of.upto || folded.state != of.state)
      different.push_back(json::object{{"stream", stream.text()}, {"version", of.upto.value}});
  };
  const auto folded = inspect::fold_log(from, told);
  if (!folded) return inspect::fail(folded.error());
  const auto streams = folded->streams;
  if (as_json) {
    fmt::print("{}\n", json::serialize(json::object{{"ok", different.empty()},
                                                    {"streams", streams},
                                                    {"snapshots", snapshots},
                                                    {"snapshots_of_other_builds", other_build},
                                                    {"different", different}}));
  } else {
    fmt::print("{} streams folded from their first event, {} snapshots compared, {} different\n",
               streams, snapshots, different.size());
    for (const auto& each : different)
      fmt::print("  {} at version {}: the snapshot is not what its events give\n",
                 each.at("stream").as_string().c_str(),
                 each.at("version").to_number<std::uint64_t>());
  }
  return different.empty() ? inspect::exit_ok : inspect::exit_corrupt;
}

int state_hashes(const embedded_options& engine, const std::string& against) {
  const auto reader = open_reader(engine);
  if (!reader) return inspect::fail(reader.error());
  const auto& from = (*reader)->journal();
  if (against.empty()) {
    std::map<stream_id, json::object> all;
    inspect::fold_told told;
    told.at_end = [&](const stream_id& stream, const inspect::folded_state& folded) {
      all[stream] = {
          {"stream", stream.text()}, {"version", folded.version.value}, {"hash", folded.hash}};
    };
    if (auto folded = inspect::fold_log(from, told); !folded) return inspect::fail(folded.error());
    json::array listed;
    for (auto& [stream, each] : all) listed.push_back(std::move(each));
    fmt::print("{}\n", json::serialize(listed));
    return inspect::exit_ok;
  }
  std::ifstream file(against);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::uint64_t compared = 0, different = 0;
  const auto listed = json::parse(text);
  for (const auto& each : listed.as_array()) {
    const auto name = json::value_to<std::string>(each.at("stream"));
    const auto stream = stream_id::parse(name);
    if (!stream)
      return inspect::fail(inspect::exit_usage,
                           fmt::format("{}: \"{}\" is no stream", against, name));
    const auto folded = inspect::fold_stream(
        from, *stream, {stream_version{each.at("version").to_number<std::uint64_t>()}, {}});
    if (!folded) return inspect::fail(folded.error());
    ++compared;
    if (folded->hash == json::value_to<std::string>(each.at("hash"))) continue;
    ++different;
    fmt::print("{} at version {}: {} here, {} there\n", name, folded->version.value, folded->hash,
               each.at("hash").as_string().c_str());
  }
  fmt::print("{} streams compared, {} different\n", compared, different);
  return different == 0 ? inspect::exit_ok : inspect::exit_corrupt;
}

}  // namespace berth::replay
