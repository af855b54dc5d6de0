// A file system for RocksDB that knows what has been synced: syncs can be held or fail, and a power
// cut can be asked for at any moment, while the database is running.
//
//   file:  [ synced | written, not synced ]     a power cut keeps the first part and any prefix of
//   the second
#pragma once

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <string>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace berth::testing {

class simulated_disk : public rocksdb::FileSystemWrapper {
 public:
  simulated_disk() : FileSystemWrapper{rocksdb::FileSystem::Default()} {}
  const char* Name() const override { return "berth.simulated_disk"; }

  // From now on every sync of a file below a folder of this name fails.
  void fail_syncs_below(const std::string& folder) {
    const std::lock_guard lock{mutex_};
    failing_folder_ = "/" + folder + "/";
  }
  // Syncs of write-ahead logs wait until release().
  void hold() {
    const std::lock_guard lock{mutex_};
    held_ = true;
  }
  void release() {
    {
      const std::lock_guard lock{mutex_};
      held_ = false;
    }
    released_.notify_all();
  }

  // What `from` would hold after a power cut at this moment, made at `to`.
  void power_cut(const std::filesystem::path& from, const std::filesystem::path& to,
                 std::mt19937& random) {
    const std::unique_lock no_writes{writing_};
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
    const std::lock_guard lock{mutex_};
    for (const auto& [path, synced] : synced_) {
      const auto copy = to / std::filesystem::relative(path, from);
      if (!std::filesystem::exists(copy)) continue;
      const auto size = std::filesystem::file_size(copy);
      if (size > synced)
        std::filesystem::resize_file(copy, synced + random() % (size - synced + 1));
    }
  }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    const auto status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    if (!status.ok()) return status;
    set_synced(path, 0);
    *file = std::make_unique<tracked_file>(std::move(*file), path, *this);
    return status;
  }

  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    const std::shared_lock writing{writing_};
    const auto status = FileSystemWrapper::RenameFile(from, to, options, debug);
    const std::lock_guard lock{mutex_};
    if (auto node = synced_.extract(from)) {
      node.key() = to;
      synced_.erase(to);
      synced_.insert(std::move(node));
    }
    return status;
  }

 private:
  class tracked_file : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    tracked_file(std::unique_ptr<rocksdb::FSWritableFile>&& target, std::string path,
                 simulated_disk& disk)
        : FSWritableFileOwnerWrapper{std::move(target)}, path_{std::move(path)}, disk_{disk} {}

    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      const std::shared_lock writing{disk_.writing_};
      size_ += data.size();
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo& info,
                             rocksdb::IODebugContext* debug) override {
      const std::shared_lock writing{disk_.writing_};
      size_ += data.size();
      return FSWritableFileOwnerWrapper::Append(data, options, info, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
      return synced([&] { return FSWritableFileOwnerWrapper::Sync(options, debug); });
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                            rocksdb::IODebugContext* debug) override {
      return synced([&] { return FSWritableFileOwnerWrapper::Fsync(options, debug); });
    }

   private:
    template <class Sync>
    rocksdb::IOStatus synced(Sync sync) {
      const auto reached = size_;
      if (!disk_.before_sync(path_)) return rocksdb::IOStatus::IOError("the simulated disk fails");
      const auto status = sync();
      if (status.ok()) disk_.set_synced(path_, reached);
      return status;
    }

    const std::string path_;
    simulated_disk& disk_;
    std::uint64_t size_{};
  };

  void set_synced(const std::string& path, std::uint64_t bytes) {
    const std::lock_guard lock{mutex_};
    synced_[path] = bytes;
  }

  bool before_sync(const std::string& path) {
    std::unique_lock lock{mutex_};
    if (path.ends_with(".log")) released_.wait(lock, [&] { return !held_; });
    return failing_folder_.empty() || path.find(failing_folder_) == std::string::npos;
  }

  std::shared_mutex writing_;  // exclusive while a power cut looks at the files
  std::mutex mutex_;
  std::condition_variable released_;
  std::map<std::string, std::uint64_t> synced_;
  std::string failing_folder_;
  bool held_{};
};

}  // namespace berth::testing
