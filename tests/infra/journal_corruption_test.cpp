// Damage to every file of an embedded data directory, seeded: each case ends in a clear error that
// names the place, or in a recovery that lost nothing acknowledged. What was acknowledged is known
// to the test, not asked of the journal.
#include <map>

#include "infra/bulk/segment_bulk_log.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/damage.hpp"
#include "tests/support/journal_engines.hpp"
#include "tests/support/journal_sample.hpp"
#include "tests/support/sanitized.hpp"

namespace berth::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t streams = 7;

// A directory as kill -9 leaves it, and what its server had acknowledged.
struct crash_image {
  temporary_folder folder;
  std::vector<commit_body> acknowledged;
  fs::path log_before_last;  // the newest write-ahead log before a last, unacknowledged write
  std::uintmax_t log_bytes_before_last{};
  std::string head_before_last;

  fs::path data() const { return folder.path() / "data"; }
};

embedded_options small_options(const fs::path& data, const clock& time) {
  embedded_options options;
  options.data_dir = data;
  options.time = &time;
  options.log_write_buffer_bytes = 64 << 10;  // several files from few commits
  options.state_write_buffer_bytes = 64 << 10;
  options.block_cache_bytes = 1 << 20;
  options.index_interval_ms = std::chrono::milliseconds{1};
  options.on_fatal = [](const journal_error&) {};
  return options;
}

void append_and_wait(journal& to, const std::vector<commit_body>& bodies) {
  const auto listener = std::make_shared<recording_listener>();
  for (const auto& body : bodies) REQUIRE_FALSE(to.append(body, 0, listener));
  REQUIRE(listener->wait_for(bodies.size()));
  for (const auto& result : listener->results()) REQUIRE_FALSE(result.error);
}

std::vector<commit_body> round_of(std::uint64_t version) {
  std::vector<commit_body> bodies;
  for (std::size_t s = 0; s < streams; ++s)
    bodies.push_back(
        sample_body(stream_named(std::to_string(s)), version, version * 100 + s, 1, 150));
  return bodies;
}

fs::path newest_log(const fs::path& folder) {
  return files_below(folder, [](const fs::path& path) { return path.extension() == ".log"; })
      .back();
}

const crash_image& image() {
  static const auto made = [] {
    auto result = std::make_unique<crash_image>();
    static shared_clock time;
    temporary_folder live;
    const auto options = small_options(live.path() / "data", time);
    std::uint64_t version = 0;
    for (int life = 0; life < 3; ++life) {
      const auto engine = open_embedded(options).value();
      for (int round = 0; round < 40; ++round) {
        const auto bodies = round_of(++version);
        append_and_wait(engine->journal(), bodies);
        result->acknowledged.insert(result->acknowledged.end(), bodies.begin(), bodies.end());
      }
      const auto at = engine->journal().head();
      engine->journal().save_snapshot(
          {stream_named("0"), {version}, {0, at.offset - streams + 1}, 1, "state"});
      auto batch = engine->views().write({"catalog", 1});
      for (std::size_t s = 0; s < streams; ++s)
        batch->put(std::to_string(s), std::to_string(version));
      REQUIRE(batch->commit(at).has_value());
      for (int i = 0; i < 5'000 && engine->stats().index_lag_commits > 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
      if (life < 2) continue;
      // A last write that is in the log, but whose acknowledgement nobody saw, and of which state/
      // does not know yet: the log and its head are copied as they stand, the rest is from before.
      fs::copy(live.path(), result->folder.path(), fs::copy_options::recursive);
      result->log_before_last = fs::relative(newest_log(options.log_dir()), options.data_dir);
      result->log_bytes_before_last = fs::file_size(options.data_dir / result->log_before_last);
      result->head_before_last = read_whole(options.head_path());
      append_and_wait(engine->journal(), {sample_body(stream_named("0"), version + 1, 1, 3, 900)});
      fs::remove_all(result->data() / "log");
      fs::copy(options.log_dir(), result->data() / "log", fs::copy_options::recursive);
      fs::copy(options.head_path(), result->data() / "head", fs::copy_options::overwrite_existing);
    }
    return result;
  }();
  return *made;
}

enum class verdict : char { intact, error };

// Reads everything there is. Any error must name a place below the data directory, or an offset.
std::optional<journal_error> read_everything(embedded_engine& engine,
                                             const std::vector<commit_body>& acknowledged) {
  auto& journal = engine.journal();
  const auto all = journal.read({0, 1}, 1'000'000);
  if (all.has_error()) return all.error();
  REQUIRE(all->size() >= acknowledged.size());
  for (std::size_t i = 0; i < acknowledged.size(); ++i) REQUIRE((*all)[i].body == acknowledged[i]);
  std::size_t in_streams = 0;
  for (std::size_t s = 0; s < streams; ++s) {
    const auto stream = journal.read_stream(stream_named(std::to_string(s)), {0}, 1'000'000);
    if (stream.has_error()) return stream.error();
    in_streams += stream->size();
  }
  REQUIRE(in_streams == all->size());
  for (std::size_t i = 0; i < acknowledged.size(); i += 37) {
    const auto found = journal.find_command({"acct_sample"}, acknowledged[i].command);
    REQUIRE(found);  // not found would mean: executed twice
    if (found->at.offset != i + 1 || found->command_hash != acknowledged[i].command_hash)
      return journal_error{journal_errc::corrupt, "state/ deduplication", std::nullopt};
  }
  return std::nullopt;
}

bool names_a_place(const journal_error& error, const fs::path& data) {
  return error.message.find(data.string()) != std::string::npos ||
         error.message.find("offset") != std::string::npos ||
         error.message.find("state/") != std::string::npos;
}

// Opens and reads; a damaged state/ that shows only when it is read must be healed by the next
// start.
std::optional<journal_error> open_and_read(const embedded_options& asked,
                                           const std::vector<commit_body>& acknowledged) {
  auto options = asked;
  bool died = false;
  options.on_fatal = [&](const journal_error&) { died = true; };
  for (int start = 0; start < 2; ++start) {
    died = false;
    auto engine = open_embedded(options);
    if (engine.has_error()) return engine.error();
    const auto error = read_everything(**engine, acknowledged);
    if (!error && !died) return std::nullopt;
    if (!died) return error;
  }
  return journal_error{journal_errc::corrupt, "a crash loop", std::nullopt};
}

}  // namespace

TEST_CASE("corruption: the crash image itself is read in full", "[infra]") {
  shared_clock time;
  temporary_folder folder;
  fs::copy(image().data(), folder.path() / "data", fs::copy_options::recursive);
  const auto options = small_options(folder.path() / "data", time);
  CHECK_FALSE(open_and_read(options, image().acknowledged));
  const auto report = verify(options).value();
  CHECK(report.problems.empty());
  CHECK(report.commits == image().acknowledged.size() + 1);
}

TEST_CASE("corruption: a torn last write that nobody was told of is cut without a word",
          "[infra]") {
  shared_clock time;
  temporary_folder folder;
  const auto whole = fs::file_size(image().data() / image().log_before_last);
  REQUIRE(whole > image().log_bytes_before_last);
  for (auto size = image().log_bytes_before_last; size < whole; size += 41 * tenth_if_sanitized) {
    const auto data = folder.path() / std::to_string(size);
    fs::copy(image().data(), data, fs::copy_options::recursive);
    fs::resize_file(data / image().log_before_last, size);
    write_whole(data / "head", image().head_before_last);
    const auto error = open_and_read(small_options(data, time), image().acknowledged);
    if (error) FAIL("cut at " << size << " of " << whole << ": " << error->message);
    fs::remove_all(data);
  }
}

TEST_CASE("corruption: a last write torn in its middle, its end being there, is cut too",
          "[infra]") {
  shared_clock time;
  temporary_folder folder;
  const auto whole = fs::file_size(image().data() / image().log_before_last);
  for (auto at = image().log_bytes_before_last; at < whole; at += 97 * tenth_if_sanitized) {
    const auto data = folder.path() / std::to_string(at);
    fs::copy(image().data(), data, fs::copy_options::recursive);
    auto bytes = read_whole(data / image().log_before_last);
    bytes[at] = static_cast<char>(~bytes[at]);
    write_whole(data / image().log_before_last, bytes);
    write_whole(data / "head", image().head_before_last);
    const auto error = open_and_read(small_options(data, time), image().acknowledged);
    if (error) FAIL("torn at " << at << " of " << whole << ": " << error->message);
    fs::remove_all(data);
  }
}

TEST_CASE("corruption: 500 seeded damages of a data directory lose nothing in silence", "[infra]") {
  shared_clock time;
  temporary_folder folder;
  const auto originals =
      files_below(image().data(), [](const fs::path& path) { return path.filename() != "LOCK"; });
  std::map<std::string, int> outcomes;
  for (unsigned seed = 1; seed <= 500u / tenth_if_sanitized; ++seed) {
    std::mt19937 random{seed};
    const auto data = folder.path() / std::to_string(seed);
    fs::copy(image().data(), data, fs::copy_options::recursive);
    const auto file = data / fs::relative(originals[random() % originals.size()], image().data());
    const auto what = "seed " + std::to_string(seed) + ": " + fs::relative(file, data).string() +
                      ": " + damage_file(file, random);
    INFO(what);
    const auto options = small_options(data, time);
    const auto error = open_and_read(options, image().acknowledged);
    ++outcomes[error ? name_of(error->code) : "intact"];
    if (error) {
      CHECK((error->code == journal_errc::corrupt || error->code == journal_errc::data_loss ||
             error->code == journal_errc::io));
      INFO(error->message);
      CHECK(names_a_place(*error, data));
      const bool of_state = fs::relative(file, data).string().starts_with("state");
      CHECK_FALSE(of_state);  // it can be rebuilt
    }
    fs::remove_all(data);
  }
  CHECK(outcomes["intact"] >= 100 / tenth_if_sanitized);
  CHECK(outcomes["corrupt"] >= 50 / tenth_if_sanitized);
  CHECK(outcomes["data_loss"] >= 1 / tenth_if_sanitized);  // how many, the files decide
}

TEST_CASE(
    "corruption: after accept-loss the server starts with an intact prefix, and says what is gone",
    "[infra]") {
  shared_clock time;
  temporary_folder folder;
  int accepted = 0;
  for (unsigned seed = 1; seed <= 60u / tenth_if_sanitized; ++seed) {
    std::mt19937 random{seed};
    const auto data = folder.path() / std::to_string(seed);
    fs::copy(image().data(), data, fs::copy_options::recursive);
    const auto files = files_below(data, [](const fs::path& path) {
      return path.parent_path().filename() == "log" &&
             (path.extension() == ".sst" || path.extension() == ".log");
    });
    const auto what = damage_file(files[random() % files.size()], random);
    INFO("seed " << seed << ": " << what);
    const auto options = small_options(data, time);
    if (!open_and_read(options, image().acknowledged)) continue;
    const auto loss = accept_loss(options);
    if (loss.has_error()) FAIL("accept_loss: " << loss.error().message);
    ++accepted;
    CHECK(loss->kept.offset <= loss->claimed.offset);
    const auto engine = open_embedded(options);
    if (engine.has_error()) FAIL("open: " << engine.error().message);
    CHECK((*engine)->journal().head().offset == loss->kept.offset);
    auto prefix = image().acknowledged;
    prefix.resize(std::min<std::size_t>(prefix.size(), loss->kept.offset));
    CHECK_FALSE(read_everything(**engine, prefix));
    fs::remove_all(data);
  }
  CHECK(accepted >= 20 / tenth_if_sanitized);
}

TEST_CASE("corruption: a loss can be accepted wherever the newest table is damaged, its end too",
          "[infra]") {
  shared_clock time;
  temporary_folder folder;
  const auto settled = folder.path() / "settled";
  fs::copy(image().data(), settled, fs::copy_options::recursive);
  REQUIRE(open_embedded(small_options(settled, time)));  // all records are in tables now
  const auto newest = files_below(settled / "log", [](const fs::path& path) {
                        return path.extension() == ".sst" && fs::file_size(path) > 4096;
                      }).back();
  const auto whole = read_whole(newest);
  for (std::size_t at = 100; at < whole.size(); at += 400 * tenth_if_sanitized) {
    const auto data = folder.path() / std::to_string(at);
    fs::copy(settled, data, fs::copy_options::recursive);
    auto bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x04);
    write_whole(data / "log" / newest.filename(), bytes);
    INFO(newest << " byte " << at << " of " << whole.size());
    const auto options = small_options(data, time);
    const auto loss = accept_loss(options);
    if (loss.has_error()) FAIL("accept_loss: " << loss.error().message);
    auto prefix = image().acknowledged;
    prefix.resize(std::min<std::size_t>(prefix.size(), loss->kept.offset));
    const auto engine = open_embedded(options);
    if (engine.has_error()) FAIL("open: " << engine.error().message);
    CHECK_FALSE(read_everything(**engine, prefix));
    fs::remove_all(data);
  }
}

TEST_CASE("corruption: verify finds a flipped bit in any record of the log and names it",
          "[infra]") {
  shared_clock time;
  temporary_folder folder;
  const auto tables = files_below(image().data() / "log",
                                  [](const fs::path& path) { return path.extension() == ".sst"; });
  REQUIRE(tables.size() >= 2);
  for (unsigned seed = 1; seed <= 20u / tenth_if_sanitized; ++seed) {
    std::mt19937 random{seed};
    const auto data = folder.path() / std::to_string(seed);
    fs::copy(image().data(), data, fs::copy_options::recursive);
    const auto path = data / "log" / tables[random() % tables.size()].filename();
    auto bytes = read_whole(path);
    const auto at = random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    write_whole(path, bytes);
    INFO(path << " byte " << at << " of " << bytes.size());
    const auto report = verify(small_options(data, time));
    if (report.has_error()) {
      CHECK(names_a_place(report.error(), data));
    } else {
      REQUIRE_FALSE(report->problems.empty());
      CHECK(names_a_place(report->problems.front(), data));
    }
    fs::remove_all(data);
  }
}

TEST_CASE("corruption: 500 seeded damages of bulk logs lose no durable byte in silence",
          "[infra]") {
  const terminal_id terminal{"term_a"};
  std::mt19937 source{11};
  std::string text(400'000, '\0');
  for (auto& c : text) c = static_cast<char>('a' + source() % 9);
  temporary_folder folder;
  bulk_options options;
  options.segment_bytes_max = options.segment_bytes_min = 64 << 10;
  options.sync_interval_ms = std::chrono::milliseconds{1};
  options.on_fatal = [](const journal_error& why) { FAIL("fatal: " << why.message); };
  const auto image_path = folder.path() / "image";
  {
    options.dir = folder.path() / "live";
    const auto log = open_bulk_log(options).value();
    for (std::size_t at = 0; at < text.size(); at += 5'000) {
      log->append(terminal, at, share(text.substr(at, 5'000)), from_us(1'800'000'000'000'000));
      for (int i = 0; i < 5'000 && log->extent(terminal).durable <= at; ++i)
        std::this_thread::sleep_for(std::chrono::microseconds{200});
    }
    fs::copy(options.dir, image_path, fs::copy_options::recursive);
  }
  std::map<std::string, int> outcomes;
  options.compress = false;
  for (unsigned seed = 1; seed <= 500u / tenth_if_sanitized; ++seed) {
    std::mt19937 random{seed};
    options.dir = folder.path() / std::to_string(seed);
    fs::copy(image_path, options.dir, fs::copy_options::recursive);
    const auto files = files_below(options.dir, [](const fs::path&) { return true; });
    const auto what =
        "seed " + std::to_string(seed) + ": " + damage_file(files[random() % files.size()], random);
    INFO(what);
    const auto log = open_bulk_log(options);
    std::optional<journal_error> error;
    if (log.has_error()) {
      error = log.error();
    } else {
      const auto extent = (*log)->extent(terminal);
      REQUIRE(extent.first == 0);
      REQUIRE(extent.durable >= text.size());
      const auto read = (*log)->read(terminal, 0, text.size());
      if (read.has_error())
        error = read.error();
      else
        REQUIRE(*read == text);
    }
    ++outcomes[error ? name_of(error->code) : "intact"];
    if (error) {
      INFO(error->message);
      CHECK((error->code == journal_errc::corrupt || error->code == journal_errc::data_loss ||
             error->code == journal_errc::io));
      CHECK(error->message.find("term_a") != std::string::npos);
    }
    if (log.has_error()) {
      const auto mended = accept_bulk_loss(options).value();
      REQUIRE(mended.size() == 1);
      CHECK(mended[0].continues_at <= text.size() + 65'536);
      CHECK(open_bulk_log(options).has_value());
    }
    fs::remove_all(options.dir);
  }
  CHECK(outcomes["corrupt"] >= 100 / tenth_if_sanitized);
  CHECK(outcomes["data_loss"] >= 5 / tenth_if_sanitized);
}

}  // namespace berth::testing
