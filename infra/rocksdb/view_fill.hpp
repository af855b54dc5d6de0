// A generation of a view that is filled from nothing. Its rows wait in memory until they are worth
// a file; the file is sorted and given to RocksDB as it is (IngestExternalFile), which costs a
// fraction of what a log, a memtable and its flush do. The checkpoints are written by keep(), so
// that what was begun and not kept is no view. One thread.
#pragma once

#include <memory>

#include "infra/rocksdb/state_store.hpp"
#include "projections/view_store.hpp"

namespace berth {

inline constexpr std::size_t view_file_bytes = 16 << 20;  // of rows in memory

// `stored`: the generation's rows that were given away already. `state` outlives it. A file is made
// of `file_bytes`; of up to four times that while RocksDB has many files to put in order.
std::unique_ptr<view_store::batch> fill_view(const state_store& state, const view_generation& of,
                                             std::unique_ptr<const view> stored,
                                             std::size_t file_bytes = view_file_bytes);

}  // namespace berth
