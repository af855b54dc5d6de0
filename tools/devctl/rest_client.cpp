#include "tools/devctl/rest_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "events/core/ids.hpp"
#include "tools/devctl/failure.hpp"

namespace berth::devctl {
namespace json = boost::json;

struct rest_client::handle {
  CURL* curl{curl_easy_init()};
  ~handle() { curl_easy_cleanup(curl); }
};

namespace {

constexpr long connect_timeout_ms = 5'000;
constexpr std::size_t answer_bytes_max = 64 * 1024 * 1024;

struct header_list {
  curl_slist* first{};
  ~header_list() { curl_slist_free_all(first); }
  void add(const std::string& line) { first = curl_slist_append(first, line.c_str()); }
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* into) {
  auto& text = *static_cast<std::string*>(into);
  if (text.size() + size * count > answer_bytes_max) return 0;  // curl ends the transfer
  text.append(data, size * count);
  return size * count;
}

struct answer_headers {
  std::string request_id;
  int retry_after_s{-1};
};

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* into) {
  auto& found = *static_cast<answer_headers*>(into);
  const std::string_view line(data, size * count);
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  auto value = line.substr(std::min(line.find_first_not_of(" \t", colon + 1), line.size()));
  value = value.substr(0, value.find_last_not_of(" \t\r\n") + 1);
  if (name == "x-request-id") found.request_id = value;
  if (name == "retry-after")
    std::from_chars(value.data(), value.data() + value.size(), found.retry_after_s);
  return size * count;
}

std::string next_step_for(const rest_response& answer) {
  switch (answer.status) {
    case 401:
      return "run `devctl login --server URL --token-file FILE`";
    case 403:
      return "ask an administrator for the right, or use another token";
    case 404:
      return "`devctl env list` shows what there is";
    case 429:
    case 503:
      return "try again in a moment";
    default:
      return {};
  }
}

failure failure_of(const rest_response& answer, const rest_request& asked) {
  std::string message = text_of(answer.body, "error");
  if (message.empty())
    message = fmt::format("{} {} was answered {}", asked.method, asked.path, answer.status);
  if (const auto code = text_of(answer.body, "code"); !code.empty()) message += " (" + code + ")";
  if (const auto field = text_of(answer.body, "details.field"); !field.empty())
    message += ", field " + field;
  auto request = answer.request_id.empty() ? text_of(answer.body, "request_id") : answer.request_id;
  if (answer.status >= 500 && !request.empty()) message += ", request " + request;
  auto next = text_of(answer.body, "details.next_step");
  return {exit_code_of(answer.status), message, next.empty() ? next_step_for(answer) : next};
}

// What a retry with the same key may mend.
bool worth_a_retry(const rest_response& answer) {
  const auto code = text_of(answer.body, "code");
  return code == "overloaded" || code == "unavailable" || code == "unknown_outcome" ||
         (answer.status == 503 && code.empty());
}

}  // namespace

int exit_code_of(int status) {
  switch (status) {
    case 400:
    case 422:
      return exit_usage;
    case 401:
    case 403:
      return exit_auth;
    case 404:
    case 410:
      return exit_not_found;
    case 409:
    case 412:
      return exit_conflict;
    case 429:
    case 502:
    case 503:
    case 504:
      return exit_unavailable;
    default:
      return exit_error;
  }
}

rest_client::rest_client(config used)
    : config_(std::move(used)), handle_(std::make_unique<handle>()) {}
rest_client::~rest_client() = default;

rest_response rest_client::once(const rest_request& asked, const std::string& key) {
  CURL* curl = handle_->curl;
  curl_easy_reset(curl);  // keeps the connection
  rest_response answer;
  answer_headers headers;
  header_list lines;
  lines.add("Accept: application/json");
  if (!config_.token.empty()) lines.add("Authorization: Bearer " + config_.token);
  if (!key.empty()) lines.add("Idempotency-Key: " + key);
  if (!asked.if_match.empty()) lines.add("If-Match: " + asked.if_match);
  const auto body = asked.body.is_null() ? std::string() : json::serialize(asked.body);
  if (!asked.body.is_null()) lines.add("Content-Type: application/json");
  const auto url = config_.server + asked.path;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  if (!config_.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, config_.ca_file.c_str());
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, asked.method.c_str());
  if (asked.method != "GET" && asked.method != "HEAD") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, long(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.first);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, long(asked.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "devctl");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.text);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &headers);
  if (const auto done = curl_easy_perform(curl); done != CURLE_OK)
    throw failure(exit_unavailable, fmt::format("{}: {}", config_.server, curl_easy_strerror(done)),
                  "is the server running? `devctl doctor` looks into it");
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = int(status);
  answer.request_id = headers.request_id;
  boost::system::error_code error;
  answer.body = json::parse(answer.text, error);
  if (error) answer.body = nullptr;
  if (headers.retry_after_s >= 0 && answer.body.is_object())
    answer.body.as_object()["retry_after_s"] = headers.retry_after_s;
  return answer;
}

json::value rest_client::call(rest_request asked) {
  const auto key = asked.method == "GET" ? std::string() : new_key();
  const auto give_up = std::chrono::steady_clock::now() + retry_for;
  auto delay = retry_delay_min;
  for (;;) {
    const bool last_try = std::chrono::steady_clock::now() + delay >= give_up;
    std::optional<rest_response> answer;
    try {
      answer = once(asked, key);
    } catch (const failure&) {
      if (last_try) throw;
    }
    if (answer) {
      if (answer->status >= 200 && answer->status < 300) return std::move(answer->body);
      if (last_try || !worth_a_retry(*answer)) throw failure_of(*answer, asked);
      if (const auto* body = answer->body.if_object(); body && body->contains("retry_after_s"))
        delay = std::clamp<std::chrono::milliseconds>(
            std::chrono::seconds(body->at("retry_after_s").to_number<int>()), retry_delay_min,
            retry_delay_max);
    }
    std::this_thread::sleep_for(delay);
    delay = std::min(delay * 2, retry_delay_max);
  }
}

json::value rest_client::post(const std::string& path, json::value body) {
  return call({.method = "POST", .path = path, .body = std::move(body)});
}

json::array rest_client::list(const std::string& path) {
  json::array items;
  std::string token;
  do {
    auto url = path;
    if (!token.empty())
      url += (path.find('?') == std::string::npos ? "?" : "&") + ("page_token=" + encoded(token));
    const auto page = get(url);
    for (const auto& item : page.at("items").as_array()) items.push_back(item);
    token = text_of(page, "next_token");
  } while (!token.empty());
  return items;
}

std::string new_key() {
  static thread_local std::random_device source;
  std::array<std::uint8_t, 10> random{};
  for (auto& byte : random) byte = std::uint8_t(source());
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return uuid::v7(std::chrono::duration_cast<std::chrono::milliseconds>(now).count(), random)
      .text();
}

std::string encoded(const std::string& text) {
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~')
      out += char(c);
    else
      out += fmt::format("%{:02X}", c);
  }
  return out;
}

std::string text_of(const json::value& value, std::string_view path) {
  const json::value* at = &value;
  while (!path.empty()) {
    const auto dot = path.find('.');
    const auto* object = at->if_object();
    at = object ? object->if_contains(path.substr(0, dot)) : nullptr;
    if (!at) return {};
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  if (at->is_null()) return {};
  if (at->is_string()) return std::string(at->as_string());
  return json::serialize(*at);
}

}  // namespace berth::devctl
