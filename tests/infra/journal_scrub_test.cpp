// The background scrub: what is flipped on the disk while the server runs is found, wherever it is,
// named, and never served.
#include <map>

#include "infra/bulk/segment_bulk_log.hpp"
#include "infra/scrub/scrubber.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/damage.hpp"
#include "tests/support/journal_engines.hpp"
#include "tests/support/journal_sample.hpp"

namespace berth::testing {
namespace {

namespace fs = std::filesystem;

// A terminal's stream, so that its output is looked for.
const stream_id terminal_stream{aggregate_kind::terminal, "term_scrubbed"};

struct scrubbed_storage {
  scrubbed_storage() {
    options.data_dir = folder.path() / "data";
    options.time = &time;
    options.index_interval_ms = std::chrono::milliseconds{1};
    options.on_fatal = [this](const journal_error& why) { fatal.push_back(why); };
    bulk_settings.dir = options.data_dir / "bulk";
    bulk_settings.compress = false;
    bulk_settings.sync_interval_ms = std::chrono::milliseconds{1};
    open();
    const auto listener = std::make_shared<recording_listener>();
    for (std::uint64_t n = 0; n < commits; ++n) {
      REQUIRE_FALSE(engine->journal().append(sample_body(terminal_stream, n + 1, n + 1, 1, 300), n,
                                             listener));
      // Many writes a file: the last one of a log is judged at the next start only.
      REQUIRE(listener->wait_for(n + 1));
    }
    std::string text(100'000, 'x');
    bulk->append({terminal_stream.key}, 0, share(text), time.now());
    for (int i = 0; i < 20'000 && bulk->extent({terminal_stream.key}).durable < text.size(); ++i)
      std::this_thread::sleep_for(std::chrono::microseconds{200});
  }
  // Leaves all of it in tables.
  void reopen() {
    engine.reset();
    bulk.reset();
    open();
  }
  void open() {
    engine = open_embedded(options).value();
    bulk = open_bulk_log(bulk_settings).value();
  }
  std::vector<journal_error> scrub(const read_pace& pace = at_once) {
    std::vector<journal_error> found;
    scrub_round({engine->journal(), *bulk, engine.get()}, pace,
                [&](const journal_error& why) { found.push_back(why); });
    return found;
  }
  // Flips a bit in the middle of the first file of this kind.
  fs::path flip(const char* folder_name, const char* extension) {
    const auto path = files_below(options.data_dir / folder_name, [&](const fs::path& each) {
                        return each.extension() == extension && fs::file_size(each) > 1'000;
                      }).front();
    auto bytes = read_whole(path);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    // In place: the server has the file open.
    std::fstream{path, std::ios::in | std::ios::out | std::ios::binary} << bytes;
    return path;
  }

  static constexpr std::uint64_t commits = 500;
  temporary_folder folder;
  shared_clock time;
  embedded_options options;
  bulk_options bulk_settings;
  std::vector<journal_error> fatal;
  std::unique_ptr<embedded_engine> engine;
  std::unique_ptr<bulk_log> bulk;
};

bool is_named(const std::vector<journal_error>& found, const fs::path& path) {
  return std::any_of(found.begin(), found.end(), [&](const journal_error& why) {
    return why.code == journal_errc::corrupt &&
           why.message.find(path.string()) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("scrub: finds nothing where nothing is wrong, and reads all of it", "[infra]") {
  scrubbed_storage on;
  std::size_t bytes = 0;
  CHECK(on.scrub([&](std::size_t read) { return bytes += read, true; }).empty());
  CHECK(bytes > 100'000 + on.commits * 300);
  CHECK(on.fatal.empty());
}

TEST_CASE("scrub: a bit flipped in a table of the log is found and named; reads never serve it",
          "[infra]") {
  scrubbed_storage on;
  on.reopen();
  const auto path = on.flip("log", ".sst");
  CHECK(is_named(on.scrub(), path));
  CHECK(on.fatal.empty());  // who does not read it is served
  const auto all = on.engine->journal().read({0, 1}, on.commits);
  if (all.has_value())
    for (std::uint64_t n = 0; n < on.commits; ++n)
      CHECK((*all)[n].body == sample_body(terminal_stream, n + 1, n + 1, 1, 300));
}

TEST_CASE("scrub: a bit flipped in a synced write-ahead log is found before a crash needs it",
          "[infra]") {
  scrubbed_storage on;
  const auto path = on.flip("log", ".log");
  CHECK(is_named(on.scrub(), path));
}

TEST_CASE("scrub: a bit flipped in a terminal's output is found and named", "[infra]") {
  scrubbed_storage on;
  const auto path = on.flip("bulk", ".raw");
  CHECK(is_named(on.scrub(), path));
  CHECK(on.fatal.empty());
  CHECK(on.bulk->read({terminal_stream.key}, 0, 100'000).has_error());
}

TEST_CASE("scrub: damage of state/ ends the process, and the next start rebuilds it", "[infra]") {
  scrubbed_storage on;
  on.reopen();
  const auto path = on.flip("state", ".sst");
  CHECK(is_named(on.scrub(), path));
  REQUIRE(on.fatal.size() == 1);
  on.reopen();
  CHECK(on.scrub().empty());
  CHECK(on.engine->journal().read_stream(terminal_stream, {0}, 1'000).value().size() == on.commits);
}

TEST_CASE("scrub: the thread keeps its pace, counts, and ends when it is told to", "[infra]") {
  scrubbed_storage on;
  const auto path = on.flip("bulk", ".raw");
  scrub_options options;
  options.before_first_round = options.between_rounds = std::chrono::seconds{0};
  std::atomic<int> found{};
  {
    scrubber running{{on.engine->journal(), *on.bulk, on.engine.get()},
                     options,
                     [&](const journal_error&) { ++found; }};
    for (int i = 0; i < 20'000 && running.rounds() < 1; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    CHECK(running.rounds() >= 1);
    CHECK(running.problems() >= 1);
    CHECK(running.bytes() > on.commits * 300);
  }
  CHECK(found >= 1);
  options.bytes_per_second_max = 1;  // a day and more
  options.before_first_round = std::chrono::seconds{0};
  const auto began = std::chrono::steady_clock::now();
  {
    scrubber slow{
        {on.engine->journal(), *on.bulk, on.engine.get()}, options, [](const journal_error&) {}};
  }
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds{10});
}

}  // namespace berth::testing
