// GET /api/v1/events?after=&limit=&wait_ms=: what happened in the account, in order; waits for
// something if told to.
#include <atomic>

#include <boost/json.hpp>

#include "gateway/render/event_items.hpp"
#include "gateway/routes/page_answer.hpp"
#include "gateway/routes/routes.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::uint64_t events_wait_ms_max = 30'000;
constexpr std::chrono::milliseconds off_the_kernel{0};

struct feed_choice {
  journal_cursor after;
  std::size_t limit{};
  std::chrono::milliseconds within{};
  bool all{};
};

class feed_wait : public std::enable_shared_from_this<feed_wait> {
 public:
  feed_wait(const api& with, const request& asked, feed_choice choice, respond done)
      : with_(with),
        account_(asked.by->account),
        request_id_(asked.request_id),
        choice_(std::move(choice)),
        done_(std::move(done)) {}

  // Lives by its timer: when that ends, by time, by an answer or with the gateway, so does this.
  void begin() {
    if (choice_.within.count() > 0) {
      const std::scoped_lock held(mutex_);
      timer_ = with_.timers(choice_.within, [self = shared_from_this()] { self->look(true); });
      follow_ = with_.given.journal.follow([weak = weak_from_this()](position) {
        if (const auto self = weak.lock()) self->look_soon();
      });
    }
    look_soon();
  }

 private:
  // Commits come in bursts: while a look is due, more of them ask for no other.
  void look_soon() {
    if (scheduled_.exchange(true)) return;
    const auto self = shared_from_this();
    const auto heads = heads_of(with_.given.journal);
    with_.given.when_projected(heads, projected_wait_soft, [self](bool) {
      self->with_.timers(off_the_kernel, [self] { self->look(self->choice_.within.count() == 0); });
    });
  }

  void look(bool last) {
    const std::scoped_lock held(mutex_);
    scheduled_ = false;
    if (answered_) return;
    auto commits = choice_.all
                       ? queries::feed_of_all(with_.given.journal, choice_.after, choice_.limit)
                       : queries::feed(with_.given.views, with_.given.journal, account_,
                                       choice_.after, choice_.limit);
    if (commits && commits->empty() && !last) return;
    answered_ = true;
    done_(commits ? render(*commits) : problem_response(commits.error(), request_id_));
    // Neither may be destroyed inside its own callback.
    with_.timers(off_the_kernel, [follow = std::move(follow_), timer = std::move(timer_)] {});
  }

  response render(const std::vector<commit>& commits) const {
    boost::json::array items;
    const auto tag = with_.given.journal.cursor_tag();
    auto next = choice_.after;
    for (const auto& one : commits) {
      next.set(one.at());
      for (auto& item : event_items(one, cursor_text(next, tag))) items.push_back(std::move(item));
    }
    return json_response(200,
                         {{"items", std::move(items)}, {"next_token", cursor_text(next, tag)}});
  }

  const api& with_;
  account_id account_;
  std::string request_id_;
  feed_choice choice_;
  respond done_;
  std::mutex mutex_;
  bool answered_{};
  std::atomic<bool> scheduled_{};
  std::shared_ptr<void> timer_;
  std::shared_ptr<void> follow_;
};

bool is_of(const journal& log, const journal_cursor& at) {
  return at.empty() || at.places().back().partition < log.partitions();
}

}  // namespace

void list_events(const api& with, request asked, respond done) {
  query_fields query(asked);
  feed_choice choice;
  const auto after = query.text("after", feed_cursor_bytes_max);
  const auto at = after == "now"  ? heads_of(with.given.journal)
                  : after.empty() ? journal_cursor{}
                                  : parse_cursor(after, with.given.journal.cursor_tag());
  if (!at || !is_of(with.given.journal, *at))
    query.refuse("after", "must be a cursor this server gave, or now");
  else
    choice.after = *at;
  choice.limit = query.number_or("limit", {1, page_limit_max}, page_limit_default);
  choice.within = std::chrono::milliseconds{query.number_or("wait_ms", {0, events_wait_ms_max}, 0)};
  if (!wants_all_or_refuse(asked, query, choice.all, done)) return;
  std::make_shared<feed_wait>(with, asked, std::move(choice), std::move(done))->begin();
}

}  // namespace berth::gateway::routes
