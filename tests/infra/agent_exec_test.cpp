#include <dirent.h>

#include <cctype>

#include "tests/infra/agent_harness.hpp"

namespace berth::agent::test {
namespace {

// Children of `parent` that nobody has waited for.
int zombies_of(pid_t parent) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
    if (!std::isdigit(static_cast<unsigned char>(entry.path().filename().string().front())))
      continue;
    std::ifstream file{entry.path() / "stat"};
    std::string stat;
    std::getline(file, stat);
    const auto close = stat.rfind(')');
    if (close == std::string::npos) continue;
    if (stat.compare(close + 2, 1, "Z") == 0 && std::atoi(stat.c_str() + close + 4) == parent)
      ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("agent: exec gives exit code, stdout and stderr apart", "[infra]") {
  rig r;
  const auto done = r.exec(command(1, {"/bin/sh", "-c", "echo out; echo err >&2; exit 42"}));
  REQUIRE(done);
  CHECK(done->exit_code == 42);
  CHECK(done->stdout_bytes == "out\n");
  CHECK(done->stderr_bytes == "err\n");
  CHECK_FALSE(done->truncated);
  CHECK_FALSE(done->timed_out);
}

TEST_CASE("agent: exec feeds stdin, sets variables and the working directory", "[infra]") {
  rig r;
  auto request = command(1, {"/bin/sh", "-c", "cat | wc -c; echo $A-$BERTH; pwd"});
  request.stdin_bytes = random_bytes(500'000, 1);
  request.env = {{"A", "b c"}};
  request.working_directory = "/usr";
  const auto done = r.exec(request);
  REQUIRE(done);
  CHECK(done->stdout_bytes == "500000\nb c-1\n/usr\n");
  auto lost = command(2, {"true"});
  lost.working_directory = "/no/such/directory";
  const auto refused = r.exec(lost);
  REQUIRE(refused);
  CHECK(refused->exit_code == 127);
  CHECK(refused->stderr_bytes.find("cannot enter /no/such/directory") != std::string::npos);
}

TEST_CASE(
    "agent: exec of what does not exist is exit code 127, of what may not run 126, with the reason",
    "[infra]") {
  rig r;
  const auto missing = r.exec(command(1, {"no-such-program-here"}));
  REQUIRE(missing);
  CHECK(missing->exit_code == 127);
  CHECK(missing->stderr_bytes.find("cannot run no-such-program-here") != std::string::npos);
  const auto denied = r.exec(command(2, {"/etc/passwd"}));
  REQUIRE(denied);
  CHECK(denied->exit_code == 126);
  auto nobody = command(3, {"true"});
  nobody.user = "no-such-user";
  const auto refused = r.exec(nobody);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("no-such-user") != std::string::npos);
}

TEST_CASE(
    "agent: exec killed by a signal is 128 + its number, one over time is 124 and its group is "
    "killed",
    "[infra]") {
  rig r;
  CHECK(r.exec(command(1, {"/bin/sh", "-c", "kill -TERM $$"}))->exit_code == 128 + SIGTERM);
  auto slow = command(2, {"/bin/sh", "-c", "sleep 60 & echo $!; wait"});
  slow.timeout = 100ms;
  const auto done = r.exec(slow);
  REQUIRE(done);
  CHECK(done->exit_code == 124);
  CHECK(done->timed_out);
  const auto grandchild = std::atoi(done->stdout_bytes.c_str());
  REQUIRE(grandchild > 0);
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {
    gone = ::kill(grandchild, 0) != 0;
    if (!gone) std::this_thread::sleep_for(2ms);
  }
  CHECK(gone);
}

TEST_CASE("agent: exec keeps output up to the cap and says that it dropped the rest", "[infra]") {
  rig r;
  auto request = command(1, {"/bin/sh", "-c", "yes | head -c 300000; echo err >&2"});
  request.output_bytes_max = 1000;
  const auto done = r.exec(request);
  REQUIRE(done);
  CHECK(done->stdout_bytes.size() == 1000);
  CHECK(done->stderr_bytes == "err\n");
  CHECK(done->truncated);
  CHECK(done->exit_code == 0);
}

TEST_CASE("agent: a repeated effect id gets the recorded outcome and runs nothing", "[infra]") {
  rig r;
  const auto mark = r.process.directory() + "/mark";
  const auto request = command(1, {"/bin/sh", "-c", "echo x >> " + mark + "; wc -l < " + mark});
  CHECK(r.exec(request)->stdout_bytes == "1\n");
  CHECK(r.exec(request)->stdout_bytes == "1\n");
  r.relink();
  CHECK(r.exec(request)->stdout_bytes == "1\n");
  CHECK(r.exec(command(2, {"wc", "-l", mark}))->stdout_bytes.front() == '1');
}

TEST_CASE("agent: an exec under way is attached to by a server that comes back, and runs once",
          "[infra]") {
  rig r;
  const auto gate = r.process.directory() + "/gate";
  const auto request = command(1, {"/bin/sh", "-c",
                                   "echo begun >> " + gate + ".log; while [ ! -e " + gate +
                                       " ]; do sleep 0.01; done; cat " + gate + ".log"});
  answer<exec_output> dropped;
  r.link->exec(request, dropped.completion());
  CHECK(r.exec(
      command(2, {"/bin/sh", "-c", "while [ ! -e " + gate + ".log ]; do sleep 0.01; done"})));
  r.link->break_connection();
  r.relink();
  answer<exec_output> attached;
  r.link->exec(request, attached.completion());
  r.link->break_connection();
  write_file(gate, "");
  CHECK(attached.get()->stdout_bytes == "begun\n");
  CHECK(dropped.times() == 0);  // of a server that was gone
}

TEST_CASE("agent: an exec whose agent dies ends outcome_unknown, also when asked again",
          "[infra]") {
  rig r;
  answer<exec_output> done;
  const auto request = command(1, {"sleep", "60"});
  r.link->exec(request, done.completion());
  CHECK(r.exec(command(2, {"true"})));
  r.process.kill();
  CHECK(done.get().error().code == host_errc::outcome_unknown);
  CHECK(r.exec(request).error().code == host_errc::outcome_unknown);
  CHECK(r.exec(command(3, {"true"})).error().code == host_errc::not_running);
  CHECK(done.times() == 1);
}

TEST_CASE("agent: execs run side by side and no child stays a zombie", "[infra]") {
  rig r;
  std::vector<answer<exec_output>> answers(40);
  for (std::uint32_t i = 0; i < answers.size(); ++i)
    r.link->exec(command(i, {"/bin/sh", "-c", "(sleep 0.01 &) ; (:) & echo " + std::to_string(i)}),
                 answers[i].completion());
  for (std::uint32_t i = 0; i < answers.size(); ++i)
    CHECK(answers[i].get()->stdout_bytes == std::to_string(i) + "\n");
  bool clean = false;
  for (int i = 0; i < 500 && !clean; ++i) {
    clean = zombies_of(r.process.pid()) == 0;
    if (!clean) std::this_thread::sleep_for(2ms);
  }
  CHECK(clean);
}

TEST_CASE("agent: a daemon left behind that holds the pipes does not hold the answer", "[infra]") {
  rig r;
  const auto done = r.exec(command(1, {"/bin/sh", "-c", "sleep 60 & echo $!"}));
  REQUIRE(done);
  CHECK(done->exit_code == 0);
  CHECK(done->duration < 5s);
  ::kill(std::atoi(done->stdout_bytes.c_str()), SIGKILL);
}

TEST_CASE("agent: workload children inherit nothing of the agent: descriptors, signals, session",
          "[infra]") {
  rig r;
  const auto done = r.exec(
      command(1, {"/bin/sh", "-c",
                  "ls /proc/self/fd | tr '\\n' ' '; grep -E 'SigBlk|SigIgn' /proc/self/status"}));
  REQUIRE(done);
  CHECK(done->stdout_bytes.starts_with("0 1 2 3 "));  // 3 is ls' own
  CHECK(done->stdout_bytes.find("0 1 2 3 4") == std::string::npos);
  CHECK(done->stdout_bytes.find("SigBlk:\t0000000000000000") != std::string::npos);
  CHECK(done->stdout_bytes.find("SigIgn:\t0000000000000000") != std::string::npos);
}

TEST_CASE(
    "agent: with dropped capabilities a workload cannot mount, unshare or load a filter past it",
    "[infra]") {
  if (::geteuid() != 0) {
    WARN("SKIP needs root");
    return;
  }
  rig r{{"--drop-caps"}};
  const auto caps = r.exec(command(1, {"grep", "CapBnd", "/proc/self/status"}));
  REQUIRE(caps);
  CHECK(caps->stdout_bytes == "CapBnd:\t00000000a80425fb\n");  // Docker's default set
  CHECK(r.exec(command(2, {"mount", "-t", "tmpfs", "none", "/mnt"}))->exit_code != 0);
  CHECK(r.exec(command(3, {"unshare", "-U", "true"}))->stderr_bytes.find("not permitted") !=
        std::string::npos);
  const auto status =
      r.exec(command(4, {"grep", "-E", "Seccomp:|NoNewPrivs", "/proc/self/status"}));
  CHECK(status->stdout_bytes == "NoNewPrivs:\t0\nSeccomp:\t2\n");
  CHECK(r.exec(command(5, {"/bin/sh", "-c", "echo still | cat; (exit 0) & wait"}))->stdout_bytes ==
        "still\n");
}

TEST_CASE("agent: with its own pid namespace workloads see only each other", "[infra]") {
  // Its fresh /proc must not cover the machine's: the agent goes into a mount namespace of its own
  // first.
  if (std::system("unshare -m -p -f true 2>/dev/null") != 0) {
    WARN("SKIP no mount or pid namespaces here");
    return;
  }
  rig outer;
  const auto home = outer.process.directory();
  const auto start =
      "mkdir " + home + "/s; exec unshare -m --propagation private " + agent_program() +
      " --environment env_test --incarnation life-1 --listen " + home + "/i.sock --state " + home +
      "/s --gateway-port 0 --gateway-socket '' --user t:0:0:/root:/bin/sh --workload-ns";
  terminal_spec spec;
  spec.id = terminal_id{"term_ns"};
  spec.command = {"/bin/sh", "-c", start};
  answer<terminal_started> opened;
  outer.link->open_terminal(spec, opened.completion());
  const auto started = opened.get();
  REQUIRE(started);
  recorder inside_heard;
  const auto pidfd = static_cast<int>(::syscall(SYS_pidfd_open, started->pid, 0));
  auto inside = agent_link::make(
      outer.reactor,
      {home + "/i.sock", unique_fd{pidfd}, environment_id{"env_test"}, incarnation{"life-1"}, 1},
      inside_heard);
  answer<exec_output> seen;
  inside->exec(command(1, {"/bin/sh", "-c",
                           "cat /proc/1/comm; tr -d '\\000' </proc/1/cmdline; set /proc/[0-9]*; "
                           "echo $#; [ $$ -lt 10 ] && echo low"}),
               seen.completion());
  CHECK(seen.get()->stdout_bytes == "workload-init\n2\nlow\n");
  inside->shut_down(1s);
  CHECK(inside_heard.until([&] { return inside_heard.over_.has_value(); }));
  inside->detach();
}

}  // namespace berth::agent::test
