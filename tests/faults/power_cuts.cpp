// Cuts the power of the real embedded engine (log/, state/, head, bulk/) at random moments under
// concurrent load, and opens what is left, again and again on the remains of the cut before.
//   berth_power_cuts --cuts N [--seed S] [--keep]
#include <condition_variable>
#include <cstdio>

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "rocksdb/env.h"
#include "tests/faults/power_cut_load.hpp"
#include "tests/support/power_cut_disk.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

using namespace berth;
using namespace berth::testing;
namespace fs = std::filesystem;

constexpr unsigned cuts_per_directory = 10;  // then a new one: first starts are cut too
constexpr unsigned verify_every = 8;
constexpr unsigned sync_us_max = 400;

struct totals {
  std::uint64_t cuts{}, during_open{}, commits{}, output_bytes{};
  power_cut_disk::dropped_counts dropped;
};

embedded_options options_at(const fs::path& data, const std::string& boot, rocksdb::Env* env,
                            std::atomic<bool>& died) {
  embedded_options options;
  options.data_dir = data;
  options.env = env;
  options.log_write_buffer_bytes = 96 << 10;  // flushes and compactions in a few milliseconds
  options.state_write_buffer_bytes = 64 << 10;
  options.block_cache_bytes = 1 << 20;
  options.boot = boot;
  options.index_interval_ms = std::chrono::milliseconds{1};
  options.on_fatal = [&died](const journal_error& why) {
    std::fprintf(stderr, "fatal: %s\n", why.message.c_str());
    died = true;
  };
  return options;
}

bulk_options bulk_options_at(const fs::path& dir, std::atomic<bool>& died) {
  bulk_options options;
  options.dir = dir;
  options.sync_interval_ms = std::chrono::milliseconds{1};
  options.segment_bytes_max = 32 << 10;
  options.segment_bytes_min = 8 << 10;
  options.on_fatal = [&died](const journal_error& why) {
    std::fprintf(stderr, "fatal: %s\n", why.message.c_str());
    died = true;
  };
  return options;
}

// From an open to a cut. Returns what is wrong with what the cut before left, or with this life.
class life {
 public:
  life(const fs::path& here, const fs::path& next, unsigned seed)
      : here_{here}, next_{next}, random_{seed}, disk_{here, here.string() + ".removed"} {
    tap_posix_calls(&disk_);
    env_ = rocksdb::NewCompositeEnv(disk_.file_system());
    disk_.sync_us_max = random_() % 3 ? sync_us_max : 0;
  }
  ~life() { tap_posix_calls(nullptr); }

  std::string live(promises& made, bool verify_too, totals& sum) {
    std::thread cutter{[&] { cut(made); }};
    auto wrong = open_and_load(made, verify_too);
    {
      const std::lock_guard lock{mutex_};
      is_over_ = !wrong.empty();
      changed_.notify_all();
    }
    cutter.join();
    load_.reset();
    const auto problem = std::exchange(problem_, {});
    storage_.bulk.reset();
    storage_.engine.reset();
    if (wrong.empty()) wrong = problem;
    if (wrong.empty() && died_) wrong = "the storage died";
    ++sum.cuts;
    sum.during_open += cut_during_open_;
    sum.dropped.sectors += disk_.dropped().sectors;
    sum.dropped.older += disk_.dropped().older;
    sum.dropped.files_cut += disk_.dropped().files_cut;
    sum.dropped.name_changes += disk_.dropped().name_changes;
    made = at_cut_;
    return wrong;
  }

 private:
  std::string open_and_load(const promises& before, bool verify_too) {
    const auto options = options_at(here_ / "data", here_.filename().string(), env_.get(), died_);
    auto engine = open_embedded(options);
    if (engine.has_error()) return "does not open: " + engine.error().message;
    storage_.engine = std::move(*engine);
    auto bulk = open_bulk_log(bulk_options_at(here_ / "data/bulk", died_));
    if (bulk.has_error()) return "bulk does not open: " + bulk.error().message;
    storage_.bulk = std::move(*bulk);
    auto wrong = broken_promise(storage_, before);
    if (!wrong.empty()) return wrong;
    if (verify_too) {
      const auto report = verify(options);
      if (report.has_error()) return "verify: " + report.error().message;
      if (!report->problems.empty()) return "verify: " + report->problems.front().message;
    }
    const std::lock_guard lock{mutex_};
    if (!is_cut_) load_ = std::make_unique<power_cut_load>(storage_, random_(), before);
    return {};
  }

  // One in four comes while the directory is opened, the others under load.
  void cut(const promises& before) {
    std::mt19937 when{static_cast<unsigned>(random_())};
    if (when() % 4) {
      std::unique_lock lock{mutex_};
      changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return load_ || is_over_; });
    }
    std::this_thread::sleep_for(std::chrono::microseconds{when() % 12'000});
    disk_.cut(next_, when, [&] {
      const std::lock_guard lock{mutex_};
      is_cut_ = true;
      cut_during_open_ = !load_;
      at_cut_ = load_ ? load_->made() : before;
      if (load_) problem_ = load_->problem();
    });
  }

  const fs::path here_, next_;
  std::mt19937_64 random_;
  power_cut_disk disk_;
  std::unique_ptr<rocksdb::Env> env_;
  std::atomic<bool> died_{};
  opened_storage storage_;
  std::mutex mutex_;  // guards what both threads look at
  std::condition_variable changed_;
  std::unique_ptr<power_cut_load> load_;
  bool is_cut_{}, is_over_{}, cut_during_open_{};
  promises at_cut_;
  std::string problem_;
};

// A directory and its cuts. False: a promise was broken; told.
bool run_directory(const fs::path& base, unsigned seed, unsigned cuts, totals& sum) {
  promises made;
  for (unsigned number = 0; number < cuts; ++number) {
    const auto here = base / std::to_string(number), next = base / std::to_string(number + 1);
    const auto wrong = life{here, next, seed * 1'000 + number}.live(
        made, (seed + number) % verify_every == 0, sum);
    if (!wrong.empty()) {
      std::fprintf(stderr,
                   "seed %u, after cut %u: %s\nthe directory as it was left: %s\n"
                   "repeat: berth_power_cuts --seed %u --cuts %u --keep\n",
                   seed, number, wrong.c_str(), here.c_str(), seed, cuts_per_directory);
      return false;
    }
    fs::remove_all(here);
  }
  for (const auto versions : made.versions) sum.commits += versions;
  for (const auto durable : made.durable) sum.output_bytes += durable;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  unsigned cuts = 100, seed = std::random_device{}() % 1'000'000;
  bool keep = false;
  CLI::App app{"Seeded power cuts of the embedded engine"};
  app.add_option("--cuts", cuts);
  app.add_option("--seed", seed);
  app.add_flag("--keep", keep, "keep the directories of a failure");
  CLI11_PARSE(app, argc, argv);
  const auto base =
      berth::testing::fast_storage() / ("berth-power-cuts-" + std::to_string(::getpid()));
  totals sum;
  bool held = true;
  for (auto of = seed; held && sum.cuts < cuts; ++of) {
    fs::remove_all(base);
    held = run_directory(base, of, std::min<unsigned>(cuts_per_directory, cuts - sum.cuts), sum);
  }
  if (held || !keep) fs::remove_all(base);
  fmt::print(
      "{} power cuts from seed {} ({} while opening): {} commits and {} bytes of output were "
      "acknowledged, {} broken promises; dropped {} sectors, {} put back to an older version, "
      "{} files shortened, {} names lost\n",
      sum.cuts, seed, sum.during_open, sum.commits, sum.output_bytes, held ? 0 : 1,
      sum.dropped.sectors, sum.dropped.older, sum.dropped.files_cut, sum.dropped.name_changes);
  return held ? 0 : 1;
}
