#include "infra/agent/program/session.hpp"

#include <sys/epoll.h>
#include <sys/wait.h>

#include <utility>

namespace berth::agent {
namespace {
constexpr std::uint64_t interactive_bytes = 4096;  // less than this waiting: goes first
constexpr int frames_a_pump_max = 16;
}  // namespace

session::session(event_loop& loop, session_owner& owner, unique_fd fd, std::uint64_t number)
    : loop_{loop}, owner_{owner}, socket_{std::move(fd)}, number_{number} {
  loop_.add(socket_.fd(), EPOLLIN, [this](std::uint32_t events) { on_events(events); });
}

session::~session() {
  loop_.remove(socket_.fd());
}

void session::end(const std::string& why) {
  if (over_) return;
  over_ = true;
  loop_.remove(socket_.fd());
  owner_.session_over(*this, why);
}

void session::on_events(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    const auto status = socket_.receive([this](frame&& what) {
      if (!refused_ && !over_) owner_.frame_came(*this, std::move(what));
    });
    if (status == frame_socket::status::bad_frame && !refused_)
      refuse(wire::Problem::protocol, socket_.problem());
    if (status == frame_socket::status::closed) return end(socket_.problem());
  }
  pump();
}

void session::send(std::string packet, unique_fd descriptor) {
  if (refused_) return;
  socket_.enqueue({.kind = frame_kind::control}, std::move(packet), std::move(descriptor));
}

void session::send(frame_header header, std::string payload) {
  if (!refused_) socket_.enqueue(header, std::move(payload));
}

void session::refuse(wire::Problem problem, const std::string& message, std::uint64_t epoch_seen) {
  wire::RefusedT refused;
  refused.problem = problem;
  refused.message = message;
  refused.epoch_seen = epoch_seen;
  send(packed(std::move(refused)));
  refused_ = true;
  channels_.clear();
  by_terminal_.clear();
}

bool session::bind(std::uint16_t number, terminal& to) {
  if (number == 0 || channels_.size() >= channels_max) return false;
  if (const auto found = channels_.find(number); found != channels_.end())
    return found->second.to == &to;
  if (by_terminal_.contains(&to)) return false;
  channels_.emplace(number, channel{&to, std::nullopt, false});
  by_terminal_.emplace(&to, number);
  return true;
}

terminal* session::bound(std::uint16_t number) const {
  const auto found = channels_.find(number);
  return found == channels_.end() ? nullptr : found->second.to;
}

std::uint16_t session::channel_of(const terminal& what) const {
  const auto found = by_terminal_.find(&what);
  return found == by_terminal_.end() ? 0 : found->second;
}

void session::unbind(const terminal& what) {
  channels_.erase(channel_of(what));
  by_terminal_.erase(&what);
}

void session::tell_not_held(std::uint16_t number, const ring_file& ring, std::uint64_t asked) {
  wire::TerminalProblemT problem;
  problem.channel = number;
  problem.problem = asked < ring.base() ? wire::Problem::expired : wire::Problem::bad_request;
  problem.message = "output is held from " + std::to_string(ring.base()) + " to " +
                    std::to_string(ring.end()) + ", not at " + std::to_string(asked);
  problem.first_offset = ring.base();
  send(packed(std::move(problem)));
}

void session::follow(std::uint16_t number, std::uint64_t from) {
  auto& channel = channels_.at(number);
  const auto& ring = channel.to->ring();
  channel.next.reset();
  if (from < ring.base() || from > ring.end()) return tell_not_held(number, ring, from);
  channel.next = from;
  channel.end_told = false;
}

// One frame of the followed terminal that has least waiting, if that is little, else of the next in
// turn.
bool session::send_output() {
  channel* chosen = nullptr;
  std::uint16_t chosen_number = 0;
  std::uint64_t least = interactive_bytes;
  channel* in_turn = nullptr;
  std::uint16_t in_turn_number = 0;
  for (auto& [number, channel] : channels_) {
    if (!channel.next) continue;
    const auto waiting = channel.to->ring().end() - *channel.next;
    if (waiting == 0) continue;
    if (waiting < least) {
      least = waiting;
      chosen = &channel;
      chosen_number = number;
    }
    if (!in_turn || (in_turn_number <= last_sent_ && number > last_sent_)) {
      in_turn = &channel;
      in_turn_number = number;
    }
  }
  if (!chosen) {
    chosen = in_turn;
    chosen_number = last_sent_ = in_turn_number;
  }
  if (!chosen) return false;
  const auto bytes = chosen->to->ring().readable(*chosen->next, data_bytes_max);
  socket_.send_direct(
      {.kind = frame_kind::output, .channel = chosen_number, .offset = *chosen->next}, bytes);
  *chosen->next += bytes.size();
  return true;
}

void session::tell_ends() {
  for (auto& [number, channel] : channels_) {
    if (!channel.next || channel.end_told || !channel.to->ended() ||
        *channel.next != channel.to->ring().end())
      continue;
    channel.end_told = true;
    channel.to->end_was_told = true;
    const auto status = channel.to->wait_status();
    wire::TerminalEndedT ended;
    ended.channel = number;
    ended.final_offset = channel.to->ring().end();
    ended.has_exit_code = WIFEXITED(status);
    ended.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    ended.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    send(packed(std::move(ended)));
  }
}

// The server called durable what it had not been given on this connection.
void session::stop_expired() {
  for (auto& [number, channel] : channels_) {
    if (!channel.next || *channel.next >= channel.to->ring().base()) continue;
    tell_not_held(number, channel.to->ring(), *std::exchange(channel.next, std::nullopt));
  }
}

void session::pump() {
  if (over_) return;
  stop_expired();
  auto status = socket_.flush();
  bool more = false;
  for (int frames = 0; status == frame_socket::status::open && socket_.idle(); ++frames) {
    if (frames == frames_a_pump_max) {
      more = true;
      break;
    }
    if (!send_output()) break;
    status = socket_.flush();
  }
  if (status == frame_socket::status::open) {
    tell_ends();
    status = socket_.flush();
  }
  if (status == frame_socket::status::closed) return end(socket_.problem());
  if (refused_ && socket_.idle()) return end("refused");
  if (socket_.queued_bytes() > queued_bytes_max) return end("the server does not read its answers");
  const std::uint32_t in = refused_ ? 0u : EPOLLIN;
  loop_.change(socket_.fd(), in | (more || !socket_.idle() ? EPOLLOUT : 0u));
}

}  // namespace berth::agent
