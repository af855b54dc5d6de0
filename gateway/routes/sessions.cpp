// GET, DELETE /api/v1/sessions/{session} and POST …/hand-over
#include "gateway/auth/hmac.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/support.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::size_t client_bytes_max = 256;

answer_completion<session::aggregate> answering_session(const request& asked, const respond& done,
                                                        const session_id& id, std::string message) {
  return [asked, done, id, message = std::move(message)](auto now) {
    if (!now) return refuse(asked, done, now.error());
    auto given = json_response(
        200, {{"session", json_of(id, *now->state, now->version)}, {"message", message}});
    stamp(given, *now);
    done(std::move(given));
  };
}

}  // namespace

void show_session(const api& with, request asked, respond done) {
  if (!id_or_refuse(asked, "session", "sess", done)) return;
  const session_id id{asked.parameters.at("session")};
  with.given.kernel.read(id, *asked.by, answering_session(asked, done, id, "session"));
}

void close_session(const api& with, request asked, respond done) {
  if (!id_or_refuse(asked, "session", "sess", done)) return;
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  const session_id id{asked.parameters.at("session")};
  with.given.kernel.ask(id, session::close{session::close_reason::logout}, *meta,
                        answering_session(asked, done, id, "session is closed"));
}

// Another device goes on with the session: the one that had it is detached, the input stream is a
// new one.
void hand_over_session(const api& with, request asked, respond done) {
  if (!id_or_refuse(asked, "session", "sess", done)) return;
  auto fields = fields_or_refuse(asked, done);
  if (!fields) return;
  session::hand_over command;
  command.client = fields->text("client", need::required, client_bytes_max);
  if (fields->problem()) return refuse(asked, done, *fields->problem());
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  const session_id id{asked.parameters.at("session")};
  command.input_stream = uuid::derived("input-stream", id.value, meta->id.text());
  with.given.kernel.ask(id, command, *meta,
                        answering_session(asked, done, id, "session is handed over"));
}

}  // namespace berth::gateway::routes
