// What the programs here share: their arguments, percentiles, and rows of figures as JSON lines on
// stdout and as a table on stderr.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace berth::bench {

using steady = std::chrono::steady_clock;

inline double us_since(steady::time_point began) {
  return std::chrono::duration<double, std::micro>(steady::now() - began).count();
}
inline double seconds_since(steady::time_point began) {
  return us_since(began) / 1e6;
}

// What went wrong ends the program: a benchmark has no other answer to it.
[[noreturn]] inline void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::_Exit(1);
}

// --quick and --dir DIR (default: where it is run). Data lies in a folder of its own below it,
// which goes with this.
class invocation {
 public:
  invocation(int argc, char** argv, const std::string& name) {
    auto below = std::filesystem::current_path();
    for (int i = 1; i < argc; ++i) {
      const std::string_view word = argv[i];
      if (word == "--quick") quick = true;
      if (word == "--dir" && i + 1 < argc) below = argv[++i];
    }
    dir = below / (name + "-" + std::to_string(::getpid()));
    std::filesystem::create_directories(dir);
  }
  ~invocation() {
    std::error_code ignored;
    std::filesystem::remove_all(dir, ignored);
  }
  invocation(const invocation&) = delete;

  std::size_t of(std::size_t full, std::size_t quick_count) const {
    return quick ? quick_count : full;
  }

  bool quick{};
  std::filesystem::path dir;
};

struct spread {
  double p50{}, p99{}, max{};
  static spread of(std::vector<double>& values) {
    if (values.empty()) return {};
    std::sort(values.begin(), values.end());
    return {values[values.size() / 2], values[values.size() * 99 / 100], values.back()};
  }
};

// Counts times in buckets of 3 % width, in memory that does not grow with them. Any thread.
class histogram {
 public:
  void add(double us) {
    counts_[bucket_of(static_cast<std::uint64_t>(us * 1e3))].fetch_add(1,
                                                                       std::memory_order_relaxed);
  }
  std::uint64_t count() const {
    std::uint64_t all = 0;
    for (const auto& each : counts_) all += each.load(std::memory_order_relaxed);
    return all;
  }
  spread read() const { return {quantile(0.5), quantile(0.99), quantile(1)}; }

 private:
  static constexpr std::size_t steps = 32;  // a power of two of nanoseconds
  static constexpr std::size_t buckets = 40 * steps;

  static std::size_t bucket_of(std::uint64_t ns) {
    if (ns < 2 * steps) return ns;
    const auto shift = static_cast<std::size_t>(std::bit_width(ns)) - std::bit_width(steps);
    return std::min(shift * steps + (ns >> shift), buckets - 1);
  }
  static double us_above(std::size_t bucket) {
    const auto shift = bucket < 2 * steps ? 0 : bucket / steps - 1;
    return static_cast<double>((bucket - shift * steps + 1) << shift) / 1e3;
  }
  double quantile(double part) const {
    const auto wanted = static_cast<double>(count()) * part;
    double seen = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
      seen += static_cast<double>(counts_[i].load(std::memory_order_relaxed));
      if (seen > 0 && seen >= wanted) return us_above(i);
    }
    return 0;
  }

  std::array<std::atomic<std::uint64_t>, buckets> counts_{};
};

inline double resident_bytes() {
  std::ifstream file{"/proc/self/statm"};
  double pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}
constexpr double mib = 1 << 20;

struct figure {
  std::string_view field;
  double value;
};

inline void print_row(std::string_view bench, const std::string& name,
                      std::initializer_list<figure> figures) {
  std::string row = "{\"bench\":\"" + std::string{bench} + "\",\"name\":\"" + name + "\"";
  std::string line = name + std::string(name.size() < 56 ? 56 - name.size() : 0, ' ');
  for (const auto& each : figures) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), each.value < 1000 ? "%.4g" : "%.0f", each.value);
    row += ",\"" + std::string{each.field} + "\":" + text.data();
    line += "  " + std::string{each.field} + " " + text.data();
  }
  std::printf("%s}\n", row.c_str());
  std::fprintf(stderr, "%s\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace berth::bench
