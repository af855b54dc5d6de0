// A viewer on another node: what it is told goes there as events of its call. What waits for a slow
// node is bounded by the credit its client gave. Any thread.
#pragma once

#include "gateway/peer/pack.hpp"
#include "gateway/peer/peer_link.hpp"
#include "gateway/peer/peer_messages.hpp"

namespace berth::gateway::peer {

class sending_viewer : public terminal_viewer {
 public:
  sending_viewer(std::shared_ptr<peer_link> over, std::uint64_t id)
      : link_{std::move(over)}, id_{id} {}

  void output(std::uint64_t offset, const shared_bytes& data, std::size_t skip,
              std::size_t size) override {
    tell(packer{}.put(viewer_event::output, offset).take().append(*data, skip, size));
  }
  void gap(std::uint64_t from, std::uint64_t to) override {
    tell(packer{}.put(viewer_event::gap, from, to).take());
  }
  void snapshot(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows,
                const shared_bytes& bytes) override {
    tell(packer{}.put(viewer_event::snapshot, offset, cols, rows).take() + *bytes);
  }
  void resized(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows) override {
    tell(packer{}.put(viewer_event::resized, offset, cols, rows).take());
  }
  void driver_changed(const session_id& driver) override {
    tell(packer{}.put(viewer_event::driver, driver).take());
  }
  void durable(std::uint64_t offset) override {
    tell(packer{}.put(viewer_event::durable, offset).take());
  }
  void input_applied(std::uint64_t sequence) override {
    tell(packer{}.put(viewer_event::input_applied, sequence).take());
  }
  void input_refused(std::uint64_t sequence, const rejection& why) override {
    tell(packer{}.put(viewer_event::input_refused, sequence, why).take());
  }
  void ended(const terminal::ended& end) override {
    tell(packer{}.put(viewer_event::ended, end).take());
  }
  void failed(const rejection& why) override {
    tell(packer{}.put(viewer_event::failed, why).take());
  }

 private:
  void tell(const std::string& body) { link_->send(frame_kind::event, id_, body); }

  const std::shared_ptr<peer_link> link_;
  const std::uint64_t id_;
};

}  // namespace berth::gateway::peer
