#include "tests/sim/wire_clients.hpp"

#include <boost/json.hpp>

#include "gateway/render/position_text.hpp"
#include "tests/sim/wire_client.hpp"
#include "tests/sim/wire_views.hpp"

namespace berth::sim {

namespace {
constexpr std::size_t tenants = 2;
constexpr std::size_t environments_max = 3;  // of all tenants
constexpr std::size_t environments_unanswered_max = 40;
constexpr std::size_t terminals_max = 4;
constexpr std::size_t views_max = 3;  // of one client
constexpr std::size_t printed_bytes_max = 6000;
constexpr std::size_t stalled_bytes_max = 1500;
constexpr int patience_rounds = 20;  // in which nothing changes
constexpr int rounds_max = 400;
constexpr std::chrono::seconds patience_round{10};

std::string id_in(const wire::response& given, const char* what) {
  boost::system::error_code failed;
  const auto body = boost::json::parse(given.body.bytes, failed);
  if (failed || !body.is_object() || !body.as_object().contains(what)) return {};
  return std::string{body.at(what).at("id").as_string()};
}

}  // namespace

struct wire_clients::parts {
  parts(testing::simulated_server& server, sim_views& views) : world{server}, views{views} {}

  wire_client& somebody() { return clients[world.pick(clients.size())]; }
  wire_habits some_habits();
  void print();
  void type();
  void stall(wire_client& who);
  void stop_looking(wire_client& who);
  void ask_something(wire_client& who);
  void make_environment(wire_client& who);
  void make_terminal(wire_client& who, const wire_environment& in);
  void look_at_something(wire_client& who);
  void look_at_foreign(wire_client& who);
  void read_own_write(wire_client& who, const std::string& environment, const std::string& after);
  std::optional<std::string> missing();

  wire_world world;
  sim_views& views;
  std::unique_ptr<wire_gateway> gateway;
  std::deque<wire_client> clients;
  std::size_t environments_asked{}, terminals_asked{};
};

wire_clients::wire_clients(testing::simulated_server& server, sim_views& views, std::size_t clients)
    : all_{std::make_unique<parts>(server, views)} {
  auto& world = all_->world;
  for (std::size_t i = 0; i < tenants; ++i) world.make_account("tenant-" + std::to_string(i));
  if (world.broken) return;
  for (std::size_t i = 0; i < clients; ++i)
    all_->clients.emplace_back(world, i % tenants, all_->some_habits());
  booted();
  server.join(*this);
}

wire_clients::~wire_clients() {
  auto& server = all_->world.server;
  if (server.up()) server.crash();
  server.leave(*this);
}

wire_habits wire_clients::parts::some_habits() {
  wire_habits habits;
  habits.json = world.pick(4) == 0;
  habits.zstd = !habits.json && world.pick(3) == 0;
  habits.weather.latency_max = std::chrono::milliseconds{world.pick(2) * world.pick(200)};
  habits.weather.buffer_bytes_max = 512 << world.pick(9);
  return habits;
}

void wire_clients::act() {
  auto& world = all_->world;
  if (world.broken || all_->clients.empty()) return;
  auto& who = all_->somebody();
  switch (world.pick(24)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return all_->print();
    case 5:
    case 6:
    case 7:
    case 8:
      return all_->type();
    case 9:
    case 10:
    case 11:
    case 12:
      return all_->ask_something(who);
    case 13:
    case 14:
    case 15:
      return all_->look_at_something(who);
    case 16:
      return all_->stop_looking(who);
    case 17:
    case 18:
      return who.cut(world.pick(4) == 0);
    case 19:
      return all_->stall(who);
    case 20:
    case 21:
      return who.stall(false);
    case 22:
      return who.hang_up();
    default:
      return world.pick(8) == 0 ? who.log_out() : who.ping();
  }
}

void wire_clients::parts::print() {
  if (world.terminals.empty()) return;
  auto& on = world.terminals[world.pick(world.terminals.size())];
  world.print(on, 1 + world.pick(world.pick(4) == 0 ? printed_bytes_max : 200));
}

// Something comes meanwhile.
void wire_clients::parts::stall(wire_client& who) {
  who.stall(true);
  if (auto* on = who.looks_at_terminal()) world.print(*on, 1 + world.pick(stalled_bytes_max));
}

// Rather who does not read: what waits for it must not come behind the answer.
void wire_clients::parts::stop_looking(wire_client& who) {
  const auto stalled =
      std::find_if(clients.begin(), clients.end(), [](auto& each) { return each.is_stalled(); });
  return stalled == clients.end() ? who.stop_looking() : stalled->stop_looking();
}

// Whoever drives a terminal: few do.
void wire_clients::parts::type() {
  const auto first = world.pick(clients.size());
  for (std::size_t i = 0; i < clients.size(); ++i)
    if (clients[(first + i) % clients.size()].type()) return;
}

void wire_clients::parts::make_environment(wire_client& who) {
  ++environments_asked;
  const auto account = who.account();
  const auto name = "wire-" + std::to_string(++world.names);
  who.ask("POST", "/api/v1/environments",
          R"({"name":")" + name + R"(","instance_type":"lightweight"})",
          [this, account, &who](const wire::response& given) {
            const auto id = given.status == 201 ? id_in(given, "environment") : std::string{};
            if (id.empty()) return world.fail("no environment was made: " + given.body.bytes);
            world.environments.push_back({{id}, account});
            if (const auto at = given.headers.find("berth-position"); at != given.headers.end())
              read_own_write(who, id, at->second);
          });
}

// Read-your-writes: a list that has folded the position holds what was made there.
void wire_clients::parts::read_own_write(wire_client& who, const std::string& environment,
                                         const std::string& after) {
  who.ask_after("/api/v1/environments", after, [this, environment](const wire::response& given) {
    ++world.stats.checks;
    if (given.status == 200 && given.body.bytes.find(environment) == std::string::npos)
      world.fail("environment " + environment + " is not in a list that has folded its creation");
  });
}

void wire_clients::parts::make_terminal(wire_client& who, const wire_environment& in) {
  ++terminals_asked;
  const auto environment = in.id.value;
  const auto account = in.account;
  who.ask("POST", "/api/v1/environments/" + environment + "/terminals", R"({"cols":80,"rows":24})",
          [this, environment, account](const wire::response& given) {
            if (given.status != 201) return void(--terminals_asked);
            auto& made = world.terminals.emplace_back();
            made.id = {id_in(given, "terminal")};
            made.environment = environment;
            made.account = account;
          });
}

void wire_clients::parts::ask_something(wire_client& who) {
  if (environments_asked < environments_max && world.pick(3) == 0) return make_environment(who);
  if (world.environments.empty()) {
    // As long as none is answered; all of them must fit one page of a list.
    if (environments_asked < environments_unanswered_max) make_environment(who);
    return;
  }
  const auto& in = world.environments[world.pick(world.environments.size())];
  const auto path = "/api/v1/environments/" + in.id.value;
  if (in.account != who.account()) {
    // Another tenant's: neither read nor changed.
    const auto refused = [this, path](const wire::response& given) {
      ++world.stats.checks;
      if (given.status != 404)
        world.fail(path + " of another account was answered " + std::to_string(given.status));
    };
    switch (world.pick(3)) {
      case 0:
        return who.ask("GET", path, {}, refused);
      case 1:
        return who.ask("DELETE", path, {}, refused);
      default:
        return who.ask("POST", path + "/terminals", R"({"cols":80,"rows":24})", refused);
    }
  }
  switch (world.pick(10)) {
    case 0:
      return who.ask("POST", path + "/start", {});
    case 1:
      return world.pick(4) == 0 ? who.ask("POST", path + "/stop", {}) : who.ask_again();
    case 2:
      return who.ask("POST", path + "/activity", R"({"kind":"keys"})");
    case 3:
      return who.ask("GET", path, {});
    case 4:
      return who.ask_again();
    default:
      if (terminals_asked < terminals_max && world.server.host.running(in.id))
        return make_terminal(who, in);
      return who.ask("POST", path + "/start", {});
  }
}

void wire_clients::parts::look_at_something(wire_client& who) {
  if (who.views() >= views_max) return who.stop_looking();
  const auto kind = world.pick(8);
  if (kind == 0 && !who.looks_at_feed())
    return who.look_at(std::make_unique<feed_view>(world, who.account()));
  if (kind == 1) return look_at_foreign(who);
  if (kind == 2 && !world.environments.empty()) {
    const auto& of = world.environments[world.pick(world.environments.size())];
    if (of.account == who.account()) who.look_at(std::make_unique<environment_view>(world, of.id));
    return;
  }
  if (world.terminals.empty()) return;
  auto& on = world.terminals[world.pick(world.terminals.size())];
  if (on.account != who.account()) return;
  const auto mode = world.pick(2) == 0 ? wire::mode::exact : wire::mode::screen;
  auto typist = who.drives(on) || world.pick(4) == 0 ? nullptr : who.typist_for(on);
  const std::uint64_t window = std::uint64_t{64} << world.pick(10);
  who.look_at(std::make_unique<terminal_view>(world, on, mode, std::move(typist), window));
}

void wire_clients::parts::look_at_foreign(wire_client& who) {
  wire::open asked;
  asked.credit_until = 1 << 16;
  if (world.pick(2) == 0 && !world.terminals.empty()) {
    const auto& on = world.terminals[world.pick(world.terminals.size())];
    if (on.account == who.account()) return;
    asked.id = on.id.value;
  } else if (!world.environments.empty()) {
    const auto& of = world.environments[world.pick(world.environments.size())];
    if (of.account == who.account()) return;
    asked.target = wire::target::environment;
    asked.id = of.id.value;
  } else {
    return;
  }
  who.look_at(std::make_unique<foreign_view>(world, std::move(asked)));
}

std::optional<std::string> wire_clients::parts::missing() {
  for (auto& each : clients)
    if (auto what = each.missing()) return what;
  for (auto& each : world.terminals) world.check_typed(each);
  if (world.broken) return world.broken;
  ++world.stats.checks;
  if (gateway->connections() != clients.size())
    return std::to_string(gateway->connections()) + " connections are held for " +
           std::to_string(clients.size()) + " clients";
  return {};
}

std::optional<std::string> wire_clients::finish() {
  auto& world = all_->world;
  if (all_->clients.empty()) return world.broken;
  for (auto& each : all_->clients) each.stall(false);
  std::optional<std::string> missing;
  // Something that still arrives is a small window on a slow link.
  for (int round = 0, idle = 0; idle < patience_rounds && round < rounds_max && !world.broken;
       ++round) {
    world.server.pass(patience_round);
    const auto before = std::exchange(missing, all_->missing());
    if (!missing) break;
    idle = missing == before ? idle + 1 : 0;
  }
  if (missing) world.fail(*missing);
  return world.broken;
}

const std::optional<std::string>& wire_clients::broken() const {
  return all_->world.broken;
}

const wire_stats& wire_clients::stats() const {
  return all_->world.stats;
}

std::uint64_t wire_clients::trace() const {
  return all_->world.trace;
}

bool wire_clients::step() {
  auto& world = all_->world;
  if (world.broken || !all_->gateway) return false;
  if (world.pick(8) == 0)
    if (const auto* rule = all_->gateway->broken_rule()) world.fail(rule);
  const auto parties = all_->clients.size() + 2;  // the gateway goes first as often as two clients
  const auto first = world.pick(parties);
  for (std::size_t i = 0; i < parties; ++i) {
    const auto whose = (first + i) % parties;
    if (whose < all_->clients.size() ? all_->clients[whose].step(all_->gateway.get())
                                     : all_->gateway->step())
      return true;
  }
  return false;
}

std::optional<timestamp> wire_clients::next_timer() const {
  auto least = all_->gateway ? all_->gateway->next_timer() : std::nullopt;
  for (const auto& each : all_->clients)
    if (const auto at = each.next(); at && (!least || *at < *least)) least = at;
  return least;
}

void wire_clients::fire_timers() {
  if (all_->gateway) all_->gateway->fire_timers();
}

void wire_clients::crashing() {
  if (all_->gateway) all_->gateway->kill();
  for (auto& each : all_->clients) each.server_died();
}

void wire_clients::booted() {
  all_->gateway.reset();
  all_->gateway = std::make_unique<wire_gateway>(all_->world.server, all_->views);
}

}  // namespace berth::sim
