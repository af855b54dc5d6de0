// Durable commands through the real kernel and the embedded journal, in one process.
//   kernel_bench [--quick] [--dir DIR]      JSON lines on stdout, a table on stderr
// An answer counts when it is durable. Commands are record_activity of running environments (one
// event each).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "actors/kernel_options.hpp"
#include "infra/memory/memory_bulk_log.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "infra/telemetry/system_clock.hpp"
#include "tests/support/instant_host.hpp"

namespace {

using namespace berth;
using steady = std::chrono::steady_clock;

double resident_mib() {
  std::ifstream file{"/proc/self/statm"};
  double pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * 4096 / (1 << 20);
}

struct bench {
  explicit bench(const std::filesystem::path& dir) {
    embedded_options options;
    options.data_dir = dir;
    options.time = &clock;
    engine = std::move(*open_embedded(options));
    kernel_limits limits;
    limits.passivate_after = std::chrono::seconds{3600};
    kernel = make_kernel({engine->journal(),
                          host,
                          bulk,
                          clock,
                          {},
                          {derived_id("host", "bench", uuid{})},
                          "boot",
                          engine->epoch(),
                          limits,
                          2,
                          false});
    kernel->start();
  }
  ~bench() {
    kernel->stop();
    engine.reset();
    kernel.reset();
  }

  command_meta meta() {
    const auto n = ++serial;
    std::array<std::uint8_t, 10> bits{};
    std::memcpy(bits.data() + 3, &n, 7);  // behind the bits that version and variant replace
    return {uuid::v7(to_us(clock.now()) / 1000, bits), {account, "tok_bench", false}, {}, {}, {}};
  }

  // Creates environments directly: what is measured is the command path, not the sandbox.
  void make_environments(std::size_t count) {
    environments.clear();
    for (std::size_t i = 0; i < count; ++i)
      environments.push_back({derived_id("env", std::to_string(i), uuid{})});
    run(count, 1000, [this](std::size_t i, std::function<void()> done) {
      kernel->ask(environments[i],
                  environment::create{account, "bench", "lightweight", "host", "2026-11"}, meta(),
                  [done](const auto&) { done(); });
    });
    while (kernel->environments_running() < count)
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }

  // `count` calls of `ask`, at most `in_flight` not answered. Microseconds each took.
  std::vector<double> run(std::size_t count, std::size_t in_flight,
                          const std::function<void(std::size_t, std::function<void()>)>& ask) {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t open = 0, answered = 0;
    std::vector<double> us(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::unique_lock lock{mutex};
      changed.wait(lock, [&] { return open < in_flight; });
      ++open;
      lock.unlock();
      ask(i, [&, i, began = steady::now()] {
        us[i] = std::chrono::duration<double, std::micro>(steady::now() - began).count();
        const std::lock_guard guard{mutex};
        --open;
        ++answered;
        changed.notify_one();
      });
    }
    std::unique_lock lock{mutex};
    changed.wait(lock, [&] { return answered == count; });
    return us;
  }

  void commands(const char* name, std::size_t streams, std::size_t in_flight, std::size_t count) {
    std::atomic<std::size_t> refused{0};
    const auto began = steady::now();
    auto us = run(count, in_flight, [&](std::size_t i, std::function<void()> done) {
      kernel->ask(environments[i % streams], environment::record_activity{"keys"}, meta(),
                  [&refused, done](const auto& got) {
                    if (!got) ++refused;
                    done();
                  });
    });
    const auto seconds = std::chrono::duration<double>(steady::now() - began).count();
    std::sort(us.begin(), us.end());
    std::printf(
        "{\"bench\":\"kernel\",\"name\":\"%s\",\"per_second\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f,"
        "\"refused\":%zu}\n",
        name, static_cast<double>(count) / seconds, us[count / 2], us[count * 99 / 100],
        refused.load());
    std::fprintf(stderr, "%-52s %10.0f /s   p50 %8.0f us   p99 %8.0f us   refused %zu\n", name,
                 static_cast<double>(count) / seconds, us[count / 2], us[count * 99 / 100],
                 refused.load());
    std::fflush(stdout);
  }

  system_clock clock;
  testing::instant_host host;
  memory_bulk_log bulk;
  std::unique_ptr<embedded_engine> engine;
  std::unique_ptr<running_kernel> kernel;
  std::atomic<std::uint64_t> serial{0};
  account_id account{derived_id("acct", "bench", uuid{})};
  std::vector<environment_id> environments;
};

}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path dir = std::filesystem::temp_directory_path() / "berth-kernel-bench";
  bool quick = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) quick = true;
    if (std::strcmp(argv[i], "--dir") == 0 && i + 1 < argc) dir = argv[++i];
  }
  std::filesystem::remove_all(dir);
  const std::size_t scale = quick ? 1 : 5;
  {
    bench run{dir};
    run.make_environments(1000);
    run.commands("commands, 1 in flight, 1 stream", 1, 1, 1000 * scale);
    run.commands("commands, 256 in flight, 1000 streams", 1000, 256, 40'000 * scale);
    run.commands("commands, 1000 in flight, 1000 streams", 1000, 1000, 60'000 * scale);
    run.commands("commands, 1000 in flight, 1 stream", 1, 1000, 40'000 * scale);
    std::printf("{\"bench\":\"kernel\",\"name\":\"rss after it\",\"mib\":%.0f}\n", resident_mib());
  }
  std::filesystem::remove_all(dir);
}
