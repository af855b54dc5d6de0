#include "tests/sim/log_universe.hpp"

#include <algorithm>
#include <cstring>
#include <deque>

#include "events/core/invariant.hpp"

namespace berth::sim {
namespace {

constexpr std::size_t nodes_count = 3;
constexpr std::size_t streams_count = 4;
constexpr std::size_t steps_count = 1'500;
constexpr std::size_t settling_rounds = 200;

stream_id stream_number(std::size_t n) {
  return {aggregate_kind::environment, "env_" + std::to_string(n)};
}

std::uint64_t command_of(const commit_body& body) {
  std::uint64_t number = 0;
  std::memcpy(&number, body.command.bytes.data(), sizeof number);
  return number;
}

}  // namespace

// What a node has: a member while it is up, what it kept, and what librdkafka would hold for it.
struct log_universe::node {
  std::size_t number{};
  std::unique_ptr<partition_member> member;
  std::shared_ptr<answers> listener;
  std::size_t paused_steps{};

  struct kept_state {
    partition_state at;
    std::vector<std::uint64_t> commands;  // applied, by sequence - 1
    std::map<stream_id, stream_version> versions;
  };
  kept_state kept;
  std::vector<kept_state> older;  // a power cut may bring one back

  std::map<stream_id, stream_version> tentative;  // of the streams it appended to
  std::map<std::uint64_t, std::uint64_t> asked;   // ticket -> command
  struct sending {
    std::uint64_t number{};
    std::string record;
  };
  std::deque<sending> sending_;
  struct told {
    std::uint64_t number{};
    partition_member::report what{};
    std::optional<std::uint64_t> offset;
  };
  std::deque<told> reports;
  std::uint64_t fetched{};
};

class log_universe::answers : public append_listener {
 public:
  answers(log_universe& in, node& of) : in_{in}, of_{of} {}
  void appended(std::span<const append_result> results) override {
    for (const auto& each : results) {
      const auto command = of_.asked.extract(each.ticket);
      if (command.empty()) return in_.broken("an append was answered twice");
      if (each.error) {
        ++in_.stats_.unknown;
        of_.tentative.clear();
        continue;
      }
      ++in_.stats_.acknowledged;
      in_.acknowledged_.push_back({command.mapped(), each.at, of_.number});
    }
  }

 private:
  log_universe& in_;
  node& of_;
};

log_universe::log_universe(std::uint64_t seed) : random_{seed ^ 0x6b61666b61ULL} {
  for (std::size_t n = 0; n < nodes_count; ++n) {
    nodes_.push_back(std::make_unique<node>());
    nodes_.back()->number = n;
    start(*nodes_.back(), {});
  }
}

log_universe::~log_universe() = default;

void log_universe::broken(const std::string& what) {
  if (!broken_) broken_ = "shared log: " + what;
}

void log_universe::start(node& of, const partition_state& at) {
  of.listener = std::make_shared<answers>(*this, of);
  of.member = std::make_unique<partition_member>(
      partition_member::identity{"node-" + std::to_string(of.number), {}}, at, clock_,
      [&of](const stream_id& stream) -> journal_result<stream_version> {
        const auto found = of.kept.versions.find(stream);
        return found == of.kept.versions.end() ? stream_version{} : found->second;
      });
  of.fetched = at.next_offset;
}

void log_universe::kill(node& of) {
  // What is on the wire arrives or does not; nobody is told.
  for (auto& each : of.sending_)
    if (random_.one_in(2)) late_.push_back(std::move(each.record));
  of.sending_.clear();
  of.reports.clear();
  of.asked.clear();
  of.tentative.clear();
  if (!of.older.empty() && random_.one_in(3)) {
    of.older.resize(random_.below(of.older.size()) + 1);
    of.kept = of.older.back();
  }
  start(of, of.kept.at);
}

std::size_t log_universe::put(const std::string& record) {
  topic_.push_back(record);
  return topic_.size() - 1;
}

void log_universe::land(node& of) {
  if (of.sending_.empty()) return;
  auto record = std::move(of.sending_.front());
  of.sending_.pop_front();
  const auto failed = [&] {
    of.reports.push_back({record.number, partition_member::report::failed, std::nullopt});
  };
  switch (random_.below(30)) {
    case 0:  // lost
      return failed();
    case 1:  // written, and said to be not
      put(record.record);
      return failed();
    case 2:  // written much later, and said to be not
      late_.push_back(std::move(record.record));
      return failed();
    case 3: {  // written twice; the offset told is of either, or not told
      const auto first = put(record.record);
      const auto second = put(record.record);
      const auto which = random_.below(3);
      of.reports.push_back({record.number, partition_member::report::persisted,
                            which == 0   ? std::optional<std::uint64_t>{}
                            : which == 1 ? std::optional<std::uint64_t>{first}
                                         : std::optional<std::uint64_t>{second}});
      return;
    }
    case 4:  // written, the offset is not known
      put(record.record);
      of.reports.push_back({record.number, partition_member::report::persisted, std::nullopt});
      return;
    default:
      of.reports.push_back(
          {record.number, partition_member::report::persisted, put(record.record)});
  }
}

void log_universe::land_late() {
  if (late_.empty()) return;
  const auto which = random_.below(late_.size());
  put(late_[which]);
  // Some come again and again.
  if (!random_.one_in(4)) late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(which));
}

void log_universe::report(node& of) {
  if (of.reports.empty()) return;
  if (of.reports.size() > 1 && random_.one_in(10)) std::swap(of.reports[0], of.reports[1]);
  const auto told = of.reports.front();
  of.reports.pop_front();
  of.member->reported(told.number, told.what, told.offset);
  after(of);
}

void log_universe::fetch(node& of, std::size_t records) {
  for (; records > 0 && of.fetched < topic_.size(); --records, ++of.fetched)
    if (auto failed = of.member->fetched(of.fetched, topic_[of.fetched]))
      return broken("node " + std::to_string(of.number) + " cannot read on: " + failed->message);
  after(of);
}

void log_universe::claim(node& of) {
  if (of.member->now() != partition_member::role::following) return;
  of.member->claim(topic_.size(), random_());
  after(of);
}

void log_universe::client(node& of) {
  if (of.member->now() != partition_member::role::leading) return;
  commit_body body;
  body.stream = stream_number(random_.below(streams_count));
  const auto known = [&] {
    if (const auto found = of.tentative.find(body.stream); found != of.tentative.end())
      return found->second.value;
    const auto found = of.kept.versions.find(body.stream);
    return found == of.kept.versions.end() ? std::uint64_t{0} : found->second.value;
  }();
  const bool wrong = random_.one_in(20);
  body.first = {known + 1 + (wrong ? 1 : 0)};
  const auto command = next_command_++;
  std::memcpy(body.command.bytes.data(), &command, sizeof command);
  body.by = {{"acct_sim"}, "tok_sim", false};
  for (auto events = random_.below(3); events > 0; --events) body.events.push_back({1, "event"});
  const auto refused = of.member->append(body, command, of.listener);
  if (wrong != refused.has_value())
    return broken(refused ? "the next version was refused: " + refused->message
                          : "another version was taken");
  if (!refused) {
    of.asked.emplace(command, command);
    of.tentative[body.stream] = body.last();
  }
  after(of);
}

// What the owner of a member does after every call.
void log_universe::after(node& of) {
  for (auto& each : of.member->take_outgoing())
    of.sending_.push_back({each.number, std::move(each.record)});
  auto done = of.member->take_done();
  if (done.moved) {
    if (random_.one_in(8)) of.older.push_back(of.kept);
    for (const auto& each : done.applied) {
      of.kept.commands.push_back(command_of(each.happened.body));
      of.kept.versions[each.happened.body.stream] = each.happened.body.last();
      if (of.kept.commands.size() != each.happened.envelope.sequence)
        broken("node " + std::to_string(of.number) + " applied sequence " +
               std::to_string(each.happened.envelope.sequence) + " as its commit number " +
               std::to_string(of.kept.commands.size()));
    }
    of.kept.at = of.member->state();
  }
  done.answers.deliver();
  if (of.member->now() != partition_member::role::leading) return of.tentative.clear();
  const auto [led, is_new] = led_by_.emplace(of.member->mine().epoch, of.number);
  if (!is_new && led->second != of.number)
    broken("nodes " + std::to_string(led->second) + " and " + std::to_string(of.number) +
           " led epoch " + std::to_string(led->first));
}

void log_universe::step() {
  clock_.advance(std::chrono::milliseconds{random_.below(20)});
  if (random_.one_in(40)) land_late();
  auto& of = *nodes_[random_.below(nodes_.size())];
  // A paused process does nothing, what it had sent arrives all the same.
  if (of.paused_steps > 0) {
    --of.paused_steps;
    return random_.one_in(2) ? land(of) : void();
  }
  switch (random_.below(24)) {
    case 0:
      return claim(of);
    case 1:
      if (random_.one_in(6)) return kill(of);
      return;
    case 2:
      if (random_.one_in(3)) of.paused_steps = random_.below(60);
      return;
    case 3:
      if (random_.one_in(8) && of.member->now() != partition_member::role::following) {
        of.member->resign("asked to");
        after(of);
      }
      return;
    default:
      break;
  }
  const auto what = random_.below(10);
  if (what < 4) return client(of);
  if (what < 6) return land(of);
  if (what < 8) return report(of);
  return fetch(of, 1 + random_.below(6));
}

// Everybody runs, nothing more goes wrong: somebody can lead and get on.
void log_universe::settle() {
  while (!late_.empty()) {
    put(late_.back());
    late_.pop_back();
  }
  const auto quiet = [&](node& of) {
    for (; !of.sending_.empty(); of.sending_.pop_front())
      of.reports.push_back({of.sending_.front().number, partition_member::report::persisted,
                            put(of.sending_.front().record)});
    while (!of.reports.empty()) {
      const auto told = of.reports.front();
      of.reports.pop_front();
      of.member->reported(told.number, told.what, told.offset);
      after(of);
    }
    fetch(of, topic_.size());
  };
  auto& chosen = *nodes_[random_.below(nodes_.size())];
  for (std::size_t round = 0; round < settling_rounds && !broken_; ++round) {
    for (auto& each : nodes_) {
      if (each.get() != &chosen && each->member->now() != partition_member::role::following) {
        each->member->resign("asked to");
        after(*each);
      }
      quiet(*each);
    }
    claim(chosen);
    quiet(chosen);
    if (chosen.member->now() == partition_member::role::leading) break;
  }
  const auto before = stats_.acknowledged;
  for (int tries = 0; tries < 100 && stats_.acknowledged == before && !broken_; ++tries) {
    client(chosen);
    quiet(chosen);
  }
  if (stats_.acknowledged == before) broken("nobody can lead any more");
  for (auto& each : nodes_) quiet(*each);
}

log_universe::truth log_universe::read_all() const {
  truth all;
  std::uint64_t epoch = 0, nonce = 0;
  std::map<stream_id, std::uint64_t> versions;
  for (std::size_t i = 0; i < topic_.size(); ++i) {
    if (kind_of(topic_[i]) == record_kind::lead) {
      const auto announced = open_lead(topic_[i], {0, i});
      BERTH_ASSERT(announced.has_value());
      if (announced->envelope.epoch != epoch + 1) {
        ++all.skipped;
        continue;
      }
      epoch = announced->envelope.epoch;
      nonce = announced->envelope.nonce;
      ++all.leads;
      continue;
    }
    const auto opened = open_record(topic_[i], {0, i});
    BERTH_ASSERT(opened.has_value());
    const auto body = decode_body(opened->body_bytes);
    BERTH_ASSERT(body.has_value());
    auto& version = versions[body->stream];
    const bool counts = opened->envelope.epoch == epoch && opened->envelope.nonce == nonce &&
                        opened->envelope.sequence == all.commands.size() + 1 &&
                        body->first.value == version + 1;
    if (!counts) {
      ++all.skipped;
      continue;
    }
    version = body->last().value;
    all.commands.push_back(command_of(*body));
  }
  return all;
}

void log_universe::check() {
  const auto all = read_all();
  stats_.leads = all.leads;
  stats_.skipped = all.skipped;
  auto once = all.commands;
  std::sort(once.begin(), once.end());
  if (std::adjacent_find(once.begin(), once.end()) != once.end())
    broken("a command is in the log twice");
  for (const auto& each : acknowledged_) {
    const auto sequence = each.at.offset;
    if (sequence == 0 || sequence > all.commands.size() ||
        all.commands[sequence - 1] != each.command)
      broken("command " + std::to_string(each.command) + " was acknowledged by node " +
             std::to_string(each.by) + " at " + std::to_string(sequence) +
             " and is not there for who reads the log");
  }
  for (const auto& each : nodes_)
    if (each->kept.commands != all.commands)
      broken("node " + std::to_string(each->number) + " applied " +
             std::to_string(each->kept.commands.size()) + " commits, who reads the log " +
             std::to_string(all.commands.size()) + ", or others");
}

std::optional<std::string> log_universe::run() {
  for (std::size_t n = 0; n < steps_count && !broken_; ++n) step();
  if (!broken_) settle();
  if (!broken_) check();
  return broken_;
}

}  // namespace berth::sim
