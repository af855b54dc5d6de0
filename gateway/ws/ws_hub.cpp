#include "gateway/ws/ws_hub.hpp"

#include <vector>

#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>

#include "events/core/match.hpp"
#include "events/core/mutants.hpp"

namespace berth::gateway {
namespace {

constexpr std::size_t commits_a_read = 256;

// Runs an action when the last owner lets go.
class on_release {
 public:
  explicit on_release(std::function<void()> act) : act_{std::move(act)} {}
  on_release(const on_release&) = delete;
  ~on_release() { act_(); }

 private:
  std::function<void()> act_;
};

}  // namespace

ws_hub::ws_hub(const services& given, boost::asio::any_io_executor executor)
    : given_{given}, strand_{std::move(executor)} {}

void ws_hub::begin() {
  next_ = given_.journal.head();
  ++next_.offset;
  following_ = given_.journal.follow([to = weak_from_this()](position) {
    auto hub = to.lock();
    if (!hub || hub->awake_.exchange(true)) return;
    boost::asio::post(hub->strand_, [hub] { hub->read_tail(); });
  });
}

void ws_hub::stop() {
  following_.reset();
}

std::shared_ptr<void> ws_hub::handle_for(std::function<void(ws_hub&)> remove) {
  return std::make_shared<on_release>([to = weak_from_this(), remove = std::move(remove)] {
    if (auto hub = to.lock()) boost::asio::post(hub->strand_, [hub, remove] { remove(*hub); });
  });
}

std::shared_ptr<void> ws_hub::watch_session(const ws_caller& who, position since,
                                            session_over over) {
  const auto number = std::make_shared<std::uint64_t>(0);
  ++watchers_;
  boost::asio::post(
      strand_, [hub = shared_from_this(), number, who, since, over = std::move(over)]() mutable {
        *number = ++hub->next_number_;
        hub->sessions_.emplace(*number, watched_session{std::move(who), since, std::move(over)});
        if (hub->next_.offset <= since.offset + 1) return;
        // What was read while this waited its turn is read again.
        hub->next_.offset = since.offset + 1;
        hub->read_tail();
      });
  return handle_for([number](ws_hub& hub) {
    hub.sessions_.erase(*number);
    --hub.watchers_;
  });
}

std::shared_ptr<void> ws_hub::watch_head(head_moved moved) {
  const auto number = std::make_shared<std::uint64_t>(0);
  boost::asio::post(strand_,
                    [hub = shared_from_this(), number, moved = std::move(moved)]() mutable {
                      *number = ++hub->next_number_;
                      // What was read while this waited its turn is told too.
                      moved(hub->given_.journal.head());
                      hub->heads_.emplace(*number, std::move(moved));
                    });
  return handle_for([number](ws_hub& hub) { hub.heads_.erase(*number); });
}

// With more to read it posts itself again, so that sockets on this thread get their turn.
void ws_hub::read_tail() {
  awake_ = false;
  const auto head = given_.journal.head();
  if (watchers_ == 0) {
    next_ = {head.partition, head.offset + 1};
  } else if (head.offset >= next_.offset) {
    const auto commits = given_.journal.read(next_, commits_a_read);
    if (!commits) {
      spdlog::error("the journal's tail cannot be read for sessions: {}", commits.error().message);
      return;
    }
    for (const auto& happened : *commits) {
      look_at(happened);
      next_ = {happened.at().partition, happened.at().offset + 1};
    }
    if (head.offset >= next_.offset && !commits->empty() && !awake_.exchange(true))
      boost::asio::post(strand_, [hub = shared_from_this()] { hub->read_tail(); });
  }
  for (const auto& [number, moved] : heads_) moved(head);
}

template <class Chosen>
void ws_hub::end_sessions(position at, Chosen chosen, const std::string& code,
                          const std::string& message) {
  std::vector<session_over> told;
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    const auto now = it++;
    if (at.offset <= now->second.since.offset || !chosen(now->second.who)) continue;
    told.push_back(std::move(now->second.over));
    sessions_.erase(now);
  }
  for (auto& over : told) over(code, message);
}

void ws_hub::look_at(const commit& happened) {
  const auto& key = happened.body.stream.key;
  const auto at = happened.at();
  if (happened.body.stream.kind == aggregate_kind::session) {
    for (const auto& record : happened.body.events) {
      const auto event = session::aggregate::decode(record);
      if (!event) continue;
      const auto same = [&](const ws_caller& who) { return who.session.value == key; };
      if (BERTH_MUTANT(closed_session_lives_on)) continue;
      std::visit(match{[&](const session::closed& e) {
                         end_sessions(at, same,
                                      e.reason == session::close_reason::revoked ? "revoked"
                                                                                 : "session_closed",
                                      "the session was closed");
                       },
                       [&](const session::handed_over& e) {
                         end_sessions(
                             at,
                             [&](const auto& who) {
                               return same(who) && who.input_stream != e.input_stream;
                             },
                             "handed_over", "the session went on to another device");
                       },
                       [](const auto&) {}},
                 *event);
    }
  } else if (happened.body.stream.kind == aggregate_kind::account) {
    for (const auto& record : happened.body.events) {
      const auto event = account::aggregate::decode(record);
      if (!event) continue;
      const auto same = [&](const ws_caller& who) { return who.by.account.value == key; };
      std::visit(match{[&](const account::token_revoked& e) {
                         end_sessions(
                             at, [&](const auto& who) { return same(who) && who.token == e.token; },
                             "revoked", "the token was revoked");
                       },
                       [&](const account::disabled&) {
                         end_sessions(at, same, "revoked", "the account was disabled");
                       },
                       [](const auto&) {}},
                 *event);
    }
  }
}

}  // namespace berth::gateway
