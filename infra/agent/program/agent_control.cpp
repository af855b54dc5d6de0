// The control messages of agent_server.
#include <unistd.h>

#include <algorithm>

#include "infra/agent/program/agent_server.hpp"
#include "infra/agent/program/requests.hpp"
#include "infra/agent/program/stats_reader.hpp"
#include "infra/agent/program/version.hpp"

namespace berth::agent {
namespace {

constexpr std::chrono::milliseconds shutdown_grace_max{30'000};

// Ids become file names.
bool is_plain_id(const std::string& id) {
  if (id.empty() || id.size() > 64) return false;
  for (const char c : id) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  return true;
}

}  // namespace

void agent_server::on_control(session& from, const std::string& payload) {
  const auto* packet = verified_packet(payload);
  if (!packet) return from.refuse(wire::Problem::protocol, "a control frame that is no packet");
  if (!from.greeted) {
    if (const auto* hello = packet->message_as_Hello()) return greet(from, *hello);
    return from.refuse(wire::Problem::protocol, "the first message must be Hello");
  }
  switch (packet->message_type()) {
    case wire::Message::Claim:
      return on_claim(from, *packet->message_as_Claim());
    case wire::Message::OpenTerminal:
      return on_open(from, *packet->message_as_OpenTerminal());
    case wire::Message::Bind:
      return on_bind(from, *packet->message_as_Bind());
    case wire::Message::Exec:
      return execs_.exec(*packet->message_as_Exec());
    case wire::Message::Dial:
      return on_dial(from, *packet->message_as_Dial());
    case wire::Message::Shutdown: {
      const std::chrono::milliseconds grace{packet->message_as_Shutdown()->grace_ms()};
      return shut_down(std::min(grace, shutdown_grace_max));
    }
    default:
      break;
  }
  wire::ProblematicT answer;
  answer.problem = wire::Problem::bad_request;
  answer.message = "message kind " + std::to_string(static_cast<int>(packet->message_type())) +
                   " is not for an agent";
  from.send(packed(std::move(answer)));
}

void agent_server::greet(session& from, const wire::Hello& hello) {
  if (hello.protocol_min() > protocol_version_max || hello.protocol_max() < protocol_version_min)
    return from.refuse(wire::Problem::unsupported_version,
                       "this agent speaks protocol " + std::to_string(protocol_version_min) +
                           " to " + std::to_string(protocol_version_max));
  if (text_of(hello.environment()) != options_.environment)
    return from.refuse(wire::Problem::wrong_environment,
                       "this is the agent of " + options_.environment);
  if (hello.owner_epoch() < epoch_seen_)
    return from.refuse(wire::Problem::stale_owner,
                       "owner epoch " + std::to_string(epoch_seen_) + " was here", epoch_seen_);
  epoch_seen_ = hello.owner_epoch();
  if (owner_) {
    auto& old = *owner_;
    old.refuse(wire::Problem::superseded, "another connection took over", epoch_seen_);
    old.pump();
    old.drop();
  }
  owner_ = &from;
  from.greeted = true;
  welcome(from);
  door_.open(true);
}

void agent_server::welcome(session& to) {
  wire::WelcomeT answer;
  answer.protocol = protocol_version_max;
  answer.build = build_name;
  answer.environment = options_.environment;
  answer.incarnation = options_.incarnation;
  answer.pid = ::getpid();
  for (const auto& [id, terminal] : terminals_) {
    auto info = std::make_unique<wire::TerminalInfoT>();
    info->terminal = id;
    info->base_offset = terminal->ring().base();
    info->end_offset = terminal->ring().end();
    info->pid = terminal->pid();
    info->ended = terminal->ended();
    answer.terminals.push_back(std::move(info));
  }
  to.send(packed(std::move(answer)));
  if (options_.stats_every.count() > 0) to.send(packed(read_stats(options_)));
}

void agent_server::on_claim(session& from, const wire::Claim& claim) {
  if (claim.owner_epoch() < epoch_seen_)
    return from.refuse(wire::Problem::stale_owner,
                       "owner epoch " + std::to_string(epoch_seen_) + " was here", epoch_seen_);
  epoch_seen_ = claim.owner_epoch();
}

void agent_server::tell_problem(session& to, std::uint16_t channel, wire::Problem problem,
                                const std::string& message) {
  wire::TerminalProblemT answer;
  answer.channel = channel;
  answer.problem = problem;
  answer.message = message;
  to.send(packed(std::move(answer)));
}

void agent_server::tell_started(session& to, const terminal& what) {
  wire::TerminalStartedT answer;
  answer.channel = to.channel_of(what);
  answer.pid = what.pid();
  answer.next_offset = what.ring().end();
  to.send(packed(std::move(answer)));
}

bool agent_server::make_room_for_terminal() {
  if (terminals_.size() < terminals_max) return true;
  for (const auto& [id, terminal] : terminals_) {
    if (!terminal->may_be_forgotten()) continue;
    forget(*terminal);
    return true;
  }
  return false;
}

void agent_server::on_open(session& from, const wire::OpenTerminal& request) {
  const auto id = text_of(request.terminal());
  const auto channel = request.channel();
  if (!is_plain_id(id) || channel == 0 || request.cols() == 0 || request.rows() == 0)
    return tell_problem(from, channel, wire::Problem::bad_request,
                        "a terminal needs an id, a channel, columns and rows");
  if (const auto found = terminals_.find(id); found != terminals_.end()) {
    auto& known = *found->second;
    if (!from.bind(channel, known))
      return tell_problem(from, channel, wire::Problem::bad_request, "the channel is taken");
    if (known.started()) tell_started(from, known);  // else its start tells
    return;
  }
  if (shutting_down_ || !make_room_for_terminal())
    return tell_problem(from, channel, wire::Problem::limit_exceeded,
                        "no more terminals; close ended ones");
  auto made = std::make_unique<terminal>(loop_, *this, id);
  terminal_request wanted{id, workload_of(request), request.cols(), request.rows(),
                          request.buffer_bytes_max()};
  std::string problem;
  if (!made->open(spawner_, state_.get(), std::move(wanted), problem))
    return tell_problem(from, channel, wire::Problem::io, problem);
  auto& kept = *terminals_.emplace(id, std::move(made)).first->second;
  if (!from.bind(channel, kept))
    tell_problem(from, channel, wire::Problem::bad_request, "the channel is taken");
}

void agent_server::on_bind(session& from, const wire::Bind& request) {
  const auto found = terminals_.find(text_of(request.terminal()));
  if (found == terminals_.end())
    return tell_problem(from, request.channel(), wire::Problem::not_found,
                        "no terminal " + text_of(request.terminal()));
  if (!from.bind(request.channel(), *found->second))
    tell_problem(from, request.channel(), wire::Problem::bad_request, "the channel is taken");
}

void agent_server::on_dial(session& from, const wire::Dial& request) {
  dialer_.dial(request.port(), [this, asker = from.number(), number = request.request()](
                                   unique_fd connected, const std::string& why) {
    if (!owner_ || asker != owner_->number())
      return;  // The server asks again over its next connection.
    wire::DialDoneT done;
    done.request = number;
    done.problem = connected ? wire::Problem::none : wire::Problem::io;
    done.message = why;
    owner_->send(packed(std::move(done)), std::move(connected));
    owner_->pump();
  });
}

}  // namespace berth::agent
