// The composition root: makes every part, gives each what it needs, and takes them down in the
// right order.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/berthd/settings.hpp"

namespace berth::berthd {

class server {
 public:
  explicit server(settings of);
  ~server();

  struct failure {
    int exit_code{};
    std::string message;  // what, where, what to do next
  };
  // Opens, adopts, serves. Nothing: it serves.
  std::optional<failure> start();
  // Environments stay. Returns how many run.
  std::size_t stop();

  std::string url() const;
  bool first_start() const;
  std::string token_file() const;
  // What this machine can do for environments, one line each.
  std::string doctor();

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace berth::berthd
