// A file system for RocksDB whose syncs can be held or fail. Power cuts: power_cut_disk.hpp.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
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

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    const auto status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    if (!status.ok()) return status;
    *file = std::make_unique<tracked_file>(std::move(*file), path, *this);
    return status;
  }

 private:
  class tracked_file : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    tracked_file(std::unique_ptr<rocksdb::FSWritableFile>&& target, std::string path,
                 simulated_disk& disk)
        : FSWritableFileOwnerWrapper{std::move(target)}, path_{std::move(path)}, disk_{disk} {}

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
      if (!disk_.before_sync(path_)) return rocksdb::IOStatus::IOError("the simulated disk fails");
      return sync();
    }

    const std::string path_;
    simulated_disk& disk_;
  };

  bool before_sync(const std::string& path) {
    std::unique_lock lock{mutex_};
    if (path.ends_with(".log")) released_.wait(lock, [&] { return !held_; });
    return failing_folder_.empty() || path.find(failing_folder_) == std::string::npos;
  }

  std::mutex mutex_;
  std::condition_variable released_;
  std::string failing_folder_;
  bool held_{};
};

}  // namespace berth::testing
