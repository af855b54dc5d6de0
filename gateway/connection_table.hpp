// The open connections: their number is bounded, and stop() reaches each of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace berth::gateway {

// Something with a socket. Called on any thread; finishes what it answers and closes.
class live_connection {
 public:
  virtual ~live_connection() = default;
  virtual void close_soon() = 0;
};

class connection_table : public std::enable_shared_from_this<connection_table> {
 public:
  // Keeps the connection counted and reachable until the handle is destroyed. After stop() it is
  // closed at once.
  std::shared_ptr<void> enter(std::weak_ptr<live_connection> who);
  std::size_t size() const { return size_; }
  void close_all();

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::weak_ptr<live_connection>> members_;
  std::uint64_t next_{1};
  bool stopped_{};
  std::atomic<std::size_t> size_{};
};

}  // namespace berth::gateway
