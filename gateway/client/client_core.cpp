#include "gateway/client/client_core.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <boost/asio/post.hpp>

#include "events/core/match.hpp"
#include "gateway/client/dial.hpp"
#include "gateway/http_convert.hpp"

namespace berth::client {
namespace {

using std::chrono::milliseconds;
constexpr std::array retry_after{milliseconds{0},    milliseconds{250},  milliseconds{500},
                                 milliseconds{1000}, milliseconds{2000}, milliseconds{5000}};
constexpr int jitter_percent = 20;

client_error said_by(const wire::error& what) {
  return {what.code, what.message, {what.details.begin(), what.details.end()}};
}

bool is_this_machine(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool is_read_only(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

}  // namespace

client_core::client_core(boost::asio::io_context& io, client_options options,
                         client::state_listener changed)
    : options_{std::move(options)},
      changed_{std::move(changed)},
      io_{io},
      session_{options_.session} {}

std::string client_core::session() const {
  const std::lock_guard hold{mutex_};
  return session_;
}

client_result<std::string> client_core::wait_ready(milliseconds at_most) {
  std::unique_lock hold{mutex_};
  const bool told = changed_state_.wait_for(
      hold, at_most, [&] { return state_ == connection_state::ready || over_; });
  if (over_) return *over_;
  if (!told)
    return client_error{
        "timeout", "not connected within " + std::to_string(at_most.count()) + " ms", {}};
  return {boost::system::in_place_value, session_};
}

void client_core::begin() {
  dial();
}

void client_core::tick_soon(milliseconds within) {
  const auto at = std::chrono::steady_clock::now() + within;
  if (tick_at_ && *tick_at_ <= at) return;
  tick_at_ = at;
  tick_timer_.expires_at(at);
  tick_timer_.async_wait([self = shared_from_this()](boost::system::error_code overtaken) {
    if (overtaken || self->stopped_) return;
    self->tick_at_.reset();
    bool again = false;
    for (const auto& [number, channel] : std::unordered_map{self->channels_})
      again = channel->tick() || again;
    if (again) self->tick_soon();
  });
}

void client_core::stop() {
  if (!stopped_) give_up({"cancelled", "the client was closed", {}});
}

void client_core::tell(connection_state now, const std::string& why) {
  {
    const std::lock_guard hold{mutex_};
    state_ = now;
  }
  changed_state_.notify_all();
  if (changed_) changed_(now, why);
}

// --- the connection

void client_core::dial() {
  tell(connection_state::connecting, "");
  dialling_ = berth::client::dial(io_, options_, [this](dial_result result) {
    const auto finished = std::exchange(dialling_, nullptr);
    if (result) return connected(result->transport);
    if (result.error().final || !options_.reconnect) return give_up(result.error().why);
    lost(result.error().why.message);
  });
}

void client_core::connected(std::shared_ptr<gateway::ws_transport> transport) {
  transport_ = std::move(transport);
  zstd_ = std::make_unique<wire::zstd_reader>();
  queue_.clear();
  writing_ = false;
  resumed_ = welcomed_ = false;
  refusal_.reset();
  transport_->begin(shared_from_this());
  wire::hello said;
  said.session = session();
  if (!said.session.empty()) said.input_stream = input_stream_;
  said.client = options_.name;
  said.zstd = options_.zstd.value_or(!is_this_machine(options_.host));
  queue_.push_back(wire::encode_message({0, said}));
  // A session that has been used before is resumed at once; the frames of a new one could need
  // other numbers.
  if (!said.session.empty() && !input_stream_.empty()) resume_channels(false);
  flush();
  transport_->read();
}

void client_core::resume_channels(bool new_input_stream) {
  resumed_ = true;
  for (const auto& [number, channel] : std::unordered_map{channels_})
    for (auto& what : channel->resume(new_input_stream))
      queue_.push_back(wire::encode_message({number, std::move(what)}));
  for (const auto& [id, asked] : requests_) send_request(asked);
}

void client_core::received(std::string_view message, bool) {
  auto frames = wire::split_message(message);
  if (!frames) return give_up({"framing", "the server's message: " + frames.error().message, {}});
  for (const auto& raw : *frames) {
    std::optional<std::string> plain;
    if (raw.header.flags & wire::flag_zstd) {
      plain = zstd_->decompress(raw.payload, (raw.header.flags & wire::flag_fresh) != 0,
                                wire::payload_bytes_max);
      if (!plain)
        return give_up({"framing", "a compressed frame of the server does not decode", {}});
    }
    auto what = wire::parse_frame(raw.header, plain ? std::string_view(*plain) : raw.payload);
    if (what) handle(std::move(*what));  // What is not understood belongs to a later version.
    if (stopped_ || !transport_) return;
  }
  transport_->read();
}

void client_core::handle(wire::frame what) {
  if (const auto found = channels_.find(what.channel);
      what.channel != 0 && found != channels_.end() &&
      !std::holds_alternative<wire::body>(what.what)) {
    const auto keep = found->second;
    if (keep->received(std::move(what.what))) channels_.erase(what.channel);
    return;
  }
  std::visit(match{[&](const wire::welcome& said) { welcomed(said); },
                   [&](const wire::error& said) {
                     if (!welcomed_) refusal_ = said_by(said);
                   },
                   [&](const wire::goaway& said) {
                     retry_after_ms_ = said.after_ms;
                     if (!said.reconnect)
                       refusal_ = client_error{said.code, said.message, {{"final", "1"}}};
                   },
                   [&](const wire::response& head) { answered(head); },
                   [&](const wire::body& part) { answer_part(what.channel, part); },
                   [&](wire::ping& said) {
                     send(what.channel, wire::pong{said.offset, std::move(said.bytes)});
                   },
                   [](const auto&) {}},
             what.what);
}

void client_core::welcomed(const wire::welcome& said) {
  const bool first = input_stream_.empty();
  const bool other = said.input_stream != input_stream_;
  input_stream_ = said.input_stream;
  attempts_ = 0;
  retry_after_ms_ = 0;
  welcomed_ = true;
  {
    const std::lock_guard hold{mutex_};
    session_ = said.session;
  }
  if (!resumed_) resume_channels(other && !first);
  tell(connection_state::ready, "");
  flush();
}

void client_core::ended() {
  transport_.reset();
  resumed_ = false;
  if (stopped_) {
    retry_timer_.cancel();
    return;
  }
  if (refusal_) {
    const auto why = *refusal_;
    // The session is over, the person is not: begin another, with another input stream.
    if (why.code == "not_found" && !session().empty() && options_.session.empty()) {
      const std::lock_guard hold{mutex_};
      session_.clear();
      input_stream_ = "none";
    } else if (why.code == "unauthenticated" || why.code == "not_found" ||
               why.details.contains("final")) {
      return give_up(why);
    }
  }
  lost(refusal_ ? refusal_->message : "the connection was lost");
}

void client_core::lost(const std::string& why) {
  if (!options_.reconnect) return give_up({"connection_lost", why, {}});
  tell(connection_state::waiting, why);
  retry_later();
}

void client_core::retry_later() {
  const auto base = retry_after[std::min(attempts_++, retry_after.size() - 1)];
  const auto wait = std::max<std::int64_t>(base.count(), retry_after_ms_);
  retry_after_ms_ = 0;
  std::uniform_int_distribution<std::int64_t> percent{100 - jitter_percent, 100 + jitter_percent};
  retry_timer_.expires_after(milliseconds{wait * percent(random_) / 100});
  retry_timer_.async_wait([self = shared_from_this()](boost::system::error_code stopped) {
    if (!stopped && !self->stopped_) self->dial();
  });
}

void client_core::give_up(client_error why) {
  if (stopped_) return;
  stopped_ = true;
  why.details.erase("final");
  {
    const std::lock_guard hold{mutex_};
    over_ = why;
  }
  retry_timer_.cancel();
  tick_timer_.cancel();
  dialling_.reset();
  if (transport_) {
    transport_->close(gateway::ws_close_code::normal, "");
    retry_timer_.expires_after(goodbye_max);
    retry_timer_.async_wait([self = shared_from_this()](boost::system::error_code stopped) {
      if (!stopped && self->transport_) self->transport_->abort();
    });
  }
  for (auto& [number, channel] : std::exchange(channels_, {})) channel->abandoned(why);
  for (auto& [id, asked] : std::exchange(requests_, {})) asked.done(why);
  tell(connection_state::closed, why.message);
}

// --- what goes out

std::uint32_t client_core::add(std::shared_ptr<client_channel> channel) {
  const auto number = next_channel_++;
  if (stopped_) {
    channel->abandoned({"cancelled", "the client was closed", {}});
    return number;
  }
  channels_.emplace(number, channel);
  if (resumed_)
    for (auto& what : channel->resume(false)) send(number, std::move(what));
  return number;
}

void client_core::remove(std::uint32_t number) {
  if (channels_.erase(number) > 0) send(number, wire::close{});
}

void client_core::send(std::uint32_t channel, wire::payload what) {
  if (!resumed_) return;
  queue_.push_back(wire::encode_message({channel, std::move(what)}));
  flush();
}

void client_core::flush() {
  if (writing_ || queue_.empty() || !transport_) return;
  outbox_.clear();
  while (!queue_.empty() &&
         (outbox_.empty() || outbox_.size() + queue_.front().size() <= wire::message_bytes_max)) {
    outbox_ += queue_.front();
    queue_.pop_front();
  }
  writing_ = true;
  writing_buffers_.assign(1, boost::asio::buffer(outbox_));
  transport_->write(writing_buffers_, false);
}

void client_core::written() {
  writing_ = false;
  flush();
}

// --- requests

void client_core::request(wire::request asked, std::string body, client::answer_listener done) {
  if (stopped_) return done(client_error{"cancelled", "the client was closed", {}});
  const auto id = next_request_++;
  asked.id = id;
  const bool named =
      std::any_of(asked.headers.begin(), asked.headers.end(), [](const auto& header) {
        return header.first.size() == 15 &&
               std::equal(header.first.begin(), header.first.end(), "idempotency-key",
                          [](char a, char b) { return (a | 0x20) == b || a == b; });
      });
  if (!named && !is_read_only(asked.method))
    asked.headers["idempotency-key"] = gateway::fresh_request_id();
  const auto& kept = requests_[id] = {std::move(asked), std::move(body), std::move(done), {}, 0};
  if (resumed_) send_request(kept), flush();
}

void client_core::send_request(const asked_request& asked) {
  auto head = asked.head;
  head.body_size = static_cast<std::uint32_t>(asked.body.size());
  const bool whole_body = asked.body.size() <= wire::inline_body_bytes_max;
  if (whole_body) head.body.bytes = asked.body;
  queue_.push_back(wire::encode_message({0, head}));
  if (whole_body) return;
  for (std::size_t at = 0; at < asked.body.size(); at += wire::inline_body_bytes_max)
    queue_.push_back(wire::encode_message(
        {head.id,
         wire::body{at, wire::whole(asked.body.substr(at, wire::inline_body_bytes_max))}}));
}

void client_core::answered(const wire::response& head) {
  const auto found = requests_.find(head.id);
  if (found == requests_.end()) return;
  auto& asked = found->second;
  asked.answer = {head.status, {head.headers.begin(), head.headers.end()}, head.body.bytes};
  asked.answer_size = head.body_size;
  if (asked.answer.body.size() >= asked.answer_size) complete(head.id);
}

void client_core::answer_part(std::uint32_t id, const wire::body& part) {
  const auto found = requests_.find(id);
  if (found == requests_.end() || part.offset != found->second.answer.body.size()) return;
  found->second.answer.body += part.bytes.view();
  if (found->second.answer.body.size() >= found->second.answer_size) complete(id);
}

void client_core::complete(std::uint32_t id) {
  auto asked = requests_.extract(id);
  asked.mapped().done(std::move(asked.mapped().answer));
}

}  // namespace berth::client
