#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include <future>

#include "infra/agent/link/gateway_pump.hpp"
#include "tests/infra/agent_harness.hpp"

namespace berth::agent::test {
namespace {

const terminal_id one{"term_one"};

unique_fd listen_on_loopback(std::uint16_t& port) {
  unique_fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(fd.get(), 8) == 0);
  REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

TEST_CASE("link: input is applied once under repeats and broken connections", "[infra]") {
  rig r;
  r.open(one, {"/bin/sh", "-c", "stty -echo raw; echo ready; exec cat"});
  REQUIRE(r.heard.saw(one, "ready"));
  const auto before = r.heard.count(one);
  std::string expected;
  for (int sequence = 1; sequence <= 300; ++sequence) expected += std::to_string(sequence) + ",";
  std::vector<answer<input_outcome>> answers;
  std::mt19937 random{7};
  // A client that repeats whatever it is not sure of, over links that come and go.
  for (std::uint64_t known = 100; known <= 300; known += 50) {
    for (std::uint64_t sequence = known - 99; sequence <= known; ++sequence) {
      for (unsigned copies = 0; copies <= random() % 3; ++copies) {
        r.link->input(one, numbered(2, 1), sequence, std::to_string(sequence) + ",",
                      answers.emplace_back().completion());
      }
      if (sequence % 40 == 0) r.link->break_connection();
    }
    if (known % 100 == 0) REQUIRE(answers.back().came());
    if (known == 300) break;
    r.relink();
    r.link->follow(one, r.heard.count(one));
  }
  REQUIRE(
      r.heard.until([&] { return r.heard.heard_[one].bytes.size() >= before + expected.size(); }));
  CHECK(r.heard.bytes(one).substr(before) == expected);
  CHECK(answers.back().get().value().last_applied == 300);
}

TEST_CASE("link: input with a gap or of an unknown stream is refused and nothing is applied",
          "[infra]") {
  rig r;
  r.open(one, {"/bin/sh", "-c", "stty -echo raw; echo ready; exec cat"});
  REQUIRE(r.heard.saw(one, "ready"));
  CHECK(r.input(one, numbered(2, 1), 2, "x").value().refused_unknown_stream);
  CHECK(r.input(one, numbered(2, 1), 1, "a").value().last_applied == 1);
  const auto gap = r.input(one, numbered(2, 1), 3, "x").value();
  CHECK(gap.refused_gap);
  CHECK(gap.last_applied == 1);
  CHECK(r.input(one, numbered(2, 1), 1, "x").value().last_applied == 1);
  CHECK(r.input(one, numbered(2, 1), 2, "b").value().last_applied == 2);
  // 64 other streams push the first out; it is remembered.
  for (std::uint32_t i = 2; i <= 65; ++i)
    CHECK(r.input(one, numbered(2, i), 1, "c").value().last_applied == 1);
  CHECK(r.input(one, numbered(2, 1), 3, "x").value().refused_unknown_stream);
  CHECK(r.input(one, numbered(2, 1), 1, "x").value().refused_unknown_stream);
  CHECK(r.input(one, numbered(2, 70), 1, "!").value().last_applied == 1);
  REQUIRE(r.heard.saw(one, "!"));
  CHECK(r.heard.bytes(one).substr(r.heard.bytes(one).find("ready") + 5).find('x') ==
        std::string::npos);
}

TEST_CASE("link: input to a program that does not read is acknowledged only when it was taken",
          "[infra]") {
  rig r;
  const auto gate = r.process.directory() + "/gate";
  r.open(one,
         {"/bin/sh", "-c",
          "stty -echo raw; echo ready; while [ ! -e " + gate +
              " ]; do sleep 0.01; done; exec head -c 400000 >" + r.process.directory() + "/got"});
  REQUIRE(r.heard.saw(one, "ready"));
  const auto sent = random_bytes(400'000, 4);
  std::vector<answer<input_outcome>> answers(40);
  for (std::size_t i = 0; i < answers.size(); ++i)
    r.link->input(one, numbered(2, 1), i + 1, sent.substr(i * 10'000, 10'000),
                  answers[i].completion());
  CHECK_FALSE(answers.back().came(100ms));
  answer<input_outcome> too_much;
  r.link->input(one, numbered(2, 2), 1, std::string(input_bytes_max + 1, 'x'),
                too_much.completion());
  CHECK(too_much.get().error().code == host_errc::limit_exceeded);
  write_file(gate, "");
  CHECK(answers.back().get().value().last_applied == answers.size());
  REQUIRE(r.heard.until([&] { return !r.heard.heard_[one].ends.empty(); }));
  std::ifstream file{r.process.directory() + "/got", std::ios::binary};
  CHECK((std::string{std::istreambuf_iterator<char>{file}, {}} == sent));
  CHECK(r.input(one, numbered(2, 1), 41, "late").error().code == host_errc::not_running);
}

TEST_CASE("link: a lower owner epoch is refused, an equal or higher one takes over", "[infra]") {
  rig r;
  CHECK(r.exec(command(1, {"true"})));
  r.relink(5);
  CHECK(r.exec(command(2, {"true"})));
  recorder stale_heard;
  auto stale = agent_link::make(r.reactor, r.process.address(4), stale_heard);
  REQUIRE(stale_heard.until([&] { return stale_heard.over_.has_value(); }));
  CHECK(stale_heard.over_->code == host_errc::stale_owner);
  CHECK_FALSE(stale_heard.lost_);
  answer<exec_output> refused;
  stale->exec(command(3, {"true"}), refused.completion());
  CHECK(refused.get().error().code == host_errc::stale_owner);
  CHECK(r.exec(command(4, {"true"})));
  recorder next_heard;
  auto next = agent_link::make(r.reactor, r.process.address(5), next_heard);
  REQUIRE(r.heard.until([&] { return r.heard.over_.has_value(); }));
  CHECK(r.heard.over_->code == host_errc::stale_owner);
  next->claim(9);
  answer<exec_output> done;
  next->exec(command(5, {"true"}), done.completion());
  CHECK(done.get());
  recorder late_heard;
  auto late = agent_link::make(r.reactor, r.process.address(8), late_heard);
  REQUIRE(late_heard.until([&] { return late_heard.over_.has_value(); }));
  for (auto& link : {stale, next, late}) link->detach();
}

TEST_CASE("link: dial gives a connection to a port inside, or says why not", "[infra]") {
  rig r;
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(port);
  answer<int> dialled;
  r.link->dial(port, dialled.completion());
  const unique_fd near{dialled.get().value()};
  const unique_fd far{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  REQUIRE(far);
  say(far.get(), "hi");
  char text[2];
  ::fcntl(near.get(), F_SETFL, 0);
  REQUIRE(::recv(near.get(), text, 2, MSG_WAITALL) == 2);
  std::uint16_t closed_port = 0;
  { const auto closed = listen_on_loopback(closed_port); }
  answer<int> refused;
  r.link->dial(closed_port, refused.completion());
  CHECK(refused.get().error().message.find("refused") != std::string::npos);
}

TEST_CASE("link: a program inside reaches the server's gateway through the agent's door",
          "[infra]") {
  std::uint16_t gateway_port = 0;
  const auto gateway = listen_on_loopback(gateway_port);
  const testing::temporary_folder outside;
  rig r{{"--gateway-socket", outside / "gateway.sock"}};
  const auto client = connect_raw(outside / "gateway.sock");
  say(client.get(), "question");
  ::shutdown(client.get(), SHUT_WR);
  REQUIRE(r.heard.until([&] { return r.heard.gateway_.size() == 1; }));
  gateway_pumps pumps{r.reactor};
  pumps.join({"env_one"}, r.heard.gateway_.front(), gateway_port);
  const unique_fd served{::accept4(gateway.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  REQUIRE(served);
  char text[9]{};
  CHECK(::recv(served.get(), text, 9, MSG_WAITALL) == 8);  // the half close came through
  CHECK(std::string{text, 8} == "question");
  const auto long_answer = random_bytes(3'000'000, 2);
  std::thread writer{[&] {
    say(served.get(), long_answer);
    ::shutdown(served.get(), SHUT_WR);
  }};
  std::string got(long_answer.size() + 1, '\0');
  CHECK(::recv(client.get(), got.data(), got.size(), MSG_WAITALL) ==
        static_cast<ssize_t>(long_answer.size()));
  got.pop_back();
  CHECK((got == long_answer));
  writer.join();
}

TEST_CASE("link: an environment has so many gateway connections and takes none of another's",
          "[infra]") {
  std::uint16_t gateway_port = 0;
  const auto gateway = listen_on_loopback(gateway_port);
  agent_reactor reactor;
  gateway_pumps pumps{reactor};
  std::vector<unique_fd> held;
  const auto join = [&](const char* from) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    pumps.join({from}, ends[0], gateway_port);
    return unique_fd{ends[1]};
  };
  std::vector<unique_fd> served;
  for (unsigned i = 0; i < gateway_pumps::connections_per_environment_max; ++i) {
    held.push_back(join("env_greedy"));
    served.emplace_back(::accept4(gateway.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(served.back());
  }
  // What is refused waits for nobody: not even for a reactor that does not get to run.
  std::promise<void> blocked;
  reactor.post([let_go = blocked.get_future().share()] { let_go.wait_for(20s); });
  const auto refused = join("env_greedy");
  pollfd closed{refused.get(), POLLIN, 0};
  CHECK(::poll(&closed, 1, 5000) == 1);
  blocked.set_value();
  char byte = 0;
  CHECK(::read(refused.get(), &byte, 1) == 0);
  const auto other = join("env_other");
  const unique_fd others{::accept4(gateway.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  REQUIRE(others);
  say(other.get(), "x");
  CHECK(::read(others.get(), &byte, 1) == 1);
  // A place is free again once both sides are done.
  held.back().reset();
  CHECK(::read(served.back().get(), &byte, 1) == 0);
  served.back().reset();
  bool again = false;
  for (int i = 0; i < 1000 && !again; ++i) {
    const auto one = join("env_greedy");
    pollfd came{gateway.get(), POLLIN, 0};
    pollfd gone{one.get(), POLLIN, 0};
    while (::poll(&came, 1, 1) == 0 && ::poll(&gone, 1, 1) == 0) {}
    again = ::poll(&came, 1, 0) == 1;
  }
  CHECK(again);
}

TEST_CASE("link: stats come at once and then regularly", "[infra]") {
  rig r;
  REQUIRE(r.heard.until([&] { return r.heard.stats_.size() >= 3; }));
  CHECK(r.heard.stats_.back().memory_bytes > 0);
  CHECK(r.heard.stats_.back().pids > 0);
  CHECK(r.heard.stats_.back().disk_bytes > 0);
}

TEST_CASE("link: shut down hangs up terminals, ends commands and the agent exits 0", "[infra]") {
  rig r;
  r.open(one, {"/bin/sh", "-c", "echo up; sleep 60"});
  REQUIRE(r.heard.saw(one, "up"));
  answer<exec_output> running;
  r.link->exec(command(1, {"sleep", "60"}), running.completion());
  CHECK(r.exec(command(2, {"true"})));
  r.link->shut_down(2s);
  CHECK(running.get()->exit_code == 128 + SIGTERM);
  REQUIRE(r.heard.until([&] { return r.heard.over_.has_value(); }));
  CHECK(r.heard.lost_);
  REQUIRE(r.heard.heard_[one].ends.size() == 1);
  CHECK(r.heard.heard_[one].ends.front().signal == SIGHUP);
  CHECK(r.process.wait_exit() == 0);
}

}  // namespace berth::agent::test
