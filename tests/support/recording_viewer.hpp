// A terminal viewer that keeps what it is told and asserts that bytes arrive in order, without gap
// or repeat.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/kernel.hpp"
#include "events/core/invariant.hpp"

namespace berth::testing {

class recording_viewer : public terminal_viewer {
 public:
  explicit recording_viewer(std::uint64_t from) : next_{from} {}

  void attached(outcome<attached_terminal> got) {
    if (!got) {
      refused = got.error().code;
      return;
    }
    if (next_ == ~std::uint64_t{0}) next_ = got->from;
    attachment_ = got->attachment;
  }
  const std::shared_ptr<terminal_attachment>& attachment() const { return attachment_; }
  void detach() { attachment_.reset(); }

  void output(std::uint64_t offset, const shared_bytes& data, std::size_t skip,
              std::size_t size) override {
    BERTH_ASSERT(offset == next_);
    bytes.append(*data, skip, size);
    next_ += size;
  }
  void gap(std::uint64_t from, std::uint64_t to) override {
    BERTH_ASSERT(from == next_ && to > from);
    gaps.emplace_back(from, to);
    next_ = to;
  }
  void snapshot(std::uint64_t offset, std::uint16_t, std::uint16_t,
                const shared_bytes& painted) override {
    BERTH_ASSERT(offset == next_);
    snapshots.push_back(*painted);
  }
  void resized(std::uint64_t, std::uint16_t to_cols, std::uint16_t) override { cols = to_cols; }
  void driver_changed(const session_id& now) override { driver = now; }
  void durable(std::uint64_t offset) override { durable_until = offset; }
  void input_applied(std::uint64_t sequence) override { input_applied_until = sequence; }
  void input_refused(std::uint64_t, const rejection&) override { ++inputs_refused; }
  void ended(const terminal::ended& end) override {
    BERTH_ASSERT(end.final_offset == next_);
    ended_at = end.final_offset;
  }
  void failed(const rejection& why) override { refused = why.code; }

  std::string bytes;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps;
  std::vector<std::string> snapshots;
  std::optional<rejection_code> refused;
  std::optional<std::uint64_t> ended_at;
  std::uint64_t durable_until{};
  std::uint64_t input_applied_until{};
  int inputs_refused{};
  std::uint16_t cols{};
  session_id driver;

 private:
  std::uint64_t next_;
  std::shared_ptr<terminal_attachment> attachment_;
};

}  // namespace berth::testing
