// WebSocket connections without sockets: everything runs when the test says run(), on its own
// thread.
#pragma once

#include <deque>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include "gateway/connection_table.hpp"
#include "gateway/ws/json_codec.hpp"
#include "gateway/ws/ws_connection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/gateway_world.hpp"
#include "tests/support/terminal_kernel.hpp"

namespace berth::testing {

class scripted_transport : public gateway::ws_transport,
                           public std::enable_shared_from_this<scripted_transport> {
 public:
  explicit scripted_transport(boost::asio::io_context& io)
      : strand_(boost::asio::make_strand(io)) {}
  boost::asio::any_io_executor executor() override { return strand_; }
  void begin(std::shared_ptr<gateway::ws_transport_user> user) override { user_ = std::move(user); }
  void read() override {
    reading = true;
    give();
  }
  void write(std::span<const boost::asio::const_buffer> buffers, bool is_text) override {
    REQUIRE_FALSE(writing);
    writing = true;
    std::string message;
    for (const auto& b : buffers) message.append(static_cast<const char*>(b.data()), b.size());
    messages.push_back({std::move(message), is_text});
    if (!stuck) finish_write();
  }
  void close(gateway::ws_close_code code, std::string_view why) override {
    closed = code;
    reason = why;
    end();
  }
  void abort() override { end(); }

  void finish_write() {
    boost::asio::post(strand_, [self = shared_from_this()] {
      self->writing = false;
      if (self->user_) self->user_->written();
    });
  }
  void arrive(std::string message, bool is_text) {
    arrived.push_back({std::move(message), is_text});
    give();
  }
  void end() {
    boost::asio::post(strand_, [self = shared_from_this()] {
      if (const auto user = std::exchange(self->user_, nullptr)) user->ended();
    });
  }

  struct message {
    std::string bytes;
    bool text{};
  };
  std::deque<message> messages;  // written
  std::deque<message> arrived;   // to be read
  message current;
  bool reading{};
  bool writing{};
  bool stuck{};  // writes do not finish
  std::optional<gateway::ws_close_code> closed;
  std::string reason;

 private:
  void give() {
    if (!reading || arrived.empty()) return;
    reading = false;
    boost::asio::post(strand_, [self = shared_from_this()] {
      if (!self->user_) return;
      self->current = std::move(self->arrived.front());
      self->arrived.pop_front();
      self->user_->received(self->current.bytes, self->current.text);
    });
  }
  boost::asio::any_io_executor strand_;
  std::shared_ptr<gateway::ws_transport_user> user_;
};

struct ws_world {
  explicit ws_world(std::uint32_t partitions = 1) : below{partitions} { hub->begin(); }
  ~ws_world() { hub->stop(); }

  gateway_world below;
  terminal_kernel kernel{below.kernel};
  gateway::services given{kernel,
                          below.views,
                          below.journal,
                          below.bulk,
                          below.host,
                          below.clock,
                          gateway_world::key(),
                          [] { return std::string(); },
                          [] { return true; },
                          below.services.when_projected};
  gateway::authenticator auth{given};
  gateway::router router{
      given, auth,
      [](std::chrono::milliseconds delay, std::function<void()> run) -> std::shared_ptr<void> {
        if (delay.count() == 0) run();
        return nullptr;
      },
      false};
  boost::asio::io_context io;
  std::shared_ptr<gateway::ws_hub> hub =
      std::make_shared<gateway::ws_hub>(given, io.get_executor());
  std::shared_ptr<gateway::connection_table> connections =
      std::make_shared<gateway::connection_table>();
  std::string token = below.admin_token;
  account_id account = gateway::account_id_of("admin");

  terminal_id make_terminal() {
    const terminal_id id{
        derived_id("term", account.value, uuid::derived("test", std::to_string(++made_)))};
    kernel.add(id, account);
    return id;
  }
  void run() {
    io.restart();
    while (io.poll() > 0) {}
  }

 private:
  int made_{};
};

// A client on a scripted transport, in either form.
class ws_peer {
 public:
  ws_peer(ws_world& world, bool json, std::optional<gateway::identity> shown = {})
      : world_(world), json_(json), transport(std::make_shared<scripted_transport>(world.io)) {
    gateway::upgrade_context context{world.given, world.router, world.auth, world.connections,
                                     nullptr,     "127.0.0.1",  "r"};
    connection_ = std::make_shared<gateway::ws_connection>(context, world.hub, std::move(shown),
                                                           json, transport);
    connection_->begin(world.connections->enter(connection_));
    weak_ = connection_;
    connection_.reset();
  }
  ~ws_peer() {
    transport->end();
    world_.run();
    CHECK(weak_.expired());
  }

  void say(std::vector<wire::frame> frames) {
    std::string message;
    for (const auto& one : frames) {
      if (json_)
        transport->arrive(wire::encode_json(one), true);
      else
        message += wire::encode_message(one);
    }
    if (!json_) transport->arrive(std::move(message), false);
    world_.run();
  }
  void say(std::uint32_t channel, wire::payload what) { say({{channel, std::move(what)}}); }
  void hello(const std::string& session = {}) {
    say(0, wire::hello{world_.token, session, "test/1", false});
  }

  // Everything received since the last call.
  std::vector<wire::frame> heard() {
    world_.run();
    std::vector<wire::frame> out;
    for (; !transport->messages.empty(); transport->messages.pop_front()) {
      const auto& message = transport->messages.front();
      REQUIRE(message.text == json_);
      if (json_) {
        const auto objects = wire::split_json(message.bytes);
        REQUIRE(objects);
        for (const auto& object : *objects) out.push_back(*wire::parse_json(object));
      } else {
        const auto raw = wire::split_message(message.bytes);
        REQUIRE(raw);
        for (const auto& one : *raw) {
          if (!(one.header.flags & wire::flag_zstd)) {
            out.push_back(*wire::parse_frame(one.header, one.payload));
            continue;
          }
          ++compressed;
          const auto plain = zstd_.decompress(
              one.payload, (one.header.flags & wire::flag_fresh) != 0, wire::payload_bytes_max);
          REQUIRE(plain);
          out.push_back(*wire::parse_frame(one.header, *plain));
        }
      }
    }
    return out;
  }
  // The only frame of its kind among those heard.
  template <class M>
  M hear() {
    std::optional<M> found;
    for (auto& one : heard())
      if (auto* what = std::get_if<M>(&one.what)) {
        REQUIRE_FALSE(found);
        found = std::move(*what);
      }
    REQUIRE(found);
    return *found;
  }

 private:
  ws_world& world_;
  bool json_;
  std::shared_ptr<gateway::ws_connection> connection_;
  std::weak_ptr<gateway::ws_connection> weak_;
  wire::zstd_reader zstd_;

 public:
  std::shared_ptr<scripted_transport> transport;
  std::size_t compressed{};  // frames heard
};

inline wire::open open_terminal(const terminal_id& id, std::uint64_t from, std::uint64_t until,
                                bool drive = true) {
  wire::open asked;
  asked.id = id.value;
  asked.right = drive ? wire::right::drive : wire::right::view;
  asked.from = from;
  asked.credit_until = until;
  return asked;
}

// The bytes of all output frames, which must be contiguous from `from`.
inline std::string output_of(const std::vector<wire::frame>& frames, std::uint32_t channel,
                             std::uint64_t from) {
  std::string out;
  for (const auto& one : frames) {
    const auto* bytes = std::get_if<wire::output>(&one.what);
    if (!bytes || one.channel != channel) continue;
    REQUIRE(bytes->offset == from + out.size());
    out += bytes->bytes.view();
  }
  return out;
}

}  // namespace berth::testing
