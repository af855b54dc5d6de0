#include "tools/berthd/admin_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace berth::berthd {

namespace json = boost::json;

namespace {

constexpr std::size_t request_bytes_max = 64 * 1024;
constexpr int silence_ms_max = 10'000;
constexpr int poll_ms = 200;

bool send_line(int to, const json::object& line) {
  auto text = json::serialize(line) + "\n";
  for (std::size_t sent = 0; sent < text.size();) {
    const auto n = ::send(to, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

json::object refused(const std::string& code, const std::string& error) {
  return {{"ok", false}, {"code", code}, {"error", error}};
}

std::optional<std::string> read_line(int from) {
  std::string line;
  char bytes[4096];
  while (line.size() < request_bytes_max) {
    pollfd ready{from, POLLIN, 0};
    if (::poll(&ready, 1, silence_ms_max) <= 0) return std::nullopt;
    const auto n = ::recv(from, bytes, sizeof bytes, 0);
    if (n <= 0) return std::nullopt;
    line.append(bytes, static_cast<std::size_t>(n));
    if (const auto end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> admin_socket::open(const std::string& path,
                                              std::map<std::string, operation> operations) {
  operations_ = std::move(operations);
  path_ = path;
  // A socket's name holds 107 bytes: bind beside it, by a short name relative to the folder.
  const auto folder = std::filesystem::path{path}.parent_path();
  const int folder_fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd < 0) return "cannot open " + folder.string() + ": " + std::strerror(errno);
  ::unlink(path.c_str());
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto name = "/proc/self/fd/" + std::to_string(folder_fd) + "/" +
                    std::filesystem::path{path}.filename().string();
  std::strncpy(address.sun_path, name.c_str(), sizeof address.sun_path - 1);
  const auto old_mask = ::umask(0177);
  const bool bound = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  const int problem = errno;
  ::umask(old_mask);
  ::close(folder_fd);
  if (!bound || ::listen(listener_, 8) != 0)
    return "cannot listen on " + path + ": " + std::strerror(problem);
  thread_ = std::thread{[this] { run(); }};
  return std::nullopt;
}

void admin_socket::close() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  if (listener_ < 0) return;
  ::close(listener_);
  listener_ = -1;
  ::unlink(path_.c_str());
}

void admin_socket::run() {
  while (!stopping_) {
    pollfd ready{listener_, POLLIN, 0};
    if (::poll(&ready, 1, poll_ms) <= 0) continue;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    serve(client);
    ::close(client);
  }
}

void admin_socket::serve(int client) {
  const auto line = read_line(client);
  if (!line) return;
  boost::system::error_code problem;
  const auto request = json::parse(*line, problem);
  if (problem || !request.is_object()) {
    send_line(client, refused("bad_request", "the request is not a JSON object on one line"));
    return;
  }
  const auto* op = request.as_object().if_contains("op");
  const auto found =
      op && op->is_string() ? operations_.find(std::string{op->as_string()}) : operations_.end();
  if (found == operations_.end()) {
    std::string known;
    for (const auto& [name, operation] : operations_) known += (known.empty() ? "" : ", ") + name;
    send_line(client, refused("unknown_op", (op ? json::serialize(*op) : std::string{"nothing"}) +
                                                " is not known here: " + known));
    return;
  }
  send_line(client, found->second(request.as_object(),
                                  [client](const json::object& line) { send_line(client, line); }));
}

}  // namespace berth::berthd
