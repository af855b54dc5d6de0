#include "infra/providers/sandbox/sandbox_host.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "infra/agent/program/launcher/start_request.hpp"
#include "infra/providers/sandbox/host_template.hpp"
#include "infra/providers/sandbox/sandbox_host_impl.hpp"
#include "infra/providers/sandbox/template_files.hpp"

namespace berth {

using launcher::message;
using std::chrono::milliseconds;

namespace {
// Keys of jobs that belong to no environment.
const std::string deletion_key = ".deletion";
const std::string adoption_key = ".adoption";
constexpr milliseconds probe_timeout{10'000};
constexpr milliseconds start_timeout{15'000};
constexpr milliseconds list_timeout{5'000};
constexpr milliseconds agent_stop_grace{
    5'500};  // the agent itself needs up to 5 s to hang terminals up
constexpr milliseconds stop_timeout{agent_stop_grace + milliseconds{15'000}};
constexpr milliseconds adopt_silence_max{5'000};

std::string tag_of(const std::string& data_dir) {
  std::uint32_t hash = 2166136261U;
  for (const char c : data_dir) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  char text[16];
  std::snprintf(text, sizeof text, "%06x", hash & 0xffffffU);
  return text;
}

std::vector<adopted_environment> values_of(std::map<environment_id, adopted_environment>&& found) {
  std::vector<adopted_environment> all;
  all.reserve(found.size());
  for (auto& [id, each] : found) all.push_back(std::move(each));
  return all;
}

std::string new_incarnation() {
  std::random_device random;
  char text[20];
  std::snprintf(text, sizeof text, "inc%08x%08x", random(), random());
  return text;
}
}  // namespace

sandbox_host::sandbox_host(sandbox_options options) : options_(std::move(options)) {
  std::error_code ignored;
  std::filesystem::create_directories(options_.data_dir, ignored);
  options_.data_dir = std::filesystem::canonical(options_.data_dir, ignored).native();
  run_dir_ = options_.data_dir + "/run";
  const auto tag = tag_of(options_.data_dir);
  if (options_.cgroup_parent.empty()) options_.cgroup_parent = "berth-" + tag;
  launcher_ = std::make_unique<launcher_client>(launcher_setup{
      options_.agent_binary, run_dir_, options_.cgroup_parent, tag, options_.network});
  probe();
  const bool reduced = capabilities_.isolation != "full";
  disk_ = std::make_unique<environment_disk>(options_.data_dir, reduced);
  tails_ = std::make_unique<terminal_tails>(run_dir_);
  if (capabilities_.works) {
    auto built = build_host_template(options_.data_dir, reduced);
    if (built) {
      template_root_ = built->path;
      capabilities_.problems.insert(capabilities_.problems.end(), built->problems.begin(),
                                    built->problems.end());
    } else {
      capabilities_.works = false;
      capabilities_.problems.push_back("template: " + built.error().message + "; " +
                                       built.error().next_step);
    }
  }
  templates_ = {describe_host_template()};
  reactor_ = std::make_unique<agent::agent_reactor>();
  workers_ = std::make_unique<keyed_workers>(options_.worker_threads, options_.jobs_max);
  (void)workers_->post(deletion_key, [this] { disk_->delete_aside(); });
}

sandbox_host::~sandbox_host() {
  workers_->stop();
  std::map<environment_id, running> all;
  {
    const std::lock_guard hold(mutex_);
    all.swap(running_);
  }
  for (auto& [id, each] : all) each.link->detach();
  (void)launcher_->quit(true);  // with nothing to keep, nothing is left on the machine
  reactor_.reset();
}

void sandbox_host::probe() {
  capabilities_ = {"sandbox", false, "none", "none", "none", {}};
  if (options_.data_dir.rfind("/usr/", 0) == 0) {
    capabilities_.problems.push_back(
        "the data directory " + options_.data_dir +
        " lies below /usr, which environments can read; choose another place");
    return;
  }
  if (auto there = launcher_->ensure(); !there) {
    capabilities_.problems.push_back("sandbox: " + there.error().message + "; " +
                                     there.error().next_step);
    return;
  }
  const auto found = launcher_->ask(message().add("do", "probe"), probe_timeout);
  if (!found) {
    capabilities_.problems.push_back("sandbox: " + found.error().message);
    return;
  }
  capabilities_.works = found->text.number("works") != 0;
  capabilities_.isolation = found->text.text("isolation");
  capabilities_.limits = found->text.text("limits");
  capabilities_.network = found->text.text("network");
  for (const auto& each : found->text.all("problem")) capabilities_.problems.push_back(each);
}

void sandbox_host::observe(host_observer* observer) {
  reactor_->run([this, observer] { observer_ = observer; });
}

host_error sandbox_host::not_running(const environment_id& id) const {
  if (!disk_->exists(id))
    return {host_errc::not_found, "no environment " + id.value + " on this host", ""};
  return {host_errc::not_running, "environment " + id.value + " is not running", "start it first"};
}

sandbox_host::link_ptr sandbox_host::link_of(const environment_id& id) const {
  const std::lock_guard hold(mutex_);
  const auto at = running_.find(id);
  return at == running_.end() ? nullptr : at->second.link;
}

// False: the completion was given its refusal.
template <class T>
bool sandbox_host::post_job(const environment_id& id, const host_completion<T>& done,
                            std::function<void()> job) {
  if (!launcher::is_plain_name(id.value)) {
    reactor_->post([done, id] {
      done(host_error{host_errc::not_found, "malformed environment id", ""});
    });
    return false;
  }
  if (workers_->post(id.value, std::move(job))) return true;
  reactor_->post([done] {
    done(host_error{host_errc::limit_exceeded,
                    "too many environment operations are under way on this host",
                    "try again later"});
  });
  return false;
}

host_result<bool> sandbox_host::check_epoch(const environment_id& id, std::uint64_t owner_epoch) {
  const auto kept = disk_->find(id);
  {
    const std::lock_guard hold(mutex_);
    auto& seen = epochs_[id];
    if (kept) seen = std::max(seen, kept->owner_epoch);
    if (owner_epoch < seen) {
      return host_error{host_errc::stale_owner,
                        "owner epoch " + std::to_string(owner_epoch) + " of " + id.value +
                            " is older than " + std::to_string(seen),
                        "another server owns it"};
    }
    seen = owner_epoch;
  }
  disk_->remember_epoch(id, owner_epoch);
  if (const auto link = link_of(id)) link->claim(owner_epoch);
  return true;
}

void sandbox_host::create(const environment_spec& spec, host_completion<bool> done) {
  post_job(spec.id, done, [this, spec, done] {
    if (auto owned = check_epoch(spec.id, spec.owner_epoch); !owned) return done(owned.error());
    if (!capabilities_.works) {
      const auto& problems = capabilities_.problems;
      return done(host_error{host_errc::unavailable,
                             problems.empty() ? "the sandbox does not work here" : problems.back(),
                             "run `devctl doctor`"});
    }
    if (spec.template_name != "host") {
      return done(host_error{host_errc::unknown_template,
                             "unknown template \"" + spec.template_name + "\"", "use \"host\""});
    }
    done(disk_->create(spec, template_root_));
  });
}

void sandbox_host::start(const environment_spec& spec, host_completion<incarnation> done) {
  post_job(spec.id, done, [this, spec, done] {
    if (auto owned = check_epoch(spec.id, spec.owner_epoch); !owned) return done(owned.error());
    done(start_now(spec));
  });
}

host_result<incarnation> sandbox_host::start_now(const environment_spec& spec) {
  {
    const std::lock_guard hold(mutex_);
    if (const auto at = running_.find(spec.id); at != running_.end()) return at->second.life;
  }
  const auto identity = disk_->find(spec.id);
  if (!identity) return not_running(spec.id);
  (void)tails_->shelve(spec.id);
  launcher::start_request request;
  request.id = spec.id.value;
  request.incarnation = new_incarnation();
  request.name = spec.name.empty() ? spec.id.value : spec.name;
  request.agent = options_.agent_binary;
  request.template_root = template_root_;
  request.disk = disk_->path(spec.id);
  request.uid_base = identity->uid_base;
  request.index = identity->index;
  request.limits = {spec.memory_bytes, spec.cpu_millis, spec.pids_max};
  request.network = capabilities_.network == "outbound";
  request.reduced = capabilities_.isolation == "reduced";
  request.agent_options = options_.agent_options;
  auto answer = launcher_->ask(launcher::encode_start(request), start_timeout);
  if (!answer) return answer.error();
  const incarnation life{answer->text.text("incarnation")};
  connect(spec.id, life, std::move(answer->pidfd), spec.owner_epoch);
  return life;
}

void sandbox_host::connect(const environment_id& id, const incarnation& life,
                           agent::unique_fd pidfd, std::uint64_t owner_epoch) {
  // By descriptor: the path of a data directory may be longer than a socket address.
  const auto path = "/proc/self/fd/" + std::to_string(launcher_->run_folder()) + "/envs/" +
                    id.value + "/agent.sock";
  const std::lock_guard hold(mutex_);
  auto link =
      agent::agent_link::make(*reactor_, {path, std::move(pidfd), id, life, owner_epoch}, *this);
  running_[id] = {life, std::move(link), false};
}

void sandbox_host::stop(const environment_id& id, std::uint64_t owner_epoch,
                        host_completion<bool> done) {
  post_job(id, done, [this, id, owner_epoch, done] {
    if (auto owned = check_epoch(id, owner_epoch); !owned) return done(owned.error());
    done(stop_now(id, agent_stop_grace));
  });
}

host_result<bool> sandbox_host::stop_now(const environment_id& id, milliseconds grace) {
  link_ptr link;
  message request;
  {
    const std::lock_guard hold(mutex_);
    if (const auto at = running_.find(id); at != running_.end()) {
      at->second.stopping = true;
      link = at->second.link;
    }
  }
  request.add("do", grace.count() > 0 ? "stop" : "kill").add("id", id.value);
  request.add("grace_ms", static_cast<std::uint64_t>(grace.count()));
  if (auto answer = launcher_->ask(request, stop_timeout); !answer) return answer.error();
  if (link) await_agent_end(id);
  (void)tails_->shelve(id);
  reactor_->run([this, &id] { end_terminals(id, "environment_stopped"); });
  return true;
}

void sandbox_host::end_useless(const environment_id& id, const incarnation& life,
                               const host_error& why) {
  message request;
  request.add("do", "kill").add("id", id.value).add("incarnation", life.value);
  const bool killed = launcher_->ask(request, stop_timeout).has_value();
  reactor_->run([&] { tell_lost(id, life, killed, why.message); });
}

// The process is gone: the link has what it sent, reads it to the end and says so.
void sandbox_host::await_agent_end(const environment_id& id) {
  const auto deadline = std::chrono::steady_clock::now() + list_timeout;
  while (link_of(id) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(milliseconds{1});
  if (const auto link = link_of(id)) link->detach();
  const std::lock_guard hold(mutex_);
  running_.erase(id);
}

void sandbox_host::destroy(const environment_id& id, std::uint64_t owner_epoch,
                           host_completion<bool> done) {
  post_job(id, done, [this, id, owner_epoch, done] {
    if (auto owned = check_epoch(id, owner_epoch); !owned) return done(owned.error());
    const auto gone = destroy_now(id);
    done(gone);
    if (gone) (void)workers_->post(deletion_key, [this] { disk_->delete_aside(); });
  });
}

host_result<bool> sandbox_host::destroy_now(const environment_id& id) {
  if (auto stopped = stop_now(id, milliseconds{0}); !stopped && capabilities_.works) return stopped;
  if (auto aside = disk_->put_aside(id); !aside) return aside;
  delete_tree(run_path(id));
  return true;
}

void sandbox_host::adopt(host_completion<std::vector<adopted_environment>> done) {
  if (!workers_->post(adoption_key, [this, done] { adopt_now(done); })) {
    reactor_->post([done] {
      done(host_error{host_errc::limit_exceeded, "the host is shutting down", ""});
    });
  }
}

bool sandbox_host::nothing_ran() const {
  std::error_code ignored;
  return std::filesystem::directory_iterator(run_dir_ + "/envs", ignored) ==
         std::filesystem::directory_iterator{};
}

void sandbox_host::adopt_now(host_completion<std::vector<adopted_environment>> done) {
  std::map<environment_id, adopted_environment> found;
  for (const auto& id : disk_->stored()) found[id] = {id, {}, {}};
  if (!capabilities_.works && nothing_ran()) return done(values_of(std::move(found)));
  const auto listed = launcher_->list(list_timeout);
  if (!listed) return done(listed.error());
  adoption begun{std::move(found), {}, std::move(done)};
  std::vector<std::pair<environment_id, agent::unique_fd>> opened;
  std::vector<environment_id> connected;
  for (const auto& id : *listed) {
    if (link_of(id)) {
      connected.push_back(id);  // started or adopted before, by this server
      continue;
    }
    auto held = launcher_->ask(message().add("do", "open").add("id", id.value), list_timeout);
    const bool silent = !held && (held.error().code == host_errc::timeout ||
                                  held.error().code == host_errc::unavailable);
    if (silent) return begun.done(held.error());
    if (!held) continue;  // it ended in between
    if (!disk_->exists(id)) {
      // Its deletion was under way when the server died.
      (void)launcher_->ask(message().add("do", "kill").add("id", id.value), stop_timeout);
      continue;
    }
    begun.found[id] = {id, {held->text.text("incarnation")}, {}};
    begun.silent.insert(id);
    opened.emplace_back(id, std::move(held->pidfd));
  }
  // What ended while no server looked: its last output waits to be followed.
  std::error_code ignored;
  for (std::filesystem::directory_iterator each(run_dir_ + "/envs", ignored), end;
       !ignored && each != end; each.increment(ignored)) {
    const environment_id id{each->path().filename().native()};
    if (!begun.silent.contains(id) && !link_of(id)) (void)tails_->shelve(id);
  }
  reactor_->run([&] {
    for (const auto& id : connected) begun.found[id] = present(id);
    adoption_ = std::move(begun);
  });
  for (auto& [id, pidfd] : opened) {
    const auto identity = disk_->find(id);
    incarnation life;
    reactor_->run([&, key = id] { life = adoption_->found.at(key).life; });
    connect(id, life, std::move(pidfd), identity ? identity->owner_epoch : 0);
  }
  reactor_->post([this] {
    finish_adoption_if_complete();
    if (!adoption_) return;
    reactor_->loop().after(adopt_silence_max, [this] {
      if (!adoption_) return;
      adoption_->silent.clear();
      finish_adoption_if_complete();
    });
  });
}

adopted_environment sandbox_host::present(const environment_id& id) const {
  adopted_environment one{id, {}, {}};
  for (const auto& [terminal, owner] : terminals_) {
    if (owner == id) one.terminals.push_back(terminal);
  }
  const std::lock_guard hold(mutex_);
  if (const auto at = running_.find(id); at != running_.end()) one.life = at->second.life;
  return one;
}

void sandbox_host::finish_adoption_if_complete() {
  if (!adoption_ || !adoption_->silent.empty()) return;
  auto finished = std::move(*adoption_);
  adoption_.reset();
  finished.done(values_of(std::move(finished.found)));
}

std::unique_ptr<environment_host> make_sandbox_host(sandbox_options options) {
  return std::make_unique<sandbox_host>(std::move(options));
}

bool end_launcher(const std::string& data_dir) {
  launcher_client client({"", data_dir + "/run", "", "", false});
  return client.quit(false);
}

}  // namespace berth
