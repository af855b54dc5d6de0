// What every actor shares. Owned by the kernel; outlives the actors.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "actors/aggregate_id.hpp"
#include "actors/deadlines.hpp"
#include "actors/kernel_options.hpp"
#include "actors/registry.hpp"
#include "actors/timers.hpp"

namespace berth::actors {

struct runtime {
  static constexpr std::chrono::milliseconds tell_again_after{500};

  kernel_options options;
  actors::timers timers;
  actors::registry registry;
  actors::deadlines deadlines;

  std::atomic<std::uint64_t> commands_total{0};
  std::atomic<std::uint64_t> rejected_total{0};
  std::atomic<std::uint64_t> overloaded_total{0};
  std::atomic<std::uint64_t> replayed_total{0};
  std::atomic<std::uint64_t> terminals_live{0};
  std::atomic<std::uint64_t> viewers{0};
  // Viewers' handles may outlive the kernel, and see it by this.
  const std::shared_ptr<void> alive = std::make_shared<char>();
  std::atomic<std::size_t> environments_running{0};

  // What the host had when this server came up, by id, and its life if it ran: written once, then
  // `adoption_known` is set. Until then no effect compares what a state wants with what the world
  // has, because the world is not known.
  std::map<environment_id, incarnation> adopted;
  std::atomic<bool> adoption_known{false};
  // Lives that were lost, the newest of them: the news may come before the start is recorded.
  void note_lost(const incarnation& life) {
    constexpr std::size_t kept_max = 4'096;
    const std::lock_guard lock{lost_mutex_};
    lost_.push_back(life);
    if (lost_.size() > kept_max) lost_.pop_front();
  }
  bool is_lost(const std::string& life) {
    const std::lock_guard lock{lost_mutex_};
    return std::find(lost_.begin(), lost_.end(), incarnation{life}) != lost_.end();
  }

  // Whether this machine does what the stream wants of the world (actors/ports/nodes.hpp, N1).
  bool at_home(const stream_id& stream) const {
    return !options.nodes || options.nodes->at_home(stream);
  }

  // Until when the host is known to have been alive before this server came up: bounds what a loss
  // may bill.
  timestamp alive_before;

  runtime(kernel_options given, registry::spawner spawn)
      : options{std::move(given)},
        timers{options.clock, options.simulated},
        registry{options.limits, options.clock, std::move(spawn)},
        deadlines{timers, options.clock, [this](const stream_id& stream) {
                    registry.deliver(stream, deadline_message{});
                  }} {}

  // A command of Berth itself to another stream. `id` must be the same for the same cause.
  template <class A>
  void tell(const std::string& key, typename A::command what, command_id id,
            const account_id& account, correlation_id correlation, std::optional<cause> because,
            answer_completion<A> done) {
    command_meta meta{id, system_principal(account), correlation, std::move(because), {}};
    if (options.nodes && options.journal.leadership_of({A::kind, key}) == 0)
      return options.nodes->everywhere().ask(id_of<A>(key), std::move(what), std::move(meta),
                                             std::move(done));
    auto request =
        std::make_shared<ask_request<A>>(std::move(what), std::move(meta), std::move(done));
    const auto kept = request;  // admit may refuse: then the answer is ours to give
    if (auto refused = registry.admit<A>({A::kind, key}, std::move(request)))
      kept->finish(*refused);
  }

  // The same, until it is taken: for news that nobody would tell again. Then `ended` is told
  // so, or that it was refused for good.
  template <class A>
  void tell_surely(const std::string& key, const typename A::command& what, command_id id,
                   const account_id& account, correlation_id correlation,
                   const std::optional<cause>& because,
                   std::function<void(bool taken)> ended = {}) {
    tell<A>(key, what, id, account, correlation, because,
            [this, key, what, id, account, correlation, because, ended](const auto& told) {
              // Of an unknown outcome the same id finds out.
              const bool is_refused = !told && (told.error() == rejection_code::overloaded ||
                                                told.error() == rejection_code::unavailable ||
                                                told.error() == rejection_code::unknown_outcome);
              if (!is_refused) return ended ? ended(told.has_value()) : void();
              timers.after(tell_again_after, [=, this] {
                tell_surely<A>(key, what, id, account, correlation, because, ended);
              });
            });
  }

 private:
  std::mutex lost_mutex_;
  std::deque<incarnation> lost_;
};

}  // namespace berth::actors
