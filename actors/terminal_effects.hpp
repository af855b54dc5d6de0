// A terminal's effects: open its PTY, carry its output to the bulk log and to viewers, record its
// end.
#pragma once

#include <vector>

#include "actors/effects.hpp"
#include "actors/terminal_stream.hpp"

namespace berth::actors {

class terminal_effects : public effects<terminal::aggregate> {
 public:
  explicit terminal_effects(effect_context<terminal::aggregate> context)
      : context_{std::move(context)} {}
  ~terminal_effects() override;
  void reconcile(const terminal::state& now, stream_version at) override;
  bool busy() const override;
  void led_elsewhere(const rejection& why) override;
  caf::message_handler handlers(std::function<void()> after) override;

  terminal_id id() const { return {context_.key}; }
  bool at_home() const { return context_.shared.at_home({aggregate_kind::terminal, context_.key}); }

 private:
  void open(const terminal::state& now);
  void follow();
  void go_live(const terminal::state& now);
  void chunk(chunk_message& m);
  void host_ended(const terminal_end& end);
  void maybe_record_end();
  void synced(std::uint64_t durable);
  void attach(const std::shared_ptr<attach_task>& task);
  void take_drive(std::uint64_t viewer);
  void resize(const resize_message& m);
  void pump();
  void pace();
  void schedule_pace();

  effect_context<terminal::aggregate> context_;
  terminal::state latest_;
  std::unique_ptr<terminal_stream> live_;
  std::optional<terminal_end> host_end_;  // told by the host, recorded once its bytes are durable
  std::vector<std::shared_ptr<attach_task>>
      waiting_;  // attaches that came before the terminal was open
  std::uint64_t paced_until_{};
  bool reconciled_{};  // latest_ is the stream's; before that nothing is known
  bool opening_{};     // the host has not answered
  bool open_asked_{};
  bool following_{};
  bool follows_again_{};  // soon: what came could not all be taken
  bool pumping_{};
  bool pace_timer_{};
  bool end_reported_{};
  bool close_sent_{};
  bool finished_{};
};

template <>
std::unique_ptr<effects<terminal::aggregate>> make_effects(
    effect_context<terminal::aggregate> context);

}  // namespace berth::actors
