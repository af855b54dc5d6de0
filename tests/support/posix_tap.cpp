// Stands before libc in the one program it is linked into, and tells a power_cut_disk what is
// written with POSIX calls below its folder: DIR/head, DIR/bulk, and what recovery cuts and
// removes.
#include <array>
#include <cstdarg>
#include <mutex>
#include <string>
#include <unordered_map>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/power_cut_disk.hpp"

namespace berth::testing {
namespace {

struct tapped {
  std::mutex mutex;
  struct opened {
    power_cut_disk::node_ptr node;  // a file's
    std::string folder;
    std::uint64_t at{};  // of write()
  };
  std::unordered_map<int, opened> files;
};

std::atomic<power_cut_disk*> disk_now{};

tapped& tap() {
  static auto* const one = new tapped;  // outlives every static that still closes files
  return *one;
}

// The disk, if the path is one it must hear of.
power_cut_disk* disk_of(const std::string& path) {
  auto* const disk = disk_now.load();
  return disk && told_already::depth == 0 && disk->is_below(path) ? disk : nullptr;
}

tapped::opened opened_as(int fd) {
  if (!disk_now.load()) return {};
  const std::lock_guard lock{tap().mutex};
  const auto found = tap().files.find(fd);
  return found == tap().files.end() ? tapped::opened{} : found->second;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

std::string path_of(int folder, const char* name) {
  if (name[0] == '/' || folder == AT_FDCWD) return name;
  std::array<char, 4096> target{};
  const auto link = "/proc/self/fd/" + std::to_string(folder);
  const auto size = ::readlink(link.c_str(), target.data(), target.size());
  return size < 0 ? name : std::string(target.data(), static_cast<std::size_t>(size)) + "/" + name;
}

int tell_opened(int fd, const std::string& path, int flags) {
  auto* const disk = fd < 0 ? nullptr : disk_of(path);
  if (!disk) {
    // fsync of the data directory itself is told too
    if (fd >= 0 && disk_now.load() && told_already::depth == 0 && (flags & O_DIRECTORY)) {
      const std::lock_guard lock{tap().mutex};
      tap().files[fd] = {nullptr, path, 0};
    }
    return fd;
  }
  tapped::opened known;
  if (flags & O_DIRECTORY)
    known.folder = path;
  else if ((flags & O_ACCMODE) != O_RDONLY)
    known.node = disk->created(path);
  else
    return fd;
  const std::lock_guard lock{tap().mutex};
  tap().files[fd] = std::move(known);
  return fd;
}

int open_file(const char* path, int flags, mode_t mode) {
  static const auto real = next<int(const char*, int, ...)>("open");
  auto* const disk = disk_of(path);
  if (!disk || (flags & O_ACCMODE) == O_RDONLY)
    return tell_opened(real(path, flags, mode), path, flags);
  const auto writing = disk->writing();
  if (flags & O_TRUNC)
    if (const auto there = disk->find(path)) disk->will_truncate(there, 0);
  return tell_opened(real(path, flags, mode), path, flags);
}

template <class Sync>
int sync_file(int fd, Sync sync) {
  const auto known = opened_as(fd);
  auto* const disk = disk_now.load();
  if (!disk || (!known.node && known.folder.empty())) return sync();
  const auto upto = known.node ? disk->before_sync(known.node) : 0;
  const auto writing = disk->writing();
  const int result = sync();
  if (result == 0 && known.node) disk->after_sync(known.node, upto);
  if (result == 0 && !known.node) disk->folder_synced(known.folder);
  return result;
}

// RocksDB's own removals and renames were told by file_system() before they come here; whole
// folders of it are removed by our code.
template <class Remove>
int remove_name(const std::string& path, Remove remove) {
  auto* const disk = disk_now.load();
  if (!disk || !disk->is_below(path) || !disk->find(path)) return remove();
  const auto writing = disk->writing();
  disk->will_remove(path);
  return remove();
}

}  // namespace

thread_local int told_already::depth = 0;

void tap_posix_calls(power_cut_disk* disk) {
  disk_now = nullptr;
  const std::lock_guard lock{tap().mutex};
  tap().files.clear();
  disk_now = disk;
}

}  // namespace berth::testing

using namespace berth::testing;

extern "C" {

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const auto mode = va_arg(more, mode_t);
  va_end(more);
  return open_file(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const auto mode = va_arg(more, mode_t);
  va_end(more);
  return open_file(path, flags, mode);
}
int close(int fd) {
  static const auto real = next<int(int)>("close");
  if (disk_now.load()) {
    const std::lock_guard lock{tap().mutex};
    tap().files.erase(fd);
  }
  return real(fd);
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  static const auto real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  const auto known = opened_as(fd);
  auto* const disk = disk_now.load();
  if (!disk || !known.node) return real(fd, bytes, size, at);
  const auto writing = disk->writing();
  disk->will_write(known.node, static_cast<std::uint64_t>(at), size);
  return real(fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t at) {
  return pwrite(fd, bytes, size, at);
}
int ftruncate(int fd, off_t size) noexcept {
  static const auto real = next<int(int, off_t)>("ftruncate");
  const auto known = opened_as(fd);
  auto* const disk = disk_now.load();
  if (!disk || !known.node) return real(fd, size);
  const auto writing = disk->writing();
  disk->will_truncate(known.node, static_cast<std::uint64_t>(size));
  return real(fd, size);
}
int fsync(int fd) {
  static const auto real = next<int(int)>("fsync");
  return sync_file(fd, [&] { return real(fd); });
}
int fdatasync(int fd) {
  static const auto real = next<int(int)>("fdatasync");
  return sync_file(fd, [&] { return real(fd); });
}
int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int(const char*, const char*)>("rename");
  auto* const disk = disk_now.load();
  if (!disk || !disk->is_below(from) || !disk->find(from)) return real(from, to);
  const auto writing = disk->writing();
  disk->will_rename(from, to);
  return real(from, to);
}
int mkdir(const char* path, mode_t mode) noexcept {
  static const auto real = next<int(const char*, mode_t)>("mkdir");
  auto* const disk = disk_of(path);
  if (!disk) return real(path, mode);
  const auto writing = disk->writing();
  const int result = real(path, mode);
  if (result == 0) disk->made_folder(path);
  return result;
}
int unlink(const char* path) noexcept {
  static const auto real = next<int(const char*)>("unlink");
  return remove_name(path, [&] { return real(path); });
}
int remove(const char* path) noexcept {
  static const auto real = next<int(const char*)>("remove");
  return remove_name(path, [&] { return real(path); });
}
int unlinkat(int folder, const char* name, int flags) noexcept {
  static const auto real = next<int(int, const char*, int)>("unlinkat");
  return remove_name(path_of(folder, name), [&] { return real(folder, name, flags); });
}

}  // extern "C"
