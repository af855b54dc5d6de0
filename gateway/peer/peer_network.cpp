#include "gateway/peer/peer_network.hpp"

#include <pthread.h>

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>

#include "events/core/partition.hpp"
#include "gateway/fields.hpp"
#include "gateway/peer/pack.hpp"
#include "gateway/peer/peer_session.hpp"

namespace berth::gateway::peer {
namespace {

namespace net = boost::asio;
using net::ip::tcp;

constexpr std::chrono::milliseconds tick_every{100};
constexpr std::chrono::milliseconds connect_max{2'000};

rejection wrong(const char* setting, std::string why) {
  return reject(rejection_code::invalid_argument, std::string{setting} + ": " + std::move(why),
                setting);
}

struct host_and_port {
  std::string host, port;
};
std::optional<host_and_port> split(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) return std::nullopt;
  auto host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return host_and_port{std::move(host), address.substr(colon + 1)};
}

}  // namespace

peer_network::peer_network(peer_options options) : options_{std::move(options)} {}

peer_network::~peer_network() {
  stop();
}

outcome<std::unique_ptr<peer_network>> peer_network::open(peer_options options) {
  std::unique_ptr<peer_network> made{new peer_network{std::move(options)}};
  if (auto bad = made->load_tls()) return *bad;
  if (auto bad = made->listen()) return *bad;
  return made;
}

std::optional<rejection> peer_network::load_tls() {
  boost::system::error_code failed;
  tls_.set_options(net::ssl::context::default_workarounds | net::ssl::context::no_sslv2 |
                   net::ssl::context::no_sslv3 | net::ssl::context::no_tlsv1 |
                   net::ssl::context::no_tlsv1_1);
  tls_.use_certificate_chain_file(options_.certificate_file, failed);
  if (failed)
    return wrong("cluster.certificate_file", options_.certificate_file + ": " + failed.message());
  tls_.use_private_key_file(options_.key_file, net::ssl::context::pem, failed);
  if (failed) return wrong("cluster.key_file", options_.key_file + ": " + failed.message());
  tls_.load_verify_file(options_.ca_file, failed);
  if (failed) return wrong("cluster.ca_file", options_.ca_file + ": " + failed.message());
  tls_.set_verify_mode(net::ssl::verify_peer | net::ssl::verify_fail_if_no_peer_cert);
  return std::nullopt;
}

std::optional<rejection> peer_network::listen() {
  const auto at = split(options_.listen);
  boost::system::error_code failed;
  const auto address = at ? net::ip::make_address(at->host, failed) : net::ip::address{};
  if (!at || failed) return wrong("cluster.listen", options_.listen + " is not ADDRESS:PORT");
  const auto port = parse_decimal(at->port);
  if (!port || *port > 65535) return wrong("cluster.listen", at->port + " is not a port");
  if (!split(options_.advertise))
    return wrong("cluster.advertise", options_.advertise + " is not HOST:PORT");
  const tcp::endpoint wanted{address, static_cast<std::uint16_t>(*port)};
  acceptor_.open(wanted.protocol(), failed);
  if (!failed) acceptor_.set_option(net::socket_base::reuse_address(true), failed);
  if (!failed) acceptor_.bind(wanted, failed);
  if (!failed) acceptor_.listen(net::socket_base::max_listen_connections, failed);
  if (failed) return wrong("cluster.listen", options_.listen + ": " + failed.message());
  return std::nullopt;
}

void peer_network::serve(berth::kernel& kernel, berth::bulk_log& bulk,
                         berth::environment_host& host, std::function<node_load()> load) {
  services_.emplace(local_services{kernel, bulk, host, io_.get_executor(), work_.get_executor()});
  load_ = std::move(load);
  net::post(io_, [this] {
    accept();
    tick();
  });
  const auto run = [this](net::io_context& io, const char* name) {
    threads_.emplace_back([&io, name] {
      ::pthread_setname_np(::pthread_self(), name);
      const auto busy = net::make_work_guard(io);
      io.run();
    });
  };
  run(io_, "peer-io");
  run(work_, "peer-work");
}

void peer_network::stop() {
  if (threads_.empty()) return;
  net::post(io_, [this] {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (const auto& each : open_) each->link().close("this node stops");
    net::post(io_, [this] { io_.stop(); });
  });
  threads_.front().join();
  work_.stop();
  threads_.back().join();
  threads_.clear();
  work_.drop_pending();
  io_.drop_pending();
}

void peer_network::accept() {
  acceptor_.async_accept([this](boost::system::error_code failed, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (failed) return after(tick_every, [this] { accept(); });  // no descriptor is free
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    begin(tls_server_stream(std::move(socket), tls_), std::nullopt);
    accept();
  });
}

void peer_network::begin(std::unique_ptr<byte_stream> over, std::optional<std::uint32_t> expected) {
  const auto made = std::make_shared<peer_session>(*this, std::move(over), *services_, expected);
  open_.insert(made);
  made->start();
}

void peer_network::tick() {
  ticking_.expires_after(tick_every);
  ticking_.async_wait([this](boost::system::error_code cancelled) {
    if (cancelled) return;
    const auto body = load_frame();
    for (const auto& each : open_) {
      each->link().send(frame_kind::load, 0, body);
      if (each->link().silence() > options_.silence_max) each->link().close("it is silent");
    }
    forget_refused();
    dial_missing();
    tick();
  });
}

void peer_network::dial_missing() {
  std::vector<cluster_member> missing;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& each : members_)
      if (each.ordinal != options_.ordinal && !sessions_.contains(each.ordinal) &&
          !std::exchange(dialling_[each.ordinal], true))
        missing.push_back(each);
  }
  for (const auto& each : missing) each.ordinal > options_.ordinal ? dial(each) : probe(each);
}

// A node that dials this one and is not connected: is its process there?
void peer_network::probe(const cluster_member& of) {
  const auto at = split(of.address);
  boost::system::error_code failed;
  const auto address = at ? net::ip::make_address(at->host, failed) : net::ip::address{};
  const auto port = at ? parse_decimal(at->port) : std::nullopt;
  if (failed || !port) return tried(of.ordinal);  // a name: the group will tell
  auto socket = std::make_shared<tcp::socket>(io_);
  socket->async_connect({address, static_cast<std::uint16_t>(*port)},
                        [this, socket, of](boost::system::error_code refused) {
                          tried(of.ordinal);
                          if (refused == net::error::connection_refused) note_refused(of.ordinal);
                        });
}

void peer_network::dial(const cluster_member& to) {
  struct attempt {
    explicit attempt(net::io_context& io) : resolver{io}, socket{io}, timer{io} {}
    tcp::resolver resolver;
    tcp::socket socket;
    net::steady_timer timer;
  };
  const auto at = split(to.address);
  if (!at) return tried(to.ordinal);
  auto trying = std::make_shared<attempt>(io_);
  trying->timer.expires_after(connect_max);
  trying->timer.async_wait([trying](boost::system::error_code cancelled) {
    boost::system::error_code ignored;
    if (!cancelled) trying->resolver.cancel(), trying->socket.close(ignored);
  });
  trying->resolver.async_resolve(
      at->host, at->port,
      [this, trying, to, host = at->host](boost::system::error_code failed,
                                          const tcp::resolver::results_type& found) {
        if (failed) return trying->timer.cancel(), tried(to.ordinal);
        net::async_connect(
            trying->socket, found,
            [this, trying, to, host](boost::system::error_code refused, const tcp::endpoint&) {
              trying->timer.cancel();
              if (refused == net::error::connection_refused) note_refused(to.ordinal);
              // One that connected is under way until it has ended: gone().
              if (refused) return tried(to.ordinal);
              boost::system::error_code ignored;
              trying->socket.set_option(tcp::no_delay(true), ignored);
              begin(tls_client_stream(std::move(trying->socket), tls_, host, true), to.ordinal);
            });
      });
}

greeting peer_network::my_greeting() const {
  return {layout_hash(), options_.ordinal, options_.host, options_.topic};
}

bool peer_network::greeted(const std::shared_ptr<peer_session>& by, const greeting& said) {
  if (said.topic != options_.topic || said.ordinal == options_.ordinal) {
    by->link().close("node " + std::to_string(said.ordinal) + " is of topic " + said.topic +
                     " and this one, node " + std::to_string(options_.ordinal) + ", of " +
                     options_.topic);
    return false;
  }
  std::shared_ptr<peer_session> before;
  {
    const std::lock_guard lock{mutex_};
    before = std::exchange(sessions_[said.ordinal], by);
    refused_.erase(said.ordinal);
    if (leaving_.erase(said.ordinal) > 0) find_present();
  }
  changed_();
  if (before) before->link().close("it connected anew");
  spdlog::info("cluster: connected to node {} ({})", said.ordinal, said.host);
  return true;
}

void peer_network::gone(const std::shared_ptr<peer_session>& session, const std::string& why) {
  const auto ordinal = session->ordinal();
  open_.erase(session);
  const std::lock_guard lock{mutex_};
  if (ordinal) {
    dialling_[*ordinal] = false;
    if (const auto at = sessions_.find(*ordinal); at != sessions_.end() && at->second == session)
      sessions_.erase(at);
  }
  // What fails again and again, a few times a second, is news once.
  auto& known = refused_[ordinal.value_or(ordinals_max)];
  if (std::exchange(known, why) != why)
    spdlog::warn("cluster: the connection {} ended: {}",
                 ordinal ? "to node " + std::to_string(*ordinal) : "of an unknown node", why);
}

std::string peer_network::load_frame() const {
  auto load = load_();
  load.is_leaving = is_leaving_;
  load.has_joined = has_joined_;
  return packer{}.put(load).take();
}

void peer_network::after(std::chrono::milliseconds delay, std::function<void()> run) {
  auto timer = std::make_shared<net::steady_timer>(io_, delay);
  timer->async_wait([timer, run = std::move(run)](boost::system::error_code cancelled) {
    if (!cancelled) run();
  });
}

}  // namespace berth::gateway::peer
