#include "tools/berthd/server.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include <spdlog/spdlog.h>

#include "actors/projection_driver.hpp"
#include "gateway/gateway.hpp"
#include "infra/agent/link/agent_reactor.hpp"
#include "infra/agent/link/gateway_pump.hpp"
#include "infra/background/background_worker.hpp"
#include "infra/bulk/segment_bulk_log.hpp"
#include "infra/providers/sandbox/sandbox_host.hpp"
#include "infra/scrub/scrubber.hpp"
#include "infra/telemetry/metrics.hpp"
#include "infra/telemetry/system_clock.hpp"
#include "infra/terminal/vterm_screen.hpp"
#include "tools/berthd/admin_operations.hpp"
#include "tools/berthd/cluster.hpp"
#include "tools/berthd/data_directory.hpp"
#include "tools/berthd/exit_code.hpp"
#include "tools/berthd/first_start.hpp"
#include "tools/berthd/server_metrics.hpp"
#include "tools/berthd/storage.hpp"

namespace berth::berthd {

namespace {

// berth-agent lies beside berthd.
std::string agent_binary() {
  std::error_code ignored;
  return (std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "berth-agent")
      .string();
}

int exit_code_of(const journal_error& error) {
  if (error.code == journal_errc::data_loss) return exit_data_loss;
  if (error.code == journal_errc::corrupt) return exit_corrupt;
  return exit_error;
}

// The disk failed while serving: nothing may be acknowledged any more, and nothing can be tidied
// up; other threads go on until the process is gone.
[[noreturn]] void end_now(const journal_error& error) {
  spdlog::critical("storage failed, ending: {} ({})", error.message, name_of(error.code));
  spdlog::default_logger()->flush();
  if (error.code == journal_errc::closed) std::_Exit(exit_in_use);
  std::_Exit(error.code == journal_errc::corrupt ? exit_corrupt : exit_storage);
}

// A signal that main will wait for is pending: it waits only once this server is started.
bool end_is_asked() {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT) ||
         sigismember(&pending, SIGHUP);
}

}  // namespace

// Declared in the order of their making; destroyed in reverse.
struct server::parts {
  settings of;
  data_directory directory;
  system_clock clock;
  metrics_page metrics;
  agent::agent_reactor pumps_reactor;
  agent::gateway_pumps pumps{pumps_reactor};  // of connections from inside to the gateway
  std::unique_ptr<environment_host> host;
  std::unique_ptr<storage> stored;
  std::unique_ptr<bulk_log> bulk;
  std::unique_ptr<scrubber> scrub;
  std::unique_ptr<projection_driver> views;
  background_worker behind;
  std::unique_ptr<berthd::cluster> cluster;  // nothing: this server is alone
  std::unique_ptr<running_kernel> kernel;
  std::unique_ptr<gateway::gateway> front;
  admin_socket admin;
  administrator first;
  std::uint16_t port{};
  std::optional<server_key> shared_key;  // of all nodes
  std::mutex leading_mutex;              // held while told of leadership
  bool is_told_of_leadership{};
  std::atomic<bool> serving{false};

  void make_host();
  std::optional<failure> open_storage();
  void make_kernel_and_views();
  std::optional<failure> open_cluster();
  std::optional<failure> open_front();
  // Of this server, or of all nodes.
  berth::kernel& everywhere() { return cluster ? cluster->everywhere() : *kernel; }
  gateway::services services();
};

server::server(settings of) : parts_{std::make_unique<parts>()} {
  parts_->of = std::move(of);
}
server::~server() {
  stop();
}

void server::parts::make_host() {
  sandbox_options options;
  options.data_dir = directory.path();
  options.agent_binary = agent_binary();
  options.network = of.sandbox_network;
  options.cgroup_parent = of.cgroup_parent;
  if (!of.tls_certificate.empty())
    options.agent_options = {"--env", "BERTH_GATEWAY=https://127.0.0.1:7370"};
  options.gateway_connection = [this](const environment_id& from, int fd) {
    if (port != 0)
      pumps.join(from, fd, port);
    else
      ::close(fd);
  };
  host = make_sandbox_host(std::move(options));
}

std::optional<server::failure> server::parts::open_storage() {
  auto opened = storage::open(
      {of, directory, clock, [](const journal_error& error) { end_now(error); },
       [this](std::uint32_t partition, bool began) {
         const std::lock_guard lock{leading_mutex};
         if (!is_told_of_leadership) return;
         began ? kernel->leadership_began(partition) : kernel->leadership_ended(partition);
       },
       end_is_asked});
  if (!opened) {
    auto message = std::string{name_of(opened.error().code)} + ": " + opened.error().message;
    if (opened.error().code == journal_errc::data_loss && of.engine == "embedded")
      message += "\nIf the missing part is gone for good: berth-inspect --data-dir " +
                 directory.path() + " accept-loss";
    return failure{exit_code_of(opened.error()), std::move(message)};
  }
  stored = std::move(*opened);
  bulk_options logs_options;
  logs_options.dir = directory.file("bulk");
  logs_options.on_fatal = [](const journal_error& error) { end_now(error); };
  auto logs = open_bulk_log(logs_options);
  if (!logs) return failure{exit_code_of(logs.error()), logs.error().message};
  bulk = std::move(*logs);
  return std::nullopt;
}

void server::parts::make_kernel_and_views() {
  views = std::make_unique<projection_driver>(
      stored->journal(), stored->views(), [](const journal_error& error) { end_now(error); },
      &behind);
  kernel_limits limits;
  limits.command_window = std::chrono::hours{of.dedupe_window_hours};
  limits.passivate_after = std::chrono::seconds{of.passivate_after_s};
  kernel = make_kernel({stored->journal(), *host, *bulk, clock, make_vterm_screen,
                        directory.this_host(), boot_id(), stored->epoch(), limits,
                        of.worker_threads, false, &behind, cluster.get()});
}

std::optional<server::failure> server::parts::open_cluster() {
  if (!of.cluster) return std::nullopt;
  if (const auto secret = read_secret(of.cluster->secret_file)) {
    shared_key = *secret;
  } else {
    return failure{exit_usage, "cluster.secret_file " + of.cluster->secret_file +
                                   " is not 64 hexadecimal digits (openssl rand -hex 32)"};
  }
  auto opened = berthd::cluster::open(of, {*stored->kafka(), *bulk, *host, directory.this_host()});
  if (!opened) return failure{exit_usage, opened.error().message};
  cluster = std::move(*opened);
  return std::nullopt;
}

gateway::services server::parts::services() {
  gateway::services all{everywhere(),
                        stored->views(),
                        stored->journal(),
                        cluster ? cluster->recordings() : static_cast<output_reader&>(*bulk),
                        *host,
                        clock,
                        shared_key.value_or(directory.server_key()),
                        [this] { return metrics.render(); },
                        [this] { return serving.load(); },
                        [this](const journal_cursor& at, std::chrono::milliseconds wait_max,
                               std::function<void(bool)> then) {
                          views->when_projected(at, wait_max, std::move(then));
                        }};
  if (!cluster) return all;
  all.cluster = cluster->services();
  all.dial = [this](const environment_id& id, std::uint16_t to, host_completion<int> done) {
    cluster->dial(id, to, std::move(done));
  };
  return all;
}

std::optional<server::failure> server::parts::open_front() {
  gateway::gateway_options options;
  options.address = of.address;
  options.port = of.port;
  options.tls_certificate_file = of.tls_certificate;
  options.tls_key_file = of.tls_key;
  options.io_threads = static_cast<int>(of.io_threads);
  options.limits.connections_max = of.connections_max;
  front = std::make_unique<gateway::gateway>(options, services());
  const auto listening = front->start();
  if (!listening) return failure{exit_error, listening.error().message};
  port = *listening;
  return std::nullopt;
}

std::optional<server::failure> server::start() {
  auto& my = *parts_;
  const auto opened = my.directory.open(my.of.data_dir);
  if (opened.error) return failure{opened.in_use ? exit_in_use : exit_error, *opened.error};
  // Before RocksDB is open: making the launcher is a fork.
  my.make_host();
  if (auto failed = my.open_storage()) return failed;
  if (auto failed = my.open_cluster()) return failed;
  my.make_kernel_and_views();
  my.views->start();
  {
    const std::lock_guard lock{my.leading_mutex};
    my.is_told_of_leadership = true;
  }
  if (my.cluster)
    if (const auto failed = my.cluster->join(*my.kernel, my.of))
      return failure{exit_error, *failed};
  my.kernel->start();
  my.first =
      ensure_administrator(my.everywhere(), my.shared_key.value_or(my.directory.server_key()),
                           my.directory.file("admin-token"));
  if (my.first.error)
    return failure{exit_error, "cannot make the administrator: " + *my.first.error};
  add_kernel_metrics(my.metrics, *my.kernel);
  my.stored->add_metrics(my.metrics);
  add_projection_metrics(my.metrics, my.stored->journal(), *my.views);
  my.serving = true;
  my.scrub = std::make_unique<scrubber>(
      scrubbed{my.stored->journal(), *my.bulk, my.stored->embedded()}, scrub_options{},
      [](const journal_error& found) {
        spdlog::critical("scrub: {} ({}); restore it from a backup while there is one",
                         found.message, name_of(found.code));
      });
  add_scrub_metrics(my.metrics, *my.scrub);
  if (auto failed = my.open_front()) return failed;
  const auto status = [this] {
    return server_status{url(), heads_of(parts_->stored->journal()).commits(),
                         parts_->kernel->environments_running()};
  };
  if (auto error =
          my.admin.open(my.directory.file("admin.sock"), admin_operations(*my.views, status)))
    return failure{exit_error, *error};
  return std::nullopt;
}

std::size_t server::stop() {
  auto& my = *parts_;
  if (!my.kernel) return 0;
  const auto running = my.kernel->environments_running();
  if (my.cluster) my.cluster->leave();
  {
    const std::lock_guard lock{my.leading_mutex};
    my.is_told_of_leadership = false;
  }
  my.serving = false;
  my.views->end_rebuilds();
  my.admin.close();
  my.port = 0;
  if (my.front) my.front->stop();
  if (my.cluster) my.cluster->end();
  my.kernel->stop();
  my.behind.stop();
  my.views->stop();
  my.front.reset();
  my.kernel.reset();
  my.cluster.reset();
  my.views.reset();
  my.scrub.reset();
  my.bulk.reset();
  my.stored.reset();
  return running;
}

std::string server::url() const {
  const auto& my = *parts_;
  const bool v6 = my.of.address.find(':') != std::string::npos;
  return std::string{my.of.tls_certificate.empty() ? "http://" : "https://"} + (v6 ? "[" : "") +
         my.of.address + (v6 ? "]" : "") + ":" + std::to_string(my.port);
}

bool server::first_start() const {
  return parts_->first.created;
}
std::string server::token_file() const {
  return parts_->first.token_file;
}

std::string server::doctor() {
  auto& my = *parts_;
  if (auto opened = my.directory.open(my.of.data_dir); opened.error) return *opened.error + "\n";
  my.make_host();
  const auto found = my.host->capabilities();
  auto text = "provider   " + found.provider + (found.works ? " works" : " does not work") +
              "\nisolation  " + found.isolation + "\nlimits     " + found.limits + "\nnetwork    " +
              found.network + "\n";
  for (const auto& each : found.problems) text += "problem    " + each + "\n";
  return text;
}

}  // namespace berth::berthd
