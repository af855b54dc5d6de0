// The calls of agent_link: each is posted to the reactor's thread and works on the state there.
#include "infra/agent/link/agent_link.hpp"

#include <algorithm>
#include <utility>

namespace berth::agent {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds open_timeout{10'000};
constexpr milliseconds dial_timeout{10'000};
constexpr milliseconds exec_answer_grace{15'000};  // beyond the command's own timeout
constexpr std::size_t terminals_max = 4096;

std::vector<std::unique_ptr<wire::VariableT>> variables_of(
    const std::map<std::string, std::string>& env) {
  std::vector<std::unique_ptr<wire::VariableT>> all;
  for (const auto& [name, value] : env) {
    auto variable = std::make_unique<wire::VariableT>();
    variable->name = name;
    variable->value = value;
    all.push_back(std::move(variable));
  }
  return all;
}

std::uint32_t clamp_u32(std::uint64_t value) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, 0xffffffff));
}

std::string packet_of(const exec_request& request) {
  wire::ExecT exec;
  exec.effect = std::make_unique<wire::Id>(to_wire(request.effect.bytes));
  exec.command = request.command;
  exec.env = variables_of(request.env);
  exec.working_directory = request.working_directory;
  exec.user = request.user;
  exec.stdin_bytes = to_vector(request.stdin_bytes);
  exec.timeout_ms =
      clamp_u32(static_cast<std::uint64_t>(std::max<std::int64_t>(request.timeout.count(), 1)));
  exec.output_bytes_max = clamp_u32(request.output_bytes_max);
  return packed(std::move(exec));
}

}  // namespace

std::shared_ptr<agent_link> agent_link::make(agent_reactor& reactor, agent_address address,
                                             agent_link_observer& observer) {
  std::shared_ptr<agent_link> made{new agent_link{reactor, std::move(address), observer}};
  reactor.post([made] { made->start(); });
  return made;
}

agent_link::agent_link(agent_reactor& reactor, agent_address address, agent_link_observer& observer)
    : reactor_{reactor}, address_{std::move(address)}, observer_{&observer} {}

agent_link::~agent_link() = default;

template <class Task>
void agent_link::post(Task task) {
  if (reactor_.here()) return task();
  reactor_.post([self = shared_from_this(), task = std::move(task)]() mutable { task(); });
}

void agent_link::detach() {
  reactor_.run([this] {
    observer_ = nullptr;
    if (phase_ != phase::over) finish(false, {host_errc::unavailable, "detached", ""});
  });
}

void agent_link::claim(std::uint64_t owner_epoch) {
  post([this, owner_epoch] {
    address_.owner_epoch = std::max(address_.owner_epoch, owner_epoch);
    if (!ready()) return;
    send_claim();
    flush();
  });
}

void agent_link::send_claim() {
  if (epoch_said_ == address_.owner_epoch) return;
  wire::ClaimT claim;
  claim.owner_epoch = epoch_said_ = address_.owner_epoch;
  send(packed(claim));
}

void agent_link::exec(const exec_request& request, host_completion<exec_output> done) {
  auto packet = packet_of(request);
  post([this, effect = request.effect, timeout = request.timeout, packet = std::move(packet),
        done = std::move(done)]() mutable {
    if (phase_ == phase::over)
      return done(interrupted_.contains(effect) ? unknown_outcome() : over_error());
    if (packet.size() > control_bytes_max)
      return done(host_error{host_errc::limit_exceeded, "the command and its input are over 4 MiB",
                             "send a file instead"});
    if (const auto found = execs_.find(effect); found != execs_.end())
      return found->second.done.push_back(std::move(done));
    if (execs_.size() >= calls_max)
      return done(host_error{host_errc::limit_exceeded, "1024 commands wait for their outcome",
                             "try again later"});
    auto& call = execs_[effect];
    call.packet = std::move(packet);
    call.done.push_back(std::move(done));
    call.timer = reactor_.loop().after(timeout + exec_answer_grace, [this, effect] {
      auto late = execs_.extract(effect);
      for (auto& done : late.mapped().done) done(unknown_outcome());
    });
    if (!ready()) return;
    send(call.packet);
    flush();
  });
}

void agent_link::open_terminal(const terminal_spec& spec, host_completion<terminal_started> done) {
  wire::OpenTerminalT open;
  open.terminal = spec.id.value;
  open.command = spec.command;
  open.env = variables_of(spec.env);
  open.working_directory = spec.working_directory;
  open.cols = spec.cols;
  open.rows = spec.rows;
  open.buffer_bytes_max = spec.buffer_bytes_max;
  post([this, id = spec.id, open = std::move(open), done = std::move(done)]() mutable {
    if (phase_ == phase::over) return done(over_error());
    auto* channel = find_or_make(id, false);
    if (!channel)
      return done(
          host_error{host_errc::limit_exceeded, "4096 terminals are known here", "close some"});
    channel->opened.push_back(std::move(done));
    if (channel->opening) return;
    channel->missing = false;
    open.channel = channel->number;
    channel->opening = std::move(open);
    channel->opening_timer = reactor_.loop().after(open_timeout, [this, number = channel->number] {
      if (auto* late = channel_at(number)) {
        late->opening_timer = 0;
        fail_opening(*late, {host_errc::timeout, "the agent did not open the terminal within 10 s",
                             "try again"});
      }
    });
    if (!ready()) return;
    send(packed(*channel->opening));
    flush();
  });
}

void agent_link::follow(const terminal_id& terminal, std::uint64_t from) {
  post([this, terminal, from] {
    auto* channel = phase_ == phase::over ? nullptr : find_or_make(terminal);
    if (!channel) return;
    channel->next = from;
    channel->resync = true;
    channel->ended_at.reset();  // told again at its end
    if (std::exchange(channel->missing, false) && ready()) send_bind(*channel);
    if (ready()) send(*channel, frame_kind::follow, from);
    flush();
  });
}

void agent_link::input(const terminal_id& terminal, const input_stream_id& stream,
                       std::uint64_t sequence, std::string bytes,
                       host_completion<input_outcome> done) {
  post([this, terminal, stream, sequence, bytes = std::move(bytes),
        done = std::move(done)]() mutable {
    if (phase_ == phase::over) return done(over_error());
    auto* channel = find_or_make(terminal);
    if (!channel || channel->missing)
      return done(
          host_error{host_errc::not_found, "no terminal " + terminal.value, "open a new one"});
    if (channel->ended_at)
      return done(host_error{host_errc::not_running, "terminal " + terminal.value + " has ended",
                             "open a new one"});
    if (bytes.size() > input_bytes_max ||
        channel->input_bytes + bytes.size() > input_queue_bytes_max)
      return done(host_error{host_errc::limit_exceeded, "too much input waits for the terminal",
                             "send less at a time"});
    channel->input_bytes += bytes.size();
    channel->inputs.push_back({stream, sequence, std::move(bytes), std::move(done)});
    send_inputs(*channel);
    flush();
  });
}

void agent_link::send_inputs(channel& channel) {
  if (!ready()) return;
  for (auto& next : channel.inputs) {
    if (next.sent) continue;
    if (channel.window_bytes > 0 && channel.window_bytes + next.bytes.size() > input_window_bytes)
      return;
    std::string payload(stream_name_bytes, '\0');
    std::copy(next.stream.bytes.begin(), next.stream.bytes.end(), payload.begin());
    payload += next.bytes;
    channel.window_bytes += next.bytes.size();
    next.sent = true;
    send(channel, frame_kind::input, next.sequence, std::move(payload));
  }
}

void agent_link::send_bind(const channel& channel) {
  wire::BindT bind;
  bind.channel = channel.number;
  bind.terminal = channel.id.value;
  send(packed(std::move(bind)));
}

void agent_link::resize(const terminal_id& terminal, std::uint16_t cols, std::uint16_t rows) {
  post([this, terminal, size = std::uint64_t{cols} | std::uint64_t{rows} << 16] {
    auto* channel = phase_ == phase::over ? nullptr : find_or_make(terminal);
    if (!channel) return;
    channel->size = size;
    if (ready()) send(*channel, frame_kind::resize, size);
    flush();
  });
}

void agent_link::pace(const terminal_id& terminal, std::optional<std::uint64_t> read_until) {
  post([this, terminal, until = read_until.value_or(pace_free)] {
    auto* channel = phase_ == phase::over ? nullptr : find_or_make(terminal);
    if (!channel || channel->pace == until) return;
    channel->pace = until;
    if (ready()) send(*channel, frame_kind::pace, until);
    flush();
  });
}

void agent_link::durable(const terminal_id& terminal, std::uint64_t offset) {
  post([this, terminal, offset] {
    auto* channel = phase_ == phase::over ? nullptr : find_or_make(terminal);
    if (!channel || offset <= channel->durable) return;
    channel->durable = offset;
    if (ready()) send(*channel, frame_kind::durable, offset);
    maybe_release(*channel);
    flush();
  });
}

void agent_link::close_terminal(const terminal_id& terminal) {
  post([this, terminal] {
    auto* channel = phase_ == phase::over ? nullptr : find_or_make(terminal);
    if (!channel || channel->close_asked) return;
    channel->close_asked = true;
    if (ready() && !channel->ended_at) send(*channel, frame_kind::close, 0);
    maybe_release(*channel);
    flush();
  });
}

// Ended, stored and closed: neither side needs it any more. Not before its end was delivered, see
// frame_kind::close.
void agent_link::maybe_release(channel& channel) {
  if (!ready() || !channel.close_asked || !channel.ended_at || channel.durable < *channel.ended_at)
    return;
  send(channel, frame_kind::close, 1);
  numbers_.erase(channel.id);
  channels_.erase(channel.number);
}

void agent_link::dial(std::uint16_t port, host_completion<int> done) {
  post([this, port, done = std::move(done)]() mutable {
    if (phase_ == phase::over) return done(over_error());
    if (dials_.size() >= calls_max)
      return done(host_error{host_errc::limit_exceeded, "1024 connections are being made",
                             "try again later"});
    const auto number = ++last_dial_;
    const auto timer = reactor_.loop().after(dial_timeout, [this, number] {
      auto late = dials_.extract(number);
      late.mapped().done(
          host_error{host_errc::timeout, "the agent did not connect within 10 s", "try again"});
    });
    dials_.emplace(number, dial_call{port, std::move(done), timer});
    if (!ready()) return;
    wire::DialT dial;
    dial.request = number;
    dial.port = port;
    send(packed(dial));
    flush();
  });
}

void agent_link::shut_down(milliseconds grace) {
  post([this, grace] {
    if (!ready()) return;
    wire::ShutdownT shutdown;
    shutdown.grace_ms = clamp_u32(static_cast<std::uint64_t>(grace.count()));
    send(packed(shutdown));
    flush();
  });
}

agent_link::channel* agent_link::channel_at(std::uint16_t number) {
  const auto found = channels_.find(number);
  return found == channels_.end() ? nullptr : &found->second;
}

agent_link::channel* agent_link::find(const terminal_id& terminal) {
  const auto found = numbers_.find(terminal);
  return found == numbers_.end() ? nullptr : &channels_.at(found->second);
}

agent_link::channel* agent_link::find_or_make(const terminal_id& terminal, bool bind) {
  if (auto* known = find(terminal)) return known;
  if (channels_.size() >= terminals_max) return nullptr;
  do {
    ++last_number_;
  } while (last_number_ == 0 || channels_.contains(last_number_));
  numbers_.emplace(terminal, last_number_);
  auto& made = channels_[last_number_];
  made.id = terminal;
  made.number = last_number_;
  if (bind && ready()) send_bind(made);
  return &made;
}

host_error agent_link::unknown_outcome() const {
  return {host_errc::outcome_unknown,
          why_over_ ? why_over_->message : "the agent did not answer in time",
          "look inside what the command did; it is not run again"};
}

host_error agent_link::over_error() const {
  return why_over_->code == host_errc::stale_owner
             ? *why_over_
             : host_error{host_errc::not_running, why_over_->message, why_over_->next_step};
}

}  // namespace berth::agent
