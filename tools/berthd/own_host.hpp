// What the journal says of this machine's host, as far as it was read: whether it takes new
// environments. Reads only what came since it was asked last. Thread-safe.
#pragma once

#include <mutex>

#include "events/core/journal.hpp"
#include "events/host/aggregate.hpp"

namespace berth::berthd {

class own_host {
 public:
  own_host(const journal& log, const host_id& id)
      : log_{log}, stream_{aggregate_kind::host, id.value} {}

  bool is_cordoned() {
    constexpr std::size_t page = 256;
    const std::lock_guard lock{mutex_};
    for (;;) {
      const auto commits = log_.read_stream(stream_, read_, page);
      if (!commits || commits->empty()) return now_.is_cordoned;
      for (const auto& each : *commits) {
        for (const auto& record : each.body.events)
          if (const auto event = host::aggregate::decode(record))
            now_ = host::aggregate::apply(std::move(now_), *event);
        read_ = std::max(read_, each.body.last());
      }
      if (commits->size() < page) return now_.is_cordoned;
    }
  }

 private:
  const journal& log_;
  const stream_id stream_;
  std::mutex mutex_;
  host::state now_;
  stream_version read_;
};

}  // namespace berth::berthd
