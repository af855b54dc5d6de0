#include "gateway/route_metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace berth::gateway {

void route_metrics::count(std::string_view method, std::string_view path, int status,
                          std::chrono::nanoseconds took) {
  const auto seconds = std::chrono::duration<double>(took).count();
  const auto bucket = std::lower_bound(bounds_seconds.begin(), bounds_seconds.end(), seconds) -
                      bounds_seconds.begin();
  const std::scoped_lock held(mutex_);
  auto& of = series_[{method, path, status / 100}];
  ++of.buckets[static_cast<std::size_t>(bucket)];
  ++of.count;
  of.sum_seconds += seconds;
}

std::string route_metrics::text() const {
  std::string out =
      "# HELP berthd_http_request_duration_seconds Requests by route and status class.\n"
      "# TYPE berthd_http_request_duration_seconds histogram\n";
  const auto to = std::back_inserter(out);
  const std::scoped_lock held(mutex_);
  for (const auto& [name, of] : series_) {
    const auto& [method, path, status] = name;
    const auto labels =
        fmt::format("method=\"{}\",route=\"{}\",status=\"{}xx\"", method, path, status);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < bounds_seconds.size(); ++i) {
      below += of.buckets[i];
      fmt::format_to(to, "berthd_http_request_duration_seconds_bucket{{{},le=\"{}\"}} {}\n", labels,
                     bounds_seconds[i], below);
    }
    fmt::format_to(to, "berthd_http_request_duration_seconds_bucket{{{},le=\"+Inf\"}} {}\n", labels,
                   of.count);
    fmt::format_to(to, "berthd_http_request_duration_seconds_sum{{{}}} {}\n", labels,
                   of.sum_seconds);
    fmt::format_to(to, "berthd_http_request_duration_seconds_count{{{}}} {}\n", labels, of.count);
  }
  return out;
}

}  // namespace berth::gateway
