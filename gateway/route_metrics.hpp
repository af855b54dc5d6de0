// Requests and their durations by route and status class, as Prometheus text. No names of users as
// labels. Any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

namespace berth::gateway {

class route_metrics {
 public:
  void count(std::string_view method, std::string_view path, int status,
             std::chrono::nanoseconds took);
  std::string text() const;

 private:
  static constexpr std::array<double, 9> bounds_seconds{0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                        0.05,   0.25,  1,      10};
  struct series {
    std::array<std::uint64_t, bounds_seconds.size() + 1> buckets{};
    std::uint64_t count{};
    double sum_seconds{};
  };
  using key =
      std::tuple<std::string_view, std::string_view, int>;  // method, path template, status / 100
  mutable std::mutex mutex_;
  std::map<key, series> series_;
};

}  // namespace berth::gateway
