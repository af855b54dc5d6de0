#include "infra/rocksdb/view_fill.hpp"

#include <cstdlib>

#include <rocksdb/sst_file_writer.h>
#include <rocksdb/write_batch.h>

#include "events/core/journal_cursor.hpp"
#include "infra/memory/row_overlay.hpp"
#include "infra/rocksdb/keys.hpp"
#include "infra/rocksdb/rocksdb_error.hpp"

namespace berth {
namespace {

// RocksDB slows every writer of state/ down at 20 files without order, and files that are given to
// it do not wait for that.
constexpr int unordered_files_many = 12;
constexpr std::size_t known_rows_max = 64 * 1024;  // read ones, kept between two files

class view_fill : public overlay_batch {
 public:
  view_fill(const state_store& state, const view_generation& of, std::unique_ptr<const view> stored,
            std::size_t file_bytes)
      : overlay_batch{row_overlay{std::move(stored), known_rows_max}},
        db_{state.db()},
        of_{of},
        file_bytes_{file_bytes},
        path_{state.filling_folder() / (of.name + '-' + std::to_string(of.generation))} {}

  journal_result<bool> commit(std::span<const position> checkpoints) override {
    for (const auto& each : checkpoints) checkpoint_.set(each);
    const auto bytes = rows_.changed_bytes();
    if (bytes < file_bytes_ || (bytes < 4 * file_bytes_ && is_crowded())) return true;
    return give_away();
  }

  journal_result<bool> keep() override {
    if (auto given = give_away(); !given) return given;
    rocksdb::WriteBatch batch;
    for (const auto& each : checkpoint_.places())
      batch.Put(keys::checkpoint_key(of_, each.partition), keys::number(each.offset));
    const auto status = db_.Write({}, &batch);
    if (!status.ok()) return failed(status);
    return true;
  }

 private:
  bool is_crowded() const {
    std::string files;
    return db_.GetProperty(rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &files) &&
           std::atoi(files.c_str()) >= unordered_files_many;
  }

  journal_result<bool> give_away() {
    if (rows_.changed_rows() == 0) return true;
    auto status = write_file();
    if (status.ok()) {
      rocksdb::IngestExternalFileOptions how;
      how.move_files = true;
      how.write_global_seqno = false;  // the file stays what its checksum says
      status = db_.IngestExternalFile({path_.string()}, how);
    }
    std::error_code gone_already;
    std::filesystem::remove(path_, gone_already);
    if (!status.ok()) return failed(status);
    rows_.written();
    return true;
  }

  rocksdb::Status write_file() {
    const auto settings = db_.GetOptions();
    rocksdb::SstFileWriter file{rocksdb::EnvOptions{settings}, settings};
    auto status = file.Open(path_.string());
    const auto prefix = keys::generation_prefix(keys::table::view_row, of_);
    rows_.each_changed([&](const std::string& key, const std::optional<std::string>& row) {
      if (!status.ok()) return;
      status = row ? file.Put(prefix + key, *row) : file.Delete(prefix + key);
    });
    return status.ok() ? file.Finish() : status;
  }

  journal_error failed(const rocksdb::Status& status) const {
    const auto places = checkpoint_.places();
    return error_of(status, "view " + of_.name,
                    places.empty() ? std::nullopt : std::optional{places.front()});
  }

  rocksdb::DB& db_;
  view_generation of_;
  std::size_t file_bytes_;
  std::filesystem::path path_;
  journal_cursor checkpoint_;
};

}  // namespace

std::unique_ptr<view_store::batch> fill_view(const state_store& state, const view_generation& of,
                                             std::unique_ptr<const view> stored,
                                             std::size_t file_bytes) {
  return std::make_unique<view_fill>(state, of, std::move(stored), file_bytes);
}

}  // namespace berth
