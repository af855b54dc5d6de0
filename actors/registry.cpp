#include "actors/registry.hpp"

namespace berth::actors {

entry_ptr registry::find_or_spawn(shard& home, const stream_id& id) {
  if (home.closed) return nullptr;
  if (const auto found = home.entries.find(id); found != home.entries.end()) return *found;
  auto made = std::make_shared<registry_entry>(id);
  made->handle = spawn_(made);
  home.entries.insert(made);
  return made;
}

admission::counter registry::account_counter(const account_id& account) {
  const std::lock_guard lock{accounts_mutex_};
  auto& found = accounts_[account];
  if (!found) found = std::make_shared<std::atomic<std::uint32_t>>(0);
  return found;
}

std::optional<rejection> registry::count(const entry_ptr& entry, const account_id& account,
                                         admission& admitted) {
  auto by_account = account_counter(account);
  const auto full = [](const char* what, std::uint32_t bound) {
    return reject(rejection_code::overloaded,
                  std::string{what} + " has " + std::to_string(bound) +
                      " commands in flight, its bound; retry after a while");
  };
  if (entry->in_flight.load(std::memory_order_relaxed) >= limits_.in_flight_per_actor_max)
    return full(entry->stream.text().c_str(), limits_.in_flight_per_actor_max);
  if (by_account->load(std::memory_order_relaxed) >= limits_.in_flight_per_account_max)
    return full("the account", limits_.in_flight_per_account_max);
  if (in_flight() >= limits_.in_flight_max) return full("the server", limits_.in_flight_max);
  entry->in_flight.fetch_add(1, std::memory_order_relaxed);
  by_account->fetch_add(1, std::memory_order_relaxed);
  kernel_in_flight_->fetch_add(1, std::memory_order_relaxed);
  admitted = admission{{entry, &entry->in_flight}, std::move(by_account), kernel_in_flight_};
  return std::nullopt;
}

bool registry::retire(const entry_ptr& entry) {
  auto& home = shard_of(entry->stream);
  const std::lock_guard lock{home.mutex};
  if (entry->queued.load(std::memory_order_relaxed) != 0) return false;
  const auto found = home.entries.find(entry->stream);
  if (found != home.entries.end() && *found == entry) home.entries.erase(found);
  entry->handle = nullptr;  // entry and actor hold each other
  return true;
}

void registry::passivate_idle(timestamp before) {
  for (auto& home : shards_) {
    const std::lock_guard lock{home.mutex};
    for (const auto& entry : home.entries) {
      if (entry->queued.load(std::memory_order_relaxed) != 0) continue;
      if (entry->last_used_us.load(std::memory_order_relaxed) >= to_us(before)) continue;
      entry->queued.fetch_add(1, std::memory_order_relaxed);
      caf::anon_send(entry->handle, passivate_message{});
    }
  }
  const std::lock_guard lock{accounts_mutex_};
  std::erase_if(accounts_, [](const auto& each) { return each.second.use_count() == 1; });
}

void registry::wake_resident() {
  for (auto& home : shards_) {
    const std::lock_guard lock{home.mutex};
    for (const auto& entry : home.entries) send_locked(*entry, wake_message{});
  }
}

void registry::close() {
  for (auto& home : shards_) {
    entry_set gone;
    {
      const std::lock_guard lock{home.mutex};
      home.closed = true;
      gone.swap(home.entries);
    }
    for (const auto& entry : gone) {
      caf::anon_send_exit(entry->handle, caf::exit_reason::user_shutdown);
      entry->handle = nullptr;
    }
  }
}

bool registry::has_work(const stream_id& of) {
  auto& home = shard_of(of);
  const std::lock_guard lock{home.mutex};
  const auto found = home.entries.find(of);
  return found != home.entries.end() && (*found)->queued.load(std::memory_order_relaxed) != 0;
}

std::size_t registry::resident() const {
  std::size_t count = 0;
  for (const auto& home : shards_) {
    const std::lock_guard lock{home.mutex};
    count += home.entries.size();
  }
  return count;
}

}  // namespace berth::actors
