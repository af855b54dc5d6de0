#include <caf/actor_system.hpp>

#include "actors/shell.hpp"
#include "actors/spawn.hpp"

namespace berth::actors {

namespace {
// A session asks nothing of the world.
class no_effects : public effects<session::aggregate> {
 public:
  void reconcile(const session::state&, stream_version) override {}
};
}  // namespace

template <>
std::unique_ptr<effects<session::aggregate>> make_effects(effect_context<session::aggregate>) {
  return std::make_unique<no_effects>();
}

caf::actor spawn_session(caf::actor_system& system, runtime& shared, const entry_ptr& entry) {
  return system.spawn<shell<session::aggregate>>(&shared, entry);
}

}  // namespace berth::actors
