// A request and a response as routes see them: no Beast, no socket. WebSocket `request` frames use
// the same ones.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "events/core/commit.hpp"

namespace berth::gateway {

// Header names are lower case.
struct request {
  std::string method;                        // "GET"
  std::string path;                          // decoded, without query: /api/v1/environments/env_…
  std::map<std::string, std::string> query;  // decoded
  std::map<std::string, std::string> headers;
  std::string body;
  std::string remote;           // address of the peer, for the audit view
  std::string request_id;       // uuid; in every answer, log line and event (correlation id)
  std::optional<principal> by;  // set by authentication before a route runs
  bool is_admin{};
  std::map<std::string, std::string> parameters;  // {id} of the path template
};

// Replaces `chunk` by the next piece of a body too big to hold; false at the end. One call at a
// time.
using body_stream = std::function<bool(std::string& chunk)>;

struct response {
  int status{200};
  std::map<std::string, std::string> headers;  // names as written to the wire
  std::string body;
  std::string content_type{"application/json"};
  body_stream stream;  // if set, the body is what it gives, and `body` is empty
  std::shared_ptr<const int>
      tunnel;  // if set, status is 101: a connected socket to join with the client's connection
};

// Called exactly once, on any thread.
using respond = std::function<void(response)>;

// Folds a streamed body into `body`; false if it is longer than bytes_max (the answer is then
// unusable).
bool drain(response& answer, std::size_t bytes_max);

}  // namespace berth::gateway
