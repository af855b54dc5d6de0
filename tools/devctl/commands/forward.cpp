// port-forward ENV LOCAL:REMOTE…: a loopback port here is a TCP port inside the environment. Each
// connection is an HTTP upgrade (`Upgrade: tcp`) to /environments/{id}/ports/{port}; libcurl brings
// TLS and proxies.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <thread>

#include <fmt/format.h>

#include "tools/devctl/app.hpp"
#include "tools/devctl/failure.hpp"
#include "tools/devctl/local_terminal.hpp"
#include "tools/devctl/paths.hpp"

namespace berth::devctl {
namespace {

constexpr int connections_max = 128;
constexpr int backlog_max = 16;
constexpr long connect_timeout_ms = 5'000;
constexpr int answer_timeout_ms = 15'000;
constexpr std::size_t answer_head_bytes_max = 16 * 1024;
constexpr std::size_t block_bytes = 64 * 1024;

struct mapping {
  std::uint16_t local{};
  std::uint16_t remote{};
};

std::uint16_t port_of(std::string_view text, const std::string& whole) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port > 65535)
    throw failure(exit_usage, fmt::format("\"{}\" is not LOCAL:REMOTE", whole),
                  "for example 8080:3000");
  return std::uint16_t(port);
}

mapping parse_mapping(const std::string& text) {
  const auto colon = text.find(':');
  const std::string_view all(text);
  if (colon == std::string::npos) return {port_of(all, text), port_of(all, text)};
  return {port_of(all.substr(0, colon), text), port_of(all.substr(colon + 1), text)};
}

// A connection to a port inside, after the server said 101.
class tunnel {
 public:
  tunnel(const config& used, const std::string& path) : curl_(curl_easy_init()) {
    curl_easy_setopt(curl_, CURLOPT_URL, used.server.c_str());
    if (!used.ca_file.empty()) curl_easy_setopt(curl_, CURLOPT_CAINFO, used.ca_file.c_str());
    curl_easy_setopt(curl_, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms);
    if (const auto done = curl_easy_perform(curl_); done != CURLE_OK)
      throw failure(exit_unavailable, fmt::format("{}: {}", used.server, curl_easy_strerror(done)));
    curl_easy_getinfo(curl_, CURLINFO_ACTIVESOCKET, &socket_);
    const auto host = used.server.substr(used.server.find("://") + 3);
    send(
        fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n"
                    "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
                    path, host, used.token));
    read_answer();
  }
  ~tunnel() { curl_easy_cleanup(curl_); }
  tunnel(const tunnel&) = delete;
  tunnel& operator=(const tunnel&) = delete;

  int socket() const { return int(socket_); }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      std::size_t sent = 0;
      const auto done = curl_easy_send(curl_, bytes.data(), bytes.size(), &sent);
      if (done == CURLE_AGAIN) {
        wait(POLLOUT, -1);
        continue;
      }
      if (done != CURLE_OK) return false;
      bytes.remove_prefix(sent);
    }
    return true;
  }
  // Nothing = over; empty = nothing now.
  std::optional<std::string> receive() {
    if (!early_.empty()) return std::exchange(early_, {});
    std::string block(block_bytes, '\0');
    std::size_t count = 0;
    const auto done = curl_easy_recv(curl_, block.data(), block.size(), &count);
    if (done == CURLE_AGAIN) return std::string();
    if (done != CURLE_OK || count == 0) return {};
    block.resize(count);
    return block;
  }
  bool has_early() const { return !early_.empty(); }
  // Tells the program inside that no more will come; TLS has no half-close, there the end comes
  // with the connection.
  void finish_sending(bool tls) {
    if (!tls) ::shutdown(socket(), SHUT_WR);
  }

 private:
  void wait(short events, int timeout_ms) {
    pollfd watched{socket(), events, 0};
    ::poll(&watched, 1, timeout_ms);
  }
  void read_answer() {
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
      const auto more = receive();
      if (!more || head.size() > answer_head_bytes_max)
        throw failure(exit_unavailable, "the server ended the connection");
      if (more->empty()) wait(POLLIN, answer_timeout_ms);
      head += *more;
    }
    const auto end = head.find("\r\n\r\n") + 4;
    if (head.compare(0, 13, "HTTP/1.1 101 ") != 0) {
      int status = 0;
      std::from_chars(head.data() + std::min<std::size_t>(9, head.size()),
                      head.data() + head.size(), status);
      throw failure(exit_code_of(status),
                    "the server refused: " + head.substr(0, head.find("\r\n")));
    }
    early_ = head.substr(end);
  }

  CURL* curl_;
  curl_socket_t socket_{-1};
  std::string early_;
};

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::send(file, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(std::size_t(count));
  }
  return true;
}

void pump(int local, const config& used, const std::string& path) {
  tunnel remote(used, path);
  bool sending = true;
  for (;;) {
    pollfd watched[2] = {{sending ? local : -1, POLLIN, 0}, {remote.socket(), POLLIN, 0}};
    if (!remote.has_early()) ::poll(watched, 2, -1);
    if (sending && watched[0].revents) {
      std::string block(block_bytes, '\0');
      const auto count = ::recv(local, block.data(), block.size(), 0);
      sending = count > 0;
      if (!sending) remote.finish_sending(used.server.starts_with("https://"));
      if (sending && !remote.send(std::string_view(block).substr(0, std::size_t(count)))) return;
    }
    if (!watched[1].revents && !remote.has_early()) continue;
    const auto bytes = remote.receive();
    if (!bytes || !write_all(local, *bytes)) return;
  }
}

int listen_on(std::uint16_t port) {
  const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(file, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(file, backlog_max) != 0)
    throw failure(exit_error,
                  fmt::format("127.0.0.1:{}: {}", port,
                              std::error_code(errno, std::generic_category()).message()),
                  "choose another local port");
  return file;
}

std::uint16_t bound_port(int file) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(file, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

void forward(app& run, const std::string& environment, const std::vector<std::string>& texts) {
  run.authorised().get(
      environment_path(environment));  // a wrong name is said now, not at the first connection
  signal_pipe signals;
  std::vector<pollfd> watched{{signals.read_fd(), POLLIN, 0}};
  std::vector<mapping> mappings;
  for (const auto& text : texts) {
    mappings.push_back(parse_mapping(text));
    watched.push_back({listen_on(mappings.back().local), POLLIN, 0});
    fmt::print("127.0.0.1:{} -> {}:{}\n", bound_port(watched.back().fd), environment,
               mappings.back().remote);
  }
  std::fflush(stdout);
  static std::atomic<int> open{0};
  for (;;) {
    ::poll(watched.data(), watched.size(), -1);
    if (watched[0].revents) {
      const int number = signals.take();
      if (number == SIGINT || number == SIGTERM || number == SIGHUP) return;
    }
    for (std::size_t i = 1; i < watched.size(); ++i) {
      if (!watched[i].revents) continue;
      const int local = ::accept4(watched[i].fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (local < 0) continue;
      if (open >= connections_max) {
        ::close(local);
        run.note(fmt::format("devctl: {} connections are open, refused one more", connections_max));
        continue;
      }
      ++open;
      const auto path =
          fmt::format("{}/ports/{}", environment_path(environment), mappings[i - 1].remote);
      std::thread([local, used = run.configured(), path] {
        try {
          pump(local, used, path);
        } catch (const std::exception& error) {
          fmt::print(stderr, "devctl: {}\n", error.what());
        }
        ::close(local);
        --open;
      }).detach();
    }
  }
}

}  // namespace

void add_forward_command(CLI::App& top, app& run) {
  auto environment = std::make_shared<std::string>();
  auto ports = std::make_shared<std::vector<std::string>>();
  auto* command = top.add_subcommand("port-forward", "reach a TCP port inside an environment");
  command->add_option("environment", *environment, "name or id")->required();
  command->add_option("ports", *ports, "LOCAL:REMOTE, or PORT for both; LOCAL 0 = any")->required();
  command->callback([&run, environment, ports] { forward(run, *environment, *ports); });
}

}  // namespace berth::devctl
