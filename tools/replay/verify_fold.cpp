#include "tools/replay/verify_fold.hpp"

#include <fstream>
#include <iterator>
#include <map>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "infra/rocksdb/embedded_engine.hpp"
#include "tools/inspect/log_fold.hpp"
#include "tools/inspect/queries.hpp"
#include "tools/inspect/snapshot_check.hpp"
#include "tools/inspect/stream_fold.hpp"

namespace berth::replay {
namespace json = boost::json;
int verify_fold(const embedded_options& engine, bool as_json) {
  const auto reader = open_reader(engine);
  if (!reader) return inspect::fail(reader.error());
  const auto found = inspect::compare_snapshots((*reader)->journal());
  if (!found) return inspect::fail(found.error());
  if (as_json) {
    json::array different;
    for (const auto& [stream, version] : found->different)
      different.push_back(json::object{{"stream", stream.text()}, {"version", version.value}});
    fmt::print("{}\n",
               json::serialize(json::object{{"ok", different.empty()},
                                            {"streams", found->streams},
                                            {"snapshots", found->snapshots},
                                            {"snapshots_of_other_builds", found->other_build},
                                            {"different", different}}));
  } else {
    fmt::print("{} streams folded from their first event, {} snapshots compared, {} different\n",
               found->streams, found->snapshots, found->different.size());
    for (const auto& [stream, version] : found->different)
      fmt::print("  {} at version {}: the snapshot is not what its events give\n", stream.text(),
                 version.value);
  }
  return found->different.empty() ? inspect::exit_ok : inspect::exit_corrupt;
}

int state_hashes(const embedded_options& engine, const std::string& against) {
  const auto reader = open_reader(engine);
  if (!reader) return inspect::fail(reader.error());
  const auto& from = (*reader)->journal();
  if (against.empty()) {
    std::map<std::string, json::object> all;
    inspect::fold_told told;
    told.at_end = [&](const stream_id& stream, const inspect::folded_state& folded) {
      all[stream.text()] = {
          {"stream", stream.text()}, {"version", folded.version.value}, {"hash", folded.hash}};
    };
    if (auto folded = inspect::fold_log(from, told); !folded) return inspect::fail(folded.error());
    json::array listed;
    for (auto& [name, each] : all) listed.push_back(std::move(each));
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
