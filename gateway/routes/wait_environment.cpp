// GET /api/v1/environments/{environment}/wait?state=RUNNING&timeout_ms=60000
// 200 once the state is reached; 409 wrong_state if ERROR, DELETED ends the hope; 408 at the
// deadline.
#include <fmt/format.h>

#include "gateway/render/json_of.hpp"
#include "gateway/routes/environment_answer.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/status_name.hpp"

namespace berth::gateway::routes {
namespace {

using environment::status;
constexpr std::size_t state_bytes_max = 16;

response outcome_of_wait(const environment_id& id, status wanted,
                         const answer<environment::aggregate>& seen,
                         const std::string& request_id) {
  const auto& now = *seen.state;
  if (now.status == wanted) return environment_response(200, id, seen, sentence_of(now));
  const bool over = now.status == status::error || now.status == status::deleted;
  const auto& kind = kind_named(over ? "wrong_state" : "timeout");
  const auto message =
      over ? sentence_of(now)
           : fmt::format("{}, not {} yet", sentence_of(now), environment::name_of(wanted));
  return problem_response(kind, message, request_id,
                          {{"status", std::string(environment::name_of(now.status))}});
}

}  // namespace

void wait_environment(const api& with, request asked, respond done) {
  query_fields query(asked);
  const auto name = query.text("state", state_bytes_max);
  const auto wanted = name.empty() ? status::running : status_named(name).value_or(status::absent);
  if (wanted == status::absent)
    query.refuse("state", "must be a status such as RUNNING or STOPPED");
  const std::chrono::milliseconds within{
      query.number_or("timeout_ms", {1, wait_ms_max}, wait_ms_default)};
  if (query.problem()) return refuse(asked, done, *query.problem());
  with_environment(with, asked, done, [&with, asked, done, wanted, within](environment_id id) {
    wait_for_status(with, id, *asked.by, {wanted, status::error, status::deleted}, within,
                    [id, wanted, asked, done](auto seen) {
                      if (!seen) return refuse(asked, done, seen.error());
                      done(outcome_of_wait(id, wanted, *seen, asked.request_id));
                    });
  });
}

}  // namespace berth::gateway::routes
