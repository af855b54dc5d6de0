// berth-inspect verify and accept-loss: find damage, and decide about it.
#pragma once

#include "infra/rocksdb/embedded_options.hpp"
#include "tools/inspect/queries.hpp"

namespace berth::inspect {

// Every record of the journal and every kept byte of terminal output, against its checksum.
int verify_all(const embedded_options& engine, const output& how);

// Cuts the log behind its last intact record and sets damaged terminal output aside. Without `yes`
// only says so.
int accept(const embedded_options& engine, const output& how, bool yes);

}  // namespace berth::inspect
