#include "gateway/ws/ws_requests.hpp"

#include <algorithm>

#include "gateway/problem.hpp"
#include "gateway/target.hpp"
#include "gateway/ws/random_ids.hpp"
#include "gateway/ws/ws_limits.hpp"

namespace berth::gateway {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
  });
  return text;
}

// HTTP's own rule for a method (RFC 9110 §5.6.2), near enough: what the router does not know is 405
// or 404.
bool is_method(std::string_view text) {
  return !text.empty() && text.size() <= 16 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

void ws_requests::take(wire::request asked) {
  const auto id = asked.id;
  if (pending_.contains(id))
    return host_.send_now(0, wire::error{"invalid_argument",
                                         "request " + std::to_string(id) + " is not answered yet",
                                         {{"field", "id"}},
                                         {}});
  auto& entry = pending_[id];
  entry.asked.request_id = fresh_uuid(host_.given()).text();
  if (pending_.size() > ws_requests_in_flight_max)
    return refuse(id, "overloaded", "64 requests wait for an answer");
  if (!is_method(asked.method)) return refuse(id, "bad_request", "the method is not one");
  entry.asked.method = std::move(asked.method);
  if (!split_target(asked.path, entry.asked))
    return refuse(id, "bad_request", "the path is not one");
  for (auto& [name, value] : asked.headers) entry.asked.headers[lower(name)] = std::move(value);
  entry.asked.headers.erase("authorization");
  entry.asked.headers.erase("cookie");
  entry.asked.body = std::move(asked.body.bytes);
  entry.body_size = std::max<std::size_t>(asked.body_size, entry.asked.body.size());
  if (!entry.asked.body.empty() && entry.body_size > entry.asked.body.size())
    return refuse(id, "bad_request", "a body is whole in the request, or all of it in body frames");
  if (entry.body_size > ws_request_body_bytes_max ||
      bodies_bytes_ + entry.body_size > ws_request_bodies_bytes_max)
    return refuse(id, "payload_too_large",
                  "a body has at most 2 MiB, all unfinished ones of a connection 4 MiB");
  if (entry.asked.body.size() == entry.body_size) return dispatch(id);
  bodies_bytes_ += entry.body_size;
}

void ws_requests::take(std::uint32_t id, const wire::body& part) {
  const auto found = pending_.find(id);
  const auto bad = [&](std::string message) {
    host_.send_now(
        0,
        wire::error{"invalid_argument", std::move(message), {{"request", std::to_string(id)}}, {}});
  };
  // After a refusal the rest of the body still arrives.
  if (found == pending_.end()) return bad("no request of this id waits for a body");
  auto& entry = found->second;
  if (entry.dispatched) return bad("the request has its whole body");
  const auto size = part.bytes.size;
  if (part.offset != entry.asked.body.size() || size > entry.body_size - entry.asked.body.size() ||
      size == 0)
    return bad("expected the body's bytes from " + std::to_string(entry.asked.body.size()) +
               " on, up to " + std::to_string(entry.body_size));
  entry.asked.body += part.bytes.view();
  if (entry.asked.body.size() < entry.body_size) return;
  bodies_bytes_ -= entry.body_size;
  dispatch(id);
}

void ws_requests::dispatch(std::uint32_t id) {
  auto& entry = pending_.at(id);
  entry.dispatched = true;
  const auto& who = host_.caller();
  auto asked = std::move(entry.asked);
  entry.asked.request_id = asked.request_id;
  asked.by = who.by;
  asked.is_admin = who.is_admin;
  asked.remote = remote_;
  routes_.dispatch(std::move(asked),
                   [strand = host_.strand(), to = weak_from_this(), id](response given) {
                     strand.post([to, id, given = std::move(given)]() mutable {
                       if (auto requests = to.lock()) requests->answer(id, std::move(given));
                     });
                   });
}

void ws_requests::refuse(std::uint32_t id, std::string_view code, std::string_view message) {
  auto given = problem_response(kind_named(code), message, pending_.at(id).asked.request_id);
  answer(id, std::move(given));
}

void ws_requests::answer(std::uint32_t id, response given) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  const auto request_id = found->second.asked.request_id;
  pending_.erase(found);
  if (given.tunnel)
    given = problem_response(kind_named("upgrade_required"), "ports are reached by HTTP upgrade",
                             request_id);
  if (!drain(given, ws_response_body_bytes_max))
    given = problem_response(kind_named("payload_too_large"),
                             "the answer is larger than 8 MiB: ask by HTTP", request_id);
  else if (host_.queued_bytes() + given.body.size() > ws_large_answers_bytes_max)
    given = problem_response(kind_named("overloaded"),
                             "16 MiB wait to be read: read, then ask again", request_id);
  wire::response out;
  out.id = id;
  out.status = static_cast<std::uint16_t>(given.status);
  for (auto& [name, value] : given.headers) out.headers[lower(name)] = value;
  out.headers["content-type"] = given.content_type;
  out.body_size = static_cast<std::uint32_t>(given.body.size());
  if (given.body.size() <= wire::inline_body_bytes_max) {
    out.body.bytes = std::move(given.body);
    return host_.send_now(0, std::move(out));
  }
  host_.send_answer(id, {0, std::move(out)});
  const auto bytes = share(std::move(given.body));
  for (std::size_t at = 0; at < bytes->size(); at += wire::inline_body_bytes_max) {
    const auto size = std::min(wire::inline_body_bytes_max, bytes->size() - at);
    host_.send_answer(id, {id, wire::body{at, {bytes, at, size}}});
  }
}

}  // namespace berth::gateway
