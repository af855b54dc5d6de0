#include "infra/bulk/check_output.hpp"

namespace berth {
namespace {

constexpr std::size_t streams_per_read = 1024;
constexpr std::size_t bytes_per_read = 1024 * 1024;

// False: the pace ended it.
bool read_all(bulk_log& bulk, const terminal_id& terminal, const read_pace& pace,
              output_report& into) {
  const auto extent = bulk.extent(terminal);
  if (extent.durable == 0) return true;
  ++into.terminals;
  for (auto at = extent.first; at < extent.durable;) {
    const auto piece = bulk.read(terminal, at, bytes_per_read);
    if (!piece && at < bulk.extent(terminal).first) return true;
    if (!piece) {
      into.problems.push_back(piece.error());
      return true;
    }
    if (piece->empty()) {
      into.problems.push_back({journal_errc::data_loss,
                               terminal.value + ": output ends at " + std::to_string(at) +
                                   ", not " + std::to_string(extent.durable),
                               {}});
      return true;
    }
    at += piece->size();
    into.bytes += piece->size();
    if (!pace(piece->size())) return false;
  }
  return true;
}

}  // namespace

output_report check_output(const journal& log, bulk_log& bulk, const read_pace& pace) {
  output_report report;
  std::optional<stream_id> after;
  for (;;) {
    const auto found = log.list_streams(after, streams_per_read);
    if (!found) {
      report.problems.push_back(found.error());
      return report;
    }
    for (const auto& stream : *found)
      if (stream.kind == aggregate_kind::terminal)
        if (!read_all(bulk, {stream.key}, pace, report)) return report;
    if (found->size() < streams_per_read) return report;
    after = found->back();
  }
}

}  // namespace berth
