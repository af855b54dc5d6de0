// A generation of a view that is filled from nothing. Its rows wait in memory until they are worth
// a file; the file is sorted and given to RocksDB as it is (IngestExternalFile), which costs a
// fraction of what a log, a memtable and its flush do. The checkpoint is written by keep(), so that
// what was begun and not kept is no view. One thread.
#pragma once

#include <memory>

#include "infra/rocksdb/state_store.hpp"
#include "projections/view_store.hpp"

namespace berth {

// `stored`: the generation's rows that were given away already. `state` outlives it.
std::unique_ptr<view_store::batch> fill_view(const state_store& state, const view_generation& of,
                                             std::unique_ptr<const view> stored);

}  // namespace berth
