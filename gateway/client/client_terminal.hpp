// A terminal channel of the client: cursor, credit, and typed input kept until it was applied.
// Internal.
#pragma once

#include <atomic>
#include <deque>
#include <optional>

#include "gateway/client/client_core.hpp"

namespace berth::client {

class terminal_state : public client_channel {
 public:
  terminal_state(std::shared_ptr<client_core> core, terminal_options options,
                 std::shared_ptr<terminal_listener> listener)
      : core_{core},
        options_{std::move(options)},
        listener_{std::move(listener)},
        cursor_{options_.from},
        consumed_{options_.from == from_end ? 0 : options_.from} {}

  std::vector<wire::payload> resume(bool new_input_stream) override;
  bool received(wire::payload what) override;
  void abandoned(const client_error& why) override { listener_->closed(why); }
  bool tick() override;

  // Any thread.
  bool reserve_input(std::size_t bytes);
  void consumed(std::uint64_t upto) { consumed_ = upto; }
  std::uint64_t cursor() const { return cursor_; }

  // The client's thread.
  void number_is(std::uint32_t number) { number_ = number; }
  std::uint32_t number() const { return number_; }
  void input(std::string bytes);
  void resize(std::uint16_t cols, std::uint16_t rows);
  void output_consumed();
  void say(wire::payload what);

 private:
  struct typed {
    std::uint64_t sequence;
    std::string bytes;
  };
  void output(const wire::output& what);
  void applied(std::uint64_t sequence);
  void refused(const wire::input_refused& why);
  void drop_input(const client_error& why);
  void take_part(const wire::snapshot_data& part);
  std::uint64_t credit_due() const;  // bytes consumed that were not told
  void give_credit(client_core& core);

  std::weak_ptr<client_core> core_;
  const terminal_options options_;
  const std::shared_ptr<terminal_listener> listener_;
  std::uint32_t number_{};
  std::atomic<std::uint64_t> cursor_;
  std::atomic<std::uint64_t> consumed_;
  std::atomic<std::size_t> input_bytes_{};
  std::uint64_t credited_{};  // consumed, as said last
  std::uint64_t until_{};     // as said last
  std::chrono::steady_clock::time_point credited_at_{};
  std::deque<typed> unapplied_;
  std::uint64_t next_sequence_{1};
  std::optional<std::chrono::steady_clock::time_point> resend_at_;  // refused input
  std::optional<std::pair<std::uint16_t, std::uint16_t>> size_;
  std::optional<wire::snapshot> painting_;
  std::string painted_;
};

}  // namespace berth::client
