#include "gateway/ws/terminal_channel.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "events/core/invariant.hpp"
#include "events/core/mutants.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/ws/random_ids.hpp"

namespace berth::gateway {
namespace {

std::uint64_t capped_sum(std::uint64_t a, std::uint64_t b) {
  return a > ~std::uint64_t{0} - b ? ~std::uint64_t{0} : a + b;
}

}  // namespace

// Outlives the channel if the kernel still has a call under way; then nothing comes of it.
class terminal_channel::relay : public terminal_viewer {
 public:
  relay(ws_strand strand, std::weak_ptr<terminal_channel> to)
      : strand_{std::move(strand)}, to_{std::move(to)} {}

  void output(std::uint64_t offset, const shared_bytes& data, std::size_t skip,
              std::size_t size) override {
    tell([=](terminal_channel& c) { c.output(offset, data, skip, size); });
  }
  void gap(std::uint64_t from, std::uint64_t to) override {
    tell([=](terminal_channel& c) {
      c.received_ = std::max(c.received_, to);
      if (!BERTH_MUTANT(gap_not_marked)) c.send(wire::gap{from, to});
      c.grant();
    });
  }
  void snapshot(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows,
                const shared_bytes& bytes) override {
    tell([=](terminal_channel& c) {
      c.snapshot({offset, cols, rows, static_cast<std::uint32_t>(bytes->size())}, bytes);
    });
  }
  void resized(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows) override {
    tell([=](terminal_channel& c) { c.send(wire::resized{offset, cols, rows}); });
  }
  void driver_changed(const session_id& driver) override {
    tell([=](terminal_channel& c) { c.send(wire::driver{driver.value}); });
  }
  void durable(std::uint64_t offset) override {
    tell([=](terminal_channel& c) { c.durable(offset); });
  }
  void input_applied(std::uint64_t sequence) override {
    tell([=](terminal_channel& c) { c.applied(sequence); });
  }
  void input_refused(std::uint64_t sequence, const rejection& why) override {
    tell([=](terminal_channel& c) { c.refused_by_agent(sequence, why); });
  }
  void ended(const terminal::ended& end) override {
    tell([=](terminal_channel& c) {
      c.send(wire::ended{end.final_offset, end.exit_code.has_value(), end.exit_code.value_or(0),
                         end.signal, utf8_of(end.reason), utf8_of(end.detail)});
      c.host_.end_channel(c.number_, {"ended", "the terminal is over", {}});
    });
  }
  void failed(const rejection& why) override {
    tell([=](terminal_channel& c) { c.refused(why); });
  }

 private:
  template <class F>
  void tell(F&& event) {
    strand_.post([to = to_, event = std::forward<F>(event)]() mutable {
      if (auto channel = to.lock())
        channel->deliver([c = channel.get(), event = std::move(event)] { event(*c); });
    });
  }
  ws_strand strand_;
  std::weak_ptr<terminal_channel> to_;
};

void terminal_channel::start(const wire::open& asked) {
  asked_ = asked;
  relay_ = std::make_shared<relay>(host_.strand(), weak_from_this());
  const bool from_end = asked.from == wire::from_end;
  consumed_ = received_ = from_end ? 0 : asked.from;
  until_ = from_end
               ? 0
               : std::min(asked.credit_until, capped_sum(consumed_, ws_channel_window_bytes_max));
  if (BERTH_MUTANT(credit_of_client_ignored)) until_ = consumed_ + ws_channel_window_bytes_max;
  granted_ = std::min(until_, capped_sum(received_, grant_limit()));
  const auto& who = host_.caller();
  attach_request request{terminal_id{asked.id},
                         who.by,
                         who.session,
                         who.input_stream,
                         static_cast<attach_mode>(asked.mode),
                         static_cast<attach_right>(asked.right),
                         asked.from,
                         granted_};
  if (BERTH_MUTANT(resume_skips_a_byte) && asked.from > 0 && !from_end) ++request.from;
  if (BERTH_MUTANT(foreign_terminal_attachable)) request.by.is_system = true;
  host_.given().kernel.attach(
      std::move(request), relay_,
      [strand = host_.strand(), to = weak_from_this()](outcome<attached_terminal> result) {
        strand.post([to, result = std::move(result)]() mutable {
          if (auto channel = to.lock()) channel->attached(std::move(result));
        });
      });
}

void terminal_channel::attached(outcome<attached_terminal> result) {
  if (!result) return refused(result.error());
  attachment_ = result->attachment;
  wire::opened opened{result->from,
                      result->end,
                      result->cols,
                      result->rows,
                      result->driver.value,
                      std::string(name_of(result->status)),
                      {}};
  if (asked_.from == wire::from_end) {
    consumed_ = received_ = granted_ = result->from;
    until_ = capped_sum(result->from, std::min(asked_.credit_until, ws_channel_window_bytes_max));
  }
  host_.send(number_, std::move(opened), false);
  // A terminal that ended ends the channel in here; nothing of it may be touched afterwards.
  const auto self = shared_from_this();
  for (auto& event : std::exchange(early_, {})) event();
  for (auto& key : std::exchange(early_input_, {}))
    attachment_->input(key.sequence, std::move(key.bytes));
  grant();
}

void terminal_channel::refused(const rejection& why) {
  auto closed = closed_frame(why);
  const auto found = why.field == "from"
                         ? host_.given().bulk.find_extent(terminal_id{asked_.id})
                         : journal_result<bulk_extent>{journal_error{}};
  if (found) {
    const auto& extent = *found;
    const bool expired = received_ < extent.first;
    closed.code = expired ? "expired" : "truncated";
    closed.details[expired ? "first_offset" : "final_offset"] =
        std::to_string(expired ? extent.first : extent.next);
  }
  host_.end_channel(number_, std::move(closed));
}

void terminal_channel::deliver(std::function<void()> event) {
  if (attachment_) return event();
  early_.push_back(std::move(event));
}

void terminal_channel::send(wire::payload what, bool small) {
  host_.send(number_, std::move(what), small);
}

void terminal_channel::output(std::uint64_t offset, const shared_bytes& data, std::size_t skip,
                              std::size_t size) {
  BERTH_ASSERT(skip + size <= data->size());
  received_ = offset + size;
  const bool drives = asked_.right == wire::right::drive;
  while (size > 0) {
    const auto part = std::min(size, ws_output_frame_bytes);
    send(wire::output{offset, {data, skip, part}}, drives);
    offset += part, skip += part, size -= part;
  }
  grant();
}

void terminal_channel::snapshot(const wire::snapshot& what, const shared_bytes& bytes) {
  send(what);
  for (std::size_t at = 0; at < bytes->size(); at += ws_output_frame_bytes)
    send(wire::snapshot_data{at, {bytes, at, std::min(ws_output_frame_bytes, bytes->size() - at)}});
}

void terminal_channel::received(wire::payload what) {
  std::visit(
      [&]<class M>(M& message) {
        if constexpr (std::is_same_v<M, wire::credit> || std::is_same_v<M, wire::input> ||
                      std::is_same_v<M, wire::resize> || std::is_same_v<M, wire::take_drive>)
          take(std::move(message));
        else
          host_.send_now(number_, not_for_this_channel(what));
      },
      what);
}

void terminal_channel::drained() {
  if (grant_waits_) grant();
  if (durable_ > durable_told_) durable(durable_);
}

// Cumulative, so a client that does not read costs one number, not a frame for every sync.
void terminal_channel::durable(std::uint64_t offset) {
  durable_ = std::max(durable_, offset);
  if (host_.answers_wait()) return host_.wake_when_drained(number_);
  durable_told_ = durable_;
  host_.send_now(number_, wire::durable{durable_});
}

void terminal_channel::take(const wire::credit& given) {
  if (given.consumed > received_)
    return host_.send_now(
        number_, error_frame(reject(rejection_code::invalid_argument,
                                    "consumed " + std::to_string(given.consumed) + ", but only " +
                                        std::to_string(received_) + " was sent",
                                    "consumed")));
  consumed_ = std::max(consumed_, given.consumed);
  until_ =
      std::max(until_, std::min(given.until, capped_sum(consumed_, ws_channel_window_bytes_max)));
  const auto before = granted_;
  grant();
  if (granted_ == before && attachment_) attachment_->credit(consumed_, granted_);
}

std::uint64_t terminal_channel::grant_limit() const {
  const auto share = ws_queued_bytes_soft_max / std::max<std::size_t>(host_.open_channels(), 1);
  return std::clamp<std::uint64_t>(share, ws_grant_bytes_min, ws_grant_bytes_max);
}

void terminal_channel::grant() {
  if (!attachment_) return;
  const auto wanted = std::min(until_, capped_sum(received_, grant_limit()));
  // Topped up by halves, so that single keystrokes cost the kernel nothing.
  const bool enough = wanted < until_ && granted_ > received_ + grant_limit() / 2;
  if (wanted <= granted_ || enough) {
    grant_waits_ = false;
    return;
  }
  grant_waits_ = host_.queued_bytes() > ws_queued_bytes_soft_max;
  if (grant_waits_) return host_.wake_when_drained(number_);
  granted_ = wanted;
  attachment_->credit(consumed_, granted_);
}

void terminal_channel::take(wire::input what) {
  if (asked_.right != wire::right::drive)
    return say_refused(what.sequence,
                       reject(rejection_code::forbidden, "the channel only views", "right"));
  if (what.sequence == 0 || what.bytes.empty() || what.bytes.size() > wire::input_bytes_max)
    return say_refused(what.sequence,
                       reject(rejection_code::invalid_argument,
                              "input has a sequence from 1 and 1 to 16384 bytes", "input"));
  if (what.sequence <= applied_) return applied(what.sequence);
  if (refused_from_ != 0 &&
      what.sequence > refused_from_ - (BERTH_MUTANT(refused_input_refused_again) ? 1 : 0))
    return drop(what.sequence);
  if (unapplied_bytes_ + what.bytes.size() > ws_input_unacknowledged_bytes_max ||
      unapplied_.size() >= ws_input_unacknowledged_frames_max)
    return refuse_for_now(what.sequence, "64 KiB or 4096 frames of input wait to be applied");
  refused_from_ = dropped_from_ = dropped_last_ = 0;
  unapplied_.push_back({what.sequence, what.bytes.size(), false});
  unapplied_bytes_ += what.bytes.size();
  if (attachment_)
    attachment_->input(what.sequence, std::move(what.bytes));
  else
    early_input_.push_back({what.sequence, std::move(what.bytes)});
}

void terminal_channel::applied(std::uint64_t sequence) {
  applied_ = std::max(applied_, sequence);
  std::erase_if(unapplied_, [&](const sent_input& sent) {
    if (sent.sequence > applied_) return false;
    unapplied_bytes_ -= sent.bytes;
    return true;
  });
  host_.send_now(number_, wire::input_applied{applied_});
  if (refused_from_ == 0 || applied_ < refused_from_) return;
  // What was refused had been applied before; what was dropped because of it was not.
  const auto next = std::max(dropped_from_, applied_ + 1);
  const bool is_lost = dropped_last_ > applied_;
  refused_from_ = dropped_from_ = dropped_last_ = 0;
  if (is_lost) refuse_for_now(next, "an earlier frame was refused");
}

// The agent's answer, or that there is none. A frame behind one that was refused is refused too, by
// its gap or for the same reason: the client knows, and sends all of them again.
void terminal_channel::refused_by_agent(std::uint64_t sequence, const rejection& why) {
  // A retry of what was applied long ago; the client does not wait for it any more.
  if (sequence <= applied_) return applied(sequence);
  const auto answered =
      std::find_if(unapplied_.begin(), unapplied_.end(),
                   [&](const sent_input& sent) { return sent.sequence == sequence; });
  const bool is_known = answered != unapplied_.end() && answered->behind_refused;
  if (answered != unapplied_.end()) {
    unapplied_bytes_ -= answered->bytes;
    unapplied_.erase(answered);
  }
  const bool passes = why == rejection_code::overloaded || why == rejection_code::unavailable;
  if (is_known && (passes || why == rejection_code::wrong_state)) {
    const bool is_retried =
        std::any_of(unapplied_.begin(), unapplied_.end(),
                    [&](const sent_input& sent) { return sent.sequence == sequence; });
    if (is_retried) return;
    // What was refused before it may have been applied since: then this one is the lowest.
    return refused_from_ != 0 && sequence > refused_from_ ? drop(sequence)
                                                          : refuse_for_now(sequence, why.message);
  }
  passes ? refuse_for_now(sequence, why.message) : say_refused(sequence, why);
}

// Its client was told to send again from a lower number on.
void terminal_channel::drop(std::uint64_t sequence) {
  dropped_from_ = dropped_from_ == 0 ? sequence : std::min(dropped_from_, sequence);
  dropped_last_ = std::max(dropped_last_, sequence);
}

// Only the first refused frame is told: what was said of every one behind it would take a slow link
// from the output.
void terminal_channel::refuse_for_now(std::uint64_t sequence, const std::string& why) {
  refused_from_ = refused_from_ == 0 ? sequence : std::min(refused_from_, sequence);
  for (auto& sent : unapplied_)
    if (sent.sequence > sequence) sent.behind_refused = true;
  say_refused(sequence, reject(rejection_code::overloaded, why));
}

void terminal_channel::say_refused(std::uint64_t sequence, const rejection& why) {
  host_.send_now(number_, wire::input_refused{sequence, name_of(why.code), utf8_of(why.message)});
}

void terminal_channel::take(const wire::resize& what) {
  const auto bad = [](std::uint16_t n) { return n == 0 || n > terminal::cells_max; };
  if (bad(what.cols) || bad(what.rows))
    return host_.send_now(number_, error_frame(reject(rejection_code::invalid_argument,
                                                      "a terminal has 1 to 1000 columns and rows",
                                                      bad(what.cols) ? "cols" : "rows")));
  if (attachment_) attachment_->resize(what.cols, what.rows);
}

void terminal_channel::take(const wire::take_drive&) {
  const auto& who = host_.caller();
  const auto id = fresh_uuid(host_.given());
  command_meta meta{id, who.by, id, {}, {}};
  host_.given().kernel.ask(
      terminal_id{asked_.id}, terminal::take_drive{who.session}, std::move(meta),
      [strand = host_.strand(),
       to = weak_from_this()](const outcome<answer<terminal::aggregate>>& result) {
        if (result) return;
        strand.post([to, why = result.error()] {
          if (auto c = to.lock()) c->host_.send_now(c->number_, error_frame(why));
        });
      });
}

}  // namespace berth::gateway
