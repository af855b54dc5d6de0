// What requests of the wire say in the program's own types.
#pragma once

#include "infra/agent/program/spawn.hpp"
#include "infra/agent/protocol/message.hpp"

namespace berth::agent {

// `Request` is wire::Exec or wire::OpenTerminal: both name a command, variables, a directory and a
// user.
template <class Request>
workload workload_of(const Request& request) {
  workload what;
  if (request.command()) {
    for (const auto* part : *request.command()) what.command.push_back(part->str());
  }
  if (request.env()) {
    for (const auto* variable : *request.env()) {
      auto name = text_of(variable->name());
      if (!name.empty()) what.env.emplace_back(std::move(name), text_of(variable->value()));
    }
  }
  what.working_directory = text_of(request.working_directory());
  what.user = text_of(request.user());
  return what;
}

}  // namespace berth::agent
