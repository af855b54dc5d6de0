#include "gateway/http_convert.hpp"

#include <chrono>
#include <cstdlib>

#include <fmt/format.h>

#include "gateway/auth/hmac.hpp"
#include "gateway/target.hpp"

namespace berth::gateway {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t request_id_bytes_max = 128;

std::string lower(std::string_view name) {
  std::string out(name);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view view_of(boost::core::string_view text) { return {text.data(), text.size()}; }

// What must not be ambiguous between this server and a proxy before it.
bool must_be_single(std::string_view name) {
  return name == "host" || name == "authorization" || name == "idempotency-key" || name == "content-type" || name == "if-match";
}

template <class Body>
http::response<Body> message_of(const response& given, unsigned version, bool keep_alive) {
  http::response<Body> out{static_cast<http::status>(given.status), version};
  out.set(http::field::server, "berth");
  out.set(http::field::cache_control, "no-store");
  out.set("X-Content-Type-Options", "nosniff");
  if (given.status != 101) {
    out.set(http::field::content_type, given.content_type);
    out.keep_alive(keep_alive);
  }
  for (const auto& [name, value] : given.headers) out.set(name, value);
  return out;
}

}  // namespace

void throw_exception_from_error(const not_a_request&, const boost::source_location&) { std::abort(); }

std::string fresh_request_id() {
  std::array<std::uint8_t, 10> random{};
  fill_random(random);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return uuid::v7(std::chrono::duration_cast<std::chrono::milliseconds>(now).count(), random).text();
}

std::string request_id_of(const http_request& head) {
  const auto given = view_of(head["X-Request-Id"]);
  if (given.empty() || given.size() > request_id_bytes_max) return fresh_request_id();
  if (const auto id = uuid::parse(given)) return id->text();
  return uuid::derived("request-id", given).text();
}

boost::system::result<request, not_a_request> to_request(http_request message, std::string remote, std::string request_id) {
  request asked;
  asked.method = std::string(view_of(message.method_string()));
  if (!split_target(view_of(message.target()), asked))
    return not_a_request{"the request target is not a path, or is not percent-encoded UTF-8"};
  for (const auto& field : message) {
    const auto name = lower(view_of(field.name_string()));
    const auto value = view_of(field.value());
    const auto [at, is_new] = asked.headers.emplace(name, value);
    if (is_new) continue;
    if (must_be_single(name)) return not_a_request{fmt::format("the header {} was sent more than once", name)};
    at->second += name == "cookie" ? "; " : ", ";
    at->second += value;
  }
  if (message.version() >= 11 && !asked.headers.contains("host")) return not_a_request{"the header Host is missing"};
  asked.body = std::move(message.body());
  asked.remote = std::move(remote);
  asked.request_id = std::move(request_id);
  return asked;
}

http::response<http::string_body> to_message(const response& given, unsigned version, bool keep_alive) {
  return message_of<http::string_body>(given, version, keep_alive);
}

http::response<http::empty_body> to_empty_message(const response& given, unsigned version, bool keep_alive) {
  return message_of<http::empty_body>(given, version, keep_alive);
}

}  // namespace berth::gateway
