// What the embedded journal does on this machine's disk, beside what the disk does by itself.
//   journal_bench [--quick] [--dir DIR]      JSON lines on stdout, a table on stderr
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <rocksdb/db.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/append_load.hpp"
#include "tests/bench/bench_engine.hpp"
#include "tests/bench/measure.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

void report(const std::string& name, double per_second, const spread& us) {
  print_row(
      "journal", name,
      {{"per_second", per_second}, {"p50_us", us.p50}, {"p99_us", us.p99}, {"max_us", us.max}});
}

void report_seconds(const std::string& name, double seconds) {
  print_row("journal", name, {{"seconds", seconds}});
}

void bench_disk(const std::filesystem::path& dir, int count) {
  const int fd = ::open((dir / "disk").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::string page(4'096, 'x');
  std::vector<double> us;
  const auto began = steady::now();
  for (int i = 0; i < count; ++i) {
    const auto start = steady::now();
    if (::pwrite(fd, page.data(), page.size(), static_cast<off_t>(i) * 4'096) < 0 ||
        ::fdatasync(fd) != 0)
      std::abort();
    us.push_back(us_since(start));
  }
  const auto seconds = us_since(began) / 1e6;
  ::close(fd);
  report("disk: append 4 KiB and fdatasync", count / seconds, spread::of(us));
}

void bench_rocksdb(const std::filesystem::path& dir, int count) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(options, dir / "raw", &opened).ok()) std::abort();
  const std::unique_ptr<rocksdb::DB> db{opened};
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const std::string value(400, 'x');
  std::vector<double> us;
  const auto began = steady::now();
  for (int i = 0; i < count; ++i) {
    const auto start = steady::now();
    if (!db->Put(synced, std::to_string(10'000'000 + i), value).ok()) std::abort();
    us.push_back(us_since(start));
  }
  const auto seconds = us_since(began) / 1e6;
  report("RocksDB: synced put of 400 B", count / seconds, spread::of(us));
}

void bench_appends(const std::filesystem::path& dir, double seconds) {
  struct setting {
    std::size_t in_flight, streams;
  };
  for (const auto [in_flight, streams] :
       {setting{1, 1}, {256, 1'000}, {1'000, 1'000}, {1'000, 1}, {4'000, 1'000}}) {
    const auto data =
        dir / ("appends-" + std::to_string(in_flight) + "-" + std::to_string(streams));
    const auto engine = open_engine(data);
    const auto loop = std::make_shared<append_load>(engine->journal(), in_flight, streams);
    const auto per_second = loop->run(seconds);
    const auto stats = engine->stats();
    report("durable appends, " + std::to_string(in_flight) + " in flight, " +
               std::to_string(streams) + " streams",
           per_second, spread::of(loop->latencies()));
    std::fprintf(stderr, "    %llu B a record, %.0f a group, index lag %llu, refused %zu\n",
                 static_cast<unsigned long long>(stats.bytes_total / stats.commits_total),
                 static_cast<double>(stats.commits_total) / static_cast<double>(stats.groups_total),
                 static_cast<unsigned long long>(stats.index_lag_commits), loop->refusals);
  }
}

// A child fills the directory and dies without closing it: RocksDB must not be open across a fork.
void bench_recovery(const std::filesystem::path& dir, std::size_t commits) {
  const auto data = dir / "recovery";
  const auto child = ::fork();
  if (child == 0) {
    const auto engine = open_engine(data);
    std::make_shared<append_load>(engine->journal(), 4'000, 10'000)->run(3'600, commits);
    ::_exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || status != 0) std::abort();
  const auto first = steady::now();
  {
    const auto engine = open_engine(data);
    const auto read = engine->journal().read_stream(testing::stream_named("bench77"), {0}, 1'000);
    if (read.has_error() || read->size() != commits / 10'000) std::abort();
    report_seconds("crash of " + std::to_string(commits) + " commits to the first stream read",
                   us_since(first) / 1e6);
  }
  std::filesystem::remove_all(engine_in(data).state_dir());
  const auto second = steady::now();
  const auto engine = open_engine(data);
  report_seconds("the same with state/ rebuilt from the log", us_since(second) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  const invocation run{argc, argv, "journal-bench"};
  bench_disk(run.dir, run.quick ? 200 : 2'000);
  bench_recovery(run.dir, run.of(1'000'000, 100'000));
  bench_rocksdb(run.dir, run.quick ? 200 : 2'000);
  bench_appends(run.dir, run.quick ? 1 : 5);
}
