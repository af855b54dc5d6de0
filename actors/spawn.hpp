// One function a kind of actor, each in its own .cpp: the shell's template is instantiated once per
// file.
#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/registry.hpp"

namespace berth::actors {

struct runtime;
caf::actor spawn_account(caf::actor_system& system, runtime& shared, const entry_ptr& entry);
caf::actor spawn_session(caf::actor_system& system, runtime& shared, const entry_ptr& entry);
caf::actor spawn_environment(caf::actor_system& system, runtime& shared, const entry_ptr& entry);
caf::actor spawn_terminal(caf::actor_system& system, runtime& shared, const entry_ptr& entry);
caf::actor spawn_host(caf::actor_system& system, runtime& shared, const entry_ptr& entry);

}  // namespace berth::actors
