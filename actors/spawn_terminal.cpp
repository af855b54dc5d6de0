#include <caf/actor_system.hpp>

#include "actors/shell.hpp"
#include "actors/spawn.hpp"
#include "actors/terminal_effects.hpp"

namespace berth::actors {

caf::actor spawn_terminal(caf::actor_system& system, runtime& shared, const entry_ptr& entry) {
  return system.spawn<shell<terminal::aggregate>>(&shared, entry);
}

}  // namespace berth::actors
