#include "gateway/ws/environment_channel.hpp"

#include <boost/json/serialize.hpp>

#include "gateway/render/json_of.hpp"
#include "gateway/ws/ws_limits.hpp"

namespace berth::gateway {

void environment_channel::start(const wire::open& asked) {
  id_ = environment_id{asked.id};
  seen_ = asked.from;
  watch_ = host_.given().kernel.watch(id_, host_.caller().by,
                                      [strand = host_.strand(), to = weak_from_this()](
                                          outcome<answer<environment::aggregate>> now) {
                                        strand.post([to, now = std::move(now)] {
                                          if (auto channel = to.lock()) channel->changed(now);
                                        });
                                      });
}

void environment_channel::changed(const outcome<answer<environment::aggregate>>& now) {
  if (!now) return host_.end_channel(number_, closed_frame(now.error()));
  if (!opened_) {
    opened_ = true;
    wire::opened opened;
    opened.status = name_of(now->state->status);
    host_.send(number_, std::move(opened), false);
  }
  if (now->version.value == seen_) return;
  seen_ = now->version.value;
  auto body = boost::json::serialize(json_of(id_, *now->state, now->version));
  if (body.size() > ws_table_text_bytes_max)
    return host_.end_channel(number_,
                             {"limit_exceeded", "the state is too big for a frame; use REST", {}});
  newest_ = wire::environment_state{seen_, std::move(body)};
  send_newest();
}

// A client that reads slowly skips states, it never gets an old one after a newer one.
void environment_channel::send_newest() {
  if (!newest_) return;
  if (host_.queued_bytes(number_) > 0) return host_.wake_when_drained(number_);
  host_.send(number_, std::move(*newest_), false);
  newest_.reset();
}

void environment_channel::drained() {
  send_newest();
}

void environment_channel::received(wire::payload what) {
  host_.send_now(number_, not_for_this_channel(what));
}

}  // namespace berth::gateway
