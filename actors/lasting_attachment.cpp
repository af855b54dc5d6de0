#include "actors/lasting_attachment.hpp"

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>

namespace berth::actors {
namespace {

constexpr std::chrono::milliseconds pause{100};
// Of input nobody has applied; a client that sends more without an answer is refused.
constexpr std::size_t unapplied_bytes_max = 1 << 20;

using clock_type = std::chrono::steady_clock;

// What one attachment has come to, whichever node it is made at. Calls to the viewer keep their
// order: those of an attachment that was given up are dropped.
class lasting : public std::enable_shared_from_this<lasting> {
 public:
  lasting(attach_again how, attach_request request, std::shared_ptr<terminal_viewer> viewer)
      : how_{std::move(how)}, request_{std::move(request)}, viewer_{std::move(viewer)} {}

  void begin(std::function<void(outcome<attached_terminal>)> done);
  void lost(std::uint64_t life, const rejection& why);

  // Runs `tell` with the viewer if `life` is the present attachment's.
  template <class Tell>
  void tell(std::uint64_t life, Tell call) {
    std::shared_ptr<terminal_viewer> to;
    {
      const std::lock_guard lock{mutex_};
      if (life != life_ || over_) return;
      to = viewer_;
    }
    call(*to);
  }

  void delivered_to(std::uint64_t offset) {
    const std::lock_guard lock{mutex_};
    request_.from = offset;
  }
  void applied(std::uint64_t sequence) {
    const std::lock_guard lock{mutex_};
    while (!unapplied_.empty() && unapplied_.front().sequence <= sequence) {
      unapplied_bytes_ -= unapplied_.front().bytes.size();
      unapplied_.pop_front();
    }
  }
  void refused(std::uint64_t sequence) {
    const std::lock_guard lock{mutex_};
    std::erase_if(unapplied_, [&](const typed& each) {
      if (each.sequence < sequence) return false;
      unapplied_bytes_ -= each.bytes.size();
      return true;
    });
  }
  void end() {
    const std::lock_guard lock{mutex_};
    over_ = true;
  }

  void credit(std::uint64_t consumed, std::uint64_t until);
  void input(std::uint64_t sequence, std::string bytes);
  void resize(std::uint16_t cols, std::uint16_t rows);
  void detach();

 private:
  struct typed {
    std::uint64_t sequence{};
    std::string bytes;
  };

  void try_again(clock_type::time_point until, const rejection& why);
  void give_up(const rejection& why);
  void attached_again(const attached_terminal& made);

  const attach_again how_;
  // Held while the attachment is called, so that calls keep their order; taken before the other
  // one, and never by what an attachment tells.
  std::mutex order_;
  std::mutex mutex_;        // guards all below; held over no call
  attach_request request_;  // its `from` is where delivery goes on
  std::shared_ptr<terminal_viewer> viewer_;
  std::shared_ptr<terminal_attachment> at_;
  std::uint64_t life_{1};  // of the attachment: calls of an earlier one are void
  bool over_{};
  std::uint64_t consumed_{};
  std::optional<std::pair<std::uint16_t, std::uint16_t>> size_;
  std::deque<typed> unapplied_;
  std::size_t unapplied_bytes_{};
};

// What one node's attachment tells.
class viewer_of_life : public terminal_viewer {
 public:
  viewer_of_life(std::shared_ptr<lasting> whole, std::uint64_t life)
      : whole_{std::move(whole)}, life_{life} {}

  void output(std::uint64_t offset, const shared_bytes& data, std::size_t skip,
              std::size_t size) override {
    whole_->tell(life_, [&](auto& to) {
      whole_->delivered_to(offset + size);
      to.output(offset, data, skip, size);
    });
  }
  void gap(std::uint64_t from, std::uint64_t to_offset) override {
    whole_->tell(life_, [&](auto& to) { to.gap(from, to_offset); });
  }
  void snapshot(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows,
                const shared_bytes& bytes) override {
    whole_->tell(life_, [&](auto& to) {
      whole_->delivered_to(offset);
      to.snapshot(offset, cols, rows, bytes);
    });
  }
  void resized(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows) override {
    whole_->tell(life_, [&](auto& to) { to.resized(offset, cols, rows); });
  }
  void driver_changed(const session_id& driver) override {
    whole_->tell(life_, [&](auto& to) { to.driver_changed(driver); });
  }
  void durable(std::uint64_t offset) override {
    whole_->tell(life_, [&](auto& to) { to.durable(offset); });
  }
  void input_applied(std::uint64_t sequence) override {
    whole_->tell(life_, [&](auto& to) {
      whole_->applied(sequence);
      to.input_applied(sequence);
    });
  }
  void input_refused(std::uint64_t sequence, const rejection& why) override {
    whole_->tell(life_, [&](auto& to) {
      whole_->refused(sequence);
      to.input_refused(sequence, why);
    });
  }
  void ended(const terminal::ended& end) override {
    whole_->tell(life_, [&](auto& to) {
      whole_->end();
      to.ended(end);
    });
  }
  void failed(const rejection& why) override { whole_->lost(life_, why); }

 private:
  const std::shared_ptr<lasting> whole_;
  const std::uint64_t life_;
};

// What the client holds; it goes on to whatever attachment there is.
class lasting_handle : public terminal_attachment {
 public:
  explicit lasting_handle(std::shared_ptr<lasting> whole) : whole_{std::move(whole)} {}
  ~lasting_handle() override { whole_->detach(); }
  void credit(std::uint64_t consumed, std::uint64_t until) override {
    whole_->credit(consumed, until);
  }
  void input(std::uint64_t sequence, std::string bytes) override {
    whole_->input(sequence, std::move(bytes));
  }
  void resize(std::uint16_t cols, std::uint16_t rows) override { whole_->resize(cols, rows); }

 private:
  const std::shared_ptr<lasting> whole_;
};

void lasting::begin(std::function<void(outcome<attached_terminal>)> done) {
  auto self = shared_from_this();
  how_.attach(request_, std::make_shared<viewer_of_life>(self, life_),
              [self, done = std::move(done)](outcome<attached_terminal> made) {
                if (!made) return done(made.error());
                {
                  const std::lock_guard lock{self->mutex_};
                  self->at_ = made->attachment;
                  // "From the present end" is a place from now on; bytes may have come already.
                  if (self->request_.from == ~std::uint64_t{0}) self->request_.from = made->from;
                }
                made->attachment = std::make_shared<lasting_handle>(self);
                done(std::move(made));
              });
}

void lasting::lost(std::uint64_t life, const rejection& why) {
  std::shared_ptr<terminal_attachment> gone;
  std::shared_ptr<terminal_viewer> to;
  {
    const std::lock_guard lock{mutex_};
    if (life != life_ || over_) return;
    gone.swap(at_);
    ++life_;
    if (!is_not_led(why)) {
      over_ = true;
      to = viewer_;
    }
  }
  if (to) return to->failed(why);
  try_again(clock_type::now() + how_.give_up_after, why);
}

void lasting::try_again(clock_type::time_point until, const rejection& why) {
  if (clock_type::now() >= until) return give_up(why);
  how_.after(pause, [self = shared_from_this(), until] {
    attach_request wanted;
    std::uint64_t life = 0;
    {
      const std::lock_guard lock{self->mutex_};
      if (self->over_) return;
      wanted = self->request_;
      life = self->life_;
    }
    self->how_.attach(wanted, std::make_shared<viewer_of_life>(self, life),
                      [self, until](outcome<attached_terminal> made) {
                        // Not inside the call that attached, which may hold locks of its own.
                        if (made)
                          return self->how_.after(
                              std::chrono::milliseconds{0},
                              [self, now = *made] { self->attached_again(now); });
                        if (is_not_led(made.error())) return self->try_again(until, made.error());
                        self->give_up(made.error());
                      });
  });
}

void lasting::give_up(const rejection& why) {
  {
    const std::lock_guard lock{mutex_};
    if (std::exchange(over_, true)) return;
  }
  viewer_->failed(why);
}

// What was said meanwhile is said now; nothing that is typed overtakes it.
void lasting::attached_again(const attached_terminal& made) {
  const std::lock_guard in_order{order_};
  std::uint64_t consumed = 0, until = 0;
  std::optional<std::pair<std::uint16_t, std::uint16_t>> size;
  std::deque<typed> unapplied;
  {
    const std::lock_guard lock{mutex_};
    if (over_) return;
    at_ = made.attachment;
    consumed = consumed_;
    until = request_.credit_until;
    size = size_;
    unapplied = unapplied_;
  }
  viewer_->resized(made.end, made.cols, made.rows);
  viewer_->driver_changed(made.driver);
  made.attachment->credit(consumed, until);
  if (size) made.attachment->resize(size->first, size->second);
  for (auto& each : unapplied) made.attachment->input(each.sequence, std::move(each.bytes));
}

void lasting::credit(std::uint64_t consumed, std::uint64_t until) {
  const std::lock_guard in_order{order_};
  std::shared_ptr<terminal_attachment> at;
  {
    const std::lock_guard lock{mutex_};
    consumed_ = std::max(consumed_, consumed);
    request_.credit_until = std::max(request_.credit_until, until);
    at = at_;
  }
  if (at) at->credit(consumed, until);
}

void lasting::input(std::uint64_t sequence, std::string bytes) {
  const std::lock_guard in_order{order_};
  std::shared_ptr<terminal_attachment> at;
  bool is_full = false;
  {
    const std::lock_guard lock{mutex_};
    is_full = unapplied_bytes_ + bytes.size() > unapplied_bytes_max;
    if (!is_full && request_.right == attach_right::drive) {
      unapplied_bytes_ += bytes.size();
      unapplied_.push_back({sequence, bytes});
    }
    at = at_;
  }
  if (is_full)
    return viewer_->input_refused(sequence,
                                  reject(rejection_code::overloaded,
                                         "too much input that was not applied yet; send it again"));
  if (at) at->input(sequence, std::move(bytes));
}

void lasting::resize(std::uint16_t cols, std::uint16_t rows) {
  const std::lock_guard in_order{order_};
  std::shared_ptr<terminal_attachment> at;
  {
    const std::lock_guard lock{mutex_};
    size_ = {cols, rows};
    at = at_;
  }
  if (at) at->resize(cols, rows);
}

void lasting::detach() {
  std::shared_ptr<terminal_attachment> gone;
  const std::lock_guard lock{mutex_};
  over_ = true;
  gone.swap(at_);
}

}  // namespace

void attach_lasting(attach_again how, attach_request request,
                    std::shared_ptr<terminal_viewer> viewer,
                    std::function<void(outcome<attached_terminal>)> done) {
  std::make_shared<lasting>(std::move(how), std::move(request), std::move(viewer))
      ->begin(std::move(done));
}

}  // namespace berth::actors
