#include "infra/providers/sandbox/environment_disk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "infra/agent/program/launcher/start_request.hpp"
#include "infra/providers/sandbox/template_files.hpp"

namespace berth {

namespace fs = std::filesystem;
using launcher::ids_per_environment;
using launcher::message;

namespace {
constexpr std::uint32_t dev_uid = 1000;
constexpr std::size_t measured_entries_max = 500'000;
constexpr int depth_max = 512;  // deeper trees are flattened by renaming

host_error io_error(const std::string& step) {
  return {host_errc::io, step + ": " + std::strerror(errno),
          "check free space and rights of the data directory"};
}

bool write_whole(const std::string& path, const std::string& text, bool sync) {
  const auto fresh = path + ".new";
  const int file =
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return false;
  bool good = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (sync) good = ::fdatasync(file) == 0 && good;
  ::close(file);
  return good && ::rename(fresh.c_str(), path.c_str()) == 0;
}

// Entries of a directory, whose descriptor it closes. `top`: where too deep folders are moved to.
void delete_entries(int folder, int top, int depth, unsigned& moved) {
  DIR* list = ::fdopendir(folder);
  if (list == nullptr) {
    ::close(folder);
    return;
  }
  while (const dirent* entry = ::readdir(list)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::unlinkat(::dirfd(list), entry->d_name, 0) == 0) continue;
    if (depth >= depth_max) {
      const auto aside = ".deep-" + std::to_string(moved++);
      ::renameat(::dirfd(list), entry->d_name, top, aside.c_str());
      continue;
    }
    const int inner =
        ::openat(::dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0) delete_entries(inner, top, depth + 1, moved);
    ::unlinkat(::dirfd(list), entry->d_name, AT_REMOVEDIR);
  }
  ::closedir(list);
}
// By descriptor, so that no link a tenant puts there in between leads elsewhere.
void add_bytes(int folder, int depth, std::size_t& entries_left, std::uint64_t& bytes) {
  DIR* list = ::fdopendir(folder);
  if (list == nullptr) {
    ::close(folder);
    return;
  }
  while (const dirent* entry = ::readdir(list)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (entries_left == 0) break;
    --entries_left;
    struct stat seen {};
    if (::fstatat(::dirfd(list), entry->d_name, &seen, AT_SYMLINK_NOFOLLOW) != 0) continue;
    bytes += static_cast<std::uint64_t>(seen.st_blocks) * 512;
    if (!S_ISDIR(seen.st_mode) || depth >= depth_max) continue;
    const int inner =
        ::openat(::dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0) add_bytes(inner, depth + 1, entries_left, bytes);
  }
  ::closedir(list);
}
}  // namespace

bool delete_tree(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return true;
  const int top = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (top < 0) return false;
  unsigned moved = 0;
  unsigned before = 0;
  do {
    before = moved;
    delete_entries(::openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), top, 0, moved);
  } while (moved != before);
  ::close(top);
  return ::rmdir(path.c_str()) == 0;
}

environment_disk::environment_disk(std::string data_dir, bool reduced)
    : root_(std::move(data_dir) + "/environments"), reduced_(reduced) {
  std::error_code ignored;
  fs::create_directories(root_, ignored);
  ::chmod(root_.c_str(), 0700);
  for (fs::directory_iterator each(root_, ignored), end; !ignored && each != end;
       each.increment(ignored)) {
    const auto name = each->path().filename().native();
    if (name.rfind(".new-", 0) == 0)
      fs::rename(each->path(), root_ + "/.gone-" + name.substr(5) + "-half", ignored);
    if (name[0] == '.') continue;
    const auto known = message::decode(template_files::read(each->path().native() + "/sandbox"));
    if (known.has("index")) taken_.insert(static_cast<unsigned>(known.number("index")));
  }
}

bool environment_disk::exists(const environment_id& id) const {
  std::error_code ignored;
  return fs::exists(path(id) + "/sandbox", ignored);
}

std::vector<environment_id> environment_disk::stored() const {
  std::vector<environment_id> all;
  std::error_code ignored;
  for (fs::directory_iterator each(root_, ignored), end; !ignored && each != end;
       each.increment(ignored)) {
    const environment_id id{each->path().filename().native()};
    if (id.value[0] != '.' && exists(id)) all.push_back(id);
  }
  return all;
}

std::optional<unsigned> environment_disk::take_index() {
  const std::lock_guard hold(mutex_);
  for (unsigned index = 0; index < environments_on_disk_max; ++index) {
    if (taken_.insert(index).second) return index;
  }
  return std::nullopt;
}

host_result<bool> environment_disk::create(const environment_spec& spec,
                                           const std::string& template_root) {
  if (exists(spec.id)) return true;
  const auto index = take_index();
  if (!index) {
    return host_error{
        host_errc::limit_exceeded,
        "this host keeps at most " + std::to_string(environments_on_disk_max) + " environments",
        "delete environments that are not needed"};
  }
  const auto fresh = root_ + "/.new-" + spec.id.value;
  delete_tree(fresh);
  const auto uid = reduced_ ? static_cast<std::uint32_t>(::geteuid())
                            : environment_id_base + *index * ids_per_environment;
  auto made = fill(fresh, spec, uid, template_root);
  if (made) {
    message known;
    known.add("index", std::uint64_t{*index})
        .add("uid_base", std::uint64_t{uid})
        .add("owner_epoch", spec.owner_epoch);
    if (!write_whole(fresh + "/sandbox", known.encode(), true))
      made = io_error("write " + fresh + "/sandbox");
    else if (::rename(fresh.c_str(), path(spec.id).c_str()) != 0)
      made = io_error("rename " + fresh);
  }
  if (!made) {
    delete_tree(fresh);
    const std::lock_guard hold(mutex_);
    taken_.erase(*index);
  }
  return made;
}

host_result<bool> environment_disk::fill(const std::string& folder, const environment_spec& spec,
                                         std::uint32_t uid,
                                         const std::string& template_root) const {
  const auto directory = [&](const std::string& path, std::uint32_t owner, unsigned mode) {
    return ::mkdir(path.c_str(), mode) == 0 && ::chmod(path.c_str(), mode) == 0 &&
           (reduced_ || ::lchown(path.c_str(), owner, owner) == 0);
  };
  const auto file = [&](const std::string& path, const std::string& text, std::uint32_t owner,
                        unsigned mode = 0644) {
    return write_whole(path, text, false) && ::chmod(path.c_str(), mode) == 0 &&
           (reduced_ || ::lchown(path.c_str(), owner, owner) == 0);
  };
  if (::mkdir(folder.c_str(), 0700) != 0) return io_error("mkdir " + folder);
  const auto dev = uid + dev_uid;
  bool good =
      directory(folder + "/upper", uid, 0755) && directory(folder + "/work", 0, 0700) &&
      directory(folder + "/usr", uid, 0755) && directory(folder + "/usr_work", 0, 0700) &&
      directory(folder + "/home", uid, 0755) && directory(folder + "/home/dev", dev, 0750) &&
      directory(folder + "/workspace", dev, 0755) && directory(folder + "/upper/etc", uid, 0755);
  const auto name = spec.name.empty() ? spec.id.value : spec.name;
  good = good && file(folder + "/upper/etc/hostname", name + "\n", uid) &&
         file(folder + "/upper/etc/hosts", template_files::hosts(name), uid);
  std::error_code ignored;
  for (fs::directory_iterator each(template_root + "/etc/skel", ignored), end;
       !ignored && each != end; each.increment(ignored)) {
    good = good && file(folder + "/home/dev/" + each->path().filename().native(),
                        template_files::read(each->path().native()), dev);
  }
  if (!good) return io_error("make " + folder);
  return true;
}

host_result<bool> environment_disk::put_aside(const environment_id& id) {
  std::optional<identity> known = find(id);
  unsigned number = 0;
  {
    const std::lock_guard hold(mutex_);
    number = aside_++;
  }
  const auto aside = root_ + "/.gone-" + id.value + "-" + std::to_string(::getpid()) + "-" +
                     std::to_string(number);
  if (::rename(path(id).c_str(), aside.c_str()) != 0 && errno != ENOENT)
    return io_error("rename " + path(id));
  if (known) {
    const std::lock_guard hold(mutex_);
    taken_.erase(known->index);
  }
  return true;
}

void environment_disk::delete_aside() {
  std::error_code ignored;
  for (fs::directory_iterator each(root_, ignored), end; !ignored && each != end;
       each.increment(ignored)) {
    if (each->path().filename().native().rfind(".gone-", 0) == 0)
      delete_tree(each->path().native());
  }
}

std::optional<environment_disk::identity> environment_disk::find(const environment_id& id) const {
  const auto known = message::decode(template_files::read(path(id) + "/sandbox"));
  if (!known.has("index")) return std::nullopt;
  return identity{static_cast<unsigned>(known.number("index")),
                  static_cast<std::uint32_t>(known.number("uid_base")),
                  known.number("owner_epoch")};
}

std::uint64_t environment_disk::bytes_used(const environment_id& id) const {
  std::uint64_t bytes = 0;
  std::size_t entries_left = measured_entries_max;
  const int folder = ::open(path(id).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) add_bytes(folder, 0, entries_left, bytes);
  return bytes;
}

void environment_disk::remember_epoch(const environment_id& id, std::uint64_t owner_epoch) {
  const auto known = find(id);
  if (!known || known->owner_epoch >= owner_epoch) return;
  message text;
  text.add("index", std::uint64_t{known->index}).add("uid_base", std::uint64_t{known->uid_base});
  text.add("owner_epoch", owner_epoch);
  (void)write_whole(path(id) + "/sandbox", text.encode(), true);
}

}  // namespace berth
