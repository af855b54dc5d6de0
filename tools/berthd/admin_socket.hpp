// DIR/admin.sock: what operators' tools ask the one writer of the data directory
// (docs/operations.md has the protocol). One thread; one request a connection.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include <boost/json/object.hpp>

namespace berth::berthd {

class admin_socket {
 public:
  using progress = std::function<void(const boost::json::object&)>;
  // Gives the last line, with `ok`.
  using operation =
      std::function<boost::json::object(const boost::json::object& request, const progress&)>;

  // What failed, or nothing.
  std::optional<std::string> open(const std::string& path,
                                  std::map<std::string, operation> operations);
  void close();
  admin_socket() = default;
  ~admin_socket() { close(); }
  admin_socket(const admin_socket&) = delete;

 private:
  void run();
  void serve(int client);

  std::string path_;
  std::map<std::string, operation> operations_;
  int listener_{-1};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace berth::berthd
