// A sandbox host over a temporary data directory, with calls that wait. Leaves nothing behind:
// environments, launcher, cgroups and files are removed at the end.
#pragma once

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

#include "infra/providers/sandbox/environment_disk.hpp"
#include "infra/providers/sandbox/sandbox_host.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace berth::testing {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

inline std::string beside_this_program(const std::string& name) {
  return fs::read_symlink("/proc/self/exe").parent_path() / name;
}

// A completion as a value; a call that never completes fails the test with the deadline.
template <class T>
host_result<T> await(const std::function<void(host_completion<T>)>& call,
                     std::chrono::seconds within = 60s) {
  auto answer = std::make_shared<std::promise<host_result<T>>>();
  auto future = answer->get_future();
  call([answer](host_result<T> result) { answer->set_value(std::move(result)); });
  if (future.wait_for(within) != std::future_status::ready) {
    return host_error{host_errc::timeout, "the completion never ran", ""};
  }
  return future.get();
}

// Collects what a host tells.
class recorder : public host_observer {
 public:
  void terminal_output(const terminal_id& terminal, std::uint64_t offset,
                       shared_bytes data) override {
    const std::lock_guard hold(mutex_);
    auto& seen = output_[terminal];
    if (offset != first_[terminal] + seen.size()) gap_ = true;
    seen += *data;
    changed_.notify_all();
  }
  void terminal_ended(const terminal_id& terminal, const terminal_end& end) override {
    const std::lock_guard hold(mutex_);
    ends_[terminal] = end;
    changed_.notify_all();
  }
  void environment_lost(const environment_id& id, const incarnation&, const std::string&) override {
    const std::lock_guard hold(mutex_);
    lost_.insert(id);
    changed_.notify_all();
  }
  void environment_stats_seen(const environment_id& id, const environment_stats& stats) override {
    const std::lock_guard hold(mutex_);
    stats_[id] = stats;
    changed_.notify_all();
  }
  // Output before `offset` was seen elsewhere.
  void expect_from(const terminal_id& terminal, std::uint64_t offset) {
    const std::lock_guard hold(mutex_);
    first_[terminal] = offset;
    output_[terminal].clear();
  }
  bool until(const std::function<bool(recorder&)>& condition, std::chrono::seconds within = 20s) {
    std::unique_lock hold(mutex_);
    return changed_.wait_for(hold, within, [&] { return condition(*this); });
  }
  bool gap() const { return gap_; }
  // Inside until(), or once nothing is told any more.
  std::map<terminal_id, std::string> output_;
  std::map<terminal_id, terminal_end> ends_;
  std::set<environment_id> lost_;
  std::map<environment_id, environment_stats> stats_;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<terminal_id, std::uint64_t> first_;
  bool gap_{};
};

class sandbox {
 public:
  explicit sandbox(bool network = false, const fs::path& below = "/tmp",
                   const std::vector<std::string>& agent_options = {})
      : directory_{below} {
    options_.data_dir = directory_ / "data";
    lend_templates();
    options_.agent_binary = beside_this_program("berth-agent");
    options_.network = network;
    options_.cgroup_parent = directory_.path().filename();
    options_.agent_options = {"--stats-ms", "200"};
    options_.agent_options.insert(options_.agent_options.end(), agent_options.begin(),
                                  agent_options.end());
    open();
  }
  ~sandbox() {
    for (const auto& id : made_) await<bool>([&](auto done) { host->destroy(id, epoch, done); });
    host.reset();
    end_launcher(options_.data_dir);
    std::error_code ignored;
    fs::rename(options_.data_dir + "/templates", kept_templates(), ignored);
    delete_tree(directory_.path());
  }
  void open() {
    host = make_sandbox_host(options_);
    host->observe(&seen);
  }
  // As a SIGKILL of the server leaves the machine: nothing is stopped, nobody listens.
  void drop_server() {
    host->observe(nullptr);
    host.reset();
  }

  environment_spec spec(const std::string& name) const {
    environment_spec s;
    s.id = {"env_" + name};
    s.account = {"acct_test"};
    s.owner_epoch = epoch;
    s.name = name;
    s.template_name = "host";
    s.cpu_millis = 1000;
    s.memory_bytes = 512u << 20;
    s.pids_max = 128;
    return s;
  }
  environment_id create(const environment_spec& s) {
    made_.insert(s.id);
    const auto result = await<bool>([&](auto done) { host->create(s, done); });
    if (!result) FAIL("create: " << result.error().message);
    return s.id;
  }
  incarnation start(const environment_spec& s) {
    const auto result = await<incarnation>([&](auto done) { host->start(s, done); });
    if (!result) FAIL("start: " << result.error().message << " log: " << log(s.id));
    return *result;
  }
  void owns(const environment_id& id) { made_.insert(id); }  // made by another way than create()
  environment_id up(const environment_spec& s) {
    create(s);
    start(s);
    return s.id;
  }
  void stop(const environment_id& id) {
    const auto result = await<bool>([&](auto done) { host->stop(id, epoch, done); });
    if (!result) FAIL("stop: " << result.error().message);
  }
  void destroy(const environment_id& id) {
    const auto result = await<bool>([&](auto done) { host->destroy(id, epoch, done); });
    if (!result) FAIL("destroy: " << result.error().message);
    made_.erase(id);
  }
  host_result<exec_output> exec(const environment_id& id, std::vector<std::string> command,
                                std::string user = "", std::chrono::milliseconds timeout = 20s) {
    exec_request request;
    request.effect = next_effect();
    request.command = std::move(command);
    request.user = std::move(user);
    request.timeout = timeout;
    return await<exec_output>([&](auto done) { host->exec(id, request, done); });
  }
  // stdout of a shell line; the exit code and stderr are appended if it failed.
  std::string sh(const environment_id& id, const std::string& line, const std::string& user = "",
                 std::chrono::milliseconds timeout = 20s) {
    const auto result = exec(id, {"/bin/sh", "-c", line}, user, timeout);
    if (!result)
      return std::string("[") + name_of(result.error().code) + ": " + result.error().message + "]";
    auto text = result->stdout_bytes;
    if (result->exit_code != 0)
      text += "[exit " + std::to_string(result->exit_code) + "] " + result->stderr_bytes;
    return text;
  }
  std::string log(const environment_id& id) const {
    std::ifstream in(options_.data_dir + "/run/envs/" + id.value + "/agent.log");
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
  }
  static effect_id next_effect() {
    static std::atomic<std::uint64_t> count{0};
    return uuid::derived("test", std::to_string(::getpid()), std::to_string(++count));
  }
  // Of the environment's pid 1, which is the agent.
  int agent_pid(const environment_id& id) const {
    std::ifstream in(options_.data_dir + "/run/envs/" + id.value + "/life");
    for (std::string key, value; in >> key >> value;) {
      if (key == "pid") return std::atoi(value.c_str());
    }
    return 0;
  }
  const std::string& data_dir() const { return options_.data_dir; }

  std::unique_ptr<environment_host> host;
  recorder seen;
  std::uint64_t epoch{1};

 private:
  // A thousand small files: one copy serves all tests of a run.
  static const std::string& kept_templates() {
    static const struct keeper {
      std::string path = "/tmp/berth-templates-" + std::to_string(::getpid());
      ~keeper() { delete_tree(path); }
    } kept;
    return kept.path;
  }
  void lend_templates() const {
    std::error_code ignored;
    fs::create_directories(options_.data_dir, ignored);
    fs::rename(kept_templates(), options_.data_dir + "/templates", ignored);
  }
  testing::temporary_folder directory_;
  sandbox_options options_;
  std::set<environment_id> made_;
};

// True, and one counted SKIP line, if the machine cannot do it. BERTH_REQUIRE_SANDBOX=ns makes that
// a failure.
inline bool lacks(const sandbox& on, const std::string& what) {
  const auto found = on.host->capabilities();
  bool there = found.works;
  if (what == "full") there = there && found.isolation == "full";
  if (what == "outbound") there = there && found.network == "outbound";
  if (what == "memory" || what == "cpu" || what == "pids")
    there = there && found.limits.find(what) != std::string::npos;
  if (there) return false;
  std::string why = found.problems.empty() ? "no reason given" : found.problems.front();
  const char* required = std::getenv("BERTH_REQUIRE_SANDBOX");
  if (required != nullptr && std::string_view(required) == "ns")
    FAIL("the sandbox must work here: " << why);
  std::printf("SKIP sandbox %s: %s\n", what.c_str(), why.c_str());
  return true;
}

}  // namespace berth::testing
