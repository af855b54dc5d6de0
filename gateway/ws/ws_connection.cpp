#include "gateway/ws/ws_connection.hpp"

#include <utility>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include "events/core/mutants.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/routes/support.hpp"
#include "gateway/ws/environment_channel.hpp"
#include "gateway/ws/feed_channel.hpp"
#include "gateway/ws/json_codec.hpp"
#include "gateway/ws/terminal_channel.hpp"

namespace berth::gateway {
namespace {

constexpr std::string_view server_name = "berth/0.1.0";

wire::error protocol_error(std::string code, std::string message) {
  return {std::move(code), std::move(message), {}, {}};
}

wire::welcome welcome_for(const ws_greeting::greeted& who, bool zstd) {
  wire::welcome out;
  out.session = who.who.session.value;
  out.input_stream = who.who.input_stream.text();
  out.server = server_name;
  out.resumed = who.resumed;
  out.zstd = zstd;
  out.heartbeat_ms =
      static_cast<std::uint32_t>(std::chrono::milliseconds(ws_silence_max / 2).count());
  out.frame_payload_max = wire::payload_bytes_max;
  out.message_bytes_max = wire::message_bytes_max;
  out.channels_max = ws_channels_max;
  out.channel_window_bytes_max = ws_channel_window_bytes_max;
  out.input_unacknowledged_bytes_max = ws_input_unacknowledged_bytes_max;
  out.requests_in_flight_max = ws_requests_in_flight_max;
  out.request_body_bytes_max = ws_request_body_bytes_max;
  return out;
}

}  // namespace

ws_connection::ws_connection(upgrade_context context, std::shared_ptr<ws_hub> hub,
                             std::optional<identity> shown, bool json,
                             std::shared_ptr<ws_transport> transport)
    : context_{std::move(context)},
      hub_{std::move(hub)},
      shown_{std::move(shown)},
      json_{json},
      transport_{std::move(transport)},
      executor_{transport_->executor()} {}

// Channels end on the strand, in ended(); only a gateway that stops without waiting gets here with
// some.
ws_connection::~ws_connection() = default;

void ws_connection::begin(std::shared_ptr<void> entry) {
  entry_ = std::move(entry);
  greeting_ =
      std::make_shared<ws_greeting>(context_.given, context_.auth, hub_, strand(), context_.remote);
  requests_ = std::make_shared<ws_requests>(*this, context_.routes, context_.remote);
  limit_time(ws_hello_max, &ws_connection::hello_late);
  transport_->begin(shared_from_this());
  reading_ = true;
  transport_->read();
}

void ws_connection::close_soon() {
  boost::asio::post(executor_, [self = shared_from_this()] {
    if (self->stage_ >= stage::closing) return;
    self->send_now(0, wire::goaway{"shutting_down", "the server shuts down; come back soon", true,
                                   static_cast<std::uint32_t>(ws_goaway_after.count())});
    self->finish(ws_close_code::going_away, "shutting down");
  });
}

void ws_connection::limit_time(std::chrono::milliseconds at_most, void (ws_connection::*late)()) {
  timer_ = context_.routes.timers()(at_most, [strand = strand(), to = weak_from_this(), late] {
    strand.post([to, late] {
      if (auto self = to.lock()) ((*self).*late)();
    });
  });
}

void ws_connection::hello_late() {
  if (stage_ <= stage::greeting) finish(ws_close_code::hello_late, "no hello within 10 s");
}

void ws_connection::rest_compressor() {
  if (stage_ != stage::open) return;
  compressor_watched_ = std::exchange(compressed_lately_, false);
  if (compressor_watched_) return limit_time(ws_compressor_kept, &ws_connection::rest_compressor);
  zstd_->forget();
}

void ws_connection::goodbye_late() {
  transport_->abort();
}

void ws_connection::received(std::string_view message, bool text) {
  reading_ = false;
  if (stage_ >= stage::closing) return;
  if (text != json_)
    return finish(ws_close_code::wrong_type,
                  json_ ? "berth.v1.json is text" : "berth.v1 is binary");
  next_ = 0;
  if (json_) {
    auto objects = wire::split_json(message);
    if (!objects) return finish(ws_close_code::framing, objects.error().message);
    objects_ = std::move(*objects);
  } else {
    auto frames = wire::split_message(message);
    if (!frames) return finish(ws_close_code::framing, frames.error().message);
    raw_ = std::move(*frames);
  }
  work_on_message();
}

bool ws_connection::may_read() const {
  return stage_ != stage::greeting && stage_ < stage::closing &&
         queue_.control_bytes() <= ws_answers_bytes_pause;
}

ws_connection::parsed ws_connection::parse_next() {
  const auto at = next_++;
  if (json_) return wire::parse_json(objects_[at]);
  if (raw_[at].header.flags != 0)
    return wire::frame_problem{"unsupported", "frames to the server have no flags",
                               raw_[at].header.channel};
  return wire::parse_frame(raw_[at].header, raw_[at].payload);
}

// Goes on whenever something it waited for happened: a hello was answered, answers were written.
void ws_connection::work_on_message() {
  if (working_) return;
  working_ = true;
  while (may_read() && next_ < (json_ ? objects_.size() : raw_.size())) {
    auto what = parse_next();
    if (what) {
      handle(std::move(*what));
    } else {
      send_now(what.error().channel,
               protocol_error(std::string(what.error().code), what.error().message));
      if (stage_ == stage::silent)
        finish(ws_close_code::unauthenticated, "the first frame is not a hello");
    }
  }
  working_ = false;
  if (!may_read() || reading_) return;
  objects_ = {};
  raw_ = {};
  reading_ = true;
  transport_->read();
}

void ws_connection::handle(wire::frame what) {
  if (stage_ == stage::open) return handle_open(std::move(what));
  if (auto* said = std::get_if<wire::hello>(&what.what)) return greet(std::move(*said));
  send_now(what.channel, protocol_error("unauthenticated", "say hello first"));
  finish(ws_close_code::unauthenticated, "the first frame is not a hello");
}

void ws_connection::handle_open(wire::frame what) {
  const auto channel = what.channel;
  std::visit(
      [&]<class M>(M& message) {
        if constexpr (std::is_same_v<M, wire::hello>)
          send_now(0, protocol_error("wrong_state", "hello was said already"));
        else if constexpr (std::is_same_v<M, wire::open>)
          open_channel(channel, message);
        else if constexpr (std::is_same_v<M, wire::ping>)
          send_now(channel, wire::pong{message.offset, std::move(message.bytes)});
        else if constexpr (std::is_same_v<M, wire::pong>)
          return;
        else if constexpr (std::is_same_v<M, wire::request>)
          requests_->take(std::move(message));
        else if constexpr (std::is_same_v<M, wire::body>)
          requests_->take(channel, message);
        else
          to_channel(channel, std::move(what.what));
      },
      what.what);
}

void ws_connection::to_channel(std::uint32_t channel, wire::payload what) {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) {
    const bool ours =
        std::holds_alternative<wire::close>(what) || std::holds_alternative<wire::credit>(what) ||
        std::holds_alternative<wire::input>(what) || std::holds_alternative<wire::resize>(what) ||
        std::holds_alternative<wire::take_drive>(what);
    if (!ours) return send_now(channel, not_for_this_channel(what));
    return send_now(channel, protocol_error("not_found", "the channel is not open"));
  }
  if (std::holds_alternative<wire::close>(what)) {
    if (BERTH_MUTANT(output_after_close)) {
      send_now(channel, wire::closed{"closed", "as asked", {}});
      return void(channels_.erase(channel));
    }
    queue_.drop(channel);
    return end_channel(channel, {"closed", "as asked", {}});
  }
  const auto keep = found->second;
  keep->received(std::move(what));
}

void ws_connection::greet(wire::hello said) {
  stage_ = stage::greeting;
  if (said.zstd && !json_) zstd_ = std::make_unique<wire::zstd_writer>();
  greeting_->begin(
      std::move(said), std::move(shown_),
      [this](const outcome<ws_greeting::greeted>& result) { greeted(result); },
      [this](const std::string& code, const std::string& message) {
        if (stage_ >= stage::closing) return;
        send_now(0, wire::goaway{code, message, false, 0});
        finish(ws_close_code::session_over, code);
      });
}

void ws_connection::greeted(const outcome<ws_greeting::greeted>& result) {
  if (stage_ != stage::greeting) return;
  if (!result) {
    send_now(0, error_frame(result.error()));
    switch (result.error().code) {
      case rejection_code::unauthenticated:
        return finish(ws_close_code::unauthenticated, "the token is not valid");
      case rejection_code::not_found:
        return finish(ws_close_code::session_over, "no such session");
      default:
        return finish(ws_close_code::try_later, "hello cannot be answered now");
    }
  }
  timer_.reset();
  stage_ = stage::open;
  caller_ = result->who;
  send_now(0, welcome_for(*result, zstd_ != nullptr));
  work_on_message();
}

template <class Channel>
void ws_connection::start_channel(std::uint32_t channel, const wire::open& asked) {
  const auto made = std::make_shared<Channel>(*this, channel);
  channels_.emplace(channel, made);
  made->start(asked);
}

void ws_connection::open_channel(std::uint32_t channel, const wire::open& asked) {
  const auto refuse = [&](wire::closed why) {
    queue_.push(channel, {channel, std::move(why)}, false), flush_soon();
  };
  if (channel == 0)
    return send_now(0, protocol_error("invalid_argument", "channel 0 is the connection itself"));
  if (channels_.contains(channel))
    return send_now(channel, protocol_error("channel_in_use", "the channel is open already"));
  if (channels_.size() >= ws_channels_max)
    return refuse({"limit_exceeded", "1024 channels are open", {}});
  switch (asked.target) {
    case wire::target::terminal:
      if (!is_id(asked.id, "term"))
        return refuse({"not_found", "no such terminal", {{"field", "id"}}});
      return start_channel<terminal_channel>(channel, asked);
    case wire::target::environment:
      if (!is_id(asked.id, "env"))
        return refuse({"not_found", "no such environment", {{"field", "id"}}});
      return start_channel<environment_channel>(channel, asked);
    case wire::target::feed:
      return start_channel<feed_channel>(channel, asked);
    default:
      return refuse({"unsupported",
                     "this version serves terminals, environments and the feed",
                     {{"field", "target"}}});
  }
}

void ws_connection::finish(ws_close_code code, std::string reason) {
  if (stage_ >= stage::closing) return;
  stage_ = stage::closing;
  close_code_ = code;
  close_reason_ = std::move(reason);
  for (auto& [number, channel] : channels_) queue_.drop(number);
  std::exchange(channels_, {}).clear();
  limit_time(ws_handshake_max, &ws_connection::goodbye_late);
  flush_soon();
}

void ws_connection::close_if_flushed() {
  if (stage_ != stage::closing || writing_) return;
  stage_ = stage::over;
  transport_->close(close_code_, close_reason_);
}

void ws_connection::ended() {
  stage_ = stage::over;
  std::exchange(channels_, {}).clear();
  timer_.reset();
  greeting_->end();
  greeting_.reset();
  requests_.reset();
  entry_.reset();
}

}  // namespace berth::gateway
