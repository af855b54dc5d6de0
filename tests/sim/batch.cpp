#include "tests/sim/batch.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <thread>

#include "events/core/mutants.hpp"
#include "tests/sim/log_universe.hpp"

namespace berth::sim {

namespace {

constexpr std::chrono::seconds universe_max{60};  // then it is said to hang
constexpr std::chrono::milliseconds look_every{2};
constexpr std::size_t what_bytes_max = 4'000;

// What a worker tells: it may die at any moment.
struct page {
  std::uint64_t seed;
  std::uint64_t seeds_run;
  universe_stats stats;
  char what[what_bytes_max];
};

class worker {
 public:
  explicit worker(const std::function<void(page&)>& work)
      : shared_{static_cast<page*>(::mmap(nullptr, sizeof(page), PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0))},
        errors_{std::tmpfile()} {
    if (shared_ == MAP_FAILED || errors_ == nullptr) throw std::bad_alloc{};
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::dup2(::fileno(errors_), STDERR_FILENO);
    work(*shared_);
    std::_Exit(shared_->what[0] == '\0' ? 0 : 1);
  }
  worker(const worker&) = delete;
  ~worker() {
    if (is_running_) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
    ::munmap(shared_, sizeof(page));
    std::fclose(errors_);
  }

  const page& told() const { return *shared_; }
  // False once it has ended.
  bool look() {
    int status = 0;
    if (is_running_ && ::waitpid(pid_, &status, WNOHANG) == pid_) ended(status);
    if (is_running_ && std::exchange(seed_, shared_->seed) != seed_)
      since_ = std::chrono::steady_clock::now();
    if (is_running_ && std::chrono::steady_clock::now() - since_ > universe_max) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status, 0);
      is_running_ = false;
      what_ = "the universe does not end";
    }
    return is_running_;
  }
  const std::string& what() const { return what_; }  // broken; empty: nothing

 private:
  void ended(int status) {
    is_running_ = false;
    what_ = shared_->what;
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || !what_.empty())) return;
    std::rewind(errors_);
    std::string said(2'000, '\0');
    said.resize(std::fread(said.data(), 1, said.size(), errors_));
    while (!said.empty() && said.back() == '\n') said.pop_back();
    what_ = "it died: " + (said.empty() ? "signal " + std::to_string(WTERMSIG(status)) : said);
  }

  page* shared_;
  std::FILE* errors_;
  pid_t pid_{};
  bool is_running_{true};
  std::uint64_t seed_{};
  std::chrono::steady_clock::time_point since_{std::chrono::steady_clock::now()};
  std::string what_;
};

void tell(page& to, const std::string& what) {
  std::strncpy(to.what, what.c_str(), sizeof to.what - 1);
}

// The same seed's universe of nodes that share a log.
std::optional<std::string> run_log(std::uint64_t seed, universe_stats& into) {
  log_universe shared{seed};
  auto broken = shared.run();
  into.log_commits += shared.stats().acknowledged;
  into.log_leads += shared.stats().leads;
  into.log_skipped += shared.stats().skipped;
  return broken;
}

// The same seed again must be the same universe, or a failure could not be replayed.
void run_one(std::uint64_t seed, unsigned gateway_in, page& into) {
  constexpr std::uint64_t checked_again_every = 64;
  universe_options options;
  options.seed = seed;
  options.gateway_in = gateway_in;
  universe one{options};
  if (const auto broken = one.run()) return tell(into, *broken);
  if (const auto broken = run_log(seed, into.stats)) return tell(into, *broken);
  into.stats += one.stats();
  ++into.seeds_run;
  if (seed % checked_again_every != 0) return;
  universe again{options};
  (void)again.run();
  if (again.trace_hash() != one.trace_hash()) tell(into, "the universe is not reproducible");
}

// One worker's share of a batch: every `step`th seed.
struct share {
  std::uint64_t next{};
  std::uint64_t end{};
  std::uint64_t step{};
  std::unique_ptr<worker> now{};
};

std::unique_ptr<worker> start(const share& of, const batch& wanted) {
  return std::make_unique<worker>([&](page& shared) {
    switch_on_mutant(wanted.mutant);
    for (auto seed = of.next; seed < of.end && shared.what[0] == '\0'; seed += of.step) {
      shared.seed = seed;
      run_one(seed, wanted.gateway_in, shared);
    }
  });
}

}  // namespace

batch_result run_batch(const batch& wanted) {
  batch_result result;
  std::vector<share> shares;
  for (unsigned i = 0; i < wanted.jobs; ++i)
    shares.push_back({wanted.first + i, wanted.first + wanted.seeds, wanted.jobs});
  for (auto& each : shares) each.now = start(each, wanted);
  for (bool is_busy = true; is_busy && result.findings.size() < wanted.findings_max;) {
    is_busy = false;
    for (auto& each : shares) {
      if (!each.now) continue;
      is_busy = true;
      if (each.now->look()) continue;
      result.all += each.now->told().stats;
      result.seeds_run += each.now->told().seeds_run;
      const auto what = each.now->what();
      const auto seed = each.now->told().seed;
      each.now.reset();
      if (what.empty()) continue;
      result.findings.push_back({seed, what});
      // At once: a long batch may be cut short. Shrinking comes after it.
      if (wanted.mutant.empty())
        std::fprintf(stderr, "found: --seed %llu: %.200s\n", static_cast<unsigned long long>(seed),
                     what.c_str());
      ++result.seeds_run;
      each.next = seed + each.step;
      if (each.next < each.end) each.now = start(each, wanted);
    }
    std::this_thread::sleep_for(look_every);
  }
  return result;
}

std::optional<std::string> run_isolated(const universe_options& options,
                                        const std::string& mutant) {
  worker one{[&](page& shared) {
    switch_on_mutant(mutant);
    if (const auto broken = universe{options}.run()) return tell(shared, *broken);
    if (const auto broken = run_log(options.seed, shared.stats)) tell(shared, *broken);
  }};
  while (one.look()) std::this_thread::sleep_for(std::chrono::microseconds{500});
  return one.what().empty() ? std::nullopt : std::optional{one.what()};
}

void print_isolated(const universe_options& options, const std::string& mutant) {
  auto traced = options;
  traced.traced = true;
  worker one{[&](page&) {
    switch_on_mutant(mutant);
    (void)universe{traced}.run();
    std::fflush(stdout);
  }};
  while (one.look()) std::this_thread::sleep_for(std::chrono::microseconds{500});
}

}  // namespace berth::sim
