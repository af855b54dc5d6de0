#include "tools/replay/export_recording.hpp"

#include <cstdio>
#include <memory>

#include <fmt/format.h>

#include "gateway/recording/recording.hpp"
#include "infra/bulk/segment_bulk_log.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "tools/inspect/queries.hpp"

namespace berth::replay {
namespace {

constexpr std::size_t raw_window_bytes = 1024 * 1024;

struct file_closer {
  void operator()(std::FILE* file) const {
    if (file != stdout) std::fclose(file);
  }
};

// The exact bytes, piece by piece.
gateway::body_stream raw_bytes(const terminal_id& terminal, bulk_log& bulk,
                               std::optional<journal_error>& problem) {
  const auto extent = bulk.extent(terminal);
  return [&bulk, &problem, terminal, at = extent.first,
          until = extent.next](std::string& chunk) mutable {
    if (at >= until) return false;
    auto piece = bulk.read(terminal, at, raw_window_bytes);
    if (!piece) problem = piece.error();
    if (!piece || piece->empty()) return false;
    chunk = std::move(*piece);
    at += chunk.size();
    return true;
  };
}

}  // namespace

int export_recording(const embedded_options& engine, const std::string& name,
                     const std::string& format, const std::string& file) {
  const terminal_id terminal{name};
  const auto reader = open_reader(engine);
  if (!reader) return inspect::fail(reader.error());
  const auto story = gateway::read_story((*reader)->journal(), terminal);
  if (!story) return inspect::fail(story.error());
  if (story->began == timestamp{})
    return inspect::fail(inspect::exit_not_found, fmt::format("there is no terminal {}", name));
  bulk_options options;
  options.dir = engine.data_dir / "bulk";
  const auto bulk = open_bulk_reader(options);
  if (!bulk) return inspect::fail(bulk.error());
  const std::unique_ptr<std::FILE, file_closer> out(file.empty() ? stdout
                                                                 : std::fopen(file.c_str(), "wbx"));
  if (!out)
    return inspect::fail(inspect::exit_error, fmt::format("{} cannot be made, or exists", file));
  std::optional<journal_error> problem;
  const journal_result<gateway::body_stream> next =
      format == "raw"
          ? journal_result<gateway::body_stream>{raw_bytes(terminal, **bulk, problem)}
          : gateway::record(*story, **bulk,
                            format == "asciicast-v2" ? gateway::asciicast_format::v2
                                                     : gateway::asciicast_format::v3);
  if (!next) return inspect::fail(next.error());
  for (std::string chunk; (*next)(chunk);)
    if (std::fwrite(chunk.data(), 1, chunk.size(), out.get()) != chunk.size())
      return inspect::fail(inspect::exit_error, "the recording could not be written whole");
  if (std::fflush(out.get()) != 0)
    return inspect::fail(inspect::exit_error, "the recording could not be written whole");
  return problem ? inspect::fail(*problem) : inspect::exit_ok;
}

}  // namespace berth::replay
