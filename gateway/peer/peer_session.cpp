#include "gateway/peer/peer_session.hpp"

#include "gateway/peer/pack.hpp"
#include "gateway/peer/peer_network.hpp"

namespace berth::gateway::peer {

peer_session::peer_session(peer_network& of, std::unique_ptr<byte_stream> over,
                           const local_services& with, std::optional<std::uint32_t> expected)
    : network_{of},
      link_{std::make_shared<peer_link>(std::move(over))},
      calls_{std::make_shared<local_calls>(with, link_)},
      ordinal_{expected} {}

void peer_session::start() {
  const auto mine = network_.my_greeting();
  link_->send(frame_kind::greeting, 0, packer{}.put(mine).take());
  link_->start(shared_from_this());
}

void peer_session::greet(std::string_view body) {
  greeting said;
  unpacker in{body};
  // A node of another build may say more than this one can read; its layout comes first.
  in.take(said.layout, said.ordinal, said.host, said.topic);
  if (said.layout != layout_hash())
    return link_->close("node " + std::to_string(said.ordinal) +
                        " runs another build, whose commands differ: it is reached again when both "
                        "run the same");
  if (ordinal_ && *ordinal_ != said.ordinal)
    return link_->close("node " + std::to_string(said.ordinal) + " answers where node " +
                        std::to_string(*ordinal_) + " should be; see cluster.advertise");
  ordinal_ = said.ordinal;
  kernel_ = std::make_shared<remote_kernel>(link_, "node " + std::to_string(said.ordinal));
  link_->stay();
  is_greeted_ = network_.greeted(shared_from_this(), said);
}

void peer_session::frame(frame_kind kind, std::uint64_t id, std::string_view body) {
  if (!is_greeted_) {
    if (kind == frame_kind::greeting) return greet(body);
    return link_->close("it did not greet");
  }
  switch (kind) {
    case frame_kind::call:
      return calls_->called(id, body);
    case frame_kind::note:
      return calls_->noted(id, body);
    case frame_kind::end:
      return calls_->ended(id);
    case frame_kind::answer:
      return kernel_->answered(id, body);
    case frame_kind::event:
      return kernel_->happened(id, body);
    case frame_kind::load: {
      node_load now;
      unpacker in{body};
      if (in.take(now)) return network_.told(*ordinal_, now);
      break;
    }
    case frame_kind::greeting:
      break;
  }
  link_->close("a frame that cannot be read");
}

void peer_session::closed(const std::string& why) {
  const auto self = shared_from_this();
  if (kernel_) kernel_->lost();
  calls_->lost();
  network_.gone(self, why);
}

}  // namespace berth::gateway::peer
