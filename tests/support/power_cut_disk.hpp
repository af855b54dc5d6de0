// What a disk may hold after a power cut, for everything written below one folder:
//
//   a file:   [ synced | written since ]   each sector of the second part is there or not, on its
//             own; a sector written over may hold any of its versions since the last sync; the size
//             may be any on the way
//   a folder: names created, renamed or removed since the folder's last sync are so or not, each on
//             its own; a rename is atomic, and operations on one name keep their order
//
// RocksDB writes through `file_system()`; what our own code writes with POSIX calls comes through
// posix_tap.cpp, linked into the test program. The files themselves are real (use a folder in
// memory): the model only remembers what is not on the disk yet.
#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include <rocksdb/file_system.h>

namespace berth::testing {

class power_cut_disk {
 public:
  // Everything below `root` now counts as synced. `graveyard` keeps removed files until their
  // removal is durable; same file system, outside `root`.
  power_cut_disk(std::filesystem::path root, std::filesystem::path graveyard);
  ~power_cut_disk();
  power_cut_disk(const power_cut_disk&) = delete;
  power_cut_disk& operator=(const power_cut_disk&) = delete;

  // For RocksDB; outlives nothing: close the databases first.
  std::shared_ptr<rocksdb::FileSystem> file_system();
  // Syncs take up to this long, so that a cut finds some of them unfinished.
  std::atomic<unsigned> sync_us_max{0};

  // Makes `to` what the disk would hold after a cut now. `at_the_cut` runs while every writer
  // stands still: what was acknowledged until then must be in `to`.
  void cut(const std::filesystem::path& to, std::mt19937& random,
           const std::function<void()>& at_the_cut);

  struct dropped_counts {
    std::uint64_t sectors{};  // written, not in the image
    std::uint64_t older{};    // an older version of an overwritten sector is
    std::uint64_t files_cut{};
    std::uint64_t name_changes{};
  };
  const dropped_counts& dropped() const { return dropped_; }

  // --- what the writers tell; paths absolute ---
  static constexpr std::size_t sector_bytes = 512;
  struct node;
  using node_ptr = std::shared_ptr<node>;
  // Held by a writer around the call to the machine and the telling of it.
  std::shared_lock<std::shared_mutex> writing() { return std::shared_lock{writing_}; }
  bool is_below(const std::string& path) const;
  node_ptr created(const std::string& path);  // or found; a name that is new is not durable
  node_ptr find(const std::string& path);
  // Before the bytes are written.
  void will_write(const node_ptr& to, std::uint64_t offset, std::size_t size);
  void will_truncate(const node_ptr& to, std::uint64_t size);
  // before_sync, the sync itself, then after_sync with what before_sync returned.
  std::uint64_t before_sync(const node_ptr& of);
  void after_sync(const node_ptr& of, std::uint64_t upto);
  void folder_synced(const std::string& folder);
  void will_remove(const std::string& path);
  void will_rename(const std::string& from, const std::string& to);
  void made_folder(const std::string& path);

 private:
  struct change {                                         // of one or two names, all or nothing
    std::vector<std::pair<std::string, node_ptr>> names;  // and what they are afterwards
  };
  std::map<std::string, node_ptr> surviving_names(std::mt19937& random);
  void write_surviving(const node& of, const std::filesystem::path& to, std::mt19937& random);
  void note(change made);
  void bury(const std::string& path, node& what);

  const std::filesystem::path root_;
  const std::filesystem::path graveyard_;
  std::shared_mutex writing_;  // exclusive while a cut looks at the files
  std::mutex mutex_;
  std::uint64_t steps_{};  // counts writes and syncs
  std::uint64_t buried_{};
  std::map<std::string, node_ptr> live_;
  std::map<std::string, node_ptr> durable_;
  std::deque<change> pending_;
  dropped_counts dropped_;
};

// posix_tap.cpp tells this disk; nullptr: nobody.
void tap_posix_calls(power_cut_disk* disk);
// While one exists, what this thread opens is told by somebody else: file_system().
struct told_already {
  told_already() { ++depth; }
  ~told_already() { --depth; }
  static thread_local int depth;
};

}  // namespace berth::testing
