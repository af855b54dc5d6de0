#include "gateway/ws/ws_hub.hpp"

#include <algorithm>
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
  read_ = heads_of(given_.journal);
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

std::shared_ptr<void> ws_hub::watch_session(const ws_caller& who, const journal_cursor& since,
                                            session_over over) {
  const auto number = std::make_shared<std::uint64_t>(0);
  ++watchers_;
  boost::asio::post(
      strand_, [hub = shared_from_this(), number, who, since, over = std::move(over)]() mutable {
        *number = ++hub->next_number_;
        hub->sessions_.emplace(*number, watched_session{std::move(who), since, std::move(over)});
        if (since.reaches(hub->read_)) return;
        // What was read while this waited its turn is read again.
        hub->read_.go_back_to(since);
        hub->read_tail();
      });
  return handle_for([number](ws_hub& hub) {
    hub.sessions_.erase(*number);
    --hub.watchers_;
  });
}

std::shared_ptr<void> ws_hub::watch_heads(heads_moved moved) {
  const auto number = std::make_shared<std::uint64_t>(0);
  boost::asio::post(strand_,
                    [hub = shared_from_this(), number, moved = std::move(moved)]() mutable {
                      *number = ++hub->next_number_;
                      // What was read while this waited its turn is told too.
                      moved(heads_of(hub->given_.journal));
                      hub->heads_.emplace(*number, std::move(moved));
                    });
  return handle_for([number](ws_hub& hub) { hub.heads_.erase(*number); });
}

// With more to read it posts itself again, so that sockets on this thread get their turn.
void ws_hub::read_tail() {
  awake_ = false;
  const auto heads = heads_of(given_.journal);
  if (watchers_ == 0) {
    read_ = heads;
  } else if (!read_.reaches(heads)) {
    const auto before = read_;
    if (!read_some(heads)) return;
    if (!read_.reaches(heads) && read_ != before && !awake_.exchange(true))
      boost::asio::post(strand_, [hub = shared_from_this()] { hub->read_tail(); });
  }
  for (const auto& [number, moved] : heads_) moved(heads);
}

// Of every partition that has more its share of a read.
bool ws_hub::read_some(const journal_cursor& heads) {
  std::vector<position> behind;
  for (const auto& head : heads.places())
    if (!read_.reaches(head)) behind.push_back({head.partition, read_.offset(head.partition)});
  const auto share = std::max<std::size_t>(1, commits_a_read / behind.size());
  bool all_read = true;
  for (const auto& at : behind) {
    const auto commits = given_.journal.read({at.partition, at.offset + 1}, share);
    if (!commits) {
      spdlog::error("the journal's tail cannot be read for sessions: {}", commits.error().message);
      all_read = false;
      continue;
    }
    for (const auto& happened : *commits) {
      look_at(happened);
      read_.set(happened.at());
    }
  }
  return all_read;
}

template <class Chosen>
void ws_hub::end_sessions(position at, Chosen chosen, const std::string& code,
                          const std::string& message) {
  std::vector<session_over> told;
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    const auto now = it++;
    if (now->second.since.reaches(at) || !chosen(now->second.who)) continue;
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
