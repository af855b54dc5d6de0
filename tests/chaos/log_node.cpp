// One node of a Kafka journal and nothing else, driven over its standard input, so that a test can
// kill, stop and restart the very code that promises to lose nothing (tests/chaos/chaos.py).
//
//   > 7 do environment/env_1 42        command 42 on that stream
//   < 7 ok 3 17 5 new                  partition, sequence, version; "again": it was done before
//   < 7 no closed partition 3 is not …
//   > 8 leads                          < 8 leads 0 3 5
//   > 9 dump                           < 9 commit 3 17 environment/env_1 5 42 … < 9 end
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "events/core/partition.hpp"
#include "infra/kafka/kafka_engine.hpp"
#include "infra/kafka/kafka_group.hpp"

namespace berth::chaos {
namespace {

command_id command_numbered(std::uint64_t number) {
  command_id id;
  std::memcpy(id.bytes.data(), &number, sizeof number);
  id.bytes[15] = 1;
  return id;
}

std::uint64_t number_of(const command_id& id) {
  std::uint64_t number = 0;
  std::memcpy(&number, id.bytes.data(), sizeof number);
  return number;
}

const account_id everybody{"acct_chaos"};

class node : public append_listener, public std::enable_shared_from_this<node> {
 public:
  explicit node(kafka_engine& engine) : engine_{engine}, log_{engine.journal()} {}

  void request(const std::string& line) {
    std::istringstream words{line};
    std::uint64_t id = 0;
    std::string what;
    words >> id >> what;
    if (what == "do") {
      std::string stream;
      std::uint64_t command = 0;
      words >> stream >> command;
      return execute(id, *stream_id::parse(stream), command);
    }
    if (what == "leads") return tell_leads(id);
    if (what == "dump") return dump(id);
    say(std::to_string(id) + " no unknown_request");
  }

  void appended(std::span<const append_result> results) override {
    for (const auto& each : results) {
      const std::lock_guard lock{mutex_};
      const auto asked = pending_.extract(each.ticket);
      if (each.error) {
        next_.erase(asked.mapped());
        refuse(each.ticket, *each.error);
      } else {
        say(std::to_string(each.ticket) + " ok " + place(each.at) + " " +
            std::to_string(each.last.value) + " new");
      }
    }
  }

 private:
  static std::string place(position at) {
    return std::to_string(at.partition) + " " + std::to_string(at.offset);
  }

  void say(const std::string& line) {
    const std::lock_guard lock{speaking_};
    std::cout << line << "\n" << std::flush;
  }
  void refuse(std::uint64_t id, const journal_error& why) {
    say(std::to_string(id) + " no " + name_of(why.code) + " " + why.message);
  }

  void execute(std::uint64_t id, const stream_id& stream, std::uint64_t command) {
    const std::lock_guard lock{mutex_};
    if (const auto found = log_.find_command(everybody, command_numbered(command)))
      return say(std::to_string(id) + " ok " + place(found->at) + " " +
                 std::to_string(found->last.value) + " again");
    auto next = next_.find(stream);
    if (next == next_.end()) {
      const auto known = last_version(stream);
      if (!known) return refuse(id, known.error());
      next = next_.emplace(stream, known->value + 1).first;
    }
    commit_body body;
    body.stream = stream;
    body.first = {next->second};
    body.command = command_numbered(command);
    body.by = {everybody, "chaos", false};
    body.events.push_back({1, std::string(200, 'e')});
    pending_.emplace(id, stream);
    if (const auto refused = log_.append(body, id, shared_from_this())) {
      pending_.erase(id);
      next_.erase(stream);
      return refuse(id, *refused);
    }
    ++next->second;
  }

  journal_result<stream_version> last_version(const stream_id& stream) const {
    constexpr std::size_t page = 500;
    stream_version last{};
    for (;;) {
      const auto commits = log_.read_stream(stream, last, page);
      if (!commits) return commits.error();
      if (commits->empty()) return last;
      last = commits->back().body.last();
    }
  }

  void tell_leads(std::uint64_t id) {
    auto line = std::to_string(id) + " leads";
    for (std::uint32_t p = 0; p < log_.partitions(); ++p)
      if (engine_.log().stats(p).role == partition_member::role::leading)
        line += " " + std::to_string(p);
    say(line);
  }

  void dump(std::uint64_t id) {
    constexpr std::size_t page = 1'000;
    for (std::uint32_t p = 0; p < log_.partitions(); ++p) {
      for (position next{p, 1};;) {
        const auto commits = log_.read(next, page);
        if (!commits) return refuse(id, commits.error());
        if (commits->empty()) break;
        std::string lines;
        for (const auto& each : *commits)
          lines += std::to_string(id) + " commit " + place(each.at()) + " " +
                   each.body.stream.text() + " " + std::to_string(each.body.last().value) + " " +
                   std::to_string(number_of(each.body.command)) + "\n";
        lines.pop_back();
        say(lines);
        next.offset = commits->back().at().offset + 1;
      }
      const auto now = engine_.log().stats(p);
      for (std::size_t v = 0; v < verdict_count; ++v)
        say(std::to_string(id) + " verdict " + name_of(static_cast<verdict>(v)) + " " +
            std::to_string(now.verdicts[v]));
    }
    say(std::to_string(id) + " end");
  }

  kafka_engine& engine_;
  journal& log_;
  std::mutex mutex_;
  std::map<stream_id, std::uint64_t> next_;     // next version, of what was written lately
  std::map<std::uint64_t, stream_id> pending_;  // by request
  std::mutex speaking_;
};

int run(int argc, char** argv) {
  CLI::App app{"log_node: one node of a Kafka journal"};
  kafka_options options;
  embedded_options storage;
  std::string dir;
  std::int64_t session_ms = 1'500;
  app.add_option("--data-dir", dir)->required();
  app.add_option("--bootstrap", options.bootstrap)->required();
  app.add_option("--node", options.node)->required();
  app.add_option("--prefix", options.topic_prefix)->required();
  app.add_option("--partitions", options.partitions)->required();
  app.add_option("--replication", options.replication_factor)->required();
  app.add_option("--session-ms", session_ms);
  CLI11_PARSE(app, argc, argv);
  spdlog::set_default_logger(spdlog::stderr_logger_mt("log_node"));
  options.min_insync_replicas = options.replication_factor > 1 ? 2 : 1;
  options.session_timeout_ms = std::chrono::milliseconds{session_ms};
  storage.data_dir = dir;
  storage.on_fatal = [](const journal_error& why) {
    spdlog::critical("fatal: {}", why.message);
    std::_Exit(3);
  };
  const auto engine = open_kafka(options, storage);
  if (!engine) {
    spdlog::critical("{}", engine.error().message);
    return 1;
  }
  auto& log = (*engine)->log();
  const auto group = join_group(options, options.node, [&log](const group_view& now) {
    const std::set<std::uint32_t> all{now.assigned.begin(), now.assigned.end()};
    for (std::uint32_t p = 0; p < log.partitions(); ++p) log.want(p, all.contains(p));
  });
  if (!group) {
    spdlog::critical("{}", group.error().message);
    return 1;
  }
  const auto served = std::make_shared<node>(**engine);
  std::cout << "ready\n" << std::flush;
  for (std::string line; std::getline(std::cin, line);) served->request(line);
  return 0;
}

}  // namespace
}  // namespace berth::chaos

int main(int argc, char** argv) {
  return berth::chaos::run(argc, argv);
}
