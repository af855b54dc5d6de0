// How every route about one environment answers: {"environment": …, "message": …}, at once or after
// `?wait=true`.
#pragma once

#include <set>

#include "gateway/routes/support.hpp"

namespace berth::gateway {

response environment_response(int status, const environment_id& id,
                              const answer<environment::aggregate>& now, std::string_view message);

// ?wait=true&timeout_ms=: the answer waits until the status is in `reached` (ERROR ends the wait
// too).
struct wait_choice {
  bool wait{};
  std::chrono::milliseconds within{};
};
// Nothing after having answered invalid_argument.
std::optional<wait_choice> wait_choice_or_refuse(const request& asked, const respond& done);

// A completion for kernel.ask that renders, and waits if chosen.
answer_completion<environment::aggregate> answering_environment(
    const api& with, const request& asked, respond done, int status, environment_id id,
    std::set<environment::status> reached, wait_choice choice);

// The whole of a verb: resolves {environment}, reads headers and ?wait, asks.
void ask_environment(const api& with, request asked, respond done, environment::command command,
                     std::set<environment::status> reached);

}  // namespace berth::gateway
