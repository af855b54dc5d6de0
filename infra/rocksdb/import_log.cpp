#include "infra/rocksdb/import_log.hpp"

#include <rocksdb/write_batch.h>

#include "events/core/invariant.hpp"
#include "infra/files/durable.hpp"
#include "infra/rocksdb/directory_lock.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "infra/rocksdb/head_file.hpp"
#include "infra/rocksdb/log_store.hpp"

namespace berth {
namespace {

constexpr std::size_t batch_bytes = 4 << 20;
constexpr leadership importer{1, 1};  // the first start leads with the next epoch

}  // namespace

journal_result<std::uint64_t> import_log(const embedded_options& asked, const commit_source& next) {
  const auto options = with_clock(asked);
  if (auto failed = make_folder(options.data_dir)) return *failed;
  auto lock = directory_lock::take(options.lock_path());
  if (lock.has_error()) return lock.error();
  if (holds_database(options.log_dir()))
    return journal_error{journal_errc::conflict,
                         options.log_dir().string() + ": there is a log already", std::nullopt};
  auto head = head_file::open(options.head_path(), {});
  if (head.has_error()) return head.error();
  auto log = log_store::open(options, 0);
  if (log.has_error()) return log.error();
  if (auto failed = (*log)->set_lead(importer)) return *failed;
  durable_mark last;
  timestamp time{};
  rocksdb::WriteBatch batch;
  const auto write = [&]() -> std::optional<journal_error> {
    const auto status = (*log)->append(batch);
    batch.Clear();
    if (status.ok()) return head->write(last);
    return error_of(status, options.log_dir().string(), position{0, last.offset});
  };
  for (;;) {
    auto copied = next();
    if (copied.has_error()) return copied.error();
    if (!*copied) break;
    const auto& from = **copied;
    BERTH_ASSERT(from.envelope.time >= time);
    time = from.envelope.time;
    const auto record = seal({0, importer.epoch, importer.nonce, last.offset + 1, time, last.hash},
                             encode_body(from.body));
    last = {last.offset + 1, record.hash};
    (*log)->add(batch, last.offset, record.bytes);
    if (batch.GetDataSize() >= batch_bytes)
      if (auto failed = write()) return *failed;
  }
  if (auto failed = write()) return *failed;
  if (auto failed = head->sync()) return *failed;
  return last.offset;
}

}  // namespace berth
