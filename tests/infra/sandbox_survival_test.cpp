#include <signal.h>
#include <sys/wait.h>

#include "infra/providers/sandbox/launcher_client.hpp"
#include "tests/infra/sandbox_fixture.hpp"

using namespace berth;
using namespace berth::testing;

namespace {

terminal_id open_terminal(sandbox& on, const environment_id& id, const std::string& name,
                          std::vector<std::string> command) {
  terminal_spec spec;
  spec.id = {"term_" + name};
  spec.command = std::move(command);
  const auto opened =
      await<terminal_started>([&](auto done) { on.host->open_terminal(id, spec, done); });
  if (!opened) FAIL("open_terminal: " << opened.error().message);
  return spec.id;
}

// What runs.
std::vector<adopted_environment> adopt(sandbox& on) {
  auto found = await<std::vector<adopted_environment>>([&](auto done) { on.host->adopt(done); });
  if (!found) FAIL("adopt: " << found.error().message);
  std::erase_if(*found, [](const auto& each) { return each.life.value.empty(); });
  return *found;
}

// A process whose new parent has not reaped it is as dead as one that is gone.
bool alive(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(in, text);
  const auto name_end = text.rfind(')');
  return name_end != std::string::npos && text[name_end + 2] != 'Z';
}

std::string start_time_of(int pid) {
  constexpr int behind_name = 19;  // field 22 of proc(5)
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(in, text, ')');
  for (int field = 0; field <= behind_name; ++field) in >> text;
  return text;
}

int launcher_pid_of(int agent) {
  std::ifstream in("/proc/" + std::to_string(agent) + "/status");
  for (std::string word; in >> word;) {
    if (word != "PPid:") continue;
    int pid = 0;
    in >> pid;
    return pid;
  }
  return 0;
}

}  // namespace

TEST_CASE("sandbox: a server that comes back adopts what runs, with its terminals and every byte",
          "[infra]") {
  sandbox on;
  if (lacks(on, "works")) return;
  const auto spec = on.spec("adopted");
  on.create(spec);
  const auto life = on.start(spec);
  const auto terminal =
      open_terminal(on, spec.id, "one", {"/bin/sh", "-c", "seq 1 20000; read x; echo end-$x"});
  on.host->follow_terminal(spec.id, terminal, 0);
  REQUIRE(on.seen.until([&](recorder& r) { return r.output_[terminal].size() > 5000; }));
  on.drop_server();
  const auto before = on.seen.output_[terminal].size();
  on.open();
  const auto found = adopt(on);
  REQUIRE(found.size() == 1);
  CHECK(found[0].id == spec.id);
  CHECK(found[0].life == life);
  CHECK(found[0].terminals == std::vector<terminal_id>{terminal});
  CHECK(on.start(spec) == life);
  on.host->follow_terminal(spec.id, terminal, before);
  const auto applied = await<input_outcome>([&](auto done) {
    on.host->terminal_input(spec.id, terminal, sandbox::next_effect(), 1, "over\n", done);
  });
  REQUIRE(applied);
  CHECK(applied->last_applied == 1);
  REQUIRE(on.seen.until([&](recorder& r) { return r.ends_.contains(terminal); }));
  CHECK(!on.seen.gap());
  const auto& all = on.seen.output_[terminal];
  CHECK(all.find("19999\r\n20000\r\n") != std::string::npos);
  CHECK(all.find("end-over") != std::string::npos);
  CHECK(on.seen.ends_[terminal].final_offset == all.size());
  CHECK(on.seen.ends_[terminal].exit_code == 0);
  CHECK(on.seen.lost_.empty());
}

TEST_CASE("sandbox: the launcher's death ends no environment, the next one adopts them",
          "[infra]") {
  sandbox on;
  if (lacks(on, "works")) return;
  const auto spec = on.spec("orphan");
  const auto id = on.up(spec);
  CHECK(on.sh(id, "echo kept > /tmp/x") == "");
  const int agent = on.agent_pid(id);
  const int launcher = launcher_pid_of(agent);
  REQUIRE(launcher > 1);
  REQUIRE(::kill(launcher, SIGKILL) == 0);
  CHECK(on.sh(id, "cat /tmp/x") == "kept\n");
  // The next call that needs a launcher starts one; it knows the environment and takes new ones.
  const auto other = on.up(on.spec("second"));
  CHECK(on.sh(other, "echo two") == "two\n");
  CHECK(on.agent_pid(id) == agent);
  on.drop_server();
  on.open();
  CHECK(adopt(on).size() == 2);
  CHECK(on.sh(id, "cat /tmp/x") == "kept\n");
  on.stop(id);
  CHECK(!alive(agent));
}

TEST_CASE("sandbox: an agent's death is told, its last output is imported, its terminals end",
          "[infra]") {
  sandbox on;
  if (lacks(on, "works")) return;
  const auto spec = on.spec("lost");
  const auto id = on.up(spec);
  const auto terminal = open_terminal(on, id, "one", {"/bin/sh", "-c", "seq 1 50000; sleep 100"});
  on.host->follow_terminal(id, terminal, 0);
  REQUIRE(on.seen.until(
      [&](recorder& r) { return r.output_[terminal].find("50000\r\n") != std::string::npos; }));
  on.drop_server();
  const auto second = on.spec("lost");
  REQUIRE(::kill(on.agent_pid(id), SIGKILL) == 0);
  on.open();
  CHECK(adopt(on).empty());
  on.seen.expect_from(terminal, 100);
  on.host->follow_terminal(id, terminal, 100);
  REQUIRE(on.seen.until([&](recorder& r) { return r.ends_.contains(terminal); }));
  CHECK(!on.seen.gap());
  CHECK(on.seen.ends_[terminal].reason == "agent_lost");
  CHECK(on.seen.ends_[terminal].final_offset == 100 + on.seen.output_[terminal].size());
  CHECK(on.seen.output_[terminal].ends_with("50000\r\n"));
  // It starts again with its disk, and the old terminal's bytes stay readable until they are
  // stored.
  on.start(second);
  on.seen.expect_from(terminal, 200);
  on.seen.ends_.clear();
  on.host->follow_terminal(id, terminal, 200);
  REQUIRE(on.seen.until([&](recorder& r) { return r.ends_.contains(terminal); }));
  CHECK(on.seen.output_[terminal].ends_with("50000\r\n"));

  REQUIRE(::kill(on.agent_pid(id), SIGKILL) == 0);
  REQUIRE(on.seen.until([&](recorder& r) { return r.lost_.contains(id); }));
  const auto after = on.exec(id, {"true"});
  REQUIRE(!after);
  CHECK(after.error().code == host_errc::not_running);
}

TEST_CASE("sandbox: a command under way when the agent dies ends outcome_unknown", "[infra]") {
  sandbox on;
  if (lacks(on, "works")) return;
  const auto id = on.up(on.spec("unknown"));
  exec_request request;
  request.effect = sandbox::next_effect();
  request.command = {"/bin/sh", "-c", "touch /workspace/begun; sleep 100"};
  const auto outcome = await<exec_output>([&](auto done) {
    on.host->exec(id, request, done);
    for (int i = 0;
         i < 1000 && !fs::exists(on.data_dir() + "/environments/env_unknown/workspace/begun"); ++i)
      ::usleep(5000);
    ::kill(on.agent_pid(id), SIGKILL);
  });
  REQUIRE(!outcome);
  CHECK(outcome.error().code == host_errc::outcome_unknown);
}

TEST_CASE("sandbox: an agent that cannot be talked to is told lost and its processes are ended",
          "[infra]") {
  sandbox on{false, "/tmp", {"--environment", "env_of_somebody_else"}};
  if (lacks(on, "works")) return;
  const auto spec = on.spec("stranger");
  on.create(spec);
  const auto life = on.start(spec);
  const auto agent = on.agent_pid(spec.id);
  REQUIRE(on.seen.until([&](auto& r) { return r.lost_.contains(spec.id); }));
  CHECK_FALSE(alive(agent));
  CHECK_FALSE(on.start(spec) == life);
}

TEST_CASE("launcher: more environments than one message holds are listed", "[infra]") {
  const testing::temporary_folder folder{"/tmp"};
  const auto program = beside_this_program("berth-agent");
  launcher_client client{{program, folder / "run", folder.path().filename(), "none", false}};
  const pid_t stands_for_all = ::fork();
  if (stands_for_all == 0) {
    ::pause();
    ::_exit(0);
  }
  std::ifstream boot("/proc/sys/kernel/random/boot_id");
  std::string boot_id;
  boot >> boot_id;
  launcher::message life;
  life.add("phase", "running").add("incarnation", "inc0123456789abcdef").add("boot_id", boot_id);
  life.add("pid", static_cast<std::uint64_t>(stands_for_all));
  life.add("start_time", start_time_of(stands_for_all));
  std::vector<environment_id> expected;
  for (int i = 1000; i < 1500; ++i) {
    const auto& id = expected.emplace_back("env_2158v8cj93ggfrd5bdwzzqj" + std::to_string(i));
    const auto place = folder.path() / "run/envs" / id.value;
    fs::create_directories(place);
    std::ofstream(place / "life") << life.encode();
  }
  const auto listed = client.list(5s);
  ::kill(stands_for_all, SIGKILL);
  ::waitpid(stands_for_all, nullptr, 0);
  CHECK(client.list(5s)->empty());
  CHECK(client.quit(true));
  REQUIRE(listed.has_value());
  CHECK(*listed == expected);
}
