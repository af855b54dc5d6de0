#include "infra/agent/program/agent_server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "infra/agent/program/stats_reader.hpp"

namespace berth::agent {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds after_kill{1'000};

}  // namespace

agent_server::agent_server(event_loop& loop, const options& options, spawner& spawner,
                           unique_fd listener, unique_fd state)
    : loop_{loop},
      options_{options},
      spawner_{spawner},
      listener_{std::move(listener)},
      state_{std::move(state)},
      execs_{loop, spawner,
             [this](const wire::ExecDoneT& done) {
               if (owner_) {
                 owner_->send(packed(done));
                 owner_->pump();
               }
               stop_if_done();
             }},
      dialer_{loop},
      door_{loop, [this](unique_fd accepted) {
              owner_->send(packed(wire::GatewayOpenedT{}), std::move(accepted));
              owner_->pump();
            }} {
  std::vector<std::string> problems;
  door_.listen(options_.gateway_port, options_.gateway_socket, problems);
  for (const auto& problem : problems) std::fprintf(stderr, "berth-agent: %s\n", problem.c_str());
  loop_.add(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_connection(); });
  if (options_.stats_every.count() > 0) loop_.after(options_.stats_every, [this] { send_stats(); });
}

agent_server::~agent_server() {
  loop_.remove(listener_.get());
}

void agent_server::accept_connection() {
  unique_fd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!fd || sessions_.size() >= connections_max) return;
  const auto number = ++last_session_;
  sessions_.push_back(std::make_unique<session>(loop_, *this, std::move(fd), number));
  loop_.after(options_.hello_within, [this, number] {
    for (const auto& session : sessions_) {
      if (session->number() != number || session->greeted) continue;
      session->refuse(wire::Problem::protocol,
                      "no Hello within " + std::to_string(options_.hello_within.count()) + " ms");
      session->pump();
      return session->drop();
    }
  });
}

void agent_server::session_over(session& which, const std::string&) {
  if (owner_ == &which) {
    owner_ = nullptr;
    door_.open(false);
  }
  // Not now: the session is still on the stack.
  loop_.after(milliseconds{0},
              [this] { sessions_.remove_if([](const auto& session) { return session->over(); }); });
}

void agent_server::frame_came(session& from, frame&& what) {
  const auto& header = what.header;
  if (!from.greeted && header.kind != frame_kind::control)
    return from.refuse(wire::Problem::protocol, "the first message must be Hello");
  switch (header.kind) {
    case frame_kind::control:
      return on_control(from, what.payload);
    case frame_kind::ping:
      return from.send({.kind = frame_kind::pong, .offset = header.offset});
    case frame_kind::pong:
      return;
    case frame_kind::output:
    case frame_kind::input_ack:
      return from.refuse(wire::Problem::protocol, "an agent's frame came from the server");
    default:
      return on_terminal_frame(from, what);
  }
}

void agent_server::on_terminal_frame(session& from, frame& what) {
  const auto& header = what.header;
  auto* to = from.bound(header.channel);
  if (!to)
    return tell_problem(from, header.channel, wire::Problem::not_found,
                        "nothing is bound to this channel");
  switch (header.kind) {
    case frame_kind::input:
      return on_input(from, *to, what);
    case frame_kind::follow:
      return from.follow(header.channel, header.offset);
    case frame_kind::pace:
      return to->pace(header.offset);
    case frame_kind::durable:
      to->durable(header.offset);
      return to->release_asked && to->may_be_forgotten() ? forget(*to) : void();
    case frame_kind::resize:
      return to->resize(static_cast<std::uint16_t>(header.offset),
                        static_cast<std::uint16_t>(header.offset >> 16));
    default:
      if (header.offset == 0) return to->hang_up();
      to->release_asked = to->ended();
      return to->release_asked && to->may_be_forgotten() ? forget(*to) : void();
  }
}

void agent_server::on_input(session& from, terminal& to, frame& what) {
  id_bytes stream{};
  std::copy_n(what.payload.begin(), stream.size(), stream.begin());
  const auto sequence = what.header.offset;
  auto& table = to.inputs();
  std::uint8_t flags = 0;
  switch (const auto verdict = table.judge(stream, sequence); verdict) {
    case input_table::verdict::apply:
      if (!to.ended() && to.takes_input(what.payload.size())) {
        // Acknowledged by input_applied, perhaps within this call.
        return to.input(stream, sequence, what.payload.substr(stream_name_bytes));
      }
      flags = to.ended() ? flag_ended : flag_full;
      break;
    case input_table::verdict::applied:
      break;
    case input_table::verdict::pending:
      return;
    case input_table::verdict::unknown_stream:
      flags = flag_unknown_stream;
      break;
    case input_table::verdict::gap:
      flags = flag_gap;
      break;
  }
  std::string payload(input_ack_bytes, '\0');
  std::copy(stream.begin(), stream.end(), payload.begin());
  store_u64(payload.data() + stream_name_bytes, sequence);
  from.send({frame_kind::input_ack, flags, what.header.channel, 0, table.last_applied(stream)},
            std::move(payload));
}

void agent_server::input_applied(terminal& who, const id_bytes& stream, std::uint64_t sequence) {
  const auto channel = owner_ ? owner_->channel_of(who) : std::uint16_t{0};
  if (channel == 0) return;
  std::string payload(input_ack_bytes, '\0');
  std::copy(stream.begin(), stream.end(), payload.begin());
  store_u64(payload.data() + stream_name_bytes, sequence);
  owner_->send({frame_kind::input_ack, 0, channel, 0, sequence}, std::move(payload));
  owner_->pump();
}

void agent_server::output_grew(terminal& who) {
  if (owner_ && owner_->channel_of(who) != 0) owner_->pump();
}

void agent_server::terminal_started(terminal& who) {
  if (!owner_ || owner_->channel_of(who) == 0) return;
  tell_started(*owner_, who);
  owner_->pump();
}

void agent_server::terminal_failed(terminal& who, const std::string& why) {
  const auto channel = owner_ ? owner_->channel_of(who) : std::uint16_t{0};
  if (channel != 0) {
    tell_problem(*owner_, channel, wire::Problem::io, why);
    owner_->pump();
  }
  forget(who);
}

void agent_server::terminal_ended(terminal& who) {
  if (owner_ && owner_->channel_of(who) != 0) owner_->pump();
  stop_if_done();
}

void agent_server::forget(terminal& what) {
  for (const auto& session : sessions_) session->unbind(what);
  // Not now: it may be on the stack.
  auto node = terminals_.extract(what.id());
  loop_.after(milliseconds{0}, [kept = std::shared_ptr<terminal>{std::move(node.mapped())}] {});
}

void agent_server::reaped(pid_t pid, std::int32_t wait_status) {
  if (execs_.reaped(pid, wait_status)) return;
  for (const auto& [id, terminal] : terminals_) {
    if (terminal->pid() != pid || terminal->has_been_reaped()) continue;
    return terminal->reaped(wait_status);
  }
}

void agent_server::send_stats() {
  if (owner_) {
    owner_->send(packed(read_stats(options_)));
    owner_->pump();
  }
  loop_.after(options_.stats_every, [this] { send_stats(); });
}

void agent_server::shut_down(milliseconds grace) {
  if (shutting_down_) return;
  shutting_down_ = true;
  for (const auto& [id, terminal] : terminals_) terminal->hang_up();
  execs_.signal_all(SIGTERM);
  loop_.after(grace, [this] {
    for (const auto& [id, terminal] : terminals_) terminal->kill();
    execs_.signal_all(SIGKILL);
    loop_.after(after_kill, [this] { loop_.stop(); });
  });
  stop_if_done();
}

void agent_server::stop_if_done() {
  if (!shutting_down_ || !execs_.idle()) return;
  for (const auto& [id, terminal] : terminals_) {
    if (!terminal->ended()) return;
  }
  if (owner_) owner_->pump();
  loop_.stop();
}

}  // namespace berth::agent
