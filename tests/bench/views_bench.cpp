// The views beside live commands: how far they are behind, how fast they are rebuilt, and what the
// commands notice of it.
//   views_bench [--quick] [--dir DIR]      JSON lines on stdout, a table on stderr
// The live traffic is users' work in 1,000 environments at 20,000 events a second, asked at that
// rate whatever is answered. A commit's lag is the time from its durable group to the moment every
// view shows it; it is taken of the last commit of every group, which is visible last.
#include <future>

#include "actors/projection_driver.hpp"
#include "infra/background/background_worker.hpp"
#include "tests/bench/bench_kernel.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

constexpr std::size_t environments_count = 1'000;
constexpr std::size_t accounts_count = 100;
constexpr double lag_events_a_second = 20'000;
constexpr double rebuild_events_a_second = 5'000;
constexpr double rebuild_seconds_max = 150;  // what is not rebuilt then is rebuilt alone
constexpr std::size_t commands_a_turn = 10, events_a_turn = 13;

environment::command run_true(const uuid& fresh) {
  environment::exec what;
  what.id = {"exec_" + fresh.text()};
  what.effect = fresh;
  what.command = {"true"};
  return what;
}

// Ten commands, thirteen events with what the host answers.
environment::command nth_command(std::size_t n, const uuid& fresh) {
  switch (n % commands_a_turn) {
    case 6:
      return run_true(fresh);
    case 8:
      return environment::stop{};
    case 9:
      return environment::start{};
    default:
      return environment::record_activity{"keys"};
  }
}

class traffic {
 public:
  explicit traffic(bench_kernel& kernel)
      : kernel_{kernel}, on_{kernel.make_environments(environments_count, accounts_count)} {}

  // The n-th command, to the environments in turn. `answered` is told whether it was taken.
  template <class Answered>
  void ask(std::size_t n, Answered answered) {
    const auto& to = on_[n % on_.size()];
    kernel_->ask(to.id, nth_command(n / on_.size(), kernel_.fresh_uuid()), kernel_.meta(to.account),
                 [answered](const auto& got) { answered(got.has_value()); });
  }

  // As fast as it goes, until the log holds that many commits.
  void fill(std::size_t commits) {
    constexpr std::size_t in_flight = 1'000;
    const auto commands = commits * commands_a_turn / events_a_turn;
    closed_loop(commands, in_flight, [&](std::size_t i, std::function<void()> done) {
      ask(asked_ + i, [done](bool) { done(); });
    });
    asked_ += commands;
  }

  struct seen {
    spread us;
    double refused{};
    double commits_a_second{};
  };
  // At the rate, for as long as goes_on(seconds passed) says so.
  seen flow(double events_a_second, const std::function<bool(double)>& goes_on) {
    histogram us;
    std::atomic<std::size_t> open{0}, refused{0};
    const auto began = steady::now();
    const auto head = kernel_.engine().journal().head();
    open_loop(events_a_second * commands_a_turn / events_a_turn, goes_on, [&](std::size_t) {
      ++open;
      ask(asked_++, [&us, &open, &refused, asked = steady::now()](bool taken) {
        us.add(us_since(asked));
        refused += !taken;
        --open;
      });
    });
    const auto commits = kernel_.engine().journal().head().offset - head.offset;
    const auto seconds = seconds_since(began);
    while (open > 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    return {us.read(), static_cast<double>(refused), static_cast<double>(commits) / seconds};
  }

 private:
  bench_kernel& kernel_;
  std::vector<owned_environment> on_;
  std::size_t asked_{};
};

// Times every durable group until the views show it, for as long as it lives.
class lag_watch {
 public:
  lag_watch(journal& log, projection_driver& views)
      : subscription_{log.follow([lag = lag_, &views](position head) {
          views.when_projected(head, std::chrono::minutes{1}, [lag, durable = steady::now()](bool) {
            lag->add(us_since(durable));
          });
        })} {}
  spread read() const { return lag_->read(); }

 private:
  const std::shared_ptr<histogram> lag_ = std::make_shared<histogram>();  // told after its end too
  std::shared_ptr<void> subscription_;
};

void wait_for_views(bench_kernel& kernel, const projection_driver& views) {
  while (!views.projected().reaches(heads_of(kernel.engine().journal())))
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
}

void print_lag(const std::string& name, const spread& lag, const traffic::seen& beside) {
  print_row("views", name,
            {{"p50_ms", lag.p50 / 1e3},
             {"p99_ms", lag.p99 / 1e3},
             {"max_ms", lag.max / 1e3},
             {"events_per_second", beside.commits_a_second}});
}

void print_commands(const std::string& name, const traffic::seen& live, double p99_before) {
  print_row("views", name,
            {{"p50_us", live.us.p50},
             {"p99_us", live.us.p99},
             {"times_before", live.us.p99 / p99_before},
             {"refused", live.refused}});
}

void rebuild_beside(bench_kernel& kernel, projection_driver& views, traffic& live,
                    double p99_before) {
  lag_watch lag{kernel.engine().journal(), views};
  const auto began = steady::now();
  auto rebuilt = std::async(std::launch::async, [&] {
    const auto done = views.rebuild({}, [](std::uint64_t) {});
    if (!done) fail("the views were not rebuilt");
    if (!std::all_of(done->begin(), done->end(), [](const auto& each) { return each.identical; }))
      fail("a view was rebuilt to something else");
    return static_cast<double>(done->front().checkpoint) / seconds_since(began);
  });
  const auto during = live.flow(rebuild_events_a_second, [&](double passed) {
    return passed < rebuild_seconds_max &&
           rebuilt.wait_for(std::chrono::seconds{0}) != std::future_status::ready;
  });
  rebuilt.wait();
  const auto seconds = seconds_since(began);
  print_row("views", "rebuild of all views beside live commands",
            {{"per_second", rebuilt.get()}, {"seconds", seconds}});
  print_commands("commands during the rebuild", during, p99_before);
  print_lag("lag during the rebuild", lag.read(), during);
}

}  // namespace

int main(int argc, char** argv) {
  const invocation run{argc, argv, "views-bench"};
  const auto for_a_while = [seconds = static_cast<double>(run.of(20, 5))](double passed) {
    return passed < seconds;
  };
  bench_kernel kernel{run.dir};
  background_worker behind;
  projection_driver views{kernel.engine().journal(), kernel.engine().views(),
                          [](const journal_error& why) { fail(why.message); }, &behind};
  views.start();
  traffic live{kernel};
  live.fill(run.of(500'000, 100'000));
  wait_for_views(kernel, views);
  {
    const lag_watch lag{kernel.engine().journal(), views};
    const auto beside = live.flow(lag_events_a_second, for_a_while);
    print_lag("lag of all views at 20000 events/s", lag.read(), beside);
  }
  wait_for_views(kernel, views);
  const auto before = live.flow(rebuild_events_a_second, for_a_while);
  print_commands("commands before the rebuild", before, before.us.p99);
  rebuild_beside(kernel, views, live, before.us.p99);
}
