// Find-or-spawn by stream id, passivation, and the bounds on commands in flight. Thread-safe.
//
// A message is queued under the shard's lock, and so is the decision to leave memory: an actor
// never retires with a message on its way. `entry.queued` counts messages sent through the registry
// and not handled yet.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <caf/actor.hpp>
#include <caf/send.hpp>

#include "actors/by_stream.hpp"
#include "actors/interfaces.hpp"
#include "actors/kernel_options.hpp"

namespace berth::actors {

struct registry_entry {
  explicit registry_entry(stream_id of) : stream{std::move(of)} {}
  stream_id stream;
  caf::actor handle;
  std::atomic<std::uint32_t> queued{0};
  std::atomic<std::int64_t> last_used_us{0};
  std::atomic<std::uint32_t> in_flight{0};
};
using entry_ptr = std::shared_ptr<registry_entry>;

inline const stream_id& stream_of(const entry_ptr& entry) {
  return entry->stream;
}
using entry_set =
    std::unordered_set<entry_ptr, by_stream<entry_ptr, stream_of>, by_stream<entry_ptr, stream_of>>;

class registry {
 public:
  using spawner = std::function<caf::actor(const entry_ptr&)>;
  registry(kernel_limits limits, const clock& time, spawner spawn)
      : limits_{limits}, clock_{time}, spawn_{std::move(spawn)} {}

  // Queues a message at the stream's actor, spawning it if it is not in memory. False once closed.
  template <class Message>
  bool deliver(const stream_id& to, Message message) {
    auto& home = shard_of(to);
    const std::lock_guard lock{home.mutex};
    const auto entry = find_or_spawn(home, to);
    if (!entry) return false;
    send_locked(*entry, std::move(message));
    return true;
  }

  // As deliver, but only if the actor is in memory.
  template <class Message>
  bool deliver_if_resident(const stream_id& to, Message message) {
    auto& home = shard_of(to);
    const std::lock_guard lock{home.mutex};
    const auto found = home.entries.find(to);
    if (found == home.entries.end()) return false;
    send_locked(**found, std::move(message));
    return true;
  }

  // Queues a command, counted against its bounds; a rejection says which one is reached.
  template <class A>
  std::optional<rejection> admit(const stream_id& to, std::shared_ptr<ask_request<A>> request) {
    auto& home = shard_of(to);
    const std::lock_guard lock{home.mutex};
    const auto entry = find_or_spawn(home, to);
    if (!entry) return reject(rejection_code::unavailable, "the server is shutting down; retry");
    if (auto full = count(entry, request->meta.by.account, request->admitted)) return full;
    send_locked(*entry, ask_message<A>{std::move(request)});
    return std::nullopt;
  }

  // Removes the entry if nothing is on its way to it; the actor then quits. Called by the actor
  // itself.
  bool retire(const entry_ptr& entry);
  // Sends passivate_message to what was not used since `before`.
  void passivate_idle(timestamp before);
  // Sends wake_message to what is in memory.
  void wake_resident();
  void close();                        // no more deliveries; returns when every entry is dropped
  bool has_work(const stream_id& of);  // a message is on its way to the stream's actor
  std::size_t resident() const;
  std::uint32_t in_flight() const { return kernel_in_flight_->load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t shard_count = 16;
  struct shard {
    mutable std::mutex mutex;
    entry_set entries;
    bool closed{};
  };
  shard& shard_of(const stream_id& id) { return shards_[std::hash<stream_id>{}(id) % shard_count]; }
  entry_ptr find_or_spawn(shard& home, const stream_id& id);
  std::optional<rejection> count(const entry_ptr& entry, const account_id& account,
                                 admission& admitted);
  admission::counter account_counter(const account_id& account);

  template <class Message>
  void send_locked(registry_entry& entry, Message&& message) {
    entry.queued.fetch_add(1, std::memory_order_relaxed);
    entry.last_used_us.store(to_us(clock_.now()), std::memory_order_relaxed);
    caf::anon_send(entry.handle, std::forward<Message>(message));
  }

  kernel_limits limits_;
  const clock& clock_;
  spawner spawn_;
  std::array<shard, shard_count> shards_;
  std::mutex accounts_mutex_;
  std::unordered_map<account_id, admission::counter> accounts_;
  admission::counter kernel_in_flight_{std::make_shared<std::atomic<std::uint32_t>>(0)};
};

}  // namespace berth::actors
