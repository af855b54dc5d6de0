#include "infra/agent/link/ring_import.hpp"
#include "infra/agent/protocol/ring_file.hpp"
#include "tests/infra/agent_harness.hpp"

namespace berth::agent::test {

const terminal_id one{"term_one"};

TEST_CASE("agent: a terminal echoes, numbers its output from 0 and ends with its exit code",
          "[infra]") {
  rig r;
  const auto started = r.open(one, {"/bin/sh", "-c", "read line; echo got-$line; exit 7"});
  CHECK(started.pid > 0);
  CHECK(r.input(one, numbered(2, 1), 1, "hello\n").value().last_applied == 1);
  CHECK(r.heard.saw(one, "hello\r\ngot-hello\r\n"));
  REQUIRE(r.heard.until([&] { return !r.heard.heard_[one].ends.empty(); }));
  const auto& end = r.heard.heard_[one].ends.front();
  CHECK(end.exit_code == 7);
  CHECK(end.reason == "exited");
  CHECK(end.final_offset == r.heard.count(one));
  CHECK(r.heard.heard_[one].first == 0);
}

TEST_CASE("agent: the login shell runs with the user's environment on a terminal of the asked size",
          "[infra]") {
  rig r;
  r.open(one, {});
  CHECK(r.input(one, numbered(2, 1), 1,
                "stty size; echo $BERTH-$TERM-$HOME-$LANG; echo $0 $(tty | cut -c1-9)\n"));
  CHECK(r.heard.saw(one, "24 80"));
  CHECK(r.heard.saw(one, "1-xterm-256color-" + r.process.directory() + "-C.UTF-8"));
  CHECK(r.heard.saw(one, "-sh /dev/pts/"));
  r.link->resize(one, 132, 50);
  CHECK(r.input(one, numbered(2, 1), 2, "stty size; kill -TERM $$; kill -KILL $$\n"));
  CHECK(r.heard.saw(one, "50 132"));
  REQUIRE(r.heard.until([&] { return !r.heard.heard_[one].ends.empty(); }));
  CHECK(r.heard.heard_[one].ends.front().signal.has_value());
  CHECK(r.heard.heard_[one].ends.front().reason == "signalled");
}

TEST_CASE(
    "agent: 20 MB of random bytes arrive exactly through many broken connections and new clients",
    "[infra]") {
  rig r;
  const auto sent = random_bytes(20 * 1000 * 1000, 11);
  write_file(r.process.directory() + "/data", sent);
  r.open(one, {"/bin/sh", "-c", "stty raw -echo; cat " + r.process.directory() + "/data"});
  std::mt19937 random{5};
  for (int i = 0; i < 60; ++i) {
    const auto before = r.heard.count(one);
    if (before == sent.size()) break;
    r.heard.until([&] { return r.heard.heard_[one].bytes.size() > before + random() % 300'000; },
                  500ms);
    r.link->durable(one, r.heard.count(one));
    if (i % 3 == 2) {
      r.relink();  // what a server that was killed and came back does
      r.link->follow(one, r.heard.count(one));
    } else {
      r.link->break_connection();
    }
  }
  REQUIRE(r.heard.until([&] {
    r.link->durable(one, r.heard.heard_[one].bytes.size());
    return !r.heard.heard_[one].ends.empty();
  }));
  CHECK(r.heard.heard_[one].in_order);
  CHECK(r.heard.heard_[one].ends.front().final_offset == sent.size());
  CHECK((r.heard.bytes(one) == sent));
}

TEST_CASE("agent: a paced terminal is read up to the byte asked for and no further", "[infra]") {
  rig r;
  answer<terminal_started> opened;
  terminal_spec spec;
  spec.id = one;
  spec.command = {"/bin/sh", "-c", "read go; yes"};
  r.link->open_terminal(spec, opened.completion());
  REQUIRE(opened.get());
  r.link->follow(one, 0);
  r.link->pace(one, 1000);
  CHECK(r.input(one, numbered(2, 1), 1, "go\n"));
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() >= 1000; }));
  CHECK_FALSE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() > 1000; }, 100ms));
  r.link->pace(one, 50'000);
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() >= 50'000; }));
  CHECK_FALSE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() > 50'000; }, 100ms));
  r.link->break_connection();  // the pace is told again
  CHECK_FALSE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() > 50'000; }, 100ms));
  r.link->pace(one, std::nullopt);
  CHECK(r.heard.until([&] { return r.heard.heard_[one].bytes.size() > 200'000; }));
}

TEST_CASE(
    "agent: output that is not durable fills the ring, blocks the program, and goes on when it is "
    "stored",
    "[infra]") {
  rig r;
  const auto sent = random_bytes(2'000'000, 3);
  write_file(r.process.directory() + "/data", sent);
  r.open(one, {"/bin/sh", "-c", "stty raw -echo; cat " + r.process.directory() + "/data"},
         64 * 1024);
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() == 64 * 1024; }));
  CHECK_FALSE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() > 64 * 1024; }, 100ms));
  REQUIRE(r.heard.until([&] {
    r.link->durable(one, r.heard.heard_[one].bytes.size());
    return !r.heard.heard_[one].ends.empty();
  }));
  CHECK((r.heard.bytes(one) == sent));
}

TEST_CASE("agent: the ring's space is given back when the program pauses, not while it prints",
          "[infra]") {
  rig r;
  constexpr std::size_t printed = 4 * ring_chunk_bytes;
  r.open(one,
         {"/bin/sh", "-c",
          "stty raw -echo; head -c " + std::to_string(printed) + " /dev/zero; sleep 60"},
         2 * printed);
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() == printed; }));
  const auto ring = r.process.state() + "/" + one.value + ".ring";
  const auto taken = [&] {
    struct stat info {};
    REQUIRE(::stat(ring.c_str(), &info) == 0);
    return static_cast<std::size_t>(info.st_blocks) * 512;
  };
  CHECK(taken() >= printed);
  r.link->durable(one, printed);
  const auto until = std::chrono::steady_clock::now() + patience;
  while (taken() > 2 * ring_chunk_bytes && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(20ms);
  CHECK(taken() <= 2 * ring_chunk_bytes);
}

TEST_CASE("agent: an offset that was dropped is answered with the first one held", "[infra]") {
  rig r;
  r.open(one, {"/bin/sh", "-c", "echo 0123456789; sleep 60"});
  REQUIRE(r.heard.saw(one, "9\r\n"));
  r.link->durable(one, 6);
  r.link->follow(one, 2);
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].missing.has_value(); }));
  CHECK(r.heard.heard_[one].missing_first == 6);
  const terminal_id nobody{"term_nobody"};
  r.link->follow(nobody, 0);
  REQUIRE(r.heard.until([&] { return r.heard.heard_[nobody].missing.has_value(); }));
  CHECK(r.heard.heard_[nobody].missing->code == host_errc::not_found);
  r.heard.change([&] { r.heard.heard_[one] = {}; });
  r.link->follow(one, 6);
  CHECK(r.heard.saw(one, "6789\r\n"));
}

TEST_CASE(
    "agent: after its SIGKILL the ring file gives every byte to the end and says the agent was "
    "lost",
    "[infra]") {
  rig r;
  const auto sent = random_bytes(700'000, 8);
  write_file(r.process.directory() + "/data", sent);
  r.open(one, {"/bin/sh", "-c", "stty raw -echo; cat " + r.process.directory() + "/data; sleep 60"},
         512 * 1024);
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() == 512 * 1024; }));
  r.link->durable(one, 300'000);
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() == sent.size(); }));
  r.process.kill();
  REQUIRE(r.heard.until([&] { return r.heard.over_.has_value(); }));
  CHECK(r.heard.lost_);
  CHECK(list_rings(r.process.state()) == std::vector{one});
  const auto tail = import_ring(r.process.state(), one, 350'000);
  REQUIRE(tail);
  CHECK(tail->first == 350'000);
  CHECK((tail->bytes == sent.substr(350'000)));
  CHECK(tail->end.reason == "agent_lost");
  CHECK(tail->end.final_offset == sent.size());
  CHECK(import_ring(r.process.state(), one, 0)->first == 300'000);
  CHECK(import_ring(r.process.state(), terminal_id{"term_none"}, 0).error().code ==
        host_errc::not_found);
}

TEST_CASE("agent: an ended terminal is reported again at its end until it was stored and closed",
          "[infra]") {
  rig r;
  r.open(one, {"/bin/sh", "-c", "printf abc; exit 3"});
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].ends.size() == 1; }));
  r.relink();
  r.link->follow(one, 3);
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].ends.size() == 2; }));
  CHECK(r.heard.heard_[one].ends.back().exit_code == 3);
  CHECK(list_rings(r.process.state()).size() == 1);
  r.link->durable(one, 3);
  r.link->close_terminal(one);
  CHECK(r.exec(command(1, {"true"})));  // behind it in the stream
  CHECK(list_rings(r.process.state()).empty());
  r.link->follow(one, 0);
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].missing.has_value(); }));
}

TEST_CASE("agent: opening a terminal that runs says where it is instead of starting a second one",
          "[infra]") {
  rig r;
  const auto first = r.open(one, {"/bin/sh", "-c", "echo once; sleep 60"});
  REQUIRE(r.heard.saw(one, "once\r\n"));
  const auto again = r.open(one, {"/bin/sh", "-c", "echo twice"}, 1 << 20, false);
  CHECK(again.pid == first.pid);
  CHECK(again.next_offset == 6);
  r.relink();
  REQUIRE(r.heard.until([&] { return r.heard.ready_ >= 2; }));
  REQUIRE(r.heard.terminals_.size() == 1);
  CHECK(r.heard.terminals_.front().id == one);
  CHECK(r.heard.terminals_.front().end_offset == 6);
}

TEST_CASE("agent: close hangs the session up, and kills what ignores it", "[infra][.slow]") {
  rig r;
  r.open(one, {"/bin/sh", "-c", "trap '' HUP; echo ready; while :; do sleep 1; done"});
  REQUIRE(r.heard.saw(one, "ready"));
  r.link->close_terminal(one);
  REQUIRE(r.heard.until([&] { return !r.heard.heard_[one].ends.empty(); }));
  CHECK(r.heard.heard_[one].ends.front().signal == SIGKILL);
}

TEST_CASE("agent: close of a program that takes the hangup ends it at once", "[infra]") {
  rig r;
  r.open(one, {"/bin/sh", "-c", "echo ready; sleep 60"});
  REQUIRE(r.heard.saw(one, "ready"));
  r.link->close_terminal(one);
  REQUIRE(r.heard.until([&] { return !r.heard.heard_[one].ends.empty(); }, 3s));
  CHECK(r.heard.heard_[one].ends.front().signal == SIGHUP);
}

TEST_CASE("agent: a program that cannot be started is an error with the reason, not a terminal",
          "[infra]") {
  rig r;
  for (const auto& words :
       {std::vector<std::string>{"/no/such/program"}, std::vector<std::string>{"/etc/passwd"}}) {
    terminal_spec spec;
    spec.id = one;
    spec.command = words;
    answer<terminal_started> opened;
    r.link->open_terminal(spec, opened.completion());
    const auto result = opened.get();
    REQUIRE_FALSE(result);
    CHECK(result.error().message.find("cannot run " + words.front()) != std::string::npos);
  }
  CHECK(r.exec(command(1, {"true"})));  // a later turn of the agent's loop
  CHECK(list_rings(r.process.state()).empty());
  r.open(one, {"/bin/sh", "-c", "echo now"});
  CHECK(r.heard.saw(one, "now"));
}

TEST_CASE("agent: ^C stops a flood within the pace window", "[infra]") {
  rig r;
  r.open(one,
         {"/bin/sh", "-c", "trap 'echo caught; exit 0' INT; while :; do yes | head -c 65536; done"},
         1 << 24);
  r.link->pace(one, 65'536);
  REQUIRE(r.heard.until([&] { return r.heard.heard_[one].bytes.size() >= 65'536; }));
  const auto before = r.heard.count(one);
  CHECK(r.input(one, numbered(2, 1), 1, "\x03"));
  r.link->pace(one, std::nullopt);
  REQUIRE(r.heard.saw(one, "caught"));
  CHECK(r.heard.count(one) - before < 256 * 1024);
}

}  // namespace berth::agent::test
