#include "gateway/ws/frame_scheduler.hpp"

#include <algorithm>

#include "events/core/invariant.hpp"
#include "gateway/ws/frame_fields.hpp"

namespace berth::wire {
namespace {

struct weigher {
  std::size_t bytes{};
  void operator()(std::string_view, const std::string& text) { bytes += text.size() + 8; }
  void operator()(std::string_view, const blob& value) { bytes += value.bytes.size() + 8; }
  void operator()(std::string_view, const pairs& values) {
    for (const auto& [name, value] : values) bytes += name.size() + value.size() + 16;
  }
  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void operator()(std::string_view, const T&) { bytes += sizeof(T); }
};

}  // namespace

std::size_t weight_of(const frame& what) {
  return header_bytes + std::visit(
                            [](const auto& message) -> std::size_t {
                              weigher weight;
                              if constexpr (requires { each_field(message, weight); })
                                each_field(message, weight);
                              else if constexpr (requires { message.bytes.view(); })
                                weight.bytes = message.bytes.size;
                              else if constexpr (requires { message.bytes.size(); })
                                weight.bytes = message.bytes.size();
                              return weight.bytes;
                            },
                            what.what);
}

// A program that prints line by line gives a frame a line: what waits anyway leaves as fewer.
bool frame_scheduler::join(frame& last, const frame& next) {
  auto* before = std::get_if<output>(&last.what);
  const auto* after = std::get_if<output>(&next.what);
  if (!before || !after || before->offset + before->bytes.size != after->offset) return false;
  if (before->bytes.size + after->bytes.size > joined_bytes_max) return false;
  std::string both;
  both.reserve(before->bytes.size + after->bytes.size);
  both += before->bytes.view();
  both += after->bytes.view();
  before->bytes = whole(std::move(both));
  return true;
}

void frame_scheduler::push_control(frame what) {
  const auto weight = weight_of(what);
  control_bytes_ += weight;
  bytes_ += weight;
  control_.push_back(std::move(what));
}

void frame_scheduler::push(key queue, frame what, bool interactive) {
  auto& into = queues_[queue];
  const auto weight = weight_of(what);
  const bool idle = into.frames.empty();
  const auto before = idle ? 0 : weight_of(into.frames.back());
  const bool joined = !idle && join(into.frames.back(), what);
  const auto more = joined ? weight_of(into.frames.back()) - before : weight;
  if (!joined) into.frames.push_back(std::move(what));
  into.bytes += more;
  into.interactive = interactive;
  bytes_ += more;
  if (idle) (interactive && weight < interactive_bytes_max ? quick_ : turns_).push_back(queue);
}

bool frame_scheduler::take_front(lane_queue& from, batch& into) {
  const auto weight = weight_of(from.frames.front());
  if (!into.takes(weight)) return false;
  into.frames.push_back(std::move(from.frames.front()));
  from.frames.pop_front();
  into.bytes += weight;
  from.bytes -= weight;
  bytes_ -= weight;
  return true;
}

bool frame_scheduler::take_control(batch& into) {
  while (!control_.empty()) {
    const auto weight = weight_of(control_.front());
    if (!into.takes(weight)) return false;
    into.frames.push_back(std::move(control_.front()));
    control_.pop_front();
    into.bytes += weight;
    control_bytes_ -= weight;
    bytes_ -= weight;
  }
  return true;
}

bool frame_scheduler::take_interactive(batch& into) {
  while (!quick_.empty()) {
    const auto queue = quick_.front();
    auto& from = queues_.at(queue);
    if (!from.interactive || from.bytes >= interactive_bytes_max) {
      quick_.pop_front();
      turns_.push_back(queue);
      continue;
    }
    while (!from.frames.empty())
      if (!take_front(from, into)) return false;
    quick_.pop_front();
    queues_.erase(queue);
  }
  return true;
}

void frame_scheduler::take_bulk(batch& into) {
  while (!turns_.empty()) {
    const auto queue = turns_.front();
    auto& from = queues_.at(queue);
    if (!from.in_turn) {
      from.in_turn = true;
      from.deficit += quantum_bytes;
    }
    while (!from.frames.empty()) {
      const auto weight = weight_of(from.frames.front());
      if (weight > from.deficit) break;
      if (!take_front(from, into)) return;  // the turn goes on with the next message
      from.deficit -= weight;
    }
    turns_.pop_front();
    if (from.frames.empty()) {
      queues_.erase(queue);
    } else {
      from.in_turn = false;
      turns_.push_back(queue);
    }
  }
}

std::vector<frame> frame_scheduler::next() {
  batch out;
  if (take_control(out) && take_interactive(out)) take_bulk(out);
  BERTH_ASSERT(!out.frames.empty() || bytes_ == 0);
  return std::move(out.frames);
}

void frame_scheduler::drop(key queue) {
  const auto found = queues_.find(queue);
  if (found == queues_.end()) return;
  bytes_ -= found->second.bytes;
  queues_.erase(found);
  std::erase(quick_, queue);
  std::erase(turns_, queue);
}

std::size_t frame_scheduler::bytes_of(key queue) const {
  const auto found = queues_.find(queue);
  return found == queues_.end() ? 0 : found->second.bytes;
}

std::size_t frame_scheduler::frames_of(key queue) const {
  const auto found = queues_.find(queue);
  return found == queues_.end() ? 0 : found->second.frames.size();
}

}  // namespace berth::wire
