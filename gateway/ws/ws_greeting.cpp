#include "gateway/ws/ws_greeting.hpp"

#include <spdlog/spdlog.h>

#include "events/core/arguments.hpp"
#include "events/core/mutants.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/routes/support.hpp"
#include "gateway/ws/random_ids.hpp"

namespace berth::gateway {
namespace {

using session_answer = outcome<answer<session::aggregate>>;

rejection no_session() {
  return reject(rejection_code::not_found, "no such session, or it is over: say hello without one",
                "session");
}

}  // namespace

command_meta ws_greeting::meta() const {
  const auto id = fresh_uuid(given_);
  return {id, who_.by, id, {}, {}};
}

void ws_greeting::begin(wire::hello said, std::optional<identity> shown, completion done,
                        ws_hub::session_over over) {
  said_ = std::move(said);
  done_ = std::move(done);
  over_ = std::move(over);
  connection_ = fresh_uuid(given_).text();
  since_ = heads_of(given_.journal);
  if (said_.token.empty()) {
    if (shown) return identified(std::move(*shown));
    return identified(reject(rejection_code::unauthenticated,
                             "hello without a token, and the upgrade had none", "token"));
  }
  auth_.authenticate(said_.token, [strand = strand_, to = weak_from_this()](outcome<identity> who) {
    strand.post([to, who = std::move(who)]() mutable {
      if (auto self = to.lock()) self->identified(std::move(who));
    });
  });
}

void ws_greeting::identified(outcome<identity> who) {
  if (ended_) return;
  if (!who) return done_(who.error());
  who_.by = who->by;
  who_.is_admin = who->is_admin;
  who_.token = who->token;
  said_.session.empty() ? open_session() : resume_session();
}

void ws_greeting::open_session() {
  const auto how = meta();
  who_.session.value = derived_id("sess", who_.by.account.value, how.id);
  who_.input_stream = fresh_uuid(given_);
  watch();
  const session::open command{who_.by.account, who_.token,
                              clipped(utf8_of(said_.client), short_text_bytes_max),
                              who_.input_stream};
  given_.kernel.ask(who_.session, command, how,
                    [strand = strand_, to = weak_from_this()](const session_answer& result) {
                      strand.post([to, result] {
                        auto self = to.lock();
                        if (!self || self->ended_) return;
                        if (!result) return self->done_(result.error());
                        self->enter(false);
                      });
                    });
}

// Watched from before it is read, so that an end the read does not show comes by the watch; and
// watched again once the input stream is known, which tells a hand-over that came later from the
// one that led here.
void ws_greeting::resume_session() {
  if (!is_id(said_.session, "sess")) return done_(no_session());
  who_.session.value = said_.session;
  watch();
  given_.kernel.read(
      who_.session, who_.by,
      [strand = strand_, to = weak_from_this()](const session_answer& result) {
        strand.post([to, result] {
          auto self = to.lock();
          if (!self || self->ended_) return;
          if (!result)
            return self->done_(result.error() == rejection_code::not_found ? no_session()
                                                                           : result.error());
          const bool over = result->state->closed && !BERTH_MUTANT(closed_session_resumed);
          if (!result->state->exists || over) return self->done_(no_session());
          const auto stream = result->state->input_stream;
          if (!self->said_.input_stream.empty() && self->said_.input_stream != stream.text())
            return self->done_(no_session());
          self->who_.input_stream =
              BERTH_MUTANT(input_stream_lost_at_resume) ? fresh_uuid(self->given_) : stream;
          self->watch();
          self->enter(true);
        });
      });
}

void ws_greeting::watch() {
  watched_ = hub_->watch_session(
      who_, since_,
      [strand = strand_, to = weak_from_this()](std::string code, std::string message) {
        strand.post([to, code = std::move(code), message = std::move(message)] {
          auto self = to.lock();
          if (self && !self->ended_) self->over_(code, message);
        });
      });
}

// The client need not wait for this commit; if it is refused the session is over after all.
void ws_greeting::enter(bool resumed) {
  attached_ = true;
  given_.kernel.ask(who_.session, session::attach{connection_, remote_}, meta(),
                    [strand = strand_, to = weak_from_this()](const session_answer& result) {
                      if (result) return;
                      strand.post([to, why = result.error()] {
                        auto self = to.lock();
                        if (!self || self->ended_) return;
                        if (why == rejection_code::wrong_state || why == rejection_code::not_found)
                          return self->over_("session_closed", why.message);
                        spdlog::warn("session {}: a connection is not recorded: {}",
                                     self->who_.session.value, why.message);
                      });
                    });
  who_.by.actor = who_.session.value;
  done_(greeted{who_, resumed});
}

void ws_greeting::end() {
  ended_ = true;
  watched_.reset();
  done_ = {};
  over_ = {};
  if (!attached_) return;
  given_.kernel.ask(who_.session, session::detach{connection_}, meta(),
                    [](const session_answer&) {});
}

}  // namespace berth::gateway
