#include "tests/sim/wire_gateway.hpp"

#include "gateway/ws/ws_connection.hpp"

namespace berth::sim {

namespace {
// Everything a connection may hold for its client: answers, large answers, and output up to the
// soft bound and one grant a channel beyond it.
constexpr std::size_t queued_bytes_max =
    gateway::ws_answers_bytes_max + gateway::ws_large_answers_bytes_max +
    gateway::ws_queued_bytes_soft_max + 16 * gateway::ws_grant_bytes_max;
}  // namespace

bool wire_gateway::lane::run_one() {
  queue.restart();
  return queue.poll_one() > 0;
}

wire_gateway::wire_gateway(testing::simulated_server& server, sim_views& views)
    : server_{server},
      given_{services_for(server, views)},
      auth_{given_},
      router_{given_, auth_,
              [this](std::chrono::milliseconds delay, std::function<void()> run) {
                return run_later(delay, std::move(run));
              },
              false},
      table_{std::make_shared<gateway::connection_table>()} {
  lanes_.push_back(std::make_unique<lane>());
  hub_ = std::make_shared<gateway::ws_hub>(given_, lanes_.front()->queue.get_executor());
  hub_->begin();
}

wire_gateway::~wire_gateway() {
  kill();
  // What waits in the others may hold the hub, whose strand is of the first.
  while (!lanes_.empty()) lanes_.pop_back();
}

gateway::services wire_gateway::services_for(testing::simulated_server& server, sim_views& views) {
  return {server.ask(),
          views.store(),
          server.journal,
          server.bulk,
          server.host,
          server.clock,
          wire_server_key,
          [] { return std::string{}; },
          [] { return true; },
          [&views](const journal_cursor& at, std::chrono::milliseconds wait_max,
                   std::function<void(bool)> then) {
            views.when_projected(at, wait_max, std::move(then));
          },
          [&server](std::span<std::uint8_t> out) {
            for (auto& each : out) each = static_cast<std::uint8_t>(server.random());
          }};
}

std::shared_ptr<void> wire_gateway::run_later(std::chrono::milliseconds delay,
                                              std::function<void()> run) {
  if (delay.count() == 0) return due_.push_back(std::move(run)), nullptr;
  auto timer = std::make_shared<std::function<void()>>(std::move(run));
  timers_.emplace(server_.clock.now() + delay, timer);
  return timer;
}

std::shared_ptr<wire_link> wire_gateway::connect(bool json, link_weather weather) {
  auto& made = *lanes_.emplace_back(std::make_unique<lane>());
  made.link = std::make_shared<wire_link>(server_, made.queue.get_executor(), weather);
  gateway::upgrade_context context{given_, router_, auth_, table_, nullptr, "127.0.0.1", "request"};
  const auto connection = std::make_shared<gateway::ws_connection>(std::move(context), hub_,
                                                                   std::nullopt, json, made.link);
  connection->begin(table_->enter(connection));
  return made.link;
}

bool wire_gateway::step() {
  if (!hub_) return false;
  if (!due_.empty()) {
    const auto run = std::move(due_.front());
    due_.pop_front();
    run();
    return true;
  }
  const auto first = server_.random() % lanes_.size();
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const auto at = (first + i) % lanes_.size();
    auto& each = *lanes_[at];
    if (each.link && each.link->step()) return true;
    if (each.run_one()) return true;
    if (!each.link || !each.link->server_is_done()) continue;
    over_.push_back(std::move(lanes_[at]));
    lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(at));
    return true;
  }
  return false;
}

std::optional<timestamp> wire_gateway::next_timer() const {
  std::optional<timestamp> least;
  const auto look = [&](std::optional<timestamp> at) {
    if (at && (!least || *at < *least)) least = at;
  };
  for (const auto& [at, timer] : timers_) {
    if (timer.expired()) continue;
    look(at);
    break;
  }
  for (const auto& each : lanes_)
    if (each->link) look(each->link->next());
  return least;
}

void wire_gateway::fire_timers() {
  while (!timers_.empty() && timers_.begin()->first <= server_.clock.now()) {
    const auto timer = timers_.begin()->second.lock();
    timers_.erase(timers_.begin());
    if (timer) due_.push_back(*timer);
  }
}

void wire_gateway::kill() {
  for (const auto& each : lanes_)
    if (each->link) each->link->kill();
  timers_.clear();
  due_.clear();
  if (const auto hub = std::exchange(hub_, nullptr)) hub->stop();
}

const char* wire_gateway::broken_rule() {
  const auto& each = *lanes_[server_.random() % lanes_.size()];
  if (!each.link) return nullptr;
  if (each.link->misuse()) return each.link->misuse();
  const auto* connection = dynamic_cast<const gateway::ws_connection*>(each.link->user());
  if (connection && connection->queued_bytes() > queued_bytes_max)
    return "a connection holds more for its client than its bounds allow";
  return nullptr;
}

}  // namespace berth::sim
