#include "gateway/client/client_terminal.hpp"

#include <algorithm>

#include "events/core/match.hpp"

namespace berth::client {
namespace {
constexpr std::chrono::milliseconds resend_after{250};

client_error error_of(const wire::closed& why) {
  return {why.code, why.message, {why.details.begin(), why.details.end()}};
}
}  // namespace

std::vector<wire::payload> terminal_state::resume(bool new_input_stream) {
  if (new_input_stream)
    drop_input({"session_lost", "the session ended before this input was acknowledged", {}});
  painting_.reset();
  resend_at_.reset();
  wire::open asked;
  asked.id = options_.id;
  asked.mode = options_.exact ? wire::mode::exact : wire::mode::screen;
  asked.right = options_.drive ? wire::right::drive : wire::right::view;
  asked.from = cursor_;
  asked.credit_until = asked.from == from_end
                           ? options_.window_bytes
                           : std::min(consumed_.load(), cursor_.load()) + options_.window_bytes;
  until_ = asked.credit_until;
  std::vector<wire::payload> out{std::move(asked)};
  if (size_ && options_.drive) out.push_back(wire::resize{size_->first, size_->second});
  for (const auto& kept : unapplied_) out.push_back(wire::input{kept.sequence, kept.bytes});
  return out;
}

void terminal_state::say(wire::payload what) {
  if (const auto core = core_.lock()) core->send(number_, std::move(what));
}

bool terminal_state::received(wire::payload what) {
  bool over = false;
  std::visit(match{[&](const wire::output& out) { output(out); },
                   [&](const wire::opened& now) {
                     if (cursor_ == from_end) cursor_ = now.from, consumed_ = now.from;
                     credited_ = std::min(consumed_.load(), cursor_.load());
                     listener_->opened(now.from, now.end, now.cols, now.rows);
                     if (!now.driver.empty()) listener_->driver(now.driver);
                   },
                   [&](const wire::gap& left_out) {
                     cursor_ = left_out.to;
                     consumed_ = std::max(consumed_.load(), left_out.to);
                     listener_->gap(left_out.from, left_out.to);
                   },
                   [&](const wire::snapshot& head) {
                     painting_ = head;
                     painted_.clear();
                   },
                   [&](const wire::snapshot_data& part) { take_part(part); },
                   [&](const wire::resized& now) { listener_->resized(now.cols, now.rows); },
                   [&](const wire::driver& now) { listener_->driver(now.session); },
                   [&](const wire::durable& now) { listener_->durable(now.offset); },
                   [&](const wire::input_applied& now) { applied(now.sequence); },
                   [&](const wire::input_refused& why) { refused(why); },
                   [&](const wire::ended& now) {
                     listener_->ended(
                         now.has_exit_code ? std::optional<int>{now.exit_code} : std::nullopt,
                         now.signal, now.reason);
                   },
                   [&](const wire::closed& why) {
                     over = true;
                     listener_->closed(error_of(why));
                   },
                   [](const auto&) {}},
             what);
  return over;
}

void terminal_state::output(const wire::output& what) {
  const auto bytes = what.bytes.view();
  cursor_ = what.offset + bytes.size();
  listener_->output(what.offset, bytes);
  if (options_.consume_on_return) consumed_ = cursor_.load();
  output_consumed();
}

void terminal_state::take_part(const wire::snapshot_data& part) {
  if (!painting_ || part.offset != painted_.size()) return;
  painted_ += part.bytes.view();
  if (painted_.size() < painting_->size) return;
  const auto head = *std::exchange(painting_, {});
  cursor_ = head.offset;
  consumed_ = std::max(consumed_.load(), head.offset);
  listener_->snapshot(head.offset, head.cols, head.rows, painted_);
  // What was left out is credit used up: without more nothing would follow.
  output_consumed();
}

// Credit for half a window at once, for less after a while; what gives way waits a little each
// time.
void terminal_state::output_consumed() {
  const auto due = credit_due();
  const auto core = core_.lock();
  if (due == 0 || !core) return;
  if (core->gives_way(number_))
    return core->tick_soon(due >= giving_way_window_bytes / 4 ? giving_way_credit_every
                                                              : tick_every);
  if (due < options_.window_bytes / 2) return core->tick_soon();
  give_credit(*core);
}

std::uint64_t terminal_state::credit_due() const {
  const auto consumed = std::min(consumed_.load(), cursor_.load());
  return consumed <= credited_ || cursor_ == from_end ? 0 : consumed - credited_;
}

void terminal_state::give_credit(client_core& core) {
  const auto window = core.gives_way(number_)
                          ? std::min(options_.window_bytes, giving_way_window_bytes)
                          : options_.window_bytes;
  credited_ += credit_due();
  until_ = std::max(until_, credited_ + window);
  credited_at_ = std::chrono::steady_clock::now();
  core.send(number_, wire::credit{credited_, until_});
}

bool terminal_state::tick() {
  const auto now = std::chrono::steady_clock::now();
  bool again = false;
  if (const auto core = core_.lock(); core && credit_due() > 0) {
    // A tick that another terminal asked for is no reason to speak of a few bytes.
    again = credit_due() < giving_way_window_bytes / 4 && now - credited_at_ < tick_every;
    if (!again) give_credit(*core);
  }
  if (!resend_at_) return again;
  if (now < *resend_at_) return true;
  resend_at_.reset();
  for (const auto& kept : unapplied_) say(wire::input{kept.sequence, kept.bytes});
  return again;
}

bool terminal_state::reserve_input(std::size_t bytes) {
  auto now = input_bytes_.load();
  do {
    if (now + bytes > input_unacknowledged_bytes_max) return false;
  } while (!input_bytes_.compare_exchange_weak(now, now + bytes));
  return true;
}

void terminal_state::input(std::string bytes) {
  if (const auto core = core_.lock()) core->typed_in(number_);
  for (std::size_t at = 0; at < bytes.size(); at += wire::input_bytes_max) {
    unapplied_.push_back({next_sequence_++, bytes.substr(at, wire::input_bytes_max)});
    // What was refused goes first, in order.
    if (!resend_at_) say(wire::input{unapplied_.back().sequence, unapplied_.back().bytes});
  }
}

void terminal_state::applied(std::uint64_t sequence) {
  while (!unapplied_.empty() && unapplied_.front().sequence <= sequence) {
    input_bytes_ -= unapplied_.front().bytes.size();
    unapplied_.pop_front();
  }
  listener_->input_applied(sequence);
}

// `overloaded` and `unavailable` pass; so does the gap that frames after a refused one find.
// Anything else stays wrong.
void terminal_state::refused(const wire::input_refused& why) {
  if (unapplied_.empty() || why.sequence < unapplied_.front().sequence) return;
  const bool passes = why.code == "overloaded" || why.code == "unavailable" ||
                      why.sequence > unapplied_.front().sequence;
  if (!passes) return drop_input({why.code, why.message, {}});
  if (resend_at_) return;
  resend_at_ = std::chrono::steady_clock::now() + resend_after;
  if (const auto core = core_.lock()) core->tick_soon();
}

void terminal_state::drop_input(const client_error& why) {
  const bool some = !unapplied_.empty();
  for (const auto& kept : unapplied_) input_bytes_ -= kept.bytes.size();
  unapplied_.clear();
  next_sequence_ = 1;
  if (some) listener_->input_refused(why);
}

void terminal_state::resize(std::uint16_t cols, std::uint16_t rows) {
  size_ = {cols, rows};
  say(wire::resize{cols, rows});
}

}  // namespace berth::client
