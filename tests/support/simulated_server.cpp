#include "tests/support/simulated_server.hpp"

namespace berth::testing {

namespace {

// Enough of a screen for tests: the last bytes, repainted as they are.
class tail_screen : public screen {
 public:
  void feed(std::string_view output) override {
    constexpr std::size_t kept = 64;
    tail_.append(output);
    if (tail_.size() > kept) tail_.erase(0, tail_.size() - kept);
  }
  void resize(std::uint16_t, std::uint16_t) override {}
  std::string snapshot() const override { return tail_; }

 private:
  std::string tail_;
};

}  // namespace

simulated_server::simulated_server(std::uint64_t seed, kernel_limits given,
                                   journal_limits disk_limits)
    : journal{clock, memory_journal::mode::manual, disk_limits}, random{seed}, limits{given} {
  boot();
}

simulated_server::~simulated_server() {
  if (kernel_) crash();
}

void simulated_server::boot() {
  kernel_ =
      make_kernel({journal, host, bulk, clock,
                   [](std::uint16_t, std::uint16_t) { return std::make_unique<tail_screen>(); },
                   host_id{derived_id("host", "simulated", uuid{})},
                   "boot-" + std::to_string(boots_of_machine_), journal.epoch(), limits, 1, true});
  kernel_->start();
  for (auto* part : parts_) part->booted();
}

void simulated_server::end_kernel() {
  for (auto* part : parts_) part->crashing();
  host.observe(nullptr);
  kernel_->stop();
}

void simulated_server::crash(bool torn) {
  end_kernel();
  host.restart_server();
  journal.crash(torn);
  bulk.crash();
  kernel_.reset();
}

void simulated_server::kill() {
  end_kernel();
  host.restart_server();
  journal.kill();
  bulk.crash([this](std::uint64_t unsynced) { return random.below(unsynced + 1); });
  kernel_.reset();
}

void simulated_server::power_cut(const memory_journal::survival& bytes_left) {
  end_kernel();
  const auto any_part = [this](std::uint64_t size) {
    return std::array<std::uint64_t, 3>{0, random.below(size + 1), size}[random.below(3)];
  };
  host.reboot(any_part);
  ++boots_of_machine_;
  journal.power_cut(bytes_left);
  bulk.crash(any_part);
  kernel_.reset();
}

// The journal's turn; false if it has nothing to do.
bool simulated_server::turn_disk() {
  const auto group = 1 + random.below(8);
  if (!manners.writes_apart && journal.unsynced() == 0) return journal.flush(group) > 0;
  if (journal.queued() > 0 && (journal.unsynced() == 0 || random.one_in(2)))
    return journal.write(group) > 0;
  if (journal.unsynced() == 0) return false;
  if (manners.slow_sync && !random.one_in(8)) return true;
  journal.sync();
  return true;
}

bool simulated_server::step() {
  const auto pick = [this](std::size_t of) { return random.below(of); };
  // A random order of who may go first; whoever has nothing to do lets the next one.
  const auto parties = 4 + parts_.size();
  const auto first = random.below(parties);
  for (std::size_t i = 0; i < parties; ++i) {
    const auto whose = (first + i) % parties;
    switch (whose) {
      case 0:
      case 1:
        if (kernel_->run_job(pick)) return true;
        break;
      case 2:
        if (turn_disk()) return true;
        break;
      case 3:
        if (manners.answers_reordered ? host.pump_one(pick) : host.pump_one()) return true;
        break;
      default:
        if (parts_[whose - 4]->step()) return true;
    }
  }
  if (!manners.slow_bulk || random.one_in(4)) bulk.sync();
  return kernel_->run_job(pick);
}

void simulated_server::settle() {
  constexpr std::size_t steps_max = 100'000;
  for (std::size_t i = 0; step(); ++i)
    if (i > steps_max) throw std::runtime_error{"the simulation does not come to rest"};
}

std::optional<timestamp> simulated_server::next_timer() const {
  auto next = kernel_->next_timer();
  for (const auto* part : parts_)
    if (const auto theirs = part->next_timer(); theirs && (!next || *theirs < *next)) next = theirs;
  return next;
}

void simulated_server::pass(microseconds by) {
  const auto until = clock.now() + by;
  settle();
  for (auto next = next_timer(); next && *next <= until; next = next_timer()) {
    clock.advance_to(*next);
    kernel_->fire_timers();
    for (auto* part : parts_) part->fire_timers();
    settle();
  }
  clock.advance_to(until);
  settle();
}

command_id simulated_server::fresh_command() {
  std::array<std::uint8_t, 10> bits{};
  for (auto& each : bits) each = static_cast<std::uint8_t>(random());
  return uuid::v7(to_us(clock.now()) / 1000, bits);
}

command_meta simulated_server::meta_for(const account_id& account) {
  return {fresh_command(), principal{account, "tok_test", false}, {}, {}, {}};
}

account_id simulated_server::make_account(const std::string& name) {
  const account_id id{derived_id("acct", name, uuid{})};
  (void)call<account::aggregate>(id, account::create{name, account::role::member}, meta_for(id));
  return id;
}

environment_id simulated_server::make_environment(const account_id& account,
                                                  const std::string& name) {
  const auto meta = meta_for(account);
  kernel_->create_environment(account, {account, name, "lightweight", "host", "2026-11"}, meta,
                              [](auto&&) {});
  settle();
  return {derived_id("env", account.value, meta.id)};
}

}  // namespace berth::testing
