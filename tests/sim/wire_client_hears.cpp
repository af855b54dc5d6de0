// What a simulated client makes of what it hears.
#include "events/core/match.hpp"
#include "gateway/ws/binary_codec.hpp"
#include "gateway/ws/json_codec.hpp"
#include "tests/sim/wire_client.hpp"

namespace berth::sim {

namespace {
constexpr std::size_t answers_kept_max = 8;

bool passes(std::uint16_t status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}
bool well_done(std::uint16_t status) {
  return status >= 200 && status < 300;
}

// A retry whose id has left the deduplication window is refused; one that leaves it between the two
// halves of a creation may be answered anew. The clock may have gone back since the server saw it.
bool left_window(const std::string& key, timestamp now) {
  constexpr std::chrono::hours surely_inside{23};
  const auto id = uuid::parse(key);
  return id && from_us(id->v7_time_ms().value_or(0) * 1'000) + surely_inside < now;
}
}  // namespace

void wire_client::receive(const wire_link::message& message) {
  world_.hash(message.bytes);
  if (message.text != habits_.json) return fail("a message of the other subprotocol");
  if (message.text) {
    const auto objects = wire::split_json(message.bytes);
    if (!objects) return fail("a message that is no frame");
    for (const auto& each : *objects) {
      const auto frame = wire::parse_json(each);
      if (!frame) return fail("a frame that cannot be read: " + frame.error().message);
      hear(*frame);
      if (!link_) return;
    }
    return;
  }
  const auto raw = wire::split_message(message.bytes);
  if (!raw) return fail("a message that is no frames");
  for (const auto& each : *raw) {
    std::optional<std::string> plain;
    if (each.header.flags & wire::flag_zstd) {
      plain = zstd_.decompress(each.payload, (each.header.flags & wire::flag_fresh) != 0,
                               wire::payload_bytes_max);
      if (!plain) return fail("a compressed frame that does not decode");
    }
    const auto frame = wire::parse_frame(each.header, plain ? *plain : each.payload);
    if (!frame) return fail("a frame that cannot be read: " + frame.error().message);
    hear(*frame);
    if (!link_) return;
  }
}

void wire_client::hear(const wire::frame& heard) {
  if (const auto* part = std::get_if<wire::body>(&heard.what)) return take(heard.channel, *part);
  if (heard.channel == 0) return hear_control(heard.what);
  hear_channel(heard.channel, heard.what);
}

void wire_client::hear_control(const wire::payload& what) {
  std::visit(
      match{[&](const wire::welcome& m) { welcomed(m); }, [&](const wire::response& m) { take(m); },
            [&](const wire::pong& m) {
              ++pongs_;
              if (m.offset > pings_ || m.bytes != "wire") fail("a pong nobody asked for");
            },
            [&](const wire::error& m) {
              // Only a hello can be refused; the close that follows says what it means.
              if (welcome_) fail("error " + m.code + ": " + m.message);
            },
            [&](const wire::goaway& m) {
              ++world_.stats.checks;
              if (m.reconnect) return;
              if (!may_be_over(session_)) fail("goaway " + m.code + " in a session that goes on");
              over_sessions_.insert(session_);
            },
            [&](const auto&) { fail("a frame without a channel: " + std::string{name_of(what)}); }},
      what);
}

void wire_client::welcomed(const wire::welcome& what) {
  world_.stats.checks += 3;
  if (welcome_) return fail("welcomed twice");
  welcome_ = true;
  if (what.resumed != !session_.empty() || (what.resumed && what.session != session_))
    fail("another session than the one asked for");
  if (over_sessions_.contains(what.session))
    fail("session " + what.session + " is over, and was resumed");
  if (what.resumed && !input_stream_.empty() && what.input_stream != input_stream_)
    fail("the session's input stream changed");
  session_ = what.session;
  input_stream_ = what.input_stream;
}

void wire_client::hear_channel(std::uint32_t number, const wire::payload& what) {
  const auto found = channels_.find(number);
  const bool out_of_band = std::holds_alternative<wire::error>(what);
  if (out_of_band) {
    const auto& error = std::get<wire::error>(what);
    // Input and credit may cross with the server's `closed`.
    if (error.code != "not_found") fail("error " + error.code + ": " + error.message);
    return;
  }
  ++world_.stats.checks;
  if (!welcome_) return fail("a frame before the welcome");
  if (found == channels_.end() || found->second.at == place::none)
    return fail("a frame on a channel that is closed: " + std::string{name_of(what)});
  auto& channel = found->second;
  if (std::holds_alternative<wire::opened>(what)) {
    if (channel.at == place::open) return fail("opened twice");
    if (channel.at == place::asked) channel.at = place::open;
  } else if (channel.at == place::asked && !std::holds_alternative<wire::closed>(what) &&
             !std::holds_alternative<wire::input_applied>(what) &&
             !std::holds_alternative<wire::input_refused>(what) &&
             !std::holds_alternative<wire::durable>(what)) {
    return fail("a frame before opened: " + std::string{name_of(what)});
  }
  std::vector<wire::payload> answers;
  channel.view->heard(what, answers);
  if (std::holds_alternative<wire::closed>(what)) {
    const bool asked = channel.at == place::closing;
    channel.at = place::none;
    channel.open_after = world_.server.clock.now() + wire_retry_after;
    if (asked || !channel.view->wanted()) channels_.erase(found);
    return;
  }
  std::vector<wire::frame> out;
  for (auto& each : answers) out.push_back({number, std::move(each)});
  say(out);
}

void wire_client::take(const wire::response& what) {
  const auto found = requests_.find(what.id);
  ++world_.stats.checks;
  if (found == requests_.end() || !found->second.sent || found->second.partial)
    return fail("an answer nobody waits for");
  if (what.body.bytes.size() == what.body_size) return finished(what.id, what);
  found->second.partial = what;
}

void wire_client::take(std::uint32_t id, const wire::body& part) {
  const auto found = requests_.find(id);
  if (found == requests_.end() || !found->second.partial ||
      part.offset != found->second.partial->body.bytes.size())
    return fail("a part of an answer out of place");
  auto& whole = *found->second.partial;
  whole.body.bytes += part.bytes.view();
  if (whole.body.bytes.size() == whole.body_size) finished(id, wire::response{whole});
}

void wire_client::finished(std::uint32_t id, const wire::response& what) {
  auto& asked = requests_.at(id);
  if (passes(what.status)) {
    asked.sent = false;
    asked.partial.reset();
    asked.send_after = world_.server.clock.now() + wire_retry_after;
    return;
  }
  auto done = std::move(asked);
  requests_.erase(id);
  const bool is_old = left_window(done.key, world_.server.clock.now());
  if (is_old && what.body.bytes.find("command_too_old") != std::string::npos) return;
  if (done.method != "GET" && !is_old) {
    const auto [first, fresh] =
        world_.answers.try_emplace(done.key, wire_answer{what.status, what.body.bytes});
    ++world_.stats.checks;
    if (!fresh && well_done(first->second.status) &&
        (what.status != first->second.status || what.body.bytes != first->second.body))
      fail(done.method + " " + done.path + " was answered " + std::to_string(first->second.status) +
           " " + first->second.body + ", and again " + std::to_string(what.status) + " " +
           what.body.bytes);
    if (!fresh && well_done(what.status)) first->second = {what.status, what.body.bytes};
    if (well_done(what.status) && answered_.size() < answers_kept_max) {
      answered_.push_back(done);
      answered_.back().then = {};
    }
  }
  if (done.then) done.then(what);
}

}  // namespace berth::sim
