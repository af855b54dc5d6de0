#include <caf/actor_system.hpp>

#include "actors/shell.hpp"
#include "actors/spawn.hpp"

namespace berth::actors {

namespace {
// A host asks nothing of the world.
class no_effects : public effects<host::aggregate> {
 public:
  void reconcile(const host::state&, stream_version) override {}
};
}  // namespace

template <>
std::unique_ptr<effects<host::aggregate>> make_effects(effect_context<host::aggregate>) {
  return std::make_unique<no_effects>();
}

caf::actor spawn_host(caf::actor_system& system, runtime& shared, const entry_ptr& entry) {
  return system.spawn<shell<host::aggregate>>(&shared, entry);
}

}  // namespace berth::actors
