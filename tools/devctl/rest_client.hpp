// REST over libcurl: one server, one token, JSON in and out.
//
// A request that changes something carries an Idempotency-Key (UUIDv7), so a lost connection or an
// early refusal (429, 503) is retried with the same key: the server executes it once. Retries end
// after `retry_for`. Not thread-safe; one client per thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "tools/devctl/config.hpp"

namespace berth::devctl {

struct rest_request {
  std::string method{"GET"};
  std::string path;                           // "/api/v1/environments?wait=true"
  boost::json::value body{};                  // null: none
  std::string if_match{};                     // version; empty: none
  std::chrono::milliseconds timeout{30'000};  // of one try
};

struct rest_response {
  int status{};
  std::string request_id;
  std::string text;
  boost::json::value body;  // null if the answer is not JSON
};

class rest_client {
 public:
  static constexpr std::chrono::seconds retry_for{20};
  static constexpr std::chrono::milliseconds retry_delay_min{100};
  static constexpr std::chrono::milliseconds retry_delay_max{2'000};

  explicit rest_client(config used);
  ~rest_client();
  rest_client(const rest_client&) = delete;
  rest_client& operator=(const rest_client&) = delete;

  // The JSON of a 2xx answer; any other answer, or none, is a failure with the server's words and a
  // next step.
  boost::json::value call(rest_request asked);
  boost::json::value get(const std::string& path) { return call({.path = path}); }
  boost::json::value post(const std::string& path, boost::json::value body = boost::json::object{});
  // One try, any status; nothing is thrown but for a connection that failed (failure
  // exit_unavailable).
  rest_response once(const rest_request& asked, const std::string& idempotency_key = {});
  // Follows next_token over all pages of a list and returns the items.
  boost::json::array list(const std::string& path);

  const config& used() const { return config_; }

 private:
  config config_;
  struct handle;
  std::unique_ptr<handle> handle_;
};

// A new idempotency key.
std::string new_key();
// Percent-encoding of a path segment or query value.
std::string encoded(const std::string& text);
// obj["a"]["b"] as text for people: strings bare, numbers and booleans as written, nothing = "".
std::string text_of(const boost::json::value& value, std::string_view dotted_path = {});

}  // namespace berth::devctl
