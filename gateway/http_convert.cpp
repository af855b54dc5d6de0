#include "gateway/http_convert.hpp"

#include <chrono>
#include <cstdlib>
#include <iterator>

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

std::string_view view_of(boost::core::string_view text) {
  return {text.data(), text.size()};
}

// What must not be ambiguous between this server and a proxy before it.
bool must_be_single(std::string_view name) {
  return name == "host" || name == "authorization" || name == "idempotency-key" ||
         name == "content-type" || name == "if-match";
}

// A header's value cannot end its line, whoever made it.
void put(std::string& out, std::string_view name, std::string_view value) {
  if (value.find_first_of("\r\n") != std::string_view::npos) return;
  fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
}

}  // namespace

void throw_exception_from_error(const not_a_request&, const boost::source_location&) {
  std::abort();
}

std::string fresh_request_id() {
  std::array<std::uint8_t, 10> random{};
  fill_random(random);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return uuid::v7(std::chrono::duration_cast<std::chrono::milliseconds>(now).count(), random)
      .text();
}

std::string request_id_of(const http_request& head) {
  const auto given = view_of(head["X-Request-Id"]);
  if (given.empty() || given.size() > request_id_bytes_max) return fresh_request_id();
  if (const auto id = uuid::parse(given)) return id->text();
  return uuid::derived("request-id", given).text();
}

boost::system::result<request, not_a_request> to_request(http_request message, std::string remote,
                                                         std::string request_id) {
  request asked;
  asked.method = std::string(view_of(message.method_string()));
  if (!split_target(view_of(message.target()), asked))
    return not_a_request{"the request target is not a path, or is not percent-encoded UTF-8"};
  for (const auto& field : message) {
    const auto name = lower(view_of(field.name_string()));
    const auto value = view_of(field.value());
    const auto [at, is_new] = asked.headers.emplace(name, value);
    if (is_new) continue;
    if (must_be_single(name))
      return not_a_request{fmt::format("the header {} was sent more than once", name)};
    at->second += name == "cookie" ? "; " : ", ";
    at->second += value;
  }
  if (message.version() >= 11 && !asked.headers.contains("host"))
    return not_a_request{"the header Host is missing"};
  asked.body = std::move(message.body());
  asked.remote = std::move(remote);
  asked.request_id = std::move(request_id);
  return asked;
}

std::string header_text(const response& given, const framing& how) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(given.status));
  auto out = fmt::format(
      "HTTP/1.{} {} {}\r\nServer: berth\r\nCache-Control: no-store\r\nX-Content-Type-Options: "
      "nosniff\r\n",
      how.version >= 11 ? 1 : 0, given.status, view_of(reason));
  for (const auto& [name, value] : given.headers) put(out, name, value);
  if (given.status == 101) return out += "\r\n";
  put(out, "Content-Type", given.content_type);
  if (how.chunked) put(out, "Transfer-Encoding", "chunked");
  if (!given.stream) put(out, "Content-Length", std::to_string(given.body.size()));
  if (!how.keep_alive && how.version >= 11) put(out, "Connection", "close");
  if (how.keep_alive && how.version < 11) put(out, "Connection", "keep-alive");
  return out += "\r\n";
}

std::string chunk_header(std::size_t bytes) {
  return fmt::format("{:x}\r\n", bytes);
}

}  // namespace berth::gateway
