// What berth-agent answers who is not its server, or not yet, and what the link makes of it.
#include <poll.h>

#include "tests/infra/agent_harness.hpp"

namespace berth::agent::test {
namespace {

const terminal_id one{"term_one"};

unique_fd listen_at(const std::string& path) {
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), 8) == 0);
  const timeval limit{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);  // of accept
  return fd;
}

std::string with_header(frame_header header, const std::string& payload) {
  header.length = static_cast<std::uint32_t>(payload.size());
  const auto raw = encode(header);
  return std::string{raw.data(), raw.size()} + payload;
}

std::string hello(std::uint64_t epoch, const std::string& environment = "env_test",
                  std::uint16_t version = 1) {
  wire::HelloT message;
  message.protocol_min = message.protocol_max = version;
  message.environment = environment;
  message.owner_epoch = epoch;
  return with_header({.kind = frame_kind::control}, packed(std::move(message)));
}

// What the other side refuses with, nothing if it only closes.
std::optional<wire::Problem> refusal(int fd) {
  frame_decoder decoder;
  char buffer[65536];
  for (;;) {
    const auto got = ::read(fd, buffer, sizeof buffer);
    if (got <= 0) return std::nullopt;
    std::string_view bytes{buffer, static_cast<std::size_t>(got)};
    while (auto next = decoder.next(bytes)) {
      if (next->header.kind != frame_kind::control) continue;
      const auto* packet = verified_packet(next->payload);
      if (packet && packet->message_as_Refused()) return packet->message_as_Refused()->problem();
    }
  }
}

}  // namespace

TEST_CASE(
    "agent: refuses a wrong environment, version, first message and a frame it cannot read, by "
    "name",
    "[infra]") {
  rig r;
  const auto refused = [&](const std::string& bytes) {
    const auto fd = connect_raw(r.process.socket());
    say(fd.get(), bytes);
    return refusal(fd.get());
  };
  CHECK(refused(hello(1, "env_other")) == wire::Problem::wrong_environment);
  CHECK(refused(hello(1, "env_test", 77)) == wire::Problem::unsupported_version);
  CHECK(refused(with_header({.kind = frame_kind::ping}, "")) == wire::Problem::protocol);
  CHECK(refused(with_header({.kind = frame_kind::control}, packed(wire::DialT{}))) ==
        wire::Problem::protocol);
  CHECK(refused(with_header({.kind = frame_kind::control}, "not a packet")) ==
        wire::Problem::protocol);
  CHECK(refused(std::string(16, '\xff')) == wire::Problem::protocol);
  CHECK(refused(hello(1) + with_header({.kind = frame_kind::output, .channel = 1}, "x")) ==
        wire::Problem::protocol);
  CHECK(r.process.alive());
}

TEST_CASE("agent: a connection has its whole time to greet, wherever an ended one was kept",
          "[infra]") {
  agent_process process{{"--hello-ms", "1000"}};
  for (int attempt = 0; attempt < 5; ++attempt) {
    {
      const auto ended = connect_raw(process.socket());
      say(ended.get(), std::string(16, '\xff'));
      REQUIRE(refusal(ended.get()) == wire::Problem::protocol);
    }
    std::this_thread::sleep_for(600ms);
    const auto began = std::chrono::steady_clock::now();
    const auto waiting = connect_raw(process.socket());
    pollfd said{waiting.get(), POLLIN, 0};
    const auto answers = ::poll(&said, 1, 700);                      // past the ended one's time
    if (std::chrono::steady_clock::now() - began > 900ms) continue;  // this machine was elsewhere
    CHECK(answers == 0);
    return;
  }
  FAIL("the machine never had the time");
}

TEST_CASE("link: a connection the agent did not understand is made again, the agent is not lost",
          "[infra]") {
  const testing::temporary_folder folder{std::filesystem::temp_directory_path()};
  const auto path = folder / "agent.sock";
  const unique_fd listener = listen_at(path);
  agent_reactor reactor;
  recorder heard;
  const auto link = agent_link::make(
      reactor, {path, {}, environment_id{"env_test"}, incarnation{"life-1"}, 1}, heard);
  const auto answer_with = [&](const std::string& packet) {
    unique_fd accepted{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    REQUIRE(accepted);
    char greeting[4096];
    REQUIRE(::read(accepted.get(), greeting, sizeof greeting) > 0);
    say(accepted.get(), with_header({.kind = frame_kind::control}, packet));
    return accepted;
  };
  wire::RefusedT refused;
  refused.problem = wire::Problem::protocol;
  answer_with(packed(std::move(refused)));
  wire::WelcomeT welcome;
  welcome.environment = "env_test";
  welcome.incarnation = "life-1";
  const auto held = answer_with(packed(std::move(welcome)));
  CHECK(heard.until([&] { return heard.ready_ == 1; }));
  CHECK_FALSE(heard.read([&] { return heard.over_.has_value(); }));
  link->detach();
}

TEST_CASE("link: an agent that never understands is given up", "[infra]") {
  const testing::temporary_folder folder{std::filesystem::temp_directory_path()};
  const auto path = folder / "agent.sock";
  const unique_fd listener = listen_at(path);
  std::atomic<bool> over{false};
  std::thread agent{[&] {
    while (!over) {
      const unique_fd accepted{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      char greeting[4096];
      if (!accepted || ::read(accepted.get(), greeting, sizeof greeting) <= 0) continue;
      wire::RefusedT refused;
      refused.problem = wire::Problem::protocol;
      say(accepted.get(), with_header({.kind = frame_kind::control}, packed(std::move(refused))));
    }
  }};
  agent_reactor reactor;
  recorder heard;
  const auto link = agent_link::make(
      reactor, {path, {}, environment_id{"env_test"}, incarnation{"life-1"}, 1}, heard);
  CHECK(heard.until([&] { return heard.over_.has_value(); }, 30s));
  CHECK(heard.read([&] { return !heard.lost_ && heard.over_->code == host_errc::protocol; }));
  over = true;
  ::shutdown(listener.get(), SHUT_RDWR);
  agent.join();
  link->detach();
}

TEST_CASE("agent: no mutation of a conversation crashes it", "[infra]") {
  rig r;
  r.open(one, {"/bin/sh", "-c", "exec cat >/dev/null"});
  wire::OpenTerminalT open;
  open.terminal = "term_fuzz";
  open.channel = 2;
  open.cols = open.rows = 20;
  open.command = {"true"};
  wire::BindT bind;
  bind.channel = 1;
  bind.terminal = one.value;
  wire::ExecT exec;
  exec.effect = std::make_unique<wire::Id>(9, 9);
  exec.command = {"true"};
  wire::DialT dial;
  dial.port = 9;
  const auto conversation =
      hello(1) + with_header({.kind = frame_kind::control}, packed(std::move(bind))) +
      with_header({.kind = frame_kind::control}, packed(std::move(open))) +
      with_header({.kind = frame_kind::follow, .channel = 1}, "") +
      with_header({.kind = frame_kind::input, .channel = 1, .offset = 1}, std::string(20, 'i')) +
      with_header({.kind = frame_kind::control}, packed(std::move(exec))) +
      with_header({.kind = frame_kind::pace, .channel = 1, .offset = 100}, "") +
      with_header({.kind = frame_kind::durable, .channel = 1, .offset = ~0ull}, "") +
      with_header({.kind = frame_kind::resize, .channel = 1, .offset = 3}, "") +
      with_header({.kind = frame_kind::control}, packed(std::move(dial)));
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 300; ++round) {
    auto bytes = conversation;
    // Most of the time the greeting stays whole, so that what follows is looked at.
    const auto from = round % 4 == 0 ? 0 : hello(1).size();
    for (unsigned change = 0; change <= random() % 4; ++change)
      bytes[from + random() % (bytes.size() - from)] = static_cast<char>(random());
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    const auto fd = connect_raw(r.process.socket());
    say(fd.get(), bytes);
    ::shutdown(fd.get(), SHUT_WR);
    char sink[65536];
    while (::read(fd.get(), sink, sizeof sink) > 0) {}
    REQUIRE(r.process.alive());
  }
}

}  // namespace berth::agent::test
