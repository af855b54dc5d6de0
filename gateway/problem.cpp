#include "gateway/problem.hpp"

#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "events/core/invariant.hpp"

namespace berth::gateway {
namespace {

using std::chrono::seconds;

// Frame numbers are part of the wire protocol (docs/protocol.md): append only.
constexpr std::array kinds{
    problem_kind{"not_found", 404, 1, {}},
    problem_kind{"wrong_state", 409, 2, {}},
    problem_kind{"name_taken", 409, 3, {}},
    problem_kind{"invalid_argument", 422, 4, {}},
    problem_kind{"idempotency_conflict", 409, 5, {}},
    problem_kind{"command_too_old", 409, 6, {}},
    problem_kind{"precondition_failed", 412, 7, {}},
    problem_kind{"limit_exceeded", 429, 8, seconds{60}},
    problem_kind{"overloaded", 429, 9, seconds{1}},
    problem_kind{"unauthenticated", 401, 10, {}},
    problem_kind{"forbidden", 403, 11, {}},
    problem_kind{"unavailable", 503, 12, seconds{5}},
    problem_kind{"unknown_outcome", 503, 13, seconds{1}},
    problem_kind{"quarantined", 503, 14, seconds{60}},
    problem_kind{"bad_request", 400, 20, {}},
    problem_kind{"method_not_allowed", 405, 21, {}},
    problem_kind{"timeout", 408, 22, {}},
    problem_kind{"expired", 410, 23, {}},
    problem_kind{"payload_too_large", 413, 24, {}},
    problem_kind{"unsupported_media_type", 415, 25, {}},
    problem_kind{"truncated", 416, 26, {}},
    problem_kind{"upgrade_required", 426, 27, {}},
    problem_kind{"headers_too_large", 431, 28, {}},
    problem_kind{"internal", 500, 29, {}},
    problem_kind{"data_loss", 500, 30, {}},
};

constexpr auto find(std::string_view code) {
  return std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.code == code; });
}

boost::json::value value_of(const problem_detail& detail) {
  if (!detail.is_number) return boost::json::value(detail.value);
  return boost::json::value(std::stoull(detail.value));
}

}  // namespace

std::span<const problem_kind> problem_kinds() {
  return kinds;
}

const problem_kind& kind_named(std::string_view code) {
  const auto* at = find(code);
  BERTH_ASSERT(at != kinds.end());
  return *at;
}

const problem_kind& kind_of(rejection_code code) {
  return kind_named(name_of(code));
}

const problem_kind& kind_of(journal_errc code) {
  switch (code) {
    case journal_errc::overloaded:
      return kind_named("overloaded");
    case journal_errc::closed:
      return kind_named("unavailable");
    case journal_errc::conflict:
      return kind_named("unknown_outcome");
    case journal_errc::too_large:
      return kind_named("payload_too_large");
    case journal_errc::unknown_outcome:
      return kind_named("unknown_outcome");
    case journal_errc::not_found:
      return kind_named("not_found");
    case journal_errc::io:
      return kind_named("internal");
    case journal_errc::corrupt:
    case journal_errc::data_loss:
      return kind_named("data_loss");
  }
  return kind_named("internal");
}

const problem_kind& kind_of(host_errc code) {
  switch (code) {
    case host_errc::unavailable:
      return kind_named("unavailable");
    case host_errc::unknown_template:
      return kind_named("invalid_argument");
    case host_errc::not_found:
      return kind_named("not_found");
    case host_errc::not_running:
      return kind_named("wrong_state");
    case host_errc::stale_owner:
      return kind_named("unavailable");
    case host_errc::outcome_unknown:
      return kind_named("unknown_outcome");
    case host_errc::limit_exceeded:
      return kind_named("limit_exceeded");
    case host_errc::timeout:
      return kind_named("timeout");
    case host_errc::io:
    case host_errc::protocol:
      return kind_named("unavailable");
  }
  return kind_named("internal");
}

response problem_response(const problem_kind& kind, std::string_view message,
                          std::string_view request_id, const std::vector<problem_detail>& details) {
  boost::json::object named;
  for (const auto& detail : details) named.emplace(detail.name, value_of(detail));
  response answer;
  answer.status = kind.status;
  answer.body = boost::json::serialize(boost::json::object{{"error", message},
                                                           {"code", kind.code},
                                                           {"details", std::move(named)},
                                                           {"request_id", request_id}});
  if (kind.retry_after.count() > 0)
    answer.headers["Retry-After"] = std::to_string(kind.retry_after.count());
  if (kind.status == 401) answer.headers["WWW-Authenticate"] = "Bearer realm=\"berth\"";
  return answer;
}

response problem_response(const rejection& why, std::string_view request_id) {
  std::vector<problem_detail> details;
  if (!why.field.empty()) details.push_back({"field", why.field});
  const auto& kind = kind_of(why.code);
  return problem_response(kind, why.message.empty() ? kind.code : why.message, request_id, details);
}

response problem_response(const journal_error& why, std::string_view request_id) {
  std::vector<problem_detail> details;
  if (why.where) details.push_back({"offset", std::to_string(why.where->offset), true});
  return problem_response(kind_of(why.code), why.message, request_id, details);
}

response problem_response(const host_error& why, std::string_view request_id) {
  std::vector<problem_detail> details;
  if (!why.next_step.empty()) details.push_back({"next_step", why.next_step});
  return problem_response(kind_of(why.code), why.message, request_id, details);
}

bool drain(response& answer, std::size_t bytes_max) {
  if (!answer.stream) return true;
  const auto pull = std::move(answer.stream);
  answer.stream = nullptr;
  for (std::string chunk; pull(chunk);) {
    if (answer.body.size() + chunk.size() > bytes_max) return false;
    answer.body += chunk;
  }
  return true;
}

}  // namespace berth::gateway
