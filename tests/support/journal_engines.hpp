// The journal engines under test behind one shape, so that one suite runs over all of them:
//   engine.journal(), engine.views()      what is tested
//   engine.reopen()                       a clean stop and a start on the same storage
//   engine.time()                         its clock
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "actors/ports/clock.hpp"
#include "infra/memory/memory_journal.hpp"
#include "infra/memory/memory_view_store.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace berth::testing {

// Moves only when told to; read by engine threads.
class shared_clock : public clock {
 public:
  timestamp now() const override { return from_us(us_); }
  void advance(microseconds by) { us_ += by.count(); }
  void set(timestamp to) { us_ = to_us(to); }

 private:
  std::atomic<std::int64_t> us_{1'800'000'000'000'000};
};

class memory_engine {
 public:
  explicit memory_engine(journal_limits limits = {})
      : journal_{time_, memory_journal::mode::automatic, limits} {}
  berth::journal& journal() { return journal_; }
  view_store& views() { return views_; }
  shared_clock& time() { return time_; }
  void reopen() { journal_.crash(); }
  std::uint64_t epoch() const { return journal_.epoch(); }

 private:
  shared_clock time_;
  memory_journal journal_;
  memory_view_store views_;
};

class rocksdb_engine {
 public:
  explicit rocksdb_engine(journal_limits limits = {}) {
    options_.data_dir = folder_.path() / "data";
    options_.time = &time_;
    options_.limits = limits;
    options_.on_fatal = [](const journal_error& why) { FAIL("fatal: " << why.message); };
    open();
  }
  berth::journal& journal() { return engine_->journal(); }
  view_store& views() { return engine_->views(); }
  shared_clock& time() { return time_; }
  void reopen() {
    engine_.reset();
    open();
  }
  std::uint64_t epoch() const { return engine_->epoch(); }
  embedded_options& options() { return options_; }
  std::unique_ptr<embedded_engine>& engine() { return engine_; }

 private:
  void open() {
    auto opened = open_embedded(options_);
    if (opened.has_error()) FAIL("open: " << opened.error().message);
    engine_ = std::move(*opened);
  }

  temporary_folder folder_;
  shared_clock time_;
  embedded_options options_;
  std::unique_ptr<embedded_engine> engine_;
};

}  // namespace berth::testing
