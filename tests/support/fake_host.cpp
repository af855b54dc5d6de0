#include "tests/support/fake_host.hpp"

#include <algorithm>

#include "events/core/invariant.hpp"

namespace berth::testing {

namespace {
constexpr std::size_t chunk_bytes_max = 64 * 1024;

host_error error(host_errc code, std::string message) {
  return {code, std::move(message), {}};
}
host_error not_running(const environment_id& id) {
  return error(host_errc::not_running, "environment " + id.value + " is not running");
}
}  // namespace

// The result is computed at the call (so that later calls see its effect), told at pump().
template <class T>
void fake_host::complete(host_call call, host_completion<T> done,
                         std::function<host_result<T>()> result) {
  ++calls_[call];
  auto& scripted = scripts_[call];
  if (scripted.empty()) {
    queued_.push_back([done = std::move(done), value = result()] { done(value); });
    return;
  }
  const auto next = scripted.front();
  scripted.pop_front();
  if (next.error) {
    queued_.push_back([done = std::move(done), failure = *next.error] { done(failure); });
  } else {
    hanging_.push_back([done = std::move(done), result = std::move(result)] { done(result()); });
  }
}

std::size_t fake_host::pump() {
  std::size_t ran = 0;
  while (pump_one()) ++ran;
  return ran;
}

bool fake_host::pump_one() {
  if (queued_.empty()) return false;
  const auto next = std::move(queued_.front());
  queued_.pop_front();
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
  for (auto& each : hanging_) queued_.push_back(std::move(each));
  hanging_.clear();
  return count;
}

void fake_host::answer_exec(
    std::function<host_result<exec_output>(const environment_id&, const exec_request&)> script) {
  exec_script_ = std::move(script);
}

fake_host::terminal* fake_host::find(const terminal_id& id) {
  const auto found_at = terminals_.find(id);
  return found_at == terminals_.end() ? nullptr : &found_at->second;
}

void fake_host::feed(const terminal_id& id, std::string_view bytes) {
  auto* t = find(id);
  BERTH_ASSERT(t != nullptr && !t->ended);
  t->unread.append(bytes);
  read_pty(id);
}

void fake_host::read_pty(const terminal_id& id) {
  auto* t = find(id);
  const auto next = t->output.size();
  auto limit = t->durable + t->spec.buffer_bytes_max;
  if (t->read_until) limit = std::min(limit, *t->read_until);
  if (t->unread.empty() || limit <= next) return;
  const auto taken = std::min<std::size_t>(t->unread.size(), limit - next);
  t->output.append(t->unread, 0, taken);
  t->unread.erase(0, taken);
  queued_.push_back([this, id] { deliver(id); });
}

void fake_host::deliver(const terminal_id& id) {
  auto* t = find(id);
  if (t == nullptr || !t->delivered || observer_ == nullptr) return;
  while (t->delivered && *t->delivered < t->output.size()) {
    const auto from = *t->delivered;
    auto chunk = share(t->output.substr(from, chunk_bytes_max));
    t->delivered = from + chunk->size();
    observer_->terminal_output(id, from, std::move(chunk));
    t = find(id);
    if (t == nullptr || observer_ == nullptr) return;
  }
  if (t->ended && t->delivered && !t->end_told) {
    t->end_told = true;
    observer_->terminal_ended(id, *t->ended);
  }
}

void fake_host::end(const terminal_id& id, std::optional<std::int32_t> exit_code,
                    std::optional<std::int32_t> signal, std::string reason) {
  auto* t = find(id);
  BERTH_ASSERT(t != nullptr);
  if (t->ended) return;
  t->output += t->unread;  // a closed PTY is drained whatever the pace
  t->unread.clear();
  t->ended = terminal_end{t->output.size(), exit_code, signal, std::move(reason)};
  queued_.push_back([this, id] { deliver(id); });
}

void fake_host::end_terminals(const environment_id& id, const std::string& reason) {
  for (auto& [name, t] : terminals_) {
    if (t.owner == id) end(name, {}, {}, reason);
  }
}

void fake_host::lose(const environment_id& id, const std::string& reason) {
  auto& e = environments_.at(id);
  BERTH_ASSERT(e.running);
  const incarnation life{id.value + "#" + std::to_string(e.starts)};
  e.running = false;
  e.outcomes.clear();
  end_terminals(id, "agent_lost");
  queued_.push_back([this, id, life, reason] {
    if (observer_ != nullptr) observer_->environment_lost(id, life, reason);
  });
}

void fake_host::see_stats(const environment_id& id, const environment_stats& stats) {
  queued_.push_back([this, id, stats] {
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

void fake_host::reboot() {
  restart_server();
  for (auto& [id, e] : environments_) {
    e.running = false;
    e.outcomes.clear();
  }
  terminals_.clear();
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

std::string fake_host::typed(const terminal_id& id) const {
  return terminals_.at(id).typed;
}
std::uint64_t fake_host::next_offset(const terminal_id& id) const {
  return terminals_.at(id).output.size();
}
std::uint64_t fake_host::durable_offset(const terminal_id& id) const {
  return terminals_.at(id).durable;
}
bool fake_host::terminal_alive(const terminal_id& terminal) const {
  const auto found = terminals_.find(terminal);
  return found != terminals_.end() && !found->second.ended;
}

std::size_t fake_host::blocked_bytes(const terminal_id& id) const {
  return terminals_.at(id).unread.size();
}
std::pair<std::uint16_t, std::uint16_t> fake_host::size(const terminal_id& id) const {
  const auto& spec = terminals_.at(id).spec;
  return {spec.cols, spec.rows};
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
  complete<std::vector<adopted_environment>>(host_call::adopt, std::move(done), [this] {
    std::vector<adopted_environment> all;
    for (const auto& [id, e] : environments_) {
      if (!e.running) continue;
      adopted_environment one{id, {id.value + "#" + std::to_string(e.starts)}, {}};
      for (const auto& [name, t] : terminals_) {
        if (t.owner == id) one.terminals.push_back(name);
      }
      all.push_back(std::move(one));
    }
    return host_result<std::vector<adopted_environment>>{std::move(all)};
  });
}

void fake_host::create(const environment_spec& spec, host_completion<bool> done) {
  complete<bool>(host_call::create, std::move(done), [this, spec]() -> host_result<bool> {
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
      host_call::start, std::move(done), [this, spec]() -> host_result<incarnation> {
        const auto e = owned(spec.id, spec.owner_epoch);
        if (!e) return e.error();
        if (*e == nullptr)
          return error(host_errc::not_found, "no environment " + spec.id.value + " here");
        if (!(*e)->running) {
          ++(*e)->starts;
          (*e)->running = true;
          (*e)->spec = spec;
        }
        return incarnation{spec.id.value + "#" + std::to_string((*e)->starts)};
      });
}

void fake_host::stop(const environment_id& id, std::uint64_t owner_epoch,
                     host_completion<bool> done) {
  complete<bool>(host_call::stop, std::move(done), [this, id, owner_epoch]() -> host_result<bool> {
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
  complete<bool>(host_call::destroy, std::move(done),
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
      host_call::exec, std::move(done), [this, id, request]() -> host_result<exec_output> {
        const auto at = environments_.find(id);
        if (at == environments_.end())
          return error(host_errc::not_found, "no environment " + id.value + " here");
        if (!at->second.running) return not_running(id);
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

void fake_host::open_terminal(const environment_id& id, const terminal_spec& spec,
                              host_completion<terminal_started> done) {
  complete<terminal_started>(host_call::open_terminal, std::move(done),
                             [this, id, spec]() -> host_result<terminal_started> {
                               if (!running(id)) return not_running(id);
                               if (find(spec.id) == nullptr) {
                                 auto& made = terminals_[spec.id];
                                 made.owner = id;
                                 made.spec = spec;
                               }
                               return terminal_started{
                                   1000 + static_cast<std::int32_t>(terminals_.size()),
                                   terminals_[spec.id].output.size()};
                             });
}

void fake_host::follow_terminal(const environment_id&, const terminal_id& id, std::uint64_t from) {
  auto* t = find(id);
  if (t == nullptr) return;
  t->delivered = std::min<std::uint64_t>(from, t->output.size());
  t->end_told = false;
  queued_.push_back([this, id] { deliver(id); });
}

void fake_host::terminal_input(const environment_id& id, const terminal_id& terminal,
                               const input_stream_id& stream, std::uint64_t sequence,
                               std::string bytes, host_completion<input_outcome> done) {
  complete<input_outcome>(
      host_call::terminal_input, std::move(done),
      [this, id, terminal, stream, sequence, bytes]() -> host_result<input_outcome> {
        auto* t = find(terminal);
        if (t == nullptr)
          return error(host_errc::not_found, "no terminal " + terminal.value + " here");
        if (!running(id) || t->ended) return not_running(id);
        const auto known = t->applied.find(stream);
        if (known == t->applied.end() && sequence > 1) return input_outcome{0, true, false};
        auto& last = t->applied[stream];
        if (sequence > last + 1) return input_outcome{last, false, true};
        if (sequence == last + 1) {
          t->typed += bytes;
          last = sequence;
        }
        return input_outcome{last, false, false};
      });
}

void fake_host::resize_terminal(const environment_id&, const terminal_id& id, std::uint16_t cols,
                                std::uint16_t rows) {
  if (auto* t = find(id); t != nullptr) {
    t->spec.cols = cols;
    t->spec.rows = rows;
  }
}

void fake_host::pace_terminal(const environment_id&, const terminal_id& id,
                              std::optional<std::uint64_t> read_until) {
  auto* t = find(id);
  if (t == nullptr) return;
  t->read_until = read_until;
  read_pty(id);
}

void fake_host::terminal_durable(const environment_id&, const terminal_id& id,
                                 std::uint64_t offset) {
  auto* t = find(id);
  if (t == nullptr) return;
  t->durable = std::max(t->durable, std::min<std::uint64_t>(offset, t->output.size()));
  read_pty(id);
}

void fake_host::close_terminal(const environment_id&, const terminal_id& id) {
  if (find(id) != nullptr) end(id, {}, 1, "signalled");
}

void fake_host::dial(const environment_id& id, std::uint16_t, host_completion<int> done) {
  complete<int>(host_call::dial, std::move(done), [this, id]() -> host_result<int> {
    if (!running(id)) return not_running(id);
    return error(host_errc::unavailable, "the fake host has no ports");
  });
}

}  // namespace berth::testing
