// Terminals over a scripted agent: byte-exact output, credit, gaps, input once, the end.
#include "tests/support/catch.hpp"
#include "tests/support/recording_viewer.hpp"
#include "tests/support/simulated_server.hpp"

using namespace berth;
using berth::testing::recording_viewer;
using berth::testing::simulated_server;

namespace {

struct opened_terminal {
  simulated_server& server;
  account_id account;
  environment_id environment;
  terminal_id id;

  explicit opened_terminal(simulated_server& on,
                           terminal::journal_mode mode = terminal::journal_mode::full,
                           std::uint64_t tail_bytes = 0)
      : server{on},
        account{on.make_account("ada")},
        environment{on.make_environment(account, "dev")} {
    id = {derived_id("term", account.value, server.fresh_command())};
    REQUIRE(server.call<terminal::aggregate>(
        id, terminal::open{account, environment, 80, 24, {}, {}, mode, tail_bytes},
        server.meta_for(account)));
    server.settle();
    REQUIRE(server.host.has_terminal(id));
  }

  std::shared_ptr<recording_viewer> attach(std::uint64_t from,
                                           attach_mode mode = attach_mode::exact,
                                           attach_right right = attach_right::view,
                                           std::uint64_t credit = ~0ULL >> 1) {
    auto viewer = std::make_shared<recording_viewer>(from);
    attach_request request{
        id, {account, "tok", false}, {"sess_1"}, input_stream_id{{1}}, mode, right, from, credit};
    server.ask().attach(request, viewer, [viewer](auto got) { viewer->attached(std::move(got)); });
    server.settle();
    return viewer;
  }

  terminal::state state() {
    terminal::state now;
    server.ask().read(id, {account, "tok", false}, [&now](const auto& got) { now = *got->state; });
    server.settle();
    return now;
  }
};

std::string noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random{seed};
  std::string bytes(size, '\0');
  for (auto& each : bytes) each = static_cast<char>(random());
  return bytes;
}

}  // namespace

TEST_CASE("terminal: a viewer sees what the program printed, at once and from any offset",
          "[actors]") {
  simulated_server server{1};
  opened_terminal terminal{server};
  const auto live = terminal.attach(0);
  server.host.feed(terminal.id, "hello ");
  server.settle();
  CHECK(live->bytes == "hello ");
  server.host.feed(terminal.id, "world");
  server.settle();
  CHECK(live->bytes == "hello world");
  CHECK(terminal.attach(6)->bytes == "world");
  CHECK(terminal.attach(~0ULL)->bytes.empty());
}

TEST_CASE("terminal: delivery stops at the viewer's credit and goes on with it", "[actors]") {
  simulated_server server{2};
  opened_terminal terminal{server};
  const auto viewer = terminal.attach(0, attach_mode::exact, attach_right::view, 4);
  server.host.feed(terminal.id, "0123456789");
  server.settle();
  CHECK(viewer->bytes == "0123");
  viewer->attachment()->credit(4, 7);
  server.settle();
  CHECK(viewer->bytes == "0123456");
}

TEST_CASE(
    "terminal: output is byte-exact over server kills, and nothing durable is asked for again",
    "[actors]") {
  simulated_server server{3};
  opened_terminal terminal{server};
  const auto printed = noise(4 << 20, 7);
  std::string got;
  std::mt19937_64 random{3};
  std::size_t fed = 0;
  while (got.size() < printed.size()) {
    const auto viewer = terminal.attach(got.size());
    REQUIRE(viewer->attachment());
    for (int i = 0; i < 3 && fed < printed.size(); ++i) {
      const auto size = std::min<std::size_t>(random() % 200'000, printed.size() - fed);
      server.host.feed(terminal.id, std::string_view{printed}.substr(fed, size));
      fed += size;
      for (auto steps = random() % 40; steps > 0; --steps) server.step();
    }
    if (fed == printed.size()) server.pass(std::chrono::seconds{1});
    got += viewer->bytes;
    viewer->detach();
    if (random() % 2 == 0) {
      server.crash();
      server.boot();
    }
  }
  CHECK(got == printed);
  CHECK(server.bulk.extent(terminal.id).next == printed.size());
}

TEST_CASE("terminal: one that was closed is finished in the bulk log at its end", "[actors]") {
  simulated_server server{4};
  opened_terminal terminal{server};
  server.host.feed(terminal.id, "bye");
  server.settle();
  CHECK_FALSE(server.bulk.is_finished(terminal.id));
  REQUIRE(server.call<terminal::aggregate>(terminal.id, terminal::close{},
                                           server.meta_for(terminal.account)));
  server.settle();
  CHECK(terminal.state().status == terminal::status::ended);
  CHECK(server.bulk.is_finished(terminal.id));
}

TEST_CASE(
    "terminal: its end is recorded after its last byte is durable, and told to viewers after it",
    "[actors]") {
  simulated_server server{4};
  opened_terminal terminal{server};
  const auto viewer = terminal.attach(0);
  server.host.feed(terminal.id, "bye");
  server.host.end(terminal.id, 3);
  server.settle();
  const auto now = terminal.state();
  CHECK(now.status == terminal::status::ended);
  CHECK(now.end->final_offset == 3);
  CHECK(now.end->exit_code == 3);
  CHECK(viewer->bytes == "bye");
  CHECK(viewer->ended_at == 3);
  CHECK(server.bulk.is_finished(terminal.id));
  const auto late = terminal.attach(0);
  CHECK(late->bytes == "bye");
  CHECK(late->ended_at == 3);
  CHECK(terminal.attach(4)->refused == rejection_code::limit_exceeded);
}

TEST_CASE("terminal: a screen overtaken by retention begins again at the first byte kept",
          "[actors]") {
  kernel_limits limits;
  limits.terminal_hot_bytes_max = 100;
  limits.screen_lag_bytes_max = 500;
  simulated_server server{17, limits};
  opened_terminal terminal{server, terminal::journal_mode::tail, 1'000};
  const auto print = [&](std::size_t size) {
    server.host.feed(terminal.id, std::string(size, 'x'));
    server.settle();
  };
  print(600);
  CHECK(terminal.attach(0, attach_mode::screen)->snapshots.size() == 1);
  for (int i = 0; i < 40; ++i) print(100);
  CHECK(server.bulk.extent(terminal.id).first > 600);
  const auto later = terminal.attach(600, attach_mode::screen);
  REQUIRE(later->snapshots.size() == 1);
  CHECK(later->gaps == std::vector<std::pair<std::uint64_t, std::uint64_t>>{{600, 4'600}});
}

TEST_CASE("terminal: typed input is applied once, in order, whatever is repeated", "[actors]") {
  simulated_server server{5};
  opened_terminal terminal{server};
  const auto viewer = terminal.attach(0, attach_mode::exact, attach_right::drive);
  viewer->attachment()->input(1, "ls");
  viewer->attachment()->input(2, "\n");
  viewer->attachment()->input(1, "ls");
  server.settle();
  CHECK(server.host.typed(terminal.id) == "ls\n");
  CHECK(viewer->input_applied_until == 2);
  viewer->attachment()->input(9, "rm");
  server.settle();
  CHECK(server.host.typed(terminal.id) == "ls\n");
  CHECK(viewer->inputs_refused == 1);
  const auto watcher = terminal.attach(0);
  watcher->attachment()->input(3, "x");
  server.settle();
  CHECK(watcher->inputs_refused == 1);
  CHECK(server.host.typed(terminal.id) == "ls\n");
}

TEST_CASE("terminal: only the driver sizes it, and the size is recorded with its offset",
          "[actors]") {
  simulated_server server{6};
  opened_terminal terminal{server};
  const auto driver = terminal.attach(0, attach_mode::exact, attach_right::drive);
  const auto watcher = terminal.attach(0);
  server.settle();
  CHECK(terminal.state().driver == session_id{"sess_1"});
  driver->attachment()->resize(100, 40);
  watcher->attachment()->resize(20, 10);
  server.settle();
  CHECK(terminal.state().cols == 100);
  CHECK(server.host.size(terminal.id) == std::pair<std::uint16_t, std::uint16_t>{100, 40});
  CHECK(watcher->cols == 100);
}

TEST_CASE("terminal: a driver's credit paces the program; a silent one does not hold it for ever",
          "[actors]") {
  simulated_server server{7};
  opened_terminal terminal{server};
  const auto driver = terminal.attach(0, attach_mode::exact, attach_right::drive, 1000);
  server.settle();
  server.host.feed(terminal.id, std::string(5000, 'y'));
  server.settle();
  CHECK(driver->bytes.size() == 1000);
  CHECK(server.host.blocked_bytes(terminal.id) == 4000);
  driver->attachment()->credit(1000, 2000);
  server.settle();
  CHECK(server.host.blocked_bytes(terminal.id) == 3000);
  server.pass(std::chrono::seconds{11});
  CHECK(server.host.blocked_bytes(terminal.id) == 0);
  CHECK(driver->bytes.size() == 2000);
}

TEST_CASE(
    "terminal: a screen viewer far behind gets a marked gap and a snapshot, an exact one every "
    "byte",
    "[actors]") {
  simulated_server server{8};
  opened_terminal terminal{server};
  const auto printed = noise(3 << 20, 9);
  for (std::size_t at = 0; at < printed.size(); at += 65'536) {
    server.host.feed(terminal.id, std::string_view{printed}.substr(at, 65'536));
    server.settle();
  }
  const auto on_phone = terminal.attach(0, attach_mode::screen);
  CHECK(on_phone->gaps ==
        std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, printed.size()}});
  CHECK(on_phone->snapshots.size() == 1);
  CHECK(on_phone->bytes.empty());
  server.host.feed(terminal.id, "$ ");
  server.settle();
  CHECK(on_phone->bytes == "$ ");
  CHECK(terminal.attach(0)->bytes == printed + "$ ");
}

TEST_CASE("terminal: output that could not be taken is taken later, idle or not", "[actors]") {
  kernel_limits limits;
  limits.passivate_after = {};
  simulated_server server{12, limits};
  opened_terminal terminal{server};
  server.pass(std::chrono::milliseconds{9'990});  // 10 ms before the idle actors' sweep
  server.bulk.refuse(true);
  server.host.feed(terminal.id, "$ ");
  server.settle();
  server.bulk.refuse(false);
  server.pass(std::chrono::seconds{1});
  CHECK(server.bulk.extent(terminal.id).durable == 2);
}

TEST_CASE("terminal: one that cannot be opened ends as failed and says why", "[actors]") {
  simulated_server server{9};
  const auto account = server.make_account("ada");
  const auto environment = server.make_environment(account, "dev");
  server.host.fail_next(berth::testing::host_call::open_terminal,
                        {host_errc::limit_exceeded, "no more PTYs", "close one"});
  const terminal_id id{derived_id("term", account.value, server.fresh_command())};
  REQUIRE(server.call<terminal::aggregate>(
      id, terminal::open{account, environment, 80, 24, {}, {}, {}, 0}, server.meta_for(account)));
  terminal::state now;
  server.ask().read(id, {account, "tok", false}, [&now](const auto& got) { now = *got->state; });
  server.settle();
  CHECK(now.status == terminal::status::ended);
  CHECK(now.end->reason == "failed");
  CHECK(now.end->detail.find("no more PTYs") != std::string::npos);
}

TEST_CASE("terminal: another tenant cannot attach", "[actors]") {
  simulated_server server{10};
  opened_terminal terminal{server};
  auto viewer = std::make_shared<recording_viewer>(0);
  server.ask().attach(
      {terminal.id, {server.make_account("eve"), "tok", false}, {"sess_9"}, {}, {}, {}, 0, 100},
      viewer, [viewer](auto got) { viewer->attached(std::move(got)); });
  server.settle();
  CHECK(viewer->refused == rejection_code::not_found);
}
