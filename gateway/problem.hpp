// Errors as clients see them: one body {error, code, details, request_id}, one table of statuses
// and frame codes.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/ports/environment_host.hpp"
#include "events/core/journal_error.hpp"
#include "events/core/rejection.hpp"
#include "gateway/http_message.hpp"

namespace berth::gateway {

// `frame` is the number of the code in WebSocket error frames; never reused.
struct problem_kind {
  std::string_view code;
  int status{};
  std::uint16_t frame{};
  std::chrono::seconds retry_after{};  // 0 = no Retry-After
};

// Every code a client can get, the gateway's own (bad_request, method_not_allowed …) included.
std::span<const problem_kind> problem_kinds();
const problem_kind& kind_of(rejection_code code);
const problem_kind& kind_of(journal_errc code);
const problem_kind& kind_of(host_errc code);
const problem_kind& kind_named(std::string_view code);  // BERTH_ASSERTs that it exists

// `details` values: decimal texts are written as JSON numbers if `is_number`.
struct problem_detail {
  std::string name;
  std::string value;
  bool is_number{};
};

response problem_response(const problem_kind& kind, std::string_view message,
                          std::string_view request_id,
                          const std::vector<problem_detail>& details = {});
response problem_response(const rejection& why, std::string_view request_id);
response problem_response(const journal_error& why, std::string_view request_id);
response problem_response(const host_error& why, std::string_view request_id);

}  // namespace berth::gateway
