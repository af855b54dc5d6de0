#include "tests/fuzz/agent_seeds.hpp"

namespace berth::fuzz {
namespace {

namespace wire = agent::wire;
using agent::frame_kind;
using agent::packed;

std::string stream_and(std::string_view bytes) {
  std::string payload{reinterpret_cast<const char*>(seed_id.data()), seed_id.size()};
  return payload.append(bytes);
}

std::string open_terminal() {
  wire::OpenTerminalT open;
  open.terminal = seed_terminal;
  open.channel = seed_channel;
  open.command = {"sh", "-c", "true"};
  open.env.push_back(std::make_unique<wire::VariableT>());
  open.env.back()->name = "A";
  open.env.back()->value = "b";
  open.working_directory = "/";
  open.cols = 80;
  open.rows = 24;
  open.buffer_bytes_max = 65'536;
  return control(packed(std::move(open)));
}

std::string bind(std::uint16_t channel) {
  wire::BindT bind;
  bind.channel = channel;
  bind.terminal = seed_terminal;
  return control(packed(std::move(bind)));
}

std::string exec() {
  wire::ExecT exec;
  exec.effect = std::make_unique<wire::Id>(agent::to_wire(seed_id));
  exec.command = {"true"};
  exec.stdin_bytes = {'x'};
  exec.timeout_ms = 1000;
  exec.output_bytes_max = 100;
  return control(packed(std::move(exec)));
}

std::string exec_done() {
  wire::ExecDoneT done;
  done.effect = std::make_unique<wire::Id>(agent::to_wire(seed_id));
  done.exit_code = 3;
  done.stdout_bytes = {'o', 'u', 't'};
  done.stderr_bytes = {'e', 'r', 'r'};
  done.duration_ms = 12;
  return control(packed(std::move(done)));
}

std::string started() {
  wire::TerminalStartedT started;
  started.channel = seed_channel;
  started.pid = 7;
  return control(packed(started));
}

std::string ended(std::uint64_t at) {
  wire::TerminalEndedT ended;
  ended.channel = seed_channel;
  ended.final_offset = at;
  ended.has_exit_code = true;
  return control(packed(ended));
}

std::string problem(wire::Problem what) {
  wire::TerminalProblemT problem;
  problem.channel = seed_channel;
  problem.problem = what;
  problem.message = "no such terminal";
  problem.first_offset = 9;
  return control(packed(std::move(problem)));
}

std::string dial_done() {
  wire::DialDoneT done;
  done.request = 1;
  done.message = "connected";
  return control(packed(std::move(done)));
}

std::string refused(wire::Problem what) {
  wire::RefusedT refused;
  refused.problem = what;
  refused.message = "another owner";
  refused.epoch_seen = 5;
  return control(packed(std::move(refused)));
}

std::string on_channel(frame_kind kind, std::uint64_t offset, std::string_view payload = {}) {
  return frame_bytes({.kind = kind, .channel = seed_channel, .offset = offset}, payload);
}

std::string ack(std::uint8_t flags, std::uint64_t sequence) {
  std::string asked(8, '\0');
  agent::store_u64(asked.data(), sequence);
  return frame_bytes(
      {.kind = frame_kind::input_ack, .flags = flags, .channel = seed_channel, .offset = sequence},
      stream_and(asked));
}

}  // namespace

std::string frame_bytes(agent::frame_header header, std::string_view payload) {
  header.length = static_cast<std::uint32_t>(payload.size());
  const auto head = agent::encode(header);
  return std::string{head.data(), head.size()}.append(payload);
}

std::string control(std::string packet) {
  return frame_bytes({.kind = frame_kind::control}, packet);
}

std::string hello() {
  wire::HelloT hello;
  hello.protocol_min = agent::protocol_version_min;
  hello.protocol_max = agent::protocol_version_max;
  hello.build = "berthd";
  hello.environment = seed_environment;
  hello.owner_epoch = 1;
  return control(packed(std::move(hello)));
}

std::string welcome(const std::string& terminal) {
  wire::WelcomeT welcome;
  welcome.protocol = agent::protocol_version_max;
  welcome.build = "berth-agent";
  welcome.environment = seed_environment;
  welcome.incarnation = seed_incarnation;
  welcome.pid = 1;
  welcome.terminals.push_back(std::make_unique<wire::TerminalInfoT>());
  welcome.terminals.back()->terminal = terminal;
  welcome.terminals.back()->end_offset = 10;
  return control(packed(std::move(welcome)));
}

std::vector<std::string> server_says() {
  wire::DialT dial;
  dial.request = 1;
  dial.port = 8080;
  wire::ShutdownT shutdown;
  shutdown.grace_ms = 10;
  wire::ClaimT claim;
  claim.owner_epoch = 2;
  const auto typed = on_channel(frame_kind::input, 1, stream_and("ls\n"));
  return {hello() + open_terminal(),
          hello() + open_terminal() + on_channel(frame_kind::follow, 0) + typed +
              on_channel(frame_kind::durable, 3) +
              on_channel(frame_kind::input, 2, stream_and("exit\n")),
          hello() + open_terminal() + on_channel(frame_kind::resize, 100 | 40 << 16) +
              on_channel(frame_kind::pace, 4) + on_channel(frame_kind::pace, agent::pace_free) +
              on_channel(frame_kind::close, 0) + on_channel(frame_kind::close, 1),
          hello() + open_terminal() + bind(2) + typed + typed,
          hello() + exec() + exec(),
          hello() + control(packed(dial)) + control(packed(claim)),
          hello() + open_terminal() + control(packed(shutdown)),
          hello() + frame_bytes({.kind = frame_kind::ping, .offset = 7})};
}

std::vector<std::string> agent_says() {
  wire::StatsT stats;
  stats.cpu_us = 1'000'000;
  stats.memory_bytes = 5;
  wire::ProblematicT problematic;
  problematic.problem = wire::Problem::bad_request;
  wire::GatewayOpenedT opened;
  opened.peer = "somebody";
  const auto output = on_channel(frame_kind::output, 0, "hello\r\n");
  return {welcome() + started() + output + on_channel(frame_kind::output, 7, "more") + ended(11),
          welcome() + started() + ack(0, 1) + ack(agent::flag_gap, 2),
          welcome() + ack(agent::flag_unknown_stream, 1) + ack(agent::flag_ended, 1) +
              ack(agent::flag_full, 2),
          welcome() + exec_done() + dial_done() + control(packed(stats)),
          welcome() + problem(wire::Problem::not_found) + problem(wire::Problem::expired),
          welcome() + control(packed(problematic)) + control(packed(opened)),
          refused(wire::Problem::stale_owner),
          welcome(std::string(1000, 'x')),
          welcome() + refused(wire::Problem::protocol),
          welcome() + on_channel(frame_kind::output, 4, "late") + output + ended(4) +
              frame_bytes({.kind = frame_kind::ping, .offset = 3})};
}

}  // namespace berth::fuzz
