#include "gateway/ws/feed_channel.hpp"

#include <boost/json/serialize.hpp>

#include "events/core/mutants.hpp"
#include "gateway/problem.hpp"
#include "gateway/render/event_items.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/render/position_text.hpp"
#include "gateway/ws/ws_hub.hpp"
#include "gateway/ws/ws_limits.hpp"
#include "projections/queries.hpp"

namespace berth::gateway {
namespace {
constexpr std::size_t commits_a_look = 64;
constexpr std::size_t queued_bytes_max = 64 * 1024;
constexpr std::chrono::milliseconds projected_max{250};
}  // namespace

void feed_channel::start(const wire::open& asked) {
  const auto head = host_.given().journal.head();
  const auto from =
      asked.after.empty() ? head : parse_position(asked.after).value_or(position{~0U, 0});
  if (from.partition >= host_.given().journal.partitions() ||
      from.offset > host_.given().journal.head(from.partition).offset)
    return host_.end_channel(
        number_,
        {"cursor_expired", "the cursor is of another journal: start again without one", {}});
  after_ = from;
  if (BERTH_MUTANT(feed_resumes_one_late) && !asked.after.empty()) ++after_.offset;
  wire::opened opened;
  opened.after = position_text(from);
  host_.send(number_, std::move(opened), false);
  following_ = host_.hub().watch_head([strand = host_.strand(), to = weak_from_this()](position) {
    strand.post([to] {
      if (auto channel = to.lock()) channel->look_soon();
    });
  });
  look_soon();
}

void feed_channel::look_soon() {
  again_ = true;
  if (looking_) return;
  if (host_.queued_bytes(number_) > queued_bytes_max) return host_.wake_when_drained(number_);
  const auto head = host_.given().journal.head();
  if (head.offset <= after_.offset) return;
  again_ = false;
  looking_ = true;
  host_.given().when_projected(head, projected_max,
                               [strand = host_.strand(), to = weak_from_this()](bool projected) {
                                 strand.post([to, projected] {
                                   if (auto channel = to.lock()) channel->look(projected);
                                 });
                               });
}

void feed_channel::look(bool projected) {
  looking_ = false;
  const auto& given = host_.given();
  const auto commits =
      queries::feed(given.views, given.journal, host_.caller().by.account, after_, commits_a_look);
  if (!commits)
    return host_.end_channel(
        number_,
        {std::string(kind_of(commits.error().code).code), utf8_of(commits.error().message), {}});
  for (const auto& happened : *commits) send(happened);
  if (!projected || commits->size() == commits_a_look || again_) look_soon();
}

// All events of a commit but the last name the cursor before it: whoever resumes there gets the
// whole commit again.
void feed_channel::send(const commit& happened) {
  auto items = event_items(happened);
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto body = boost::json::serialize(items[i]);
    if (body.size() > ws_table_text_bytes_max) {
      items[i].as_object()["data"] = nullptr;
      items[i].as_object()["data_omitted"] = true;
      body = boost::json::serialize(items[i]);
    }
    const auto cursor = i + 1 == items.size() ? happened.at() : after_;
    host_.send(number_, wire::feed_event{position_text(cursor), std::move(body)}, false);
  }
  after_ = happened.at();
}

void feed_channel::drained() {
  look_soon();
}

void feed_channel::received(wire::payload what) {
  host_.send_now(number_, not_for_this_channel(what));
}

}  // namespace berth::gateway
