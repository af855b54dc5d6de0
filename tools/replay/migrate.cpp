#include "tools/replay/migrate.hpp"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "infra/files/durable.hpp"
#include "infra/kafka/kafka_engine.hpp"
#include "infra/kafka/kafka_mirror.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "infra/rocksdb/import_log.hpp"
#include "tools/berthd/data_directory.hpp"
#include "tools/inspect/queries.hpp"
#include "tools/replay/stream_hashes.hpp"

namespace berth::replay {
namespace json = boost::json;
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::milliseconds look_every{100};
constexpr std::size_t named_differences = 10;
constexpr std::size_t commits_at_once = 1'000;

void show(const char* what, std::uint64_t done, std::uint64_t of) {
  if (::isatty(STDERR_FILENO)) fmt::print(stderr, "\r{}: {} of {} commits ", what, done, of);
}

embedded_options replica_of(const embedded_options& engine) {
  auto options = engine;
  options.data_dir = engine.data_dir / "replica";
  return options;
}

journal_error fatal(const std::string& what) {
  return {journal_errc::io, what, std::nullopt};
}

// Renames what there is of `names` into a new folder beside them, which gets `folder` for its name.
std::optional<journal_error> put_aside(const fs::path& data_dir, const char* folder,
                                       std::initializer_list<const char*> names) {
  auto aside = data_dir / folder;
  for (int n = 2; fs::exists(aside); ++n) aside = data_dir / fmt::format("{}-{}", folder, n);
  std::error_code error;
  fs::create_directory(aside, error);
  for (const auto* name : names)
    if (!error && fs::exists(data_dir / name)) fs::rename(data_dir / name, aside / name, error);
  if (!error) return sync_folder(data_dir);
  return journal_error{journal_errc::io, aside.string() + ": " + error.message(), std::nullopt};
}

// A run that was broken off between the engine's name and the folders goes on here.
bool is_moved(const berthd::data_directory& directory, const char* engine) {
  return directory.engine().engine == engine;
}

struct outcome {
  std::uint64_t commits{};
  std::uint64_t events{};
  std::uint64_t streams{};
  std::vector<std::string> different;
  std::chrono::duration<double> copied{}, compared{};
};

int tell(const outcome& done, bool as_json, const char* next) {
  if (::isatty(STDERR_FILENO)) fmt::print(stderr, "\n");
  if (as_json) {
    fmt::print("{}\n", json::serialize(json::object{{"ok", done.different.empty()},
                                                    {"commits", done.commits},
                                                    {"events", done.events},
                                                    {"streams", done.streams},
                                                    {"different", json::value_from(done.different)},
                                                    {"copied_s", done.copied.count()},
                                                    {"compared_s", done.compared.count()}}));
  } else {
    fmt::print("{} commits, {} events of {} streams: copied in {:.1f} s, compared in {:.1f} s\n",
               done.commits, done.events, done.streams, done.copied.count(), done.compared.count());
    for (const auto& name : done.different) fmt::print("  {} is different\n", name);
    fmt::print("{}\n", done.different.empty() ? next : "nothing was put aside");
  }
  return done.different.empty() ? inspect::exit_ok : inspect::exit_corrupt;
}

// DIR/import, compared, becomes the journal. The name last: until then a start is refused as one of
// the other engine, and another run begins anew.
std::optional<journal_error> take_import(const berthd::data_directory& directory,
                                         const fs::path& data_dir) {
  for (const auto* name : {"log", "state", "head", "boot"}) {
    std::error_code error;
    if (fs::exists(data_dir / "import" / name))
      fs::rename(data_dir / "import" / name, data_dir / name, error);
    if (error) return fatal((data_dir / name).string() + ": " + error.message());
  }
  if (auto failed = put_aside(data_dir, "kafka", {"replica", "import"})) return failed;
  const auto tag = "e" + base32(uuid::derived("import", fmt::format("{}", std::random_device{}()),
                                              data_dir.string())
                                    .bytes)
                             .substr(0, 8);
  if (const auto unwritten = directory.set_engine({"embedded", tag})) return fatal(*unwritten);
  return std::nullopt;
}

using hashes_of = std::function<journal_result<stream_hashes>()>;

journal_result<outcome> compare(const hashes_of& one, const hashes_of& other, outcome done) {
  const auto began = std::chrono::steady_clock::now();
  journal_result<stream_hashes> second{stream_hashes{}};
  std::thread beside{[&] { second = other(); }};
  const auto first = one();
  beside.join();
  if (first.has_error()) return first.error();
  if (second.has_error()) return second.error();
  done.commits = first->commits;
  done.events = first->events;
  done.streams = first->of.size();
  done.different = differences(*first, *second, named_differences);
  done.compared = std::chrono::steady_clock::now() - began;
  return done;
}

// Until everything that is in the topic is in the replica.
std::optional<journal_error> read_to_end(kafka_engine& engine) {
  for (std::uint32_t p = 0; p < engine.log().partitions(); ++p) {
    const auto end = engine.log().end_of(p);
    if (end.has_error()) return end.error();
    for (;;) {
      const auto now = engine.log().stats(p);
      if (now.next_offset >= *end) break;
      show("reading", now.next_offset, *end);
      std::this_thread::sleep_for(look_every);
    }
  }
  return std::nullopt;
}

}  // namespace

int to_kafka(const embedded_options& asked, const kafka_options& kafka, bool as_json) {
  auto options = asked;
  options.on_fatal = [](const journal_error& why) { inspect::fail(why), std::_Exit(1); };
  berthd::data_directory directory;
  if (const auto opened = directory.open(options.data_dir); opened.error)
    return inspect::fail(fatal(*opened.error));
  if (is_moved(directory, "kafka")) {
    // Verified before it was named so.
    if (!fs::exists(options.data_dir / "log")) return tell({}, as_json, "It was moved before.");
    if (auto failed = put_aside(options.data_dir, "embedded", {"log", "state", "head", "boot"}))
      return inspect::fail(*failed);
    return tell({}, as_json, "Put aside what a run before this one had copied and compared.");
  }
  auto engine = open_embedded(options);
  if (engine.has_error()) return inspect::fail(engine.error());
  const auto& from = (*engine)->journal();
  const auto head = from.head().offset;
  outcome done;
  const auto began = std::chrono::steady_clock::now();
  {
    const auto mirror =
        start_mirror(kafka, directory.this_host().value, **engine, *with_clock(options).time);
    for (;;) {
      const auto now = mirror->now();
      if (now.connected && now.copied_upto >= head) break;
      if (!now.trouble.empty()) return inspect::fail(fatal(now.trouble));
      show("copying", now.copied_upto, head);
      std::this_thread::sleep_for(look_every);
    }
  }
  done.copied = std::chrono::steady_clock::now() - began;
  auto compared = compare(
      [&] { return hash_streams(from); },
      [&] { return hash_topic(kafka, [&](auto read) { show("comparing", read, head); }); }, done);
  if (compared.has_error()) return inspect::fail(compared.error());
  engine->reset();
  if (compared->different.empty()) {
    // The name first: from here on nobody opens an empty log in place of what is put aside.
    if (const auto unwritten = directory.set_engine({"kafka", {}}))
      return inspect::fail(fatal(*unwritten));
    if (auto failed = put_aside(options.data_dir, "embedded", {"log", "state", "head", "boot"}))
      return inspect::fail(*failed);
  }
  return tell(*compared, as_json,
              "The embedded journal was put aside in embedded/. Start with engine = \"kafka\": it "
              "reads the topic first.");
}

int from_kafka(const embedded_options& asked, const kafka_options& kafka, bool as_json) {
  auto options = asked;
  options.on_fatal = [](const journal_error& why) { inspect::fail(why), std::_Exit(1); };
  berthd::data_directory directory;
  if (const auto opened = directory.open(options.data_dir); opened.error)
    return inspect::fail(fatal(*opened.error));
  outcome done;
  const auto began = std::chrono::steady_clock::now();
  if (is_moved(directory, "embedded"))
    return inspect::fail(fatal(options.data_dir.string() + " is of engine = embedded already"));
  auto replica = open_kafka(kafka, replica_of(options));
  if (replica.has_error()) return inspect::fail(replica.error());
  if (auto failed = read_to_end(**replica)) return inspect::fail(*failed);
  const auto& from = (*replica)->journal();
  // The partitions, merged by commit time: each is in order by itself.
  struct partition_reader {
    position next;
    std::vector<commit> ahead;
    std::size_t at{};
  };
  std::vector<partition_reader> readers;
  for (std::uint32_t p = 0; p < from.partitions(); ++p) readers.push_back({{p, 1}, {}, 0});
  std::uint64_t copied = 0;
  const auto next = [&]() -> journal_result<std::optional<commit>> {
    partition_reader* oldest = nullptr;
    for (auto& each : readers) {
      if (each.at == each.ahead.size()) {
        auto more = from.read(each.next, commits_at_once);
        if (more.has_error()) return more.error();
        each.ahead = std::move(*more);
        each.at = 0;
        if (each.ahead.empty()) continue;
        each.next.offset = each.ahead.back().at().offset + 1;
      }
      if (!oldest || each.ahead[each.at].envelope.time < oldest->ahead[oldest->at].envelope.time)
        oldest = &each;
    }
    if (!oldest) return std::optional<commit>{};
    if (++copied % 100'000 == 0) show("copying", copied, 0);
    return std::optional{std::move(oldest->ahead[oldest->at++])};
  };
  // What a run left that was broken off while it put things in their places.
  if (fs::exists(options.data_dir / "log"))
    if (auto failed = put_aside(options.data_dir, "embedded", {"log", "state", "head", "boot"}))
      return inspect::fail(*failed);
  auto importing = options;
  importing.data_dir = options.data_dir / "import";
  std::error_code not_there;
  fs::remove_all(importing.data_dir, not_there);
  const auto imported = import_log(importing, next);
  if (imported.has_error()) return inspect::fail(imported.error());
  auto engine = open_embedded(importing);
  if (engine.has_error()) return inspect::fail(engine.error());
  done.copied = std::chrono::steady_clock::now() - began;
  auto compared = compare([&] { return hash_streams(from); },
                          [&] { return hash_streams((*engine)->journal()); }, done);
  if (compared.has_error()) return inspect::fail(compared.error());
  replica->reset();
  engine->reset();
  if (compared->different.empty())
    if (auto failed = take_import(directory, options.data_dir)) return inspect::fail(*failed);
  return tell(*compared, as_json,
              "The replica was put aside in kafka/. Start with engine = \"embedded\".");
}

}  // namespace berth::replay
