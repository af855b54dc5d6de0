// Bulk logs in segment files. Specification: actors/ports/bulk_log.hpp.
//
//   append ──> pending (memory) ──50 ms or 4 MiB──> open segment, fdatasync, durable mark ──> told
//                                                   full: closed ──> compressed by a slow thread
//
// A write or sync that fails ends the log (on_fatal); it is never retried.
#pragma once

#include <memory>

#include "actors/ports/bulk_log.hpp"
#include "infra/bulk/bulk_options.hpp"

namespace berth {

// Takes up every terminal in the folder; creates it if there is none. data_loss or corrupt name
// terminal and offsets.
journal_result<std::unique_ptr<bulk_log>> open_bulk_log(const bulk_options& options);

// For tools beside a running server: what is durable at each call; append, retain and remove change
// nothing.
journal_result<std::unique_ptr<bulk_log>> open_bulk_reader(const bulk_options& options);

// Where a terminal whose files could not be taken up goes on, everything before being set aside.
struct accepted_bulk_loss {
  terminal_id terminal;
  std::string problem;
  std::uint64_t continues_at{};
};
// Mends every terminal that open_bulk_log refuses. No server may run.
journal_result<std::vector<accepted_bulk_loss>> accept_bulk_loss(const bulk_options& options);

}  // namespace berth
