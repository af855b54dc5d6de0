#include "tests/support/fake_host.hpp"

#include <algorithm>

#include "events/core/invariant.hpp"

namespace berth::testing {

namespace {
host_error error(host_errc code, std::string message) {
  return {code, std::move(message), {}};
}
host_error not_running(const environment_id& id) {
  return error(host_errc::not_running, "environment " + id.value + " is not running");
}
}  // namespace

std::size_t fake_host::pump() {
  std::size_t ran = 0;
  while (pump_one()) ++ran;
  return ran;
}

bool fake_host::pump_one() {
  return pump_one([](std::size_t) { return std::size_t{0}; });
}

bool fake_host::pump_one(const std::function<std::size_t(std::size_t)>& pick) {
  if (queued_.empty()) return false;
  auto chosen = queued_.begin() + static_cast<std::ptrdiff_t>(pick(queued_.size()));
  if (chosen->in_order)
    chosen = std::find_if(queued_.begin(), queued_.end(), [](auto& each) { return each.in_order; });
  const auto next = std::move(chosen->run);
  queued_.erase(chosen);
  next();
  return true;
}

void fake_host::fail_next(host_call call, host_error failure) {
  scripts_[call].push_back({std::move(failure)});
}
void fake_host::hang_next(host_call call) {
  scripts_[call].push_back({});
}

std::size_t fake_host::release() {
  const auto count = hanging_.size();
  for (auto& each : hanging_) queued_.push_back({false, std::move(each)});
  hanging_.clear();
  return count;
}

void fake_host::answer_exec(
    std::function<host_result<exec_output>(const environment_id&, const exec_request&)> script) {
  exec_script_ = std::move(script);
}

void fake_host::lose(const environment_id& id, const std::string& reason) {
  auto& e = environments_.at(id);
  BERTH_ASSERT(e.running);
  const auto life = life_of(id, e);
  losses_.emplace_back(id, life);
  e.running = false;
  e.outcomes.clear();
  end_terminals(id, "agent_lost");
  tell([this, id, life, reason] {
    if (observer_ != nullptr) observer_->environment_lost(id, life, reason);
  });
}

void fake_host::lose_all(const std::string& reason) {
  for (const auto& id : running_environments()) lose(id, reason);
}

bool fake_host::repeat_loss(std::size_t which) {
  if (losses_.empty()) return false;
  const auto& [id, life] = losses_[which % losses_.size()];
  tell([this, id = id, life = life] {
    if (observer_ != nullptr) observer_->environment_lost(id, life, "told once more");
  });
  return true;
}

void fake_host::see_stats(const environment_id& id, const environment_stats& stats) {
  tell([this, id, stats] {
    if (observer_ != nullptr) observer_->environment_stats_seen(id, stats);
  });
}

void fake_host::restart_server() {
  observer_ = nullptr;
  queued_.clear();
  hanging_.clear();
  scripts_.clear();
  for (auto& [name, t] : terminals_) {
    t.delivered.reset();
    t.read_until.reset();
    t.end_told = false;
    read_pty(name);
  }
}

void fake_host::reboot(const std::function<std::uint64_t(std::uint64_t)>& kept) {
  for (auto& [id, e] : environments_) {
    e.running = false;
    e.outcomes.clear();
  }
  for (auto& [id, t] : terminals_) {
    if (t.ended) continue;
    const auto unsynced = t.output.size() - t.durable;
    t.output.resize(t.durable + (kept ? std::min(kept(unsynced), unsynced) : unsynced));
    t.unread.clear();
    t.ended = terminal_end{t.output.size(), {}, {}, "agent_lost"};
  }
  restart_server();
}

std::size_t fake_host::calls(host_call call) const {
  const auto at = calls_.find(call);
  return at == calls_.end() ? 0 : at->second;
}

bool fake_host::running(const environment_id& id) const {
  const auto at = environments_.find(id);
  return at != environments_.end() && at->second.running;
}

std::vector<environment_id> fake_host::running_environments() const {
  std::vector<environment_id> all;
  for (const auto& [id, e] : environments_) {
    if (e.running) all.push_back(id);
  }
  return all;
}

std::vector<template_info> fake_host::templates() const {
  return {{"host", "nothing at all, for tests", {{"sh", "1.0"}}}};
}

host_result<fake_host::environment*> fake_host::owned(const environment_id& id,
                                                      std::uint64_t owner_epoch) {
  auto& seen = epochs_[id];
  if (owner_epoch < seen) {
    return error(host_errc::stale_owner, "owner epoch " + std::to_string(owner_epoch) +
                                             " of environment " + id.value + " is older than " +
                                             std::to_string(seen));
  }
  seen = owner_epoch;
  const auto at = environments_.find(id);
  return at == environments_.end() ? nullptr : &at->second;
}

void fake_host::adopt(host_completion<std::vector<adopted_environment>> done) {
  complete<std::vector<adopted_environment>>(host_call::adopt, {}, std::move(done), [this] {
    std::vector<adopted_environment> all;
    for (const auto& [id, e] : environments_) {
      adopted_environment one{id, life_of(id, e), {}};
      if (!e.running) one.life = {};
      for (const auto& [name, t] : terminals_) {
        if (e.running && t.owner == id) one.terminals.push_back(name);
      }
      all.push_back(std::move(one));
    }
    return host_result<std::vector<adopted_environment>>{std::move(all)};
  });
}

void fake_host::create(const environment_spec& spec, host_completion<bool> done) {
  complete<bool>(host_call::create, spec.id, std::move(done), [this, spec]() -> host_result<bool> {
    const auto e = owned(spec.id, spec.owner_epoch);
    if (!e) return e.error();
    if (spec.template_name != "host") {
      return error(host_errc::unknown_template, "unknown template \"" + spec.template_name + "\"");
    }
    if (*e == nullptr) environments_[spec.id].spec = spec;
    return true;
  });
}

void fake_host::start(const environment_spec& spec, host_completion<incarnation> done) {
  complete<incarnation>(
      host_call::start, spec.id, std::move(done), [this, spec]() -> host_result<incarnation> {
        const auto e = owned(spec.id, spec.owner_epoch);
        if (!e) return e.error();
        if (*e == nullptr)
          return error(host_errc::not_found, "no environment " + spec.id.value + " here");
        if (!(*e)->running) {
          ++(*e)->starts;
          (*e)->running = true;
          (*e)->spec = spec;
        }
        return life_of(spec.id, **e);
      });
}

void fake_host::stop(const environment_id& id, std::uint64_t owner_epoch,
                     host_completion<bool> done) {
  complete<bool>(host_call::stop, id, std::move(done),
                 [this, id, owner_epoch]() -> host_result<bool> {
                   const auto e = owned(id, owner_epoch);
                   if (!e) return e.error();
                   if (*e == nullptr || !(*e)->running) return true;
                   (*e)->running = false;
                   (*e)->outcomes.clear();
                   end_terminals(id, "environment_stopped");
                   return true;
                 });
}

void fake_host::destroy(const environment_id& id, std::uint64_t owner_epoch,
                        host_completion<bool> done) {
  complete<bool>(host_call::destroy, id, std::move(done),
                 [this, id, owner_epoch]() -> host_result<bool> {
                   const auto e = owned(id, owner_epoch);
                   if (!e) return e.error();
                   if (*e == nullptr) return true;
                   if ((*e)->running) end_terminals(id, "environment_stopped");
                   environments_.erase(id);
                   return true;
                 });
}

void fake_host::exec(const environment_id& id, const exec_request& request,
                     host_completion<exec_output> done) {
  complete<exec_output>(
      host_call::exec, id, std::move(done),
      [this, id, request, life = lives(id)]() -> host_result<exec_output> {
        const auto at = environments_.find(id);
        // A request that was on its way to an agent ends with it.
        if (lives(id) != life) return not_running(id);
        if (at == environments_.end())
          return error(host_errc::not_found, "no environment " + id.value + " here");
        if (!at->second.running) return not_running(id);
        if (!request.life.value.empty() && !(request.life == life_of(id, at->second)))
          return error(host_errc::outcome_unknown, "another life of " + id.value + " runs");
        auto& outcomes = at->second.outcomes;
        if (const auto known = outcomes.find(request.effect); known != outcomes.end())
          return known->second;
        execs.push_back(request);
        auto result =
            exec_script_ ? exec_script_(id, request) : host_result<exec_output>{exec_output{}};
        if (result) outcomes.emplace(request.effect, *result);
        return result;
      });
}

void fake_host::dial(const environment_id& id, std::uint16_t, host_completion<int> done) {
  complete<int>(host_call::dial, id, std::move(done), [this, id]() -> host_result<int> {
    if (!running(id)) return not_running(id);
    return error(host_errc::unavailable, "the fake host has no ports");
  });
}

}  // namespace berth::testing
