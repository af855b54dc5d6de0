#include "gateway/peer/peer_messages.hpp"

#include "gateway/peer/pack.hpp"

namespace berth::gateway::peer {
namespace {

// Raised when what is said changes and no struct does.
constexpr std::uint32_t protocol_version = 1;

template <class A>
void describe_aggregate(std::string& out) {
  describe_layout<typename A::command>(out);
  out += std::to_string(A::fold_version);  // states travel as snapshots do
}

std::string layout_text() {
  auto text = "berth.peer/" + std::to_string(protocol_version);
  describe_aggregate<account::aggregate>(text);
  describe_aggregate<session::aggregate>(text);
  describe_aggregate<environment::aggregate>(text);
  describe_aggregate<terminal::aggregate>(text);
  describe_aggregate<host::aggregate>(text);
  describe_layout<command_meta>(text);
  describe_layout<attach_request>(text);
  describe_layout<attached_place>(text);
  describe_layout<exec_answer>(text);
  describe_layout<terminal::ended>(text);
  describe_layout<rejection>(text);
  describe_layout<node_load>(text);
  describe_layout<bulk_mark>(text);
  return text;
}

}  // namespace

std::uint64_t layout_hash() {
  static const auto hash = content_hash(layout_text());
  return hash;
}

}  // namespace berth::gateway::peer
