// The agent's side of the protocol: whatever a server says, the program answers by the protocol,
// runs a command at most once an effect id, and gives its terminals back.
#include <csignal>
#include <set>

#include "infra/agent/program/agent_server.hpp"
#include "tests/fuzz/agent_peer.hpp"
#include "tests/fuzz/agent_seeds.hpp"
#include "tests/fuzz/quiet_processes.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fcntl.h>

namespace berth::fuzz {
namespace {

using namespace berth::agent;

// Bits of the input's first byte.
enum choice : std::uint8_t { with_hello = 1, children_end = 2, second_owner = 4, killed = 8 };

constexpr int turns_max = 12;

options fixed_options() {
  options all;
  all.environment = seed_environment;
  all.incarnation = seed_incarnation;
  all.stats_every = std::chrono::milliseconds{0};
  all.gateway_port = 0;
  all.gateway_socket.clear();
  return all;
}

void turn(event_loop& loop) {
  for (int turns = 0; turns < turns_max; ++turns) loop.run_once(std::chrono::milliseconds{0});
}

// Effect ids that the stream asks to run.
std::set<id_bytes> asked_effects(std::string_view bytes) {
  std::set<id_bytes> all;
  frame_decoder decoder;
  while (const auto next = decoder.next(bytes)) {
    if (next->header.kind != frame_kind::control) continue;
    const auto payload = next->payload;
    const auto* packet = verified_packet(payload);
    const auto* exec = packet ? packet->message_as_Exec() : nullptr;
    if (exec && exec->effect()) all.insert(from_wire(*exec->effect()));
  }
  return all;
}

void end_children(agent_server& server, bool killed_by_signal) {
  for (const auto& start : std::vector<quiet_start>{quiet_starts()})
    server.reaped(start.pid, killed_by_signal ? SIGKILL : 3 << 8);
}

}  // namespace

void run(std::string_view bytes) {
  static const testing::temporary_folder folder;
  static const auto path = (folder.path() / "server.sock").string();
  static const auto listener = listen_at(path);
  static const auto fixed = fixed_options();
  quiet_starts().clear();
  input_reader input{bytes};
  const auto chosen = input.byte();
  {
    event_loop loop;
    spawner quiet{fixed};
    agent_server server{loop, fixed, quiet, unique_fd{::dup(listener.get())},
                        unique_fd{::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY)}};
    const auto stream = (chosen & with_hello ? hello() : std::string{}).append(input.rest());
    agent_peer owner{connect_to(path)};
    const auto first = std::string_view{stream}.substr(0, stream.size() / 2);
    owner.send(first);
    turn(loop);
    if (chosen & children_end) end_children(server, chosen & killed);
    owner.send(std::string_view{stream}.substr(first.size()));
    turn(loop);
    owner.listen();
    if (chosen & second_owner) {
      agent_peer other{connect_to(path)};
      other.send(stream);
      turn(loop);
      other.listen();
      owner.listen();
    }
    std::size_t commands = 0;
    for (const auto& start : quiet_starts()) commands += start.is_terminal ? 0 : 1;
    require(commands <= asked_effects(stream).size(), "a command runs at most once an effect id");
    if (chosen & children_end) end_children(server, chosen & killed);
    turn(loop);
    owner.listen();
  }
  for (const auto& entry : std::filesystem::directory_iterator{folder.path()})
    require(entry.path().extension() != ".ring", "no ring file is left behind");
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const auto& said : server_says()) {
    all.push_back(std::string{0} + said);
    all.push_back(std::string{children_end} + said);
    all.push_back(std::string{children_end | second_owner | killed} + said);
    all.push_back(std::string{with_hello} + said.substr(hello().size()));
  }
  return all;
}

}  // namespace berth::fuzz
