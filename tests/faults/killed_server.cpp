#include "tests/faults/killed_server.hpp"

#include <condition_variable>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>
#include <unordered_set>

#include <unistd.h>

#include <fmt/format.h>

#include "actors/kernel_options.hpp"
#include "actors/projection_driver.hpp"
#include "infra/bulk/segment_bulk_log.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "infra/telemetry/system_clock.hpp"
#include "tests/support/instant_host.hpp"

namespace berth::testing {

void heard::take(const std::string& line) {
  std::istringstream in{line};
  char kind{};
  std::size_t which{};
  std::uint64_t number{}, version{};
  if (!(in >> kind >> which >> number)) return;
  if (kind == 'B' && which < killed_terminals) durable[which] = std::max(durable[which], number);
  if (kind != 'A' || which >= killed_environments || !(in >> version)) return;
  auto& kept = versions[which];
  acknowledged += kept.empty() || number > kept.rbegin()->first;
  kept[number] = version;
  if (kept.size() > retried_commands) kept.erase(kept.begin());
}

void heard::write(const std::filesystem::path& to) const {
  std::ofstream out{to, std::ios::trunc};
  for (std::size_t which = 0; which < killed_environments; ++which)
    for (const auto& [number, version] : versions[which])
      out << "A " << which << ' ' << number << ' ' << version << '\n';
  for (std::size_t which = 0; which < killed_terminals; ++which)
    out << "B " << which << ' ' << durable[which] << '\n';
}

heard heard::read(const std::filesystem::path& from) {
  heard found;
  std::ifstream in{from};
  for (std::string line; std::getline(in, line);) found.take(line);
  return found;
}

namespace {

constexpr std::size_t in_flight_max = 8;  // of one environment
constexpr auto answer_within = std::chrono::seconds{20};

void say(const std::string& line) {
  const auto whole = line + '\n';
  // One write: a line is on the pipe as a whole or not at all.
  if (::write(STDOUT_FILENO, whole.data(), whole.size()) < 0) ::_exit(0);
}

[[noreturn]] void complain(const std::string& what) {
  say("X " + what);
  ::_exit(1);
}

std::string output_of(std::size_t terminal, std::uint64_t from, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>('a' + (from + i) * (terminal + 3) % 23);
  return bytes;
}

class killed_server {
 public:
  killed_server(const std::filesystem::path& data, std::uint64_t id_time_ms)
      : id_time_ms_{id_time_ms} {
    embedded_options options;
    options.data_dir = data;
    options.time = &clock_;
    options.log_write_buffer_bytes = 256 << 10;
    options.state_write_buffer_bytes = 256 << 10;
    options.block_cache_bytes = 4 << 20;
    options.on_fatal = [](const journal_error& why) { complain("fatal: " + why.message); };
    auto engine = open_embedded(options);
    if (engine.has_error()) complain("does not open: " + engine.error().message);
    engine_ = std::move(*engine);
    bulk_options logs;
    logs.dir = data / "bulk";
    logs.sync_interval_ms = std::chrono::milliseconds{2};
    logs.segment_bytes_max = 64 << 10;
    logs.on_fatal = options.on_fatal;
    auto bulk = open_bulk_log(logs);
    if (bulk.has_error()) complain("bulk does not open: " + bulk.error().message);
    bulk_ = std::move(*bulk);
    views_ =
        std::make_unique<projection_driver>(engine_->journal(), engine_->views(), options.on_fatal);
    kernel_ = make_kernel({engine_->journal(),
                           host_,
                           *bulk_,
                           clock_,
                           {},
                           {derived_id("host", "killed", uuid{})},
                           "boot",
                           engine_->epoch(),
                           {},
                           2,
                           false});
  }

  // Before the kernel runs: what is there is what was promised, each command once.
  void check(const heard& before) {
    const auto head = engine_->journal().head();
    if (!heads_of(engine_->journal()).reaches(views_->projected()))
      complain("a view leads the log");
    std::map<std::string, std::uint64_t> versions;
    std::unordered_set<std::string> commands;
    for (std::uint64_t from = 1; from <= head.offset;) {
      const auto some = engine_->journal().read({0, from}, 4'096);
      if (some.has_error()) complain("the log cannot be read: " + some.error().message);
      for (const auto& happened : *some) check_commit(happened, versions, commands);
      from += some->size();
    }
    for (std::size_t which = 0; which < killed_environments; ++which)
      for (const auto& [number, version] : before.versions[which])
        check_found(which, number, version);
    for (std::size_t which = 0; which < killed_terminals; ++which) check_output(which, before);
  }

  void serve(const heard& before) {
    views_->start();
    kernel_->start();
    // After the kernel took it for itself: no terminal runs here.
    bulk_->on_durable([](const terminal_id& terminal, std::uint64_t durable) {
      say(fmt::format("B {} {}", terminal.value.back(), durable));
    });
    say("ready");
    std::thread printer{[this] { print(); }};
    std::vector<std::thread> askers;
    for (std::size_t which = 0; which < killed_environments; ++which)
      askers.emplace_back([this, which, &before] { ask_for_ever(which, before.versions[which]); });
    for (;;) std::this_thread::sleep_for(std::chrono::hours{1});
  }

  int finish() {
    views_->start();
    const auto rebuilt = views_->rebuild("", [](std::uint64_t) {});
    if (!rebuilt) complain("the views were not rebuilt");
    for (const auto& view : *rebuilt)
      if (!view.identical) complain("view " + view.name + " is not the rebuilt one");
    views_->stop();
    say("ready");
    return 0;
  }

 private:
  static environment_id environment_of(std::size_t which) {
    return {derived_id("env", "killed" + std::to_string(which), uuid{})};
  }
  static terminal_id terminal_of(std::size_t which) {
    return {"term_killed" + std::to_string(which)};
  }
  command_id id_of(std::size_t which, std::uint64_t number) const {
    std::array<std::uint8_t, 10> bits{};
    const auto mixed = number * killed_environments + which;
    std::memcpy(bits.data() + 3, &mixed, 7);  // behind what version and variant replace
    return uuid::v7(static_cast<std::int64_t>(id_time_ms_), bits);
  }

  void check_commit(const commit& happened, std::map<std::string, std::uint64_t>& versions,
                    std::unordered_set<std::string>& commands) {
    const auto stream = happened.body.stream.text();
    auto& last = versions[stream];
    if (happened.body.first.value != last + 1)
      complain(stream + " has a gap behind version " + std::to_string(last));
    last = happened.body.last().value;
    const auto once =
        commands.insert(happened.body.by.account.value + happened.body.command.text() +
                        (happened.body.by.is_system ? stream : ""));
    if (!once.second) complain(stream + " holds a command twice: " + happened.body.command.text());
  }

  void check_found(std::size_t which, std::uint64_t number, std::uint64_t version) {
    const auto found = engine_->journal().find_command(account_, id_of(which, number));
    if (!found)
      complain(
          fmt::format("environment {} command {} was acknowledged and is lost", which, number));
    if (found->last.value != version)
      complain(fmt::format("environment {} command {} has version {}, not {}", which, number,
                           found->last.value, version));
  }

  void check_output(std::size_t which, const heard& before) {
    const auto extent = bulk_->extent(terminal_of(which));
    if (extent.durable < before.durable[which])
      complain(fmt::format("terminal {} ends at {}, {} was told durable", which, extent.durable,
                           before.durable[which]));
    const auto bytes = bulk_->read(terminal_of(which), 0, extent.next);
    if (bytes.has_error()) complain("output: " + bytes.error().message);
    if (*bytes != output_of(which, 0, extent.next))
      complain(fmt::format("terminal {} holds other bytes", which));
  }

  void print() {
    std::uint64_t random = engine_->epoch() * 0x9E3779B97F4A7C15ULL;
    for (;;) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      const auto which = (random >> 33) % killed_terminals;
      const auto extent = bulk_->extent(terminal_of(which));
      const auto size = 1 + (random >> 40) % 2'000;
      bulk_->append(terminal_of(which), extent.next, share(output_of(which, extent.next, size)),
                    clock_.now());
      std::this_thread::sleep_for(std::chrono::microseconds{500});
    }
  }

  // Sends the last acknowledged commands again, then new ones.
  void ask_for_ever(std::size_t which, const std::map<std::uint64_t, std::uint64_t>& known) {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t open = 0;
    const auto ask = [&](std::uint64_t number) {
      {
        std::unique_lock lock{mutex};
        if (!changed.wait_for(lock, answer_within, [&] { return open < in_flight_max; }))
          complain(fmt::format("environment {}: no answer within 20 s", which));
        ++open;
      }
      const environment::command what =
          number == 1 ? environment::command{environment::create{account_, "killed", "lightweight",
                                                                 "host", "2026-11"}}
                      : environment::command{environment::record_activity{"keys"}};
      kernel_->ask(environment_of(which), what,
                   {id_of(which, number), {account_, "tok", false}, {}, {}, {}},
                   [&, number](const auto& got) {
                     if (got)
                       answered(which, number, *got, known);
                     else if (got.error().code != rejection_code::overloaded)
                       complain(fmt::format("environment {} command {}: {}", which, number,
                                            got.error().message));
                     const std::lock_guard lock{mutex};
                     --open;
                     changed.notify_one();
                   });
    };
    const auto wait_for_all = [&] {
      std::unique_lock lock{mutex};
      changed.wait_for(lock, answer_within, [&] { return open == 0; });
    };
    for (const auto& [number, version] : known) ask(number);
    auto next = known.empty() ? 1 : known.rbegin()->first + 1;
    for (;; ++next) {
      ask(next);
      if (next == 1) wait_for_all();  // the others need it
    }
  }

  static void answered(std::size_t which, std::uint64_t number,
                       const answer<environment::aggregate>& got,
                       const std::map<std::uint64_t, std::uint64_t>& known) {
    if (const auto before = known.find(number); before != known.end()) {
      if (!got.replayed || got.version.value != before->second)
        complain(fmt::format("environment {} command {}: answered {} {}, before {}", which, number,
                             got.replayed ? "again" : "anew", got.version.value, before->second));
    }
    say(fmt::format("A {} {} {}", which, number, got.version.value));
  }

  const std::uint64_t id_time_ms_;
  system_clock clock_;
  instant_host host_;
  const account_id account_{derived_id("acct", "killed", uuid{})};
  std::unique_ptr<embedded_engine> engine_;
  std::unique_ptr<bulk_log> bulk_;
  std::unique_ptr<projection_driver> views_;
  std::unique_ptr<running_kernel> kernel_;
};

}  // namespace

int run_killed_server(const std::filesystem::path& data, const heard& before,
                      std::uint64_t id_time_ms, bool last) {
  killed_server server{data, id_time_ms};
  server.check(before);
  if (last) ::_exit(server.finish());
  server.serve(before);
  return 0;
}

}  // namespace berth::testing
