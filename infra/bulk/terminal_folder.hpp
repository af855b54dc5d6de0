// What a terminal's folder holds, and how it is taken up again after a crash.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "actors/ports/bulk_log.hpp"
#include "infra/bulk/segment.hpp"
#include "infra/rocksdb/head_file.hpp"

namespace berth {

struct terminal_folder {
  bulk_extent extent;
  std::vector<segment> closed;      // in order, without a gap
  std::optional<segment> open;      // behind them
  std::uint64_t open_file_bytes{};  // of its whole blocks
};

enum class folder_use : std::uint8_t {
  write,  // cuts a torn tail, finishes what a crash interrupted, syncs what was written
  read    // changes nothing, and stops at what is durable
};

// The mark names the first offset kept too: a segment missing from the front is not mistaken for
// retention.
durable_mark mark_of(std::uint64_t first, std::uint64_t durable);
std::filesystem::path mark_path(const std::filesystem::path& folder);

// data_loss: the files end before the durable mark, both offsets named. corrupt: a segment is
// missing, or the mark cannot be read.
journal_result<terminal_folder> load_folder(const std::filesystem::path& folder,
                                            const terminal_id& terminal, folder_use use);

// Puts the files of a terminal that cannot be loaded aside (folder `damaged`) and goes on behind
// everything it ever had. Returns the offset it goes on from.
journal_result<std::uint64_t> set_aside(const std::filesystem::path& folder,
                                        const terminal_id& terminal);

// A terminal whose name may be a folder's.
bool is_folder_name(const terminal_id& terminal);

}  // namespace berth
