#include "infra/telemetry/metrics.hpp"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace berth {

struct metrics_page::parts {
  struct metric {
    std::string name, help;
    prometheus::MetricType type;
    std::function<double()> read;
  };
  std::vector<metric> metrics;
};

metrics_page::metrics_page() : parts_{std::make_unique<parts>()} {}
metrics_page::~metrics_page() = default;

void metrics_page::gauge(const std::string& name, const std::string& help,
                         std::function<double()> read) {
  parts_->metrics.push_back({name, help, prometheus::MetricType::Gauge, std::move(read)});
}

void metrics_page::counter(const std::string& name, const std::string& help,
                           std::function<double()> read) {
  parts_->metrics.push_back({name, help, prometheus::MetricType::Counter, std::move(read)});
}

std::string metrics_page::render() const {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& each : parts_->metrics) {
    prometheus::ClientMetric value;
    if (each.type == prometheus::MetricType::Gauge)
      value.gauge.value = each.read();
    else
      value.counter.value = each.read();
    families.push_back({each.name, each.help, each.type, {std::move(value)}});
  }
  return prometheus::TextSerializer{}.Serialize(families);
}

}  // namespace berth
