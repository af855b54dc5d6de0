// What the agent says. All of it is tenant input: bounded and verified by the decoder, checked
// against what was asked here.
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "events/core/arguments.hpp"
#include "infra/agent/link/agent_link.hpp"

namespace berth::agent {
namespace {

// Tables of a packet may share one text: four megabytes said could be gigabytes kept.
constexpr std::size_t terminal_name_bytes_max = 128;
constexpr int refusals_in_row_max = 8;  // without a welcome: it will never understand

host_errc code_of(wire::Problem problem) {
  switch (problem) {
    case wire::Problem::not_found:
      return host_errc::not_found;
    case wire::Problem::stale_owner:
    case wire::Problem::superseded:
      return host_errc::stale_owner;
    case wire::Problem::limit_exceeded:
      return host_errc::limit_exceeded;
    case wire::Problem::outcome_unknown:
      return host_errc::outcome_unknown;
    case wire::Problem::protocol:
    case wire::Problem::unsupported_version:
    case wire::Problem::wrong_environment:
      return host_errc::protocol;
    default:
      return host_errc::io;
  }
}

host_error error_of(wire::Problem problem, const flatbuffers::String* message,
                    const char* next_step) {
  return {code_of(problem), clipped(text_of(message), long_text_bytes_max), next_step};
}

}  // namespace

void agent_link::protocol_error(const std::string& what) {
  finish(false,
         {host_errc::protocol, "the agent broke the protocol: " + what, "stop the environment"});
}

void agent_link::on_frame(frame&& what) {
  const auto& header = what.header;
  if (header.kind == frame_kind::control) {
    auto descriptor = header.flags & flag_descriptor ? socket_->take_descriptor() : unique_fd{};
    const auto* packet = verified_packet(what.payload);
    if (!packet) return protocol_error("a control frame that is no packet");
    const bool greeting = packet->message_type() == wire::Message::Welcome ||
                          packet->message_type() == wire::Message::Refused;
    if (!ready() && !greeting) return protocol_error("a message before its welcome");
    if (packet->message_type() == wire::Message::DialDone)
      return on_dial_done(*packet->message_as_DialDone(), std::move(descriptor));
    if (packet->message_type() == wire::Message::GatewayOpened) {
      if (descriptor && observer_)
        observer_->gateway_connection(address_.environment, descriptor.release());
      return;
    }
    return on_packet(*packet);
  }
  if (!ready()) return protocol_error("a frame before its welcome");
  if (header.kind == frame_kind::ping)
    return socket_->enqueue({.kind = frame_kind::pong, .offset = header.offset});
  if (header.kind == frame_kind::pong) return;
  auto* channel = channel_at(header.channel);
  if (header.kind == frame_kind::output)
    return channel ? on_output(*channel, std::move(what)) : void();
  if (header.kind == frame_kind::input_ack) return channel ? on_input_ack(*channel, what) : void();
  protocol_error("a server's frame came from the agent");
}

void agent_link::on_packet(const wire::Packet& packet) {
  switch (packet.message_type()) {
    case wire::Message::Welcome:
      return on_welcome(*packet.message_as_Welcome());
    case wire::Message::Refused:
      return on_refused(*packet.message_as_Refused());
    case wire::Message::TerminalStarted:
      return on_terminal_started(*packet.message_as_TerminalStarted());
    case wire::Message::TerminalProblem:
      return on_terminal_problem(*packet.message_as_TerminalProblem());
    case wire::Message::TerminalEnded:
      return on_terminal_ended(*packet.message_as_TerminalEnded());
    case wire::Message::ExecDone:
      return on_exec_done(*packet.message_as_ExecDone());
    case wire::Message::Stats: {
      const auto& seen = *packet.message_as_Stats();
      const environment_stats stats{static_cast<double>(seen.cpu_us()) / 1e6, seen.memory_bytes(),
                                    seen.disk_bytes(), seen.pids()};
      if (observer_) observer_->stats_seen(address_.environment, stats);
      return;
    }
    case wire::Message::Problematic:
      return;  // Of a message newer than the agent; what waits for it has a deadline.
    default:
      return protocol_error("a server's message came from the agent");
  }
}

void agent_link::on_welcome(const wire::Welcome& welcome) {
  if (phase_ != phase::greeting) return protocol_error("a second welcome");
  if (text_of(welcome.environment()) != address_.environment.value)
    return protocol_error("it is the agent of another environment");
  if (text_of(welcome.incarnation()) != address_.life.value)
    return finish(true,
                  {host_errc::not_running, "another incarnation runs now", "ask the host for it"});
  std::vector<agent_terminal> terminals;
  if (welcome.terminals()) {
    for (const auto* info : *welcome.terminals()) {
      if (info->terminal() && info->terminal()->size() > terminal_name_bytes_max)
        return protocol_error("a terminal's name is too long");
      terminals.push_back({terminal_id{text_of(info->terminal())}, info->base_offset(),
                           info->end_offset(), info->pid(), info->ended()});
    }
  }
  reactor_.loop().cancel(std::exchange(connect_timer_, 0));
  phase_ = phase::ready;
  connect_failures_ = refusals_ = 0;
  welcomed_at_ = event_loop::clock::now();
  send_claim();  // raised since the Hello
  ask_again();
  if (observer_) observer_->agent_ready(address_.environment, terminals);
}

void agent_link::on_refused(const wire::Refused& refused) {
  // What it did not understand, or not in time, ends the connection only; who may own the
  // environment ends the link.
  if (refused.problem() == wire::Problem::protocol && ++refusals_ < refusals_in_row_max) {
    socket_bad_ = true;
    return;
  }
  finish(false, error_of(refused.problem(), refused.message(),
                         "another server owns this environment now"));
}

void agent_link::on_output(channel& from, frame&& what) {
  if (!from.next || from.ended_at) return;
  auto offset = what.header.offset;
  if (offset > *from.next) {
    // In flight from before a follow further back; if not, ask once for what is missing.
    if (std::exchange(from.resync, true)) return;
    return send(from, frame_kind::follow, *from.next);
  }
  const auto known = *from.next - offset;
  if (known >= what.payload.size()) return;
  if (known > 0) what.payload.erase(0, known);
  offset = *from.next;
  from.resync = false;
  *from.next += what.payload.size();
  if (observer_)
    observer_->terminal_output(terminal_id{from.id}, offset, share(std::move(what.payload)));
}

void agent_link::on_input_ack(channel& from, const frame& what) {
  input_stream_id stream;
  std::copy_n(what.payload.begin(), stream.bytes.size(), stream.bytes.begin());
  const auto asked = load_u64(what.payload.data() + stream_name_bytes);
  const auto last = what.header.offset;
  const auto flags = what.header.flags;
  std::vector<queued_input> answered;
  for (auto entry = from.inputs.begin(); entry != from.inputs.end();) {
    const bool hit = entry->sent && entry->stream == stream &&
                     (flags == 0 ? entry->sequence <= last : entry->sequence == asked);
    if (!hit) {
      ++entry;
      continue;
    }
    from.window_bytes -= entry->bytes.size();
    from.input_bytes -= entry->bytes.size();
    answered.push_back(std::move(*entry));
    entry = from.inputs.erase(entry);
    if (flags != 0) break;
  }
  send_inputs(from);
  for (auto& entry : answered) {
    if (flags & flag_ended)
      entry.done(host_error{host_errc::not_running, "the terminal has ended", "open a new one"});
    else if (flags & flag_full)
      entry.done(host_error{host_errc::limit_exceeded, "the terminal does not read", "send less"});
    else
      entry.done(input_outcome{last, (flags & flag_unknown_stream) != 0, (flags & flag_gap) != 0});
  }
}

void agent_link::fail_inputs(channel& channel, const host_error& why) {
  auto inputs = std::exchange(channel.inputs, {});
  channel.input_bytes = channel.window_bytes = 0;
  for (auto& input : inputs) input.done(why);
}

void agent_link::fail_opening(channel& channel, const host_error& why) {
  channel.opening.reset();
  if (channel.opening_timer) reactor_.loop().cancel(std::exchange(channel.opening_timer, 0));
  for (auto& done : std::exchange(channel.opened, {})) done(why);
}

void agent_link::on_terminal_started(const wire::TerminalStarted& started) {
  auto* channel = channel_at(started.channel());
  if (!channel || !channel->opening) return;
  channel->opening.reset();
  if (channel->opening_timer) reactor_.loop().cancel(std::exchange(channel->opening_timer, 0));
  for (auto& done : std::exchange(channel->opened, {}))
    done(terminal_started{started.pid(), started.next_offset()});
}

void agent_link::on_terminal_problem(const wire::TerminalProblem& problem) {
  auto* channel = channel_at(problem.channel());
  if (!channel || channel->missing) return;
  const auto why = error_of(problem.problem(), problem.message(), "open a new terminal");
  const auto id = channel->id;
  if (channel->opening) {
    channel->missing = true;
    channel->next.reset();
    fail_inputs(*channel, why);
    if (auto* still = find(id)) fail_opening(*still, why);
    return;
  }
  if (problem.problem() == wire::Problem::not_found) {
    channel->missing = true;
    fail_inputs(*channel, why);
  }
  auto* still = find(id);
  if (!still || !still->next) return;
  still->next.reset();
  if (observer_) observer_->terminal_missing(id, why, problem.first_offset());
}

void agent_link::on_terminal_ended(const wire::TerminalEnded& ended) {
  auto* channel = channel_at(ended.channel());
  if (!channel || !channel->next || channel->ended_at) return;
  if (ended.final_offset() != *channel->next) {
    if (channel->resync) return;  // of a follow before the last one
    return protocol_error("a terminal ended at another byte than its last");
  }
  channel->ended_at = ended.final_offset();
  terminal_end end;
  end.final_offset = ended.final_offset();
  if (ended.has_exit_code()) end.exit_code = ended.exit_code();
  if (ended.signal() != 0) end.signal = ended.signal();
  end.reason = ended.signal() != 0 ? "signalled" : "exited";
  const auto id = channel->id;
  fail_inputs(*channel, {host_errc::not_running, "the terminal has ended", "open a new one"});
  if (observer_) observer_->terminal_ended(id, end);
  if (auto* still = find(id)) maybe_release(*still);
}

void agent_link::on_exec_done(const wire::ExecDone& done) {
  if (!done.effect()) return;
  auto call = execs_.extract(effect_id{from_wire(*done.effect())});
  if (call.empty()) return;
  reactor_.loop().cancel(call.mapped().timer);
  host_result<exec_output> result = error_of(done.problem(), done.message(), "see the message");
  if (done.problem() == wire::Problem::none) {
    result = exec_output{done.exit_code(),
                         bytes_of(done.stdout_bytes()),
                         bytes_of(done.stderr_bytes()),
                         done.truncated(),
                         done.timed_out(),
                         std::chrono::milliseconds{static_cast<std::int64_t>(done.duration_ms())}};
  }
  for (auto& told : call.mapped().done) told(result);
}

void agent_link::on_dial_done(const wire::DialDone& done, unique_fd descriptor) {
  auto call = dials_.extract(done.request());
  if (call.empty()) return;
  reactor_.loop().cancel(call.mapped().timer);
  if (done.problem() == wire::Problem::none && descriptor)
    return call.mapped().done(descriptor.release());
  call.mapped().done(
      error_of(done.problem(), done.message(), "start something that listens on this port"));
}

}  // namespace berth::agent
