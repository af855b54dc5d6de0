#include "tests/support/power_cut_disk.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace berth::testing {
namespace fs = std::filesystem;

struct power_cut_disk::node {
  bool is_folder{};
  std::string real;  // where its bytes are now
  std::uint64_t size{};
  std::uint64_t synced_size{};
  struct version {
    std::uint64_t step{};  // of the write that replaced it
    std::string bytes;
  };
  std::map<std::uint64_t, std::vector<version>> older;  // sector -> versions since the last sync
  std::vector<std::pair<std::uint64_t, std::uint64_t>> sizes;  // step, size before it
};

namespace {

constexpr std::size_t versions_max = 64;  // kept of one sector; the head file is never synced

std::string read_at(const std::string& path, std::uint64_t at, std::size_t bytes) {
  std::string into(bytes, '\0');
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const auto got = ::pread(fd, into.data(), bytes, static_cast<off_t>(at));
  ::close(fd);
  into.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return into;
}

}  // namespace

power_cut_disk::power_cut_disk(fs::path root, fs::path graveyard)
    : root_{std::move(root)}, graveyard_{std::move(graveyard)} {
  fs::create_directories(graveyard_);
  fs::create_directories(root_);
  for (const auto& entry : fs::recursive_directory_iterator{root_}) {
    auto found = std::make_shared<node>();
    found->is_folder = entry.is_directory();
    found->real = entry.path().string();
    if (!found->is_folder) found->size = found->synced_size = entry.file_size();
    live_[found->real] = found;
  }
  durable_ = live_;
}

power_cut_disk::~power_cut_disk() {
  std::error_code ignored;
  fs::remove_all(graveyard_, ignored);
}

bool power_cut_disk::is_below(const std::string& path) const {
  const auto& root = root_.native();
  return path.size() > root.size() && path.starts_with(root) && path[root.size()] == '/';
}

void power_cut_disk::note(change made) {
  for (const auto& [name, what] : made.names) {
    if (what)
      live_[name] = what;
    else
      live_.erase(name);
  }
  pending_.push_back(std::move(made));
}

power_cut_disk::node_ptr power_cut_disk::created(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (const auto found = live_.find(path); found != live_.end()) return found->second;
  auto made = std::make_shared<node>();
  made->real = path;
  note({{{path, made}}});
  return made;
}

power_cut_disk::node_ptr power_cut_disk::find(const std::string& path) {
  const std::lock_guard lock{mutex_};
  const auto found = live_.find(path);
  return found == live_.end() ? nullptr : found->second;
}

void power_cut_disk::made_folder(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (live_.contains(path)) return;
  auto made = std::make_shared<node>();
  made->is_folder = true;
  made->real = path;
  note({{{path, made}}});
}

void power_cut_disk::will_write(const node_ptr& to, std::uint64_t offset, std::size_t size) {
  if (size == 0) return;
  const std::lock_guard lock{mutex_};
  const auto step = ++steps_;
  // Only sectors that hold something already have an older version.
  const auto last = std::min(offset + size, to->size);
  for (auto sector = offset / sector_bytes; sector * sector_bytes < last; ++sector) {
    auto& versions = to->older[sector];
    if (versions.size() >= versions_max) versions.erase(versions.begin() + versions_max / 2);
    versions.push_back({step, read_at(to->real, sector * sector_bytes, sector_bytes)});
  }
  if (offset + size > to->size) {
    to->sizes.emplace_back(step, to->size);
    if (to->sizes.size() > versions_max) to->sizes.erase(to->sizes.begin() + versions_max / 2);
    to->size = offset + size;
  }
}

void power_cut_disk::will_truncate(const node_ptr& to, std::uint64_t size) {
  const std::lock_guard lock{mutex_};
  const auto step = ++steps_;
  for (auto sector = size / sector_bytes; sector * sector_bytes < to->size; ++sector)
    to->older[sector].push_back({step, read_at(to->real, sector * sector_bytes, sector_bytes)});
  to->sizes.emplace_back(step, to->size);
  to->size = size;
}

std::uint64_t power_cut_disk::before_sync(const node_ptr&) {
  std::uint64_t upto;
  {
    const std::lock_guard lock{mutex_};
    upto = ++steps_;
  }
  if (const auto longest = sync_us_max.load())
    std::this_thread::sleep_for(std::chrono::microseconds{upto * 2654435761U % longest});
  return upto;
}

void power_cut_disk::after_sync(const node_ptr& of, std::uint64_t upto) {
  const std::lock_guard lock{mutex_};
  for (auto at = of->older.begin(); at != of->older.end();) {
    std::erase_if(at->second, [&](const auto& version) { return version.step <= upto; });
    at = at->second.empty() ? of->older.erase(at) : std::next(at);
  }
  std::erase_if(of->sizes, [&](const auto& size) { return size.first <= upto; });
  of->synced_size = of->sizes.empty() ? of->size : of->sizes.front().second;
}

void power_cut_disk::folder_synced(const std::string& folder) {
  const std::lock_guard lock{mutex_};
  std::erase_if(pending_, [&](const change& made) {
    const bool here = std::any_of(made.names.begin(), made.names.end(), [&](const auto& name) {
      return fs::path{name.first}.parent_path() == folder;
    });
    if (!here) return false;
    for (const auto& [name, what] : made.names) {
      if (what)
        durable_[name] = what;
      else
        durable_.erase(name);
    }
    return true;
  });
}

void power_cut_disk::bury(const std::string& path, node& what) {
  const auto kept = (graveyard_ / std::to_string(++buried_)).string();
  if (!what.is_folder && ::link(path.c_str(), kept.c_str()) == 0) what.real = kept;
}

void power_cut_disk::will_remove(const std::string& path) {
  const std::lock_guard lock{mutex_};
  const auto found = live_.find(path);
  if (found == live_.end()) return;
  bury(path, *found->second);
  note({{{path, nullptr}}});
}

void power_cut_disk::will_rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock{mutex_};
  const auto found = live_.find(from);
  if (found == live_.end()) return;
  if (const auto replaced = live_.find(to); replaced != live_.end()) bury(to, *replaced->second);
  const auto moved = found->second;
  moved->real = to;
  note({{{from, nullptr}, {to, moved}}});
}

std::map<std::string, power_cut_disk::node_ptr> power_cut_disk::surviving_names(
    std::mt19937& random) {
  auto names = durable_;
  std::set<std::string> undone;
  const unsigned kept_of_ten = random() % 11;
  for (const auto& made : pending_) {
    const bool follows_undone =
        std::any_of(made.names.begin(), made.names.end(),
                    [&](const auto& name) { return undone.contains(name.first); });
    const bool kept = !follows_undone && random() % 10 < kept_of_ten;
    dropped_.name_changes += !kept;
    for (const auto& [name, what] : made.names) {
      if (!kept)
        undone.insert(name);
      else if (what)
        names[name] = what;
      else
        names.erase(name);
    }
  }
  // What is in a folder that is not there is not there.
  std::erase_if(names, [&](const auto& each) {
    for (auto folder = fs::path{each.first}.parent_path(); folder != root_;
         folder = folder.parent_path())
      if (!names.contains(folder.string())) return true;
    return false;
  });
  return names;
}

void power_cut_disk::write_surviving(const node& of, const fs::path& to, std::mt19937& random) {
  auto smallest = std::min(of.size, of.synced_size), largest = std::max(of.size, of.synced_size);
  for (const auto& [step, size] : of.sizes) {
    smallest = std::min(smallest, size);
    largest = std::max(largest, size);
  }
  const auto choice = random() % 4;
  const auto size = choice < 2    ? of.size
                    : choice == 2 ? of.synced_size
                                  : smallest + random() % (largest - smallest + 1);
  auto bytes = read_at(of.real, 0, of.size);
  bytes.resize(std::max<std::size_t>(size, bytes.size()), '\0');
  const unsigned kept_of_ten = random() % 11;
  // Behind what was synced, a sector that did not get there reads as zeros.
  for (auto sector = of.synced_size / sector_bytes; sector * sector_bytes < bytes.size();
       ++sector) {
    if (of.older.contains(sector) || random() % 10 < kept_of_ten) continue;
    const auto from = std::max<std::uint64_t>(sector * sector_bytes, of.synced_size);
    const auto end = std::min<std::uint64_t>((sector + 1) * sector_bytes, bytes.size());
    std::fill(bytes.begin() + static_cast<long>(from), bytes.begin() + static_cast<long>(end), 0);
    ++dropped_.sectors;
  }
  for (const auto& [sector, versions] : of.older) {
    if (random() % 10 < kept_of_ten) continue;
    const auto& version = versions[random() % versions.size()].bytes;
    const auto at = sector * sector_bytes;
    if (at >= bytes.size()) continue;
    for (std::size_t i = 0; i < sector_bytes && at + i < bytes.size(); ++i)
      bytes[at + i] = i < version.size() ? version[i] : '\0';
    ++dropped_.older;
  }
  dropped_.files_cut += size < of.size;
  bytes.resize(size);
  std::ofstream{to, std::ios::binary} << bytes;
}

void power_cut_disk::cut(const fs::path& to, std::mt19937& random,
                         const std::function<void()>& at_the_cut) {
  const std::unique_lock no_writes{writing_};
  at_the_cut();
  const std::lock_guard lock{mutex_};
  fs::create_directories(to);
  for (const auto& [name, what] : surviving_names(random)) {
    const auto copy = to / fs::path{name}.lexically_relative(root_);
    if (what->is_folder)
      fs::create_directories(copy);
    else
      write_surviving(*what, copy, random);
  }
}

}  // namespace berth::testing
