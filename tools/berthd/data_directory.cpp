#include "tools/berthd/data_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "infra/files/durable.hpp"

namespace berth::berthd {

namespace {
std::string failed(const std::string& what) {
  return what + ": " + std::strerror(errno);
}
}  // namespace

std::optional<server_key> read_secret(const std::string& file) {
  std::ifstream in{file};
  std::string digits;
  server_key key;
  if (!(in >> digits) || digits.size() != 2 * key.size()) return std::nullopt;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto* at = digits.data() + 2 * i;
    const auto [end, failed] = std::from_chars(at, at + 2, key[i], 16);
    if (failed != std::errc{} || end != at + 2) return std::nullopt;
  }
  return key;
}

data_directory::opened data_directory::open(const std::string& path) {
  std::error_code problem;
  if (const auto error = make_folder(path)) return {error->message, false};
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
  if (const auto error =
          write_whole_file(name, {reinterpret_cast<const char*>(key_.data()), key_.size()}))
    return error->message;
  return std::nullopt;
}

std::uint64_t data_directory::next_incarnation(std::uint64_t at_least) const {
  std::uint64_t last = 0;
  std::ifstream{file("incarnation")} >> last;
  const auto next = std::max(last + 1, at_least);
  return write_whole_file(file("incarnation"), std::to_string(next) + "\n") ? 0 : next;
}

data_directory::engine_name data_directory::engine() const {
  engine_name found;
  std::ifstream text{file("engine")};
  std::string engine;
  if (text >> engine) found.engine = engine;
  text >> found.cursor_tag;
  return found;
}

std::optional<std::string> data_directory::set_engine(const engine_name& name) const {
  const auto text = name.engine + " " + name.cursor_tag + "\n";
  if (const auto failed = write_whole_file(file("engine"), text)) return failed->message;
  return std::nullopt;
}

host_id data_directory::this_host() const {
  return {derived_id("host", {reinterpret_cast<const char*>(key_.data()), key_.size()}, uuid{})};
}

}  // namespace berth::berthd
