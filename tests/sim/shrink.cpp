// Makes a failing universe smaller while it still fails: fewer rounds, fewer kinds of fault, fewer
// client steps. Every try is a universe in a process of its own.
#include <algorithm>
#include <cctype>

#include "tests/sim/batch.hpp"

namespace berth::sim {

namespace {

// The words of a finding that have no digit: what it says whatever the names and numbers are. A
// smaller universe must say the same, or shrinking would end at another bug.
std::string kind_of(const std::string& what) {
  std::string kind;
  std::string word;
  for (const char each : what + ' ') {
    word += each;
    if (each != ' ') continue;
    const bool is_name =
        std::any_of(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (!is_name) kind += word;
    word.clear();
  }
  return kind;
}

class shrinker {
 public:
  shrinker(universe_options failing, std::string mutant, unsigned runs_max)
      : best_{std::move(failing)}, mutant_{std::move(mutant)}, runs_left_{runs_max} {
    if (const auto what = run_isolated(best_, mutant_)) kind_ = kind_of(*what);
  }

  universe_options run() {
    fewer_rounds();
    fewer_faults();
    fewer_steps();
    fewer_rounds();
    return best_;
  }

 private:
  bool fails(const universe_options& tried) {
    if (runs_left_ == 0) return false;
    --runs_left_;
    const auto what = run_isolated(tried, mutant_);
    if (!what || kind_of(*what) != kind_) return false;
    best_ = tried;
    return true;
  }

  // Bisection assumes that what fails after n rounds fails after more; where that is wrong the
  // result is larger, never wrong.
  void fewer_rounds() {
    unsigned low = 0;
    while (low + 1 < best_.rounds) {
      auto tried = best_;
      tried.rounds = (low + best_.rounds) / 2;
      if (!fails(tried)) low = tried.rounds;
    }
  }

  void fewer_faults() {
    for (std::size_t kind = 0; kind < fault_kinds; ++kind) {
      auto tried = best_;
      tried.faults_off |= std::uint32_t{1} << kind;
      if (tried.faults_off != best_.faults_off) fails(tried);
    }
  }

  // Halves, quarters … single steps are left out.
  void fewer_steps() {
    constexpr std::uint64_t steps_a_round_max = 8;
    const auto steps = best_.rounds * steps_a_round_max;
    for (auto size = steps / 2; size > 0; size /= 2) {
      for (std::uint64_t from = 0; from < steps; from += size) {
        auto tried = best_;
        for (auto step = from; step < std::min(from + size, steps); ++step)
          tried.steps_skipped.insert(step);
        if (tried.steps_skipped.size() != best_.steps_skipped.size()) fails(tried);
      }
    }
  }

  universe_options best_;
  std::string mutant_;
  std::string kind_;
  unsigned runs_left_;
};

}  // namespace

universe_options shrink(universe_options failing, const std::string& mutant, unsigned runs_max) {
  return shrinker{std::move(failing), mutant, runs_max}.run();
}

std::string arguments_of(const universe_options& options) {
  auto text = "--seed " + std::to_string(options.seed);
  if (options.rounds != universe_options{}.rounds)
    text += " --rounds " + std::to_string(options.rounds);
  if (options.gateway_in != universe_options{}.gateway_in)
    text += " --gateway-in " + std::to_string(options.gateway_in);
  if (options.faults_off != 0) text += " --off " + std::to_string(options.faults_off);
  if (options.steps_skipped.empty()) return text;
  text += " --skip ";
  for (auto at = options.steps_skipped.begin(); at != options.steps_skipped.end();) {
    const auto first = *at;
    auto last = first;
    for (++at; at != options.steps_skipped.end() && *at == last + 1; ++at) ++last;
    if (text.back() != ' ') text += ',';
    text +=
        first == last ? std::to_string(first) : std::to_string(first) + '-' + std::to_string(last);
  }
  return text;
}

}  // namespace berth::sim
