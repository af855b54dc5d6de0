// Flips one bit of a data directory (log/, state/, head, bulk/), 10,000 times: what is read is what
// was written, or an error that says so; what no reader stumbles over is found by verify.
//   berth_bit_flips --flips N [--seed S]
#include <cstdio>
#include <map>
#include <random>
#include <thread>

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "infra/bulk/segment_bulk_log.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "tests/support/damage.hpp"
#include "tests/support/journal_sample.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

using namespace berth;
using namespace berth::testing;
namespace fs = std::filesystem;

constexpr std::size_t streams = 5;
constexpr std::uint64_t versions = 60;
constexpr std::size_t output_bytes = 120'000;
const terminal_id terminal{"term_flipped"};
const view_generation view{"counts", 1};

enum class finding { at_open, on_read, by_verify, healed, harmless, served };
constexpr const char* names[] = {"at open",  "on read", "by verify", "healed or redundant",
                                 "harmless", "SERVED"};

commit_body nth(std::uint64_t n) {
  return sample_body(stream_named(std::to_string(n % streams)), n / streams + 1, n + 1, 1, 120);
}

embedded_options options_at(const fs::path& data, bool* died = nullptr) {
  embedded_options options;
  options.data_dir = data;
  options.log_write_buffer_bytes = 24 << 10;
  options.state_write_buffer_bytes = 16 << 10;
  options.block_cache_bytes = 1 << 20;
  options.index_interval_ms = std::chrono::milliseconds{1};
  options.on_fatal = [died](const journal_error&) {
    if (died) *died = true;
  };
  return options;
}

bulk_options bulk_at(const fs::path& data) {
  bulk_options options;
  options.dir = data / "bulk";
  options.segment_bytes_max = options.segment_bytes_min = 16 << 10;
  options.sync_interval_ms = std::chrono::milliseconds{1};
  options.on_fatal = [](const journal_error&) {};
  return options;
}

std::string output() {
  std::mt19937 source{5};
  std::string text(output_bytes, '\0');
  for (auto& each : text) each = static_cast<char>('a' + source() % 11);
  return text;
}

// As kill -9 leaves it: tables, write-ahead logs, raw and compressed segments.
void make_image(const fs::path& live, const fs::path& image) {
  auto engine = open_embedded(options_at(live)).value();
  auto bulk = open_bulk_log(bulk_at(live)).value();
  const auto listener = std::make_shared<recording_listener>();
  for (std::uint64_t n = 0; n < streams * versions; ++n) {
    while (engine->journal().append(nth(n), n, listener)) std::this_thread::yield();
    if (n % 7 == 0) listener->wait_for(n);
  }
  listener->wait_for(streams * versions);
  auto batch = engine->views().write(view);
  batch->put("all", std::to_string(versions));
  batch->commit({0, streams * versions});
  const auto text = output();
  for (std::size_t at = 0; at < text.size(); at += 4'000) {
    bulk->append(terminal, at, share(text.substr(at, 4'000)), from_us(1'800'000'000'000'000));
    while (bulk->extent(terminal).durable <= at)
      std::this_thread::sleep_for(std::chrono::microseconds{200});
  }
  std::this_thread::sleep_for(std::chrono::milliseconds{300});  // some are compressed, one is open
  fs::copy(live, image, fs::copy_options::recursive);
}

bool is_intact(embedded_engine& engine, bool& failed) {
  const auto all = engine.journal().read({0, 1}, 1'000'000);
  failed = all.has_error();
  if (failed) return true;
  bool same = all->size() == streams * versions;
  for (std::size_t n = 0; same && n < all->size(); ++n) same = (*all)[n].body == nth(n);
  for (std::size_t s = 0; same && s < streams; ++s) {
    const auto some = engine.journal().read_stream(stream_named(std::to_string(s)), {0}, 1'000);
    failed = failed || some.has_error();
    same = failed || some->size() == versions;
  }
  const auto row = engine.views().read(view)->get("all");
  return failed || (same && (!row || row == std::to_string(versions)));
}

finding look(const fs::path& data, bool of_state) {
  const auto report = verify(options_at(data));
  const bool seen_by_verify = report.has_error() || !report->problems.empty();
  bool died = false;
  for (int start = 0; start < 2; ++start) {
    died = false;
    const auto engine = open_embedded(options_at(data, &died));
    if (engine.has_error()) return finding::at_open;
    bool failed = false;
    if (!is_intact(**engine, failed)) return finding::served;
    if (failed && !died) return finding::on_read;
    if (died) continue;  // state/ is rebuilt by the next start
    const auto bulk = open_bulk_log(bulk_at(data));
    if (bulk.has_error()) return finding::at_open;
    const auto text = (*bulk)->read(terminal, 0, output_bytes);
    if (text.has_error()) return finding::on_read;
    if (*text != output()) return finding::served;
    if (of_state) return finding::healed;
    return seen_by_verify ? finding::by_verify : finding::harmless;
  }
  return finding::served;  // a crash loop is as bad
}

// Which flips may go unnoticed: no record depends on these bytes.
bool may_be_harmless(const fs::path& file) {
  const auto name = file.filename().string();
  return name.starts_with("OPTIONS") || name == "IDENTITY" || name == "head" || name == "durable" ||
         name == "boot" || name.starts_with("MANIFEST");
}

}  // namespace

int main(int argc, char** argv) {
  unsigned flips = 500, seed = std::random_device{}() % 1'000'000;
  CLI::App app{"Single bit flips of a data directory"};
  app.add_option("--flips", flips);
  app.add_option("--seed", seed);
  CLI11_PARSE(app, argc, argv);
  const auto base =
      berth::testing::fast_storage() / ("berth-bit-flips-" + std::to_string(::getpid()));
  fs::create_directories(base);
  make_image(base / "live", base / "image");
  std::map<std::string, std::vector<fs::path>> kinds;  // each kind is hit equally often
  for (const auto& file : files_below(base / "image", [](const fs::path& path) {
         const auto name = path.filename().string();
         return fs::file_size(path) > 0 && name != "LOCK";
       })) {
    const auto relative = fs::relative(file, base / "image");
    const auto extension = file.extension().string();
    kinds[relative.begin()->string() + (extension.empty() ? " other" : " " + extension)].push_back(
        relative);
  }
  std::map<std::string, std::map<finding, unsigned>> seen;
  unsigned wrong = 0;
  for (unsigned n = 0; n < flips; ++n) {
    std::mt19937 random{seed + n};
    const auto& [kind, files] = *std::next(kinds.begin(), n % kinds.size());
    const auto& file = files[random() % files.size()];
    const auto data = base / "data";
    fs::remove_all(data);
    fs::copy(base / "image", data, fs::copy_options::recursive);
    auto bytes = read_whole(data / file);
    const auto at = random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    write_whole(data / file, bytes);
    const auto found = look(data, kind.starts_with("state"));
    ++seen[kind][found];
    if (found == finding::served || (found == finding::harmless && !may_be_harmless(file))) {
      ++wrong;
      fmt::print(stderr, "seed {}: {} byte {} of {}: {}\n", seed + n, file.string(), at,
                 bytes.size(), names[static_cast<int>(found)]);
    }
  }
  fs::remove_all(base);
  for (const auto& [kind, outcomes] : seen) {
    fmt::print("{:<16}", kind);
    for (const auto& [found, count] : outcomes)
      fmt::print("  {} {}", names[static_cast<int>(found)], count);
    fmt::print("\n");
  }
  fmt::print("{} bit flips from seed {}: {} served or unnoticed\n", flips, seed, wrong);
  return wrong ? 1 : 0;
}
