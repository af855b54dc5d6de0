#include "tests/faults/power_cut_load.hpp"

#include <random>
#include <set>

#include <fmt/format.h>

#include "tests/support/journal_sample.hpp"

namespace berth::testing {
namespace {

constexpr std::size_t in_flight_max = 24;  // of one appender
constexpr std::uint64_t trimmed_to_bytes = 24 << 10;
const view_generation counts{"counts", 1};

stream_id stream_of(std::size_t number) {
  return stream_named("power" + std::to_string(number));
}
terminal_id terminal_of(std::size_t number) {
  return {"term_power" + std::to_string(number)};
}
std::uint64_t command_of(std::size_t stream, std::uint64_t version) {
  return stream * 10'000'000 + version;
}
commit_body body_of(std::size_t stream, std::uint64_t version) {
  const auto payload = 10 + (stream * 31 + version * 17) % 700;
  return sample_body(stream_of(stream), version, command_of(stream, version), 1, payload);
}
std::string output_of(std::size_t terminal, std::uint64_t from, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    const auto mixed = (from + i + terminal * 7) * 0x9E3779B97F4A7C15ULL;
    bytes[i] = static_cast<char>('A' + (mixed >> 59));
  }
  return bytes;
}
std::size_t stream_number(const stream_id& stream) {
  return static_cast<std::size_t>(stream.key.back() - '0');
}

}  // namespace

class power_cut_load::listener : public append_listener {
 public:
  explicit listener(const promises& before) : made_{before}, answered_{before.versions} {}

  void appended(std::span<const append_result> results) override {
    const std::lock_guard lock{mutex_};
    for (const auto& result : results) {
      const auto stream = result.ticket >> 32;
      const auto version = result.ticket & 0xFFFFFFFF;
      answered_[stream] = version;
      if (result.error)
        problem_ = "an append failed: " + result.error->message;
      else
        made_.versions[stream] = version;
    }
    changed_.notify_all();
  }
  // Until fewer than `in_flight_max` of that stream are unanswered.
  void wait_for_room(std::size_t stream, std::uint64_t sent) {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, std::chrono::seconds{20},
                      [&] { return sent < answered_[stream] + in_flight_max; });
  }
  void durable(const terminal_id& terminal, std::uint64_t offset) {
    const std::lock_guard lock{mutex_};
    made_.durable[terminal == terminal_of(0) ? 0 : 1] = offset;
  }
  void complain(std::string what) {
    const std::lock_guard lock{mutex_};
    problem_ = std::move(what);
  }
  promises made() const {
    const std::lock_guard lock{mutex_};
    return made_;
  }
  std::string problem() const {
    const std::lock_guard lock{mutex_};
    return problem_;
  }
  void started(std::size_t stream, std::uint64_t version) {
    const std::lock_guard lock{mutex_};
    answered_[stream] = version;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  promises made_;
  std::array<std::uint64_t, load_streams> answered_;
  std::string problem_;
};

power_cut_load::power_cut_load(opened_storage& on, std::uint64_t seed, const promises& before)
    : on_{on}, seed_{seed}, told_{std::make_shared<listener>(before)} {
  on_.bulk->on_durable(
      [told = told_](const terminal_id& terminal, std::uint64_t d) { told->durable(terminal, d); });
  threads_.emplace_back([this] { append_loop(0); });
  threads_.emplace_back([this] { append_loop(load_streams / 2); });
  threads_.emplace_back([this] { fold_loop(); });
  threads_.emplace_back([this] { output_loop(); });
}

power_cut_load::~power_cut_load() {
  stopping_ = true;
  for (auto& each : threads_) each.join();
}

promises power_cut_load::made() const {
  return told_->made();
}
std::string power_cut_load::problem() const {
  return told_->problem();
}

void power_cut_load::append_loop(std::size_t first_stream) {
  std::mt19937_64 random{seed_ + first_stream};
  auto& journal = on_.engine->journal();
  std::array<std::uint64_t, load_streams> last{};
  for (auto stream = first_stream; stream < first_stream + load_streams / 2; ++stream) {
    const auto all = journal.read_stream(stream_of(stream), {0}, 1'000'000);
    if (all.has_error()) return told_->complain(all.error().message);
    last[stream] = all->empty() ? 0 : all->back().body.last().value;
    told_->started(stream, last[stream]);
  }
  while (!stopping_) {
    const auto stream = first_stream + random() % (load_streams / 2);
    told_->wait_for_room(stream, last[stream]);
    const auto next = last[stream] + 1;
    if (journal.append(body_of(stream, next), stream << 32 | next, told_))
      std::this_thread::sleep_for(std::chrono::microseconds{50});
    else
      last[stream] = next;
  }
}

void power_cut_load::fold_loop() {
  std::mt19937_64 random{seed_ + 101};
  auto& journal = on_.engine->journal();
  auto& views = on_.engine->views();
  auto next = views.checkpoint(counts, 0).value_or(position{}).offset + 1;
  while (!stopping_) {
    const auto some = journal.read({0, next}, 64);
    if (some.has_error()) return told_->complain(some.error().message);
    if (some->empty()) {
      std::this_thread::sleep_for(std::chrono::microseconds{100});
      continue;
    }
    auto batch = views.write(counts);
    for (const auto& happened : *some) {
      const auto version = happened.body.last();
      batch->put(happened.body.stream.key, std::to_string(version.value));
      if (random() % 16 == 0)
        journal.save_snapshot({happened.body.stream,
                               version,
                               {0, next},
                               1,
                               happened.body.stream.key + "@" + std::to_string(version.value)});
      ++next;
    }
    if (batch->commit({0, next - 1}).has_error()) return told_->complain("a view was not written");
  }
}

void power_cut_load::output_loop() {
  std::mt19937_64 random{seed_ + 202};
  on_.bulk->retain(terminal_of(trimmed_terminal), trimmed_to_bytes);
  while (!stopping_) {
    const auto number = random() % load_terminals;
    const auto terminal = terminal_of(number);
    const auto extent = on_.bulk->extent(terminal);
    if (extent.next - extent.durable < 200'000)
      on_.bulk->append(terminal, extent.next,
                       share(output_of(number, extent.next, 1 + random() % 3'000)),
                       from_us(1'800'000'000'000'000));
    std::this_thread::sleep_for(std::chrono::microseconds{random() % 150});
  }
}

namespace {

std::string check_log(const journal& log, const promises& made,
                      std::array<std::uint64_t, load_streams>& last) {
  const auto all = log.read({0, 1}, 10'000'000);
  if (all.has_error()) return "the log cannot be read: " + all.error().message;
  std::set<std::array<std::uint8_t, 16>> commands;
  for (const auto& happened : *all) {
    const auto stream = stream_number(happened.body.stream);
    if (happened.body != body_of(stream, ++last[stream]))
      return fmt::format("{} version {} is not what was written", happened.body.stream.text(),
                         last[stream]);
    if (!commands.insert(happened.body.command.bytes).second)
      return fmt::format("{} version {} doubles a command", happened.body.stream.text(),
                         last[stream]);
  }
  for (std::size_t stream = 0; stream < load_streams; ++stream)
    if (last[stream] < made.versions[stream])
      return fmt::format("stream {} ends at version {}, but {} was acknowledged", stream,
                         last[stream], made.versions[stream]);
  return {};
}

std::string check_index(const journal& log, const std::array<std::uint64_t, load_streams>& last) {
  for (std::size_t stream = 0; stream < load_streams; ++stream) {
    const auto commits = log.read_stream(stream_of(stream), {0}, 10'000'000);
    if (commits.has_error()) return "a stream cannot be read: " + commits.error().message;
    if (commits->size() != last[stream])
      return fmt::format("stream {}: {} commits by index, {} in the log", stream, commits->size(),
                         last[stream]);
    for (auto version = last[stream] > 4 ? last[stream] - 4 : 1; version < last[stream] + 3;
         ++version) {
      const auto found =
          log.find_command({"acct_sample"}, command_number(command_of(stream, version)));
      if (found.has_value() != (version <= last[stream]) || (found && found->last.value != version))
        return fmt::format("stream {} version {}: deduplication is wrong", stream, version);
    }
    const auto kept = log.load_snapshot(stream_of(stream));
    if (kept.has_value() &&
        (kept->upto.value > last[stream] || kept->at.offset > log.head().offset ||
         kept->state != stream_of(stream).key + "@" + std::to_string(kept->upto.value)))
      return fmt::format("stream {}: a snapshot leads the log or is wrong", stream);
  }
  return {};
}

std::string check_view(embedded_engine& engine) {
  const auto checkpoint = engine.views().checkpoint(counts, 0).value_or(position{});
  if (checkpoint.offset > engine.journal().head().offset) return "a view leads the log";
  std::map<std::string, std::string> expected;
  const auto folded = engine.journal().read({0, 1}, checkpoint.offset);
  if (folded.has_error()) return folded.error().message;
  for (const auto& happened : *folded)
    expected[happened.body.stream.key] = std::to_string(happened.body.last().value);
  const auto rows = engine.views().read(counts)->scan("", "", 1'000);
  if (std::map<std::string, std::string>{rows.begin(), rows.end()} != expected)
    return "a view is not the fold up to its checkpoint";
  return {};
}

std::string check_output(bulk_log& bulk, const promises& made) {
  for (std::size_t number = 0; number < load_terminals; ++number) {
    const auto extent = bulk.extent(terminal_of(number));
    if (extent.durable < made.durable[number])
      return fmt::format("terminal {} ends at {}, but {} was told durable", number, extent.durable,
                         made.durable[number]);
    if (number != trimmed_terminal && extent.first != 0)
      return fmt::format("terminal {} begins at {}", number, extent.first);
    const auto bytes = bulk.read(terminal_of(number), extent.first, extent.next - extent.first);
    if (bytes.has_error()) return "output cannot be read: " + bytes.error().message;
    if (*bytes != output_of(number, extent.first, extent.next - extent.first))
      return fmt::format("terminal {} holds other bytes than were printed", number);
  }
  return {};
}

}  // namespace

std::string broken_promise(opened_storage& left, const promises& made) {
  std::array<std::uint64_t, load_streams> last{};
  auto wrong = check_log(left.engine->journal(), made, last);
  if (wrong.empty()) wrong = check_index(left.engine->journal(), last);
  if (wrong.empty()) wrong = check_view(*left.engine);
  if (wrong.empty()) wrong = check_output(*left.bulk, made);
  return wrong;
}

}  // namespace berth::testing
