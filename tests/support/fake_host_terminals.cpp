// The terminals of fake_host: what its agents do.
#include "tests/support/fake_host.hpp"

#include <algorithm>

#include "events/core/invariant.hpp"

namespace berth::testing {

namespace {
constexpr std::size_t chunk_bytes_max = 64 * 1024;

host_error error(host_errc code, std::string message) {
  return {code, std::move(message), {}};
}
}  // namespace

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
  tell([this, id] { deliver(id); });
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
  tell([this, id] { deliver(id); });
}

void fake_host::end_terminals(const environment_id& id, const std::string& reason) {
  for (auto& [name, t] : terminals_) {
    if (t.owner == id) end(name, {}, {}, reason);
  }
}

void fake_host::repeat_output(const terminal_id& id, std::uint64_t by) {
  auto* t = find(id);
  if (t == nullptr || !t->delivered || t->end_told) return;
  t->delivered = std::max(t->durable, *t->delivered - std::min(by, *t->delivered));
  tell([this, id] { deliver(id); });
}

void fake_host::skip_output(const terminal_id& id, std::uint64_t by) {
  auto* t = find(id);
  if (t == nullptr || !t->delivered || *t->delivered + by >= t->output.size()) return;
  *t->delivered += by;
  tell([this, id] { deliver(id); });
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

std::optional<std::uint64_t> fake_host::final_offset(const terminal_id& terminal) const {
  const auto found = terminals_.find(terminal);
  if (found == terminals_.end() || !found->second.ended) return std::nullopt;
  return found->second.ended->final_offset;
}

std::size_t fake_host::blocked_bytes(const terminal_id& id) const {
  return terminals_.at(id).unread.size();
}
std::pair<std::uint16_t, std::uint16_t> fake_host::size(const terminal_id& id) const {
  const auto& spec = terminals_.at(id).spec;
  return {spec.cols, spec.rows};
}

void fake_host::open_terminal(const environment_id& id, const terminal_spec& spec,
                              host_completion<terminal_started> done) {
  complete<terminal_started>(
      host_call::open_terminal, id, std::move(done),
      [this, id, spec]() -> host_result<terminal_started> {
        if (!running(id))
          return error(host_errc::not_running, "environment " + id.value + " is not running");
        if (find(spec.id) == nullptr) {
          auto& made = terminals_[spec.id];
          made.owner = id;
          made.spec = spec;
        }
        return terminal_started{1000 + static_cast<std::int32_t>(terminals_.size()),
                                terminals_[spec.id].output.size()};
      });
}

// What is not here any more is not replaced by other bytes: the terminal ends for who asks.
void fake_host::follow_terminal(const environment_id&, const terminal_id& id, std::uint64_t from) {
  auto* t = find(id);
  if (t == nullptr || from < t->durable || from > t->output.size()) {
    tell([this, id, from, reason = t == nullptr ? "agent_lost" : "truncated"] {
      if (observer_ != nullptr) observer_->terminal_ended(id, {from, {}, {}, reason});
    });
    return;
  }
  t->delivered = from;
  t->end_told = false;
  tell([this, id] { deliver(id); });
}

void fake_host::terminal_input(const environment_id& id, const terminal_id& terminal,
                               const input_stream_id& stream, std::uint64_t sequence,
                               std::string bytes, host_completion<input_outcome> done) {
  complete<input_outcome>(
      host_call::terminal_input, id, std::move(done),
      [this, id, terminal, stream, sequence, bytes]() -> host_result<input_outcome> {
        auto* t = find(terminal);
        if (t == nullptr)
          return error(host_errc::not_found, "no terminal " + terminal.value + " here");
        if (!running(id) || t->ended)
          return error(host_errc::not_running, "environment " + id.value + " is not running");
        using verdict = agent::input_table::verdict;
        auto& inputs = t->inputs;
        const auto judged = inputs.judge(stream.bytes, sequence);
        if (judged == verdict::apply) {
          inputs.accepted(stream.bytes, sequence);
          t->typed += bytes;
          inputs.applied(stream.bytes, sequence);
        }
        return input_outcome{inputs.last_applied(stream.bytes), judged == verdict::unknown_stream,
                             judged == verdict::gap};
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
  if (on_durable_) on_durable_(id, offset);
  auto* t = find(id);
  if (t == nullptr) return;
  t->durable = std::max(t->durable, std::min<std::uint64_t>(offset, t->output.size()));
  read_pty(id);
}

void fake_host::close_terminal(const environment_id&, const terminal_id& id) {
  if (find(id) != nullptr) end(id, {}, 1, "signalled");
}

}  // namespace berth::testing
