// Every byte of every terminal's output read and compared with its checksum: scrub and verify.
#pragma once

#include <cstdint>
#include <vector>

#include "actors/ports/bulk_log.hpp"
#include "events/core/journal.hpp"
#include "infra/files/read_pace.hpp"

namespace berth {

struct output_report {
  std::uint64_t terminals{};
  std::uint64_t bytes{};
  std::vector<journal_error> problems;  // empty: all is well
};

// The terminals that the journal knows. What retention drops meanwhile is no problem.
output_report check_output(const journal& log, bulk_log& bulk, const read_pace& pace);

}  // namespace berth
