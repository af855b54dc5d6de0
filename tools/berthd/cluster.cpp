#include "tools/berthd/cluster.hpp"

#include <future>
#include <sstream>
#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/forwarding_kernel.hpp"
#include "events/core/partition.hpp"

namespace berth::berthd {
namespace {

using gateway::peer::cluster_member;
using gateway::peer::node_load;
using gateway::peer::peer_network;

constexpr std::chrono::milliseconds far_read_max{5'000};
constexpr std::chrono::milliseconds hand_over_max{3'000};
constexpr std::chrono::seconds placed_counts_for{10};  // until its node says that it runs

// How members of the group name themselves: `berth-node ORDINAL ADDRESS HOST`.
constexpr std::string_view member_word = "berth-node";

std::string name_of_member(const cluster_member& of) {
  return fmt::format("{} {} {} {}", member_word, of.ordinal, of.address, of.host);
}

std::optional<cluster_member> parse_member(const std::string& name) {
  std::istringstream words{name};
  std::string word;
  cluster_member found;
  if (words >> word >> found.ordinal >> found.address >> found.host && word == member_word)
    return found;
  return std::nullopt;
}

journal_error away(const std::string& why) {
  return {journal_errc::closed, why + "; retry", std::nullopt};
}

}  // namespace

cluster::cluster(parts with, std::unique_ptr<peer_network> network)
    : with_{with}, own_{with.engine.journal(), with.this_host}, network_{std::move(network)} {}

outcome<std::unique_ptr<cluster>> cluster::open(const settings& of, parts with) {
  gateway::peer::peer_options options;
  options.ordinal = *of.cluster->ordinal;
  options.host = with.this_host.value;
  options.topic = of.kafka.options.commits_topic();
  options.listen = of.cluster->listen;
  options.advertise = of.cluster->advertise.empty() ? of.cluster->listen : of.cluster->advertise;
  options.certificate_file = of.cluster->certificate_file;
  options.key_file = of.cluster->key_file;
  options.ca_file = of.cluster->ca_file;
  options.partitions = with.engine.journal().partitions();
  options.silence_max = of.kafka.options.session_timeout_ms;
  auto network = peer_network::open(std::move(options));
  if (!network) return network.error();
  return std::unique_ptr<cluster>{new cluster{with, std::move(*network)}};
}

cluster::~cluster() {
  end();
}

void cluster::end() {
  group_.reset();
  network_->stop();
}

std::optional<std::string> cluster::join(running_kernel& here, const settings& of) {
  here_ = &here;
  everywhere_ =
      make_forwarding_kernel({here, with_.engine.journal(), *network_,
                              [this](std::chrono::milliseconds delay, std::function<void()> run) {
                                network_->after(delay, std::move(run));
                              }});
  network_->on_change([this] { lead_what_is_wanted(); });
  network_->serve(here, with_.bulk, with_.host, [this] { return load(); });
  const auto& mine = network_->options();
  auto group =
      join_group(of.kafka.options, name_of_member({mine.ordinal, mine.advertise, mine.host}),
                 [this](const group_view& now) { joined(now); });
  if (!group) return group.error().message;
  group_ = std::move(*group);
  return std::nullopt;
}

void cluster::joined(const group_view& now) {
  std::vector<cluster_member> members;
  const auto& mine = network_->options();
  for (const auto& each : now.members)
    if (auto found = parse_member(each)) members.push_back(std::move(*found));
  for (const auto& each : members)
    if (each.ordinal == mine.ordinal && each.host != mine.host)
      spdlog::critical(
          "cluster: node {} is there twice: host {} at {}, and this one. Give each node an ordinal "
          "of its own",
          each.ordinal, each.host, each.address);
  network_->members(std::move(members));
}

void cluster::lead_what_is_wanted() {
  const std::lock_guard lock{wanting_};
  const auto wanted = network_->wanted();
  for (std::uint32_t p = 0; p < wanted.size(); ++p)
    wanted[p] ? with_.engine.log().want(p, true) : with_.engine.log().hand_over(p);
}

std::uint32_t cluster::leads() const {
  std::uint32_t count = 0;
  auto& log = with_.engine.log();
  for (std::uint32_t p = 0; p < log.partitions(); ++p)
    if (log.leadership_of(p) != 0) ++count;
  return count;
}

node_load cluster::load() {
  node_load now;
  now.environments = static_cast<std::uint32_t>(here_->environments_running());
  now.leads = leads();
  now.takes_environments = with_.host.capabilities().works;
  now.is_cordoned = own_.is_cordoned();
  return now;
}

void cluster::leave() {
  if (!here_) return;
  network_->leave();
  const auto until = std::chrono::steady_clock::now() + hand_over_max;
  const auto others = network_->status().size() > 1;
  while (others && leads() > 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  group_.reset();
}

bool cluster::at_home(const stream_id& stream) const {
  const auto& mine = network_->options();
  return home_of(stream, mine.partitions) == mine.ordinal;
}

// The node with the fewest environments, those that were placed a moment ago included.
outcome<std::uint32_t> cluster::place() {
  const auto nodes = network_->status();
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock{placing_};
  while (!placed_.empty() && placed_.front().first + placed_counts_for < now) placed_.pop_front();
  std::optional<std::pair<std::size_t, std::uint32_t>> least;
  for (const auto& each : nodes) {
    if (!each.is_linked || !each.load.takes_environments || each.load.is_cordoned) continue;
    std::size_t count = each.load.environments;
    for (const auto& [when, ordinal] : placed_) count += ordinal == each.who.ordinal ? 1 : 0;
    const std::pair candidate{count, each.who.ordinal};
    if (!least || candidate < *least) least = candidate;
  }
  if (!least)
    return reject(rejection_code::unavailable,
                  "no node takes environments: all are cordoned, away or without a provider that "
                  "works; see GET /api/v1/cluster");
  placed_.emplace_back(now, least->second);
  return least->second;
}

// --- what is on other nodes ---

// Waits for what another node answers; on threads that may block only.
template <class T, class Ask>
journal_result<T> cluster::ask_far(const stream_id& stream, Ask ask) {
  const auto far = network_->at_home_of(stream);
  if (!far) return away("the machine of the terminal's environment is away");
  auto got = std::make_shared<std::promise<outcome<T>>>();
  auto answer = got->get_future();
  ask(*far, [got](outcome<T> given) { got->set_value(std::move(given)); });
  if (answer.wait_for(far_read_max) != std::future_status::ready)
    return away("the terminal's node does not answer");
  auto result = answer.get();
  if (result) return std::move(*result);
  return away(result.error().message);
}

journal_result<std::string> cluster::read(const terminal_id& terminal, std::uint64_t from,
                                          std::size_t bytes_max) {
  const stream_id stream{aggregate_kind::terminal, terminal.value};
  if (at_home(stream)) return with_.bulk.read(terminal, from, bytes_max);
  return ask_far<std::string>(stream, [&](auto& far, auto done) {
    far.bulk_read(terminal, from, bytes_max, std::move(done));
  });
}

journal_result<bulk_extent> cluster::find_extent(const terminal_id& terminal) {
  const stream_id stream{aggregate_kind::terminal, terminal.value};
  if (at_home(stream)) return with_.bulk.extent(terminal);
  return ask_far<bulk_extent>(
      stream, [&](auto& far, auto done) { far.bulk_extent_of(terminal, std::move(done)); });
}

journal_result<std::vector<bulk_mark>> cluster::marks(const terminal_id& terminal,
                                                      std::uint64_t from, std::uint64_t to) {
  const stream_id stream{aggregate_kind::terminal, terminal.value};
  if (at_home(stream)) return with_.bulk.marks(terminal, from, to);
  return ask_far<std::vector<bulk_mark>>(
      stream, [&](auto& far, auto done) { far.bulk_marks(terminal, from, to, std::move(done)); });
}

void cluster::dial(const environment_id& id, std::uint16_t port, host_completion<int> done) {
  const stream_id stream{aggregate_kind::environment, id.value};
  if (at_home(stream)) return with_.host.dial(id, port, std::move(done));
  if (const auto far = network_->at_home_of(stream))
    return far->dial(network_->io(), id, port, std::move(done));
  done(host_error{host_errc::unavailable, "the environment's machine is away", "try again"});
}

gateway::cluster_services cluster::services() {
  return {[this] {
    std::vector<gateway::cluster_services::node> nodes;
    for (const auto& each : network_->status())
      nodes.push_back({each.who.ordinal,
                       each.who.address,
                       {each.who.host},
                       each.here,
                       each.is_linked,
                       each.load.leads,
                       each.load.environments,
                       each.load.takes_environments,
                       each.load.is_cordoned});
    return nodes;
  }};
}

}  // namespace berth::berthd
