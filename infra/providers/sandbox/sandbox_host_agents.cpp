#include <unistd.h>

#include "infra/providers/sandbox/sandbox_host_impl.hpp"

namespace berth {

namespace {
constexpr std::chrono::minutes disk_measured_every{5};

host_error another_life(const environment_id& id) {
  return {host_errc::outcome_unknown,
          "environment " + id.value + " was started again since; what ran in it before is gone",
          "look at what the command did, then run it again"};
}
}  // namespace

void sandbox_host::exec(const environment_id& id, const exec_request& request,
                        host_completion<exec_output> done) {
  link_ptr link;
  bool other_life = false;
  {
    const std::lock_guard hold(mutex_);
    if (const auto at = running_.find(id); at != running_.end()) {
      link = at->second.link;
      other_life = !request.life.value.empty() && !(at->second.life == request.life);
    }
  }
  if (link && !other_life) return link->exec(request, std::move(done));
  reactor_->post([this, id, other_life, done = std::move(done)] {
    done(other_life ? another_life(id) : not_running(id));
  });
}

void sandbox_host::open_terminal(const environment_id& id, const terminal_spec& spec,
                                 host_completion<terminal_started> done) {
  if (const auto link = link_of(id)) {
    return link->open_terminal(spec,
                               [this, id, terminal = spec.id, done = std::move(done)](auto opened) {
                                 if (opened) terminals_[terminal] = id;
                                 done(std::move(opened));
                               });
  }
  reactor_->post([this, id, done = std::move(done)] { done(not_running(id)); });
}

void sandbox_host::follow_terminal(const environment_id& id, const terminal_id& terminal,
                                   std::uint64_t from) {
  reactor_->post([this, id, terminal, from] {
    if (observer_ == nullptr) return;
    if (tails_->holds(id, terminal))
      return tails_->deliver(id, terminal, from, "agent_lost", *observer_);
    if (const auto link = link_of(id)) {
      followed_[terminal] = {id, from};
      return link->follow(terminal, from);
    }
    // Nothing of it is left on this host: what the server has is all there is.
    observer_->terminal_ended(terminal, {from, {}, {}, "agent_lost"});
  });
}

void sandbox_host::terminal_input(const environment_id& id, const terminal_id& terminal,
                                  const input_stream_id& stream, std::uint64_t sequence,
                                  std::string bytes, host_completion<input_outcome> done) {
  if (const auto link = link_of(id))
    return link->input(terminal, stream, sequence, std::move(bytes), std::move(done));
  reactor_->post([this, id, done = std::move(done)] { done(not_running(id)); });
}

void sandbox_host::resize_terminal(const environment_id& id, const terminal_id& terminal,
                                   std::uint16_t cols, std::uint16_t rows) {
  if (const auto link = link_of(id)) link->resize(terminal, cols, rows);
}

void sandbox_host::pace_terminal(const environment_id& id, const terminal_id& terminal,
                                 std::optional<std::uint64_t> read_until) {
  if (const auto link = link_of(id)) link->pace(terminal, read_until);
}

void sandbox_host::terminal_durable(const environment_id& id, const terminal_id& terminal,
                                    std::uint64_t offset) {
  if (const auto link = link_of(id)) link->durable(terminal, offset);
  reactor_->post([this, id, terminal, offset] { tails_->durable(id, terminal, offset); });
}

void sandbox_host::close_terminal(const environment_id& id, const terminal_id& terminal) {
  reactor_->post([this, terminal] { terminals_.erase(terminal); });
  if (const auto link = link_of(id)) link->close_terminal(terminal);
}

void sandbox_host::dial(const environment_id& id, std::uint16_t port, host_completion<int> done) {
  if (const auto link = link_of(id)) return link->dial(port, std::move(done));
  reactor_->post([this, id, done = std::move(done)] { done(not_running(id)); });
}

void sandbox_host::agent_ready(const environment_id& id,
                               const std::vector<agent::agent_terminal>& terminals) {
  std::erase_if(terminals_, [&](const auto& each) { return each.second == id; });
  for (const auto& each : terminals) terminals_[each.id] = id;
  if (!adoption_ || adoption_->silent.erase(id) == 0) return;
  for (const auto& each : terminals) adoption_->found[id].terminals.push_back(each.id);
  finish_adoption_if_complete();
}

void sandbox_host::terminal_output(const terminal_id& terminal, std::uint64_t offset,
                                   shared_bytes data) {
  if (const auto at = followed_.find(terminal); at != followed_.end())
    at->second.next = offset + data->size();
  if (observer_ != nullptr) observer_->terminal_output(terminal, offset, std::move(data));
}

void sandbox_host::terminal_ended(const terminal_id& terminal, const terminal_end& end) {
  followed_.erase(terminal);
  if (observer_ != nullptr) observer_->terminal_ended(terminal, end);
}

void sandbox_host::terminal_missing(const terminal_id& terminal, const host_error& why,
                                    std::uint64_t first_offset) {
  const auto at = followed_.find(terminal);
  if (at == followed_.end()) return;
  // The agent knows no such terminal, or no longer has the byte: no other bytes are given in its
  // place.
  const terminal_end end{
      at->second.next, {}, {}, why.code == host_errc::not_found ? "agent_lost" : "truncated"};
  (void)first_offset;
  followed_.erase(at);
  if (observer_ != nullptr) observer_->terminal_ended(terminal, end);
}

// What the agent sees is the host's file system; what counts is what the environment put there.
void sandbox_host::stats_seen(const environment_id& id, const environment_stats& stats) {
  measure_disk(id);
  auto seen = stats;
  seen.disk_bytes = disk_use_[id].bytes;
  if (observer_ != nullptr) observer_->environment_stats_seen(id, seen);
}

void sandbox_host::measure_disk(const environment_id& id) {
  auto& use = disk_use_[id];
  const auto now = std::chrono::steady_clock::now();
  if (use.measuring || (use.bytes != 0 && now - use.measured < disk_measured_every)) return;
  use.measuring = workers_->post(".measure", [this, id] {
    const auto bytes = disk_->bytes_used(id);
    reactor_->post([this, id, bytes] {
      disk_use_[id] = {bytes, std::chrono::steady_clock::now(), false};
    });
  });
}

void sandbox_host::gateway_connection(const environment_id& id, int fd) {
  if (options_.gateway_connection)
    options_.gateway_connection(id, fd);
  else
    ::close(fd);
}

void sandbox_host::agent_over(const environment_id& id, const incarnation& life, bool lost,
                              const host_error& why) {
  bool stopping = false;
  {
    const std::lock_guard hold(mutex_);
    const auto at = running_.find(id);
    if (at == running_.end() || !(at->second.life == life)) return;
    stopping = at->second.stopping;
    running_.erase(at);
  }
  disk_use_.erase(id);
  std::erase_if(terminals_, [&](const auto& each) { return each.second == id; });
  // An agent this server cannot talk to: what is called lost must not run on. Before a start of it
  // is asked for.
  const bool useless = !stopping && !lost && why.code == host_errc::protocol;
  const bool ends =
      useless && workers_->post(id.value, [this, id, life, why] { end_useless(id, life, why); });
  if (adoption_ && adoption_->silent.erase(id) > 0) {
    adoption_->found[id] = {id, {}, {}};
    finish_adoption_if_complete();
  }
  if (stopping || ends) return;  // stop_now goes on once the link is gone
  tell_lost(id, life, lost, why.message);
}

// `ended`: no process of that life is left.
void sandbox_host::tell_lost(const environment_id& id, const incarnation& life, bool ended,
                             const std::string& why) {
  if (ended) {
    (void)tails_->shelve(id);
    end_terminals(id, "agent_lost");
  }
  if (observer_ != nullptr) observer_->environment_lost(id, life, why);
}

void sandbox_host::end_terminals(const environment_id& id, const std::string& reason) {
  for (auto at = followed_.begin(); at != followed_.end();) {
    if (at->second.owner != id) {
      ++at;
      continue;
    }
    const auto terminal = at->first;
    const auto from = at->second.next;
    at = followed_.erase(at);
    if (observer_ != nullptr) tails_->deliver(id, terminal, from, reason, *observer_);
  }
}

}  // namespace berth
