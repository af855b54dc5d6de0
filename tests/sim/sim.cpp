// The simulator's program.
//
//   --seeds N [--from S] [--jobs J]     that many universes; a failure is shrunk and printed
//
//   --seed S [--rounds R] [--off BITS] [--skip A-B,C]     one universe, with its trace
//
//   --mutants [--seeds N] [NAME…]       every planted bug must be found (builds with BERTH_MUTANTS)
//
//   --mutant NAME, --gateway-in 1 …     with one planted bug; with the gateway and views in all
#include <chrono>
#include <cstdio>
#include <random>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "events/core/mutants.hpp"
#include "tests/sim/batch.hpp"
#include "tests/sim/mutant_run.hpp"

namespace berth::sim {
namespace {

constexpr unsigned shrink_runs_max = 400;

// Prints the events of one universe, then what was broken.
int replay(universe_options options) {
  options.traced = true;
  universe one{options};
  const auto broken = one.run();
  std::printf("journal hash %016llx\n%s\n", static_cast<unsigned long long>(one.trace_hash()),
              broken ? broken->c_str() : "nothing was broken");
  return broken ? 1 : 0;
}

void report(const finding& found, const batch& of) {
  const auto& mutant = of.mutant;
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(found.seed), found.what.c_str());
  universe_options options;
  options.seed = found.seed;
  options.gateway_in = of.gateway_in;
  const auto replay = arguments_of(options);
  const auto small = shrink(options, mutant, shrink_runs_max);
  const auto what = run_isolated(small, mutant);
  std::printf("  replay: build/bin/berth_sim %s%s\n", replay.c_str(),
              mutant.empty() ? "" : (" --mutant " + mutant).c_str());
  std::printf("  shrunk: build/bin/berth_sim %s\n  which says: %s\n", arguments_of(small).c_str(),
              what ? what->c_str() : "nothing, when run alone");
  std::fflush(stdout);
  if (what) print_isolated(small, mutant);
}

int run_seeds(const batch& wanted) {
  const auto began = std::chrono::steady_clock::now();
  const auto result = run_batch(wanted);
  for (const auto& each : result.findings) report(each, wanted);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const auto& all = result.all;
  const auto mean = [&](std::uint64_t sum) {
    return static_cast<double>(sum) /
           static_cast<double>(std::max<std::uint64_t>(all.universes, 1));
  };
  fmt::print(
      "from seed {}: {} universes, {} passed, {} failed in {:.1f} s; {} commands ({:.0f} a "
      "universe, "
      "{} sent), {} crashes ({:.1f}; {} power cuts), {} faults of {:.1f} kinds, {} terminal bytes, "
      "{} with the gateway ({} connections, {} resumed, {} commits folded), {} checks; shared "
      "logs: {} commits acknowledged, {} leaders, {} records that do not count\n",
      wanted.first, result.seeds_run, result.seeds_run - result.findings.size(),
      result.findings.size(), took.count(), all.commands, mean(all.commands), all.sends,
      all.crashes, mean(all.crashes), all.power_cuts, all.faults, mean(all.fault_kinds),
      all.terminal_bytes, all.with_gateway, all.connections, all.resumes, all.commits_folded,
      all.checks, all.log_commits, all.log_leads, all.log_skipped);
  return result.findings.empty() ? 0 : 1;
}

std::set<std::uint64_t> steps_of(const std::string& text) {
  std::set<std::uint64_t> all;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    const auto part = text.substr(at, end - at);
    const auto dash = part.find('-');
    const auto first = std::stoull(part);
    const auto last = dash == std::string::npos ? first : std::stoull(part.substr(dash + 1));
    for (auto step = first; step <= last; ++step) all.insert(step);
    at = end + 1;
  }
  return all;
}

int run(int argc, char** argv) {
  CLI::App app{"berth_sim: seeded universes"};
  batch wanted;
  wanted.first = std::random_device{}();
  wanted.seeds = 0;
  universe_options one;
  std::string skip;
  std::vector<std::string> names;
  bool all_mutants = false;
  app.add_option("--seeds", wanted.seeds, "how many universes");
  app.add_option("--from", wanted.first, "the first seed; default: a new one each time");
  app.add_option("--jobs", wanted.jobs, "processes");
  app.add_option("--findings", wanted.findings_max, "stop after so many failures");
  const auto* seed = app.add_option("--seed", one.seed, "one universe, with its trace");
  app.add_option("--rounds", one.rounds);
  app.add_option("--gateway-in", one.gateway_in, "the gateway lives in one universe of so many")
      ->check(CLI::PositiveNumber);
  app.add_option("--off", one.faults_off, "bits of the kinds of fault that stay off");
  app.add_option("--skip", skip, "client steps that are left out");
  app.add_option("--mutant", wanted.mutant, "switches one planted bug on");
  app.add_flag("--mutants", all_mutants, "every planted bug, or those named, must be found");
  app.add_option("names", names);
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);  // what fails here is meant to
  if (all_mutants) return find_mutants(names, wanted.seeds > 0 ? wanted.seeds : 2'000, wanted.jobs);
  switch_on_mutant(wanted.mutant);
  one.steps_skipped = steps_of(skip);
  wanted.gateway_in = one.gateway_in;
  if (seed->count() > 0) return replay(one);
  if (wanted.seeds == 0) wanted.seeds = 100;
  return run_seeds(wanted);
}

}  // namespace
}  // namespace berth::sim

int main(int argc, char** argv) {
  return berth::sim::run(argc, argv);
}
