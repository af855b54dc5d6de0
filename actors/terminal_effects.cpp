#include "actors/terminal_effects.hpp"

#include "actors/stream_history.hpp"
#include "actors/terminal_attachment.hpp"
#include "events/core/mutants.hpp"

namespace berth::actors {

using terminal::status;

terminal_effects::~terminal_effects() {
  if (live_) --context_.shared.terminals_live;
}

bool terminal_effects::busy() const {
  return opening_ || following_ || follows_again_ || !waiting_.empty() ||
         (live_ && live_->viewer_count() > 0);
}

void terminal_effects::led_elsewhere(const rejection& why) {
  if (!context_.shared.options.nodes) return;  // alone, it is led here again soon
  for (const auto& task : std::exchange(waiting_, {})) task->done(why);
}

caf::message_handler terminal_effects::handlers(std::function<void()> after) {
  return {[this, after](chunk_message& m) { after(), chunk(m); },
          [this, after](terminal_end_message& m) { after(), host_ended(m.end); },
          [this, after](bulk_durable_message& m) { after(), synced(m.durable); },
          [this, after](attach_message& m) { after(), attach(m.task); },
          [this, after](detach_message& m) {
            after();
            if (live_) live_->detach(m.viewer), pace();
          },
          [this, after](credit_message& m) {
            after();
            if (!live_) return;
            live_->credit(m.viewer, m.consumed, m.until, context_.shared.options.clock.now());
            pump();
            pace();
          },
          [this, after](resize_message& m) { after(), resize(m); },
          [this, after](drive_message& m) { after(), take_drive(m.viewer); },
          [this, after](pump_message&) { after(), pumping_ = false, pump(); },
          [this, after](pace_message&) { after(), pace_timer_ = false, pace(); }};
}

void terminal_effects::reconcile(const terminal::state& now, stream_version) {
  latest_ = now;
  reconciled_ = true;
  if (!at_home()) {
    for (auto& task : std::exchange(waiting_, {})) attach(task);
    return;
  }
  auto& host = context_.shared.options.host;
  if (now.status == status::opening) open(now);
  if (now.status == status::running) {
    go_live(now);
    follow();
    if (now.close_asked && !std::exchange(close_sent_, true))
      host.close_terminal(now.environment, id());
  }
  if (now.status == status::ended) {
    go_live(now);
    following_ = false;
    // Its output is durable here: the agent may forget it. Given up at its deadline, it may run.
    if (!std::exchange(close_sent_, true)) host.close_terminal(now.environment, id());
    if (!std::exchange(finished_, true)) context_.shared.options.bulk.finish(id());
    live_->ended(*now.end);
    pump();
  }
  if (now.status == status::removed) {
    context_.shared.options.bulk.remove(id());
    if (live_) --context_.shared.terminals_live;
    live_.reset();
  }
  if (live_) {
    live_->resized(live_->end(), now.cols, now.rows);
    live_->driver_is(now.driver);
    pace();
  }
  const bool gone = now.status == status::absent || now.status == status::removed;
  if (live_ || gone)
    for (auto& task : std::exchange(waiting_, {})) attach(task);
}

void terminal_effects::open(const terminal::state& now) {
  // Once: while the report is on its way the state is OPENING still.
  if (std::exchange(open_asked_, true)) return;
  opening_ = true;
  terminal_spec spec;
  spec.id = id();
  spec.command = now.command;
  spec.working_directory = now.working_directory;
  spec.cols = now.cols;
  spec.rows = now.rows;
  context_.shared.options.host.open_terminal(
      now.environment, spec,
      [this, post = context_.post](const host_result<terminal_started>& result) {
        post([this, result] {
          opening_ = false;
          if (result)
            return context_.report(terminal::report_started{latest_.incarnation, result->pid},
                                   "open");
          context_.report(
              terminal::report_ended{0, std::nullopt, 0, "failed",
                                     result.error().message + ". " + result.error().next_step},
              "open");
        });
      });
}

void terminal_effects::go_live(const terminal::state& now) {
  if (live_) return;
  screen_tracker::work_later later;
  if (auto* behind = context_.shared.options.behind)
    later = [behind, post = context_.post](std::function<void()> work, std::function<void()> done) {
      behind->run([post, work = std::move(work), done = std::move(done)]() mutable {
        work();
        post(std::move(done));
      });
    };
  live_ = std::make_unique<terminal_stream>(id(), context_.shared.options, now.cols, now.rows,
                                            std::move(later), [this] { pump(); });
  live_->driver_is(now.driver);
  if (now.journal == terminal::journal_mode::tail)
    context_.shared.options.bulk.retain(id(), now.journal_tail_bytes);
  ++context_.shared.terminals_live;
}

void terminal_effects::follow() {
  if (std::exchange(following_, true)) return;
  context_.shared.options.host.follow_terminal(latest_.environment, id(), live_->end());
  pace();
}

void terminal_effects::chunk(chunk_message& m) {
  if (!live_ || latest_.status != status::running) return;
  constexpr auto refetch_delay = std::chrono::milliseconds{20};
  const auto taken = live_->chunk(m.offset, m.data);
  if (taken != terminal_stream::taken::all && following_) {
    // What was not taken the agent still has: ask again, at once for a hole, later for a full
    // queue.
    following_ = false;
    follows_again_ = true;
    const auto again = [this, post = context_.post] {
      post([this] {
        follows_again_ = false;
        if (live_ && latest_.status == status::running) follow();
      });
    };
    if (taken == terminal_stream::taken::hole) return again();
    return context_.shared.timers.after(refetch_delay, again);
  }
  if (BERTH_MUTANT(durable_told_before_sync))
    context_.shared.options.host.terminal_durable(latest_.environment, id(), live_->end());
  pump();
  pace();
  maybe_record_end();
}

void terminal_effects::host_ended(const terminal_end& end) {
  if (latest_.status != status::running) return;
  host_end_ = end;
  maybe_record_end();
}

// No event refers to unsynced bulk: the end is recorded when its last byte is durable.
void terminal_effects::maybe_record_end() {
  if (!host_end_ || end_reported_ || !live_) return;
  if (live_->durable() < host_end_->final_offset && !BERTH_MUTANT(end_recorded_before_sync)) return;
  end_reported_ = true;
  context_.report(terminal::report_ended{host_end_->final_offset,
                                         host_end_->exit_code,
                                         host_end_->signal.value_or(0),
                                         host_end_->reason,
                                         {}},
                  "ended");
}

void terminal_effects::synced(std::uint64_t durable) {
  if (!live_) return;
  live_->synced(durable);
  if (latest_.status == status::running)
    context_.shared.options.host.terminal_durable(latest_.environment, id(), durable);
  maybe_record_end();
  pace();
}

void terminal_effects::attach(const std::shared_ptr<attach_task>& task) {
  if (!reconciled_) {
    // Who does not lead the stream never learns what it is.
    const auto& options = context_.shared.options;
    if (options.nodes &&
        options.journal.leadership_of({aggregate_kind::terminal, context_.key}) == 0)
      return task->done(not_led(context_.key + ": its partition is not led here now; retry"));
    return waiting_.push_back(task);
  }
  const auto& request = task->request;
  if (latest_.status == status::absent || latest_.status == status::removed ||
      (!request.by.is_system && request.by.account != latest_.account))
    return task->done(unknown_stream({aggregate_kind::terminal, context_.key}));
  if (!at_home())
    return task->done(not_led(context_.key + ": the machine of its environment is away; retry"));
  if (!live_) {
    waiting_.push_back(task);
    return;
  }
  const auto now = context_.shared.options.clock.now();
  stream_viewer viewer{request.mode, request.right,        request.session,
                       request.from, request.credit_until, false,
                       now,          task->viewer};
  const auto number = live_->attach(std::move(viewer));
  if (!number) return task->done(number.error());
  const bool nobody_drives = latest_.driver.value.empty();
  const bool driving = request.right == attach_right::drive && latest_.driver == request.session;
  attached_terminal attached;
  attached.attachment = std::make_shared<viewer_handle>(
      context_.shared, request, latest_.environment, *number, task->viewer, driving);
  attached.from = live_->find(*number)->cursor;
  attached.end = live_->end();
  attached.cols = latest_.cols;
  attached.rows = latest_.rows;
  attached.driver = latest_.driver;
  attached.status = latest_.status;
  task->done(std::move(attached));
  if (request.right == attach_right::drive && nobody_drives) take_drive(*number);
  pump();
  pace();
}

void terminal_effects::take_drive(std::uint64_t number) {
  auto* viewer = live_ ? live_->find(number) : nullptr;
  if (!viewer || viewer->session == latest_.driver || latest_.status != status::running) return;
  context_.report(terminal::take_drive{viewer->session}, "drive/" + viewer->session.value);
}

void terminal_effects::resize(const resize_message& m) {
  auto* viewer = live_ ? live_->find(m.viewer) : nullptr;
  if (!viewer || viewer->session != latest_.driver || latest_.status != status::running) return;
  if (m.cols == latest_.cols && m.rows == latest_.rows) return;
  context_.shared.options.host.resize_terminal(latest_.environment, id(), m.cols, m.rows);
  const auto size = std::to_string(m.cols) + "x" + std::to_string(m.rows);
  context_.report(terminal::resize{live_->end(), m.cols, m.rows}, "resize/" + size);
}

void terminal_effects::pump() {
  if (!live_ || pumping_) return;
  if (!live_->pump()) return;
  pumping_ =
      true;  // the rest in a later turn, so that one viewer's catch-up does not hold up the others
  context_.shared.registry.deliver_if_resident({aggregate_kind::terminal, context_.key},
                                               pump_message{});
}

void terminal_effects::pace() {
  if (!live_ || !following_ || latest_.status != status::running) return;
  const auto until = live_->read_until(context_.shared.options.clock.now());
  if (until != paced_until_) {
    paced_until_ = until;
    context_.shared.options.host.pace_terminal(latest_.environment, id(), until);
  }
  schedule_pace();
}

// A driver that stops returning credit is noticed by time alone.
void terminal_effects::schedule_pace() {
  if (pace_timer_ || live_->viewer_count() == 0) return;
  pace_timer_ = true;
  context_.shared.timers.after(
      context_.shared.options.limits.driver_silence_max,
      [&shared = context_.shared, stream = stream_id{aggregate_kind::terminal, context_.key}] {
        shared.registry.deliver_if_resident(stream, pace_message{});
      });
}

template <>
std::unique_ptr<effects<terminal::aggregate>> make_effects(
    effect_context<terminal::aggregate> context) {
  return std::make_unique<terminal_effects>(std::move(context));
}

}  // namespace berth::actors
