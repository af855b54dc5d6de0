#include "tools/inspect/admin_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace berth::inspect {
namespace json = boost::json;
namespace {

constexpr std::size_t line_bytes_max = 16 * 1024 * 1024;
constexpr const char* socket_name = "admin.sock";

class connection {
 public:
  explicit connection(int file) : file_(file) {}
  ~connection() { ::close(file_); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  bool send(const std::string& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const auto count = ::send(file_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      sent += std::size_t(count);
    }
    return true;
  }
  std::optional<std::string> line() {
    for (;;) {
      if (const auto end = buffer_.find('\n'); end != std::string::npos) {
        auto found = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return found;
      }
      char block[4096];
      const auto count = ::recv(file_, block, sizeof block, 0);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0 || buffer_.size() > line_bytes_max) return {};
      buffer_.append(block, std::size_t(count));
    }
  }

 private:
  int file_;
  std::string buffer_;
};

// A relative path keeps deep data directories within the length of a socket address.
int connect_to(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) return -1;
  std::strcpy(address.sun_path, path.c_str());
  const int file = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (file >= 0 && ::connect(file, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
    return file;
  if (file >= 0) ::close(file);
  return -1;
}

}  // namespace

std::optional<json::object> ask_admin(const std::filesystem::path& data_dir,
                                      const json::object& request,
                                      const std::function<void(const json::object&)>& progress) {
  const int file = connect_to(std::filesystem::relative(data_dir / socket_name));
  if (file < 0) return {};
  connection server(file);
  if (server.send(json::serialize(request) + "\n")) {
    while (const auto line = server.line()) {
      boost::system::error_code error;
      const auto told = json::parse(*line, error);
      if (error || !told.is_object()) break;
      if (told.as_object().contains("ok")) return told.as_object();
      progress(told.as_object());
    }
  }
  return json::object{{"ok", false},
                      {"code", "broken_off"},
                      {"error",
                       "the server ended before it had answered; look at its log, then ask "
                       "again"}};
}

}  // namespace berth::inspect
