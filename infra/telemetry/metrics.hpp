// Prometheus text (exposition format 0.0.4) of gauges and counters that are read when asked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace berth {

class metrics_page {
 public:
  metrics_page();
  ~metrics_page();
  // `read` is called at each render(), from its thread.
  void gauge(const std::string& name, const std::string& help, std::function<double()> read);
  void counter(const std::string& name, const std::string& help, std::function<double()> read);
  std::string render() const;

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace berth
