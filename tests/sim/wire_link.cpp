#include "tests/sim/wire_link.hpp"

#include <boost/asio/post.hpp>

namespace berth::sim {

namespace {
// What Beast's keep-alive does on the server, and a client's own patience.
constexpr auto server_patience = gateway::ws_silence_max;
constexpr std::chrono::seconds client_patience{10};
}  // namespace

timestamp wire_link::arrival(const std::deque<message>& line) {
  auto at = server_.clock.now();
  if (weather_.latency_max.count() > 0)
    at += std::chrono::milliseconds{server_.random() %
                                    static_cast<std::uint64_t>(weather_.latency_max.count())};
  return line.empty() ? at : std::max(at, line.back().arrives);
}

void wire_link::write(std::span<const boost::asio::const_buffer> buffers, bool text) {
  if (writing_) misuse_ = "a message was written before the one before was";
  if (closing_) misuse_ = "a message was written after the close";
  if (!user_) return;
  message sent{{}, text, arrival(down_)};
  for (const auto& each : buffers)
    sent.bytes.append(static_cast<const char*>(each.data()), each.size());
  writing_ = true;
  if (client_learns_) return;  // Into the void: written as far as the server's socket knows.
  down_bytes_ += sent.bytes.size();
  down_.push_back(std::move(sent));
}

void wire_link::close(gateway::ws_close_code code, std::string_view) {
  closing_ = true;
  closed_with_ = code;
  if (!client_learns_) client_learns_ = arrival(down_);
}

void wire_link::abort() {
  lose_some(down_);
  up_.clear();
  if (!client_learns_) client_learns_ = arrival(down_);
  server_learns_ = server_.clock.now();
  reading_ = true;
}

void wire_link::say(std::string bytes, bool text) {
  if (client_learns_ && !closing_) return;
  up_.push_back({std::move(bytes), text, arrival(up_)});
}

std::optional<wire_link::message> wire_link::hear() {
  if (down_.empty() || down_.front().arrives > server_.clock.now()) return std::nullopt;
  auto heard = std::move(down_.front());
  down_.pop_front();
  down_bytes_ -= heard.bytes.size();
  return heard;
}

bool wire_link::over() const {
  return down_.empty() && client_learns_ && *client_learns_ <= server_.clock.now();
}

// Also the client's answer to the server's close.
void wire_link::hang_up() {
  client_learns_ = server_.clock.now();
  down_.clear();
  down_bytes_ = 0;
  if (!server_learns_) server_learns_ = arrival(up_);
}

void wire_link::lose_some(std::deque<message>& line) {
  for (auto lost = line.empty() ? 0 : server_.random() % (line.size() + 1); lost > 0; --lost) {
    if (&line == &down_) down_bytes_ -= line.back().bytes.size();
    line.pop_back();
  }
}

void wire_link::cut(bool silently) {
  lose_some(up_);
  lose_some(down_);
  const auto now = server_.clock.now();
  if (!server_learns_) server_learns_ = silently ? timestamp{now + server_patience} : arrival(up_);
  if (!client_learns_)
    client_learns_ = silently ? timestamp{now + client_patience} : arrival(down_);
}

void wire_link::kill() {
  std::exchange(user_, nullptr).reset();
  lose_some(down_);
  if (!client_learns_) client_learns_ = arrival(down_);
  up_.clear();
}

// A socket says that it is over when it is read or written.
bool wire_link::end_is_noticed() const {
  return server_learns_ && *server_learns_ <= server_.clock.now() && up_.empty() &&
         (reading_ || writing_ || closing_);
}

bool wire_link::step() {
  if (!user_ || telling_) return false;
  if (end_is_noticed()) return tell(&wire_link::tell_ended), true;
  if (reading_ && !up_.empty() && up_.front().arrives <= server_.clock.now())
    return tell(&wire_link::tell_received), true;
  if (writing_ && down_bytes_ < weather_.buffer_bytes_max)
    return tell(&wire_link::tell_written), true;
  return false;
}

std::optional<timestamp> wire_link::next() const {
  std::optional<timestamp> least;
  const auto now = server_.clock.now();
  const auto look = [&](timestamp at) {
    if (at > now && (!least || at < *least)) least = at;
  };
  if (!up_.empty()) look(up_.front().arrives);
  if (!down_.empty()) look(down_.front().arrives);
  if (server_learns_) look(*server_learns_);
  if (client_learns_) look(*client_learns_);
  return least;
}

void wire_link::tell(void (wire_link::*what)()) {
  telling_ = true;
  boost::asio::post(executor_, [self = shared_from_this(), what] {
    self->telling_ = false;
    if (self->user_) ((*self).*what)();
  });
}

void wire_link::tell_received() {
  if (up_.empty()) return;  // lost since
  reading_ = false;
  current_ = std::move(up_.front());
  up_.pop_front();
  user_->received(current_.bytes, current_.text);
}

void wire_link::tell_written() {
  writing_ = false;
  user_->written();
}

void wire_link::tell_ended() {
  std::exchange(user_, nullptr)->ended();
}

}  // namespace berth::sim
