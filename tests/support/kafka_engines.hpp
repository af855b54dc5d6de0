// Kafka journals on the brokers named by BERTH_KAFKA_BOOTSTRAP (infra/deploy/kafka/brokers.py run),
// each on a topic of its own; in the shape of journal_engines.hpp.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <random>

#include "infra/kafka/kafka_engine.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/journal_engines.hpp"

namespace berth::testing {

inline kafka_options kafka_on_test_brokers(std::uint32_t partitions) {
  static std::atomic<unsigned> topics{};
  const auto* brokers = std::getenv("BERTH_KAFKA_BOOTSTRAP");
  if (!brokers) FAIL("BERTH_KAFKA_BOOTSTRAP is not set: run these tests below brokers.py run");
  kafka_options options;
  options.bootstrap = brokers;
  options.node = "test";
  options.partitions = partitions;
  options.replication_factor = 1;
  options.min_insync_replicas = 1;
  options.topic_prefix = "t" + std::to_string(::getpid()) + "-" +
                         std::to_string(std::random_device{}()) + "-" + std::to_string(topics++);
  return options;
}

// One node: its data directory and, while it is open, its engine.
class kafka_node {
 public:
  explicit kafka_node(kafka_options options) : options_{std::move(options)} {
    storage_.data_dir = folder_.path() / "data";
    storage_.time = &time_;
    storage_.limits = options_.limits;
    storage_.on_fatal = [this](const journal_error& why) { fatal_ = why.message; };
  }
  void open() {
    auto opened = open_kafka(options_, storage_);
    if (opened.has_error()) FAIL("open: " << opened.error().message);
    engine_ = std::move(*opened);
  }
  void close() { engine_.reset(); }
  void lead() {
    for (std::uint32_t p = 0; p < options_.partitions; ++p) engine_->log().want(p, true);
    std::string why;
    if (!engine_->log().wait_until_leading(std::chrono::seconds{20}, &why)) FAIL(why);
  }
  // Whether it has applied as much within 20 s.
  bool reaches(position at) const {
    for (int i = 0; i < 20'000; ++i) {
      if (engine_->journal().head(at.partition).offset >= at.offset) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return false;
  }
  void lose_disk() {
    close();
    std::filesystem::remove_all(storage_.data_dir);
  }

  kafka_engine& engine() { return *engine_; }
  berth::journal& journal() { return engine_->journal(); }
  shared_clock& time() { return time_; }
  kafka_options& options() { return options_; }
  embedded_options& storage() { return storage_; }
  const std::string& fatal() const { return fatal_; }

 private:
  temporary_folder folder_;
  shared_clock time_;
  kafka_options options_;
  embedded_options storage_;
  std::string fatal_;
  std::unique_ptr<kafka_engine> engine_;
};

class kafka_test_engine {
 public:
  explicit kafka_test_engine(journal_limits limits = {}) : node_{with(limits)} { open(); }
  ~kafka_test_engine() { CHECK(node_.fatal().empty()); }
  berth::journal& journal() { return node_.journal(); }
  view_store& views() { return node_.engine().views(); }
  shared_clock& time() { return node_.time(); }
  void reopen() {
    node_.close();
    open();
  }
  std::uint64_t epoch() { return node_.engine().log().stats(0).leader.epoch; }

 private:
  static kafka_options with(journal_limits limits) {
    auto options = kafka_on_test_brokers(1);
    options.limits = limits;
    return options;
  }
  void open() {
    node_.open();
    node_.lead();
  }
  kafka_node node_;
};

}  // namespace berth::testing
