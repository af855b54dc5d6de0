// RocksDB's side of power_cut_disk: a file system that tells the disk what it does.
#include <rocksdb/env.h>

#include "tests/support/power_cut_disk.hpp"

namespace berth::testing {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class told_file : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  told_file(std::unique_ptr<rocksdb::FSWritableFile>&& target, power_cut_disk& disk,
            power_cut_disk::node_ptr node, std::uint64_t size)
      : FSWritableFileOwnerWrapper{std::move(target)},
        disk_{disk},
        node_{std::move(node)},
        size_{size} {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    const auto writing = disk_.writing();
    grow(data.size());
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& info, IODebugContext* debug) override {
    const auto writing = disk_.writing();
    grow(data.size());
    return FSWritableFileOwnerWrapper::Append(data, options, info, debug);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    const auto writing = disk_.writing();
    if (size < size_) disk_.will_truncate(node_, size);
    size_ = size;
    return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return synced([&] { return FSWritableFileOwnerWrapper::Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return synced([&] { return FSWritableFileOwnerWrapper::Fsync(options, debug); });
  }

 private:
  void grow(std::size_t bytes) {
    disk_.will_write(node_, size_, bytes);
    size_ += bytes;
  }
  template <class Sync>
  IOStatus synced(Sync sync) {
    const auto upto = disk_.before_sync(node_);
    const auto writing = disk_.writing();
    auto status = sync();
    if (status.ok()) disk_.after_sync(node_, upto);
    return status;
  }

  power_cut_disk& disk_;
  const power_cut_disk::node_ptr node_;
  std::uint64_t size_;
};

class told_folder : public rocksdb::FSDirectoryWrapper {
 public:
  told_folder(std::unique_ptr<rocksdb::FSDirectory>&& target, power_cut_disk& disk,
              std::string path)
      : FSDirectoryWrapper{std::move(target)}, disk_{disk}, path_{std::move(path)} {}
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    const auto writing = disk_.writing();
    auto status = FSDirectoryWrapper::Fsync(options, debug);
    if (status.ok()) disk_.folder_synced(path_);
    return status;
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  power_cut_disk& disk_;
  const std::string path_;
};

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

class told_files : public rocksdb::FileSystemWrapper {
 public:
  explicit told_files(power_cut_disk& disk)
      : FileSystemWrapper{rocksdb::FileSystem::Default()}, disk_{disk} {}
  const char* Name() const override { return "berth.power_cut_disk"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* debug) override {
    const auto writing = disk_.writing();
    const told_already quiet;
    if (const auto there = disk_.find(path)) disk_.will_truncate(there, 0);
    auto status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    if (status.ok())
      *file = std::make_unique<told_file>(std::move(*file), disk_, disk_.created(path), 0);
    return status;
  }
  IOStatus ReopenWritableFile(const std::string&, const rocksdb::FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("the power cut disk knows no reopened files");
  }
  IOStatus ReuseWritableFile(const std::string&, const std::string&, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("the power cut disk knows no reused files");
  }
  IOStatus NewRandomRWFile(const std::string&, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("the power cut disk knows no files written at random");
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* folder,
                        IODebugContext* debug) override {
    const told_already quiet;
    auto status = FileSystemWrapper::NewDirectory(path, options, folder, debug);
    if (status.ok())
      *folder = std::make_unique<told_folder>(std::move(*folder), disk_, without_slash(path));
    return status;
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* debug) override {
    const auto writing = disk_.writing();
    disk_.will_remove(path);
    return FileSystemWrapper::DeleteFile(path, options, debug);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    const auto writing = disk_.writing();
    disk_.will_rename(from, to);
    return FileSystemWrapper::RenameFile(from, to, options, debug);
  }
  IOStatus LinkFile(const std::string&, const std::string&, const IOOptions&,
                    IODebugContext*) override {
    return IOStatus::NotSupported("the power cut disk knows no links");
  }
  IOStatus Truncate(const std::string& path, std::size_t size, const IOOptions& options,
                    IODebugContext* debug) override {
    const auto writing = disk_.writing();
    if (const auto there = disk_.find(path)) disk_.will_truncate(there, size);
    return FileSystemWrapper::Truncate(path, size, options, debug);
  }
  IOStatus CreateDir(const std::string& path, const IOOptions& options,
                     IODebugContext* debug) override {
    const auto writing = disk_.writing();
    auto status = FileSystemWrapper::CreateDir(path, options, debug);
    if (status.ok()) disk_.made_folder(without_slash(path));
    return status;
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& options,
                              IODebugContext* debug) override {
    const auto writing = disk_.writing();
    auto status = FileSystemWrapper::CreateDirIfMissing(path, options, debug);
    if (status.ok()) disk_.made_folder(without_slash(path));
    return status;
  }

 private:
  power_cut_disk& disk_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> power_cut_disk::file_system() {
  return std::make_shared<told_files>(*this);
}

}  // namespace berth::testing
