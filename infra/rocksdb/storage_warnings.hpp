// RocksDB's warnings and errors -> embedded_options::on_warning, instead of its LOG files: those
// are written with an assertion that nothing failed before, so that a full disk would end the
// process.
#pragma once

#include <memory>

#include <rocksdb/env.h>

#include "infra/rocksdb/embedded_options.hpp"

namespace berth {

std::shared_ptr<rocksdb::Logger> storage_warnings(const embedded_options& options);

}  // namespace berth
