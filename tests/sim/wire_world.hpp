// What all simulated clients of one universe know together: the truth about their terminals, their
// accounts and their requests, and where a broken promise is reported.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gateway/ws/frame.hpp"
#include "tests/sim/wire_clients.hpp"

namespace berth::sim {

// A terminal clients made, and what its program ever printed.
struct wire_terminal {
  terminal_id id;
  std::size_t account{};
  std::string environment;
  std::string printed;
  std::uint64_t durable_told{};  // to any client: must survive whatever happens
  bool failed{};                 // it never opened, and said so
  // Of the input applied so far: how much was looked at, and the last number of each typist.
  std::size_t typed_seen{};
  std::map<std::string, std::uint64_t> typed_last{};
};

struct wire_environment {
  environment_id id;
  std::size_t account{};
};

// An event as the feed must tell it.
struct wire_fact {
  position at;
  std::string stream;
  std::uint64_t version{};
};

struct wire_account {
  account_id id;
  std::string token;
  std::vector<wire_fact> facts;  // durable ones, in journal order
};

struct wire_answer {
  std::uint16_t status{};
  std::string body;
};

class wire_world {
 public:
  explicit wire_world(testing::simulated_server& server) : server{server} {}

  // An account with a token, durable before anybody connects.
  void make_account(const std::string& name);
  // Reads what became durable since the last call into the accounts' facts. False: unreadable.
  bool read_journal();
  void print(wire_terminal& on, std::size_t bytes);
  void check_typed(wire_terminal& on);
  wire_terminal* terminal_of(const std::string& id);

  std::size_t pick(std::size_t of) { return static_cast<std::size_t>(server.random() % of); }
  void fail(std::string what) {
    if (!broken) broken = std::move(what);
  }
  void hash(std::string_view bytes) {
    trace = (trace ^ std::hash<std::string_view>{}(bytes)) * 1099511628211ULL;
  }

  testing::simulated_server& server;
  wire_stats stats;
  std::uint64_t trace{14695981039346656037ULL};
  std::optional<std::string> broken;
  std::vector<wire_account> accounts;
  std::deque<wire_environment> environments;
  std::deque<wire_terminal> terminals;
  std::map<std::string, wire_answer> answers;  // the first of each idempotency key
  std::uint64_t typists{};
  std::uint64_t names{};

 private:
  account_id owner_of(const commit& happened);
  std::map<std::string, account_id> owners_;  // of streams
  std::uint64_t next_offset_{1};
};

// One thing a client looks at through a channel, and what it knows of it: survives connections.
class wire_view {
 public:
  virtual ~wire_view() = default;
  // Asks for it at the cursor; what was heard on an earlier channel counts no more.
  virtual wire::open how_to_open() = 0;
  // A frame of its channel, `opened` and `closed` included; `out` takes frames to send.
  virtual void heard(const wire::payload& what, std::vector<wire::payload>& out) = 0;
  virtual bool wanted() const { return true; }  // to be opened again after `closed`
  // What should have arrived by the end, and did not.
  virtual std::optional<std::string> missing() { return {}; }
};

// The frame as told in a complaint.
std::string_view name_of(const wire::payload& what);

}  // namespace berth::sim
