#include "gateway/routes/environment_answer.hpp"

#include "gateway/render/json_of.hpp"

namespace berth::gateway {

response environment_response(int status, const environment_id& id,
                              const answer<environment::aggregate>& now, std::string_view message) {
  auto given = json_response(
      status, {{"environment", json_of(id, *now.state, now.version)}, {"message", message}});
  stamp(given, now);
  return given;
}

std::optional<wait_choice> wait_choice_or_refuse(const request& asked, const respond& done) {
  query_fields query(asked);
  const bool wait = query.flag("wait", false);
  const std::chrono::milliseconds within{
      query.number_or("timeout_ms", {1, wait_ms_max}, wait_ms_default)};
  if (query.problem()) return refuse(asked, done, *query.problem()), std::nullopt;
  return wait_choice{wait, within};
}

answer_completion<environment::aggregate> answering_environment(
    const api& with, const request& asked, respond done, int status, environment_id id,
    std::set<environment::status> reached, wait_choice choice) {
  reached.insert(environment::status::error);
  return [&with, by = *asked.by, request_id = asked.request_id, done = std::move(done), status, id,
          reached = std::move(reached), choice](auto answered) {
    if (!answered) return done(problem_response(answered.error(), request_id));
    const bool there = reached.contains(answered->state->status);
    if (!choice.wait || there)
      return done(environment_response(status, id, *answered, sentence_of(*answered->state)));
    wait_for_status(with, id, by, reached, choice.within,
                    [done, status, id, first = *answered, request_id](auto seen) {
                      if (!seen) return done(problem_response(seen.error(), request_id));
                      auto given =
                          environment_response(status, id, *seen, sentence_of(*seen->state));
                      if (first.replayed) given.headers["Idempotency-Replayed"] = "true";
                      done(std::move(given));
                    });
  };
}

void ask_environment(const api& with, request asked, respond done, environment::command command,
                     std::set<environment::status> reached) {
  const auto choice = wait_choice_or_refuse(asked, done);
  if (!choice) return;
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  with_environment(with, asked, done,
                   [&with, asked, done, command = std::move(command), reached = std::move(reached),
                    meta = *meta, choice = *choice](environment_id id) {
                     with.given.kernel.ask(
                         id, command, meta,
                         answering_environment(with, asked, done, 200, id, reached, choice));
                   });
}

}  // namespace berth::gateway
