#include "gateway/gateway.hpp"

#include <pthread.h>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "events/core/invariant.hpp"
#include "gateway/core.hpp"
#include "gateway/ws/ws_upgrade.hpp"

namespace berth::gateway {
namespace {

namespace net = boost::asio;
using net::ip::tcp;

constexpr int work_threads = 2;

std::vector<std::unique_ptr<droppable_io>> make_lanes(int count) {
  constexpr int one_thread_runs_it = 1;
  std::vector<std::unique_ptr<droppable_io>> lanes;
  for (int i = 0; i < count; ++i)
    lanes.push_back(std::make_unique<droppable_io>(one_thread_runs_it));
  return lanes;
}

rejection refused(std::string why) {
  return reject(rejection_code::invalid_argument, std::move(why), "listen");
}

// A delay of zero runs whatever becomes of the handle; otherwise its end cancels.
std::shared_ptr<void> run_later(net::io_context& io, std::chrono::milliseconds delay,
                                std::function<void()> run) {
  if (delay.count() == 0) return net::post(io, std::move(run)), nullptr;
  auto timer = std::make_shared<net::steady_timer>(io, delay);
  timer->async_wait([run = std::move(run)](boost::system::error_code cancelled) {
    if (!cancelled) run();
  });
  return timer;
}

std::optional<rejection> load_tls(gateway_core& core) {
  const auto& certificate = core.options.tls_certificate_file;
  const auto& key = core.options.tls_key_file;
  if (certificate.empty() && key.empty()) return {};
  if (certificate.empty() || key.empty())
    return refused("TLS needs both a certificate file and a key file");
  auto& tls = core.tls.emplace(net::ssl::context::tls_server);
  boost::system::error_code failed;
  tls.set_options(net::ssl::context::default_workarounds | net::ssl::context::no_sslv2 |
                      net::ssl::context::no_sslv3 | net::ssl::context::no_tlsv1 |
                      net::ssl::context::no_tlsv1_1,
                  failed);
  tls.use_certificate_chain_file(certificate, failed);
  if (failed)
    return refused(fmt::format("cannot use certificate {}: {}", certificate, failed.message()));
  tls.use_private_key_file(key, net::ssl::context::pem, failed);
  if (failed) return refused(fmt::format("cannot use key {}: {}", key, failed.message()));
  return {};
}

std::optional<rejection> listen(gateway_core& core) {
  const auto& options = core.options;
  boost::system::error_code failed;
  const auto address = net::ip::make_address(options.address, failed);
  if (failed) return refused(fmt::format("`{}` is not an IP address", options.address));
  if (!address.is_loopback() && !core.tls)
    return refused(
        fmt::format("{} is reachable from elsewhere, so a TLS certificate and key are needed; or "
                    "listen on 127.0.0.1",
                    options.address));
  const tcp::endpoint wanted(address, options.port);
  core.acceptor.open(wanted.protocol(), failed);
  if (!failed) core.acceptor.set_option(net::socket_base::reuse_address(true), failed);
  if (!failed) core.acceptor.bind(wanted, failed);
  if (!failed) core.acceptor.listen(net::socket_base::max_listen_connections, failed);
  if (failed)
    return refused(fmt::format("cannot listen on {} port {}: {}", options.address, options.port,
                               failed.message()));
  core.port = core.acceptor.local_endpoint().port();
  return {};
}

}  // namespace

std::shared_ptr<void> body_budget::reserve(std::size_t bytes) {
  if (held_.fetch_add(bytes) + bytes > bytes_max_) {
    held_ -= bytes;
    return nullptr;
  }
  return {this, [bytes](body_budget* from) { from->held_ -= bytes; }};
}

gateway_core::gateway_core(gateway_options with, services from)
    : options(std::move(with)),
      given(std::move(from)),
      work(work_threads),
      lanes(make_lanes(options.io_threads)),
      acceptor(*lanes.front()),
      auth(given),
      routes(
          given, auth,
          [this](std::chrono::milliseconds delay, std::function<void()> run) {
            return run_later(work, delay, std::move(run));
          },
          !options.tls_certificate_file.empty()),
      connections(std::make_shared<connection_table>()),
      bodies(options.limits.bodies_bytes_max) {}

gateway_core::~gateway_core() = default;

net::io_context& gateway_core::next_lane() {
  return *lanes[lanes_given++ % lanes.size()];
}

void gateway_core::run() {
  const auto start = [this](net::io_context& io, const char* name) {
    threads.emplace_back([&io, name] {
      ::pthread_setname_np(::pthread_self(), name);
      const auto busy = net::make_work_guard(io);  // a lane may have no connection yet
      io.run();
    });
  };
  for (auto& lane : lanes) start(*lane, "gateway-lane");
  for (int i = 0; i < work_threads; ++i) start(work, "gateway-work");
}

void gateway_core::end_threads() {
  work.stop();
  for (auto& lane : lanes) lane->stop();
  for (auto& thread : threads) thread.join();
  threads.clear();
  work.drop_pending();
  for (auto& lane : lanes) lane->drop_pending();
}

gateway::gateway(gateway_options options, services given)
    : core_(std::make_shared<gateway_core>(std::move(options), std::move(given))) {}

gateway::~gateway() {
  stop();
}

outcome<std::uint16_t> gateway::start() {
  BERTH_ASSERT(core_->threads.empty());
  if (auto bad = load_tls(*core_)) return *bad;
  if (auto bad = listen(*core_)) return *bad;
  core_->websockets = std::make_unique<ws_server>(core_->given, core_->work.get_executor());
  accept_connections(core_);
  core_->run();
  return core_->port;
}

std::uint16_t gateway::port() const {
  return core_->port;
}

void gateway::stop() {
  if (core_->threads.empty()) return;
  net::post(core_->acceptor.get_executor(), [core = core_] {
    boost::system::error_code ignored;
    core->acceptor.close(ignored);
  });
  core_->connections->close_all();
  const auto until = std::chrono::steady_clock::now() + core_->options.limits.stop_grace;
  while (core_->connections->size() > 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  if (const auto left = core_->connections->size())
    spdlog::warn("gateway: {} connections cut at stop", left);
  core_->end_threads();
  core_->websockets.reset();
}

}  // namespace berth::gateway
