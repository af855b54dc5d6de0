// What RocksDB calls an error -> embedded_options::on_storage_error, instead of its LOG files:
// those are written with an assertion that nothing failed before, so that a full disk would end the
// process.
#pragma once

#include <memory>

#include <rocksdb/env.h>

#include "infra/rocksdb/embedded_options.hpp"

namespace berth {

std::shared_ptr<rocksdb::Logger> storage_errors(const embedded_options& options);

}  // namespace berth
