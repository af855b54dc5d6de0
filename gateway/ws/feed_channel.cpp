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

std::string feed_channel::tag() const {
  return host_.given().journal.cursor_tag();
}

void feed_channel::start(const wire::open& asked) {
  const auto heads = heads_of(host_.given().journal);
  const auto from = asked.after.empty() ? heads : parse_cursor(asked.after, tag());
  // In a cluster this node may be behind the one that gave it; what comes is found behind it.
  const auto partitions = host_.given().journal.partitions();
  const bool may_be_ahead =
      from && host_.given().cluster &&
      (from->empty() || from->places().back().partition < partitions);
  if (!from || (!may_be_ahead && !heads.reaches(*from)))
    return host_.end_channel(
        number_,
        {"cursor_expired", "the cursor is of another journal: start again without one", {}});
  after_ = *from;
  if (BERTH_MUTANT(feed_resumes_one_late) && !asked.after.empty())
    after_.set({0, after_.offset(0) + 1});
  looked_ = after_;
  wire::opened opened;
  opened.after = cursor_text(*from, tag());
  host_.send(number_, std::move(opened), false);
  following_ = host_.hub().watch_heads(
      [strand = host_.strand(), to = weak_from_this()](const journal_cursor&) {
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
  const auto heads = heads_of(host_.given().journal);
  if (looked_.reaches(heads)) return;
  again_ = false;
  looking_ = true;
  host_.given().when_projected(
      heads, projected_max,
      [strand = host_.strand(), to = weak_from_this(), heads](bool projected) {
        strand.post([to, heads, projected] {
          if (auto channel = to.lock()) channel->look(heads, projected);
        });
      });
}

void feed_channel::look(const journal_cursor& heads, bool projected) {
  looking_ = false;
  const auto& given = host_.given();
  const auto commits =
      queries::feed(given.views, given.journal, host_.caller().by.account, looked_, commits_a_look);
  if (!commits)
    return host_.end_channel(
        number_,
        {std::string(kind_of(commits.error().code).code), utf8_of(commits.error().message), {}});
  for (const auto& happened : *commits) send(happened);
  const bool is_full = commits->size() == commits_a_look;
  if (projected && !is_full) looked_.go_on_to(heads);
  if (!projected || is_full || again_) look_soon();
}

// All events of a commit but the last name the cursor before it: whoever resumes there gets the
// whole commit again.
void feed_channel::send(const commit& happened) {
  const auto before = cursor_text(after_, tag());
  after_.set(happened.at());
  looked_.set(happened.at());
  const auto behind = cursor_text(after_, tag());
  auto items = event_items(happened, behind);
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto body = boost::json::serialize(items[i]);
    if (body.size() > ws_table_text_bytes_max) {
      items[i].as_object()["data"] = nullptr;
      items[i].as_object()["data_omitted"] = true;
      body = boost::json::serialize(items[i]);
    }
    const auto& cursor = i + 1 == items.size() ? behind : before;
    host_.send(number_, wire::feed_event{cursor, std::move(body)}, false);
  }
}

void feed_channel::drained() {
  look_soon();
}

void feed_channel::received(wire::payload what) {
  host_.send_now(number_, not_for_this_channel(what));
}

}  // namespace berth::gateway
