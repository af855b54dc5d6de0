#include <caf/actor_system.hpp>

#include "actors/environment_effects.hpp"
#include "actors/shell.hpp"
#include "actors/spawn.hpp"

namespace berth::actors {

caf::actor spawn_environment(caf::actor_system& system, runtime& shared, const entry_ptr& entry) {
  return system.spawn<shell<environment::aggregate>>(&shared, entry);
}

}  // namespace berth::actors
