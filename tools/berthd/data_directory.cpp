#include "tools/berthd/data_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace berth::berthd {

namespace {
std::string failed(const std::string& what) {
  return what + ": " + std::strerror(errno);
}
}  // namespace

bool write_private_file(const std::string& path, const std::string& bytes) {
  const auto beside = path + ".new";
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool written =
      ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
      fsync(file) == 0;
  ::close(file);
  if (!written || std::rename(beside.c_str(), path.c_str()) != 0) return false;
  const int folder =
      ::open(std::filesystem::path{path}.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && fsync(folder) == 0;
  if (folder >= 0) ::close(folder);
  return synced;
}

std::string boot_id() {
  std::ifstream file{"/proc/sys/kernel/random/boot_id"};
  std::string text;
  std::getline(file, text);
  return text;
}

data_directory::opened data_directory::open(const std::string& path) {
  std::error_code problem;
  std::filesystem::create_directories(path, problem);
  if (problem) return {"cannot make the data directory " + path + ": " + problem.message(), false};
  path_ = std::filesystem::canonical(path, problem).string();
  if (problem) return {"cannot use the data directory " + path + ": " + problem.message(), false};
  if (chmod(path_.c_str(), 0700) != 0) return {failed("cannot protect " + path_), false};
  const auto lock_file = file("berthd.lock");
  lock_ = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return {failed("cannot open " + lock_file), false};
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0)
    return {"another berthd serves " + path_ + "; stop it first, or give another --data-dir", true};
  return {load_key(), false};
}

data_directory::~data_directory() {
  if (lock_ >= 0) ::close(lock_);
}

std::optional<std::string> data_directory::load_key() {
  const auto name = file("server.key");
  std::ifstream in{name, std::ios::binary};
  if (in) {
    in.read(reinterpret_cast<char*>(key_.data()), static_cast<std::streamsize>(key_.size()));
    if (in.gcount() != static_cast<std::streamsize>(key_.size()))
      return name + " is shorter than 32 bytes; restore it from a backup (tokens depend on it)";
    return std::nullopt;
  }
  if (getrandom(key_.data(), key_.size(), 0) != static_cast<ssize_t>(key_.size()))
    return failed("no random bytes");
  if (!write_private_file(name, {reinterpret_cast<const char*>(key_.data()), key_.size()}))
    return failed("cannot write " + name);
  return std::nullopt;
}

host_id data_directory::this_host() const {
  return {derived_id("host", {reinterpret_cast<const char*>(key_.data()), key_.size()}, uuid{})};
}

}  // namespace berth::berthd
