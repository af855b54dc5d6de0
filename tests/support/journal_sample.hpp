// Commits for journal tests and benchmarks, and a listener that remembers what it was told.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "events/core/journal.hpp"

namespace berth::testing {

inline stream_id stream_named(const std::string& name) {
  return {aggregate_kind::environment, "env_" + name};
}

inline command_id command_number(std::uint64_t number) {
  command_id id;
  std::memcpy(id.bytes.data(), &number, sizeof number);
  id.bytes[15] = 1;
  return id;
}

// `events` events from version `first`; everything in it follows from the arguments.
inline commit_body sample_body(const stream_id& stream, std::uint64_t first, std::uint64_t number,
                               std::size_t events = 1, std::size_t payload_bytes = 8) {
  commit_body body;
  body.stream = stream;
  body.first = {first};
  body.command = command_number(number);
  body.command_hash = number * 7 + 1;
  body.by = {{"acct_sample"}, "tok_sample", false};
  body.correlation = command_number(number + 1'000'000'000);
  body.asked_at = from_us(1'800'000'000'000'000);
  for (std::size_t i = 0; i < events; ++i)
    body.events.push_back({static_cast<std::uint16_t>(i + 1),
                           std::string(payload_bytes, static_cast<char>('a' + i % 26))});
  body.answer = "answer " + std::to_string(number);
  return body;
}

// Keeps every result; waits for a number of them with a deadline. Any thread.
class recording_listener : public append_listener {
 public:
  void appended(std::span<const append_result> results) override {
    const std::lock_guard lock{mutex_};
    ++calls_;
    results_.insert(results_.end(), results.begin(), results.end());
    changed_.notify_all();
  }
  // Whether that many results came within 20 s.
  bool wait_for(std::size_t count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{20},
                             [&] { return results_.size() >= count; });
  }
  std::vector<append_result> results() const {
    const std::lock_guard lock{mutex_};
    return results_;
  }
  std::size_t calls() const {
    const std::lock_guard lock{mutex_};
    return calls_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<append_result> results_;
  std::size_t calls_{};
};

}  // namespace berth::testing
