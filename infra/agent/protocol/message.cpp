#include "infra/agent/protocol/message.hpp"

namespace berth::agent {
namespace {
constexpr flatbuffers::uoffset_t depth_max = 8;
constexpr flatbuffers::uoffset_t tables_max = 8192;  // terminals of a Welcome, variables of an Exec

std::uint64_t half(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}
}  // namespace

wire::Id to_wire(const id_bytes& id) {
  return {half(id.data()), half(id.data() + 8)};
}

id_bytes from_wire(const wire::Id& id) {
  id_bytes bytes{};
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(id.high() >> (56 - 8 * i));
    bytes[8 + i] = static_cast<std::uint8_t>(id.low() >> (56 - 8 * i));
  }
  return bytes;
}

const wire::Packet* verified_packet(std::string_view payload) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(payload.data());
  flatbuffers::Verifier verifier{data, payload.size(), depth_max, tables_max};
  if (!verifier.VerifyBuffer<wire::Packet>(nullptr)) return nullptr;
  const auto* packet = flatbuffers::GetRoot<wire::Packet>(data);
  // A union member newer than this build passes the verifier; NONE or a missing table is nobody's
  // message.
  if (packet->message_type() == wire::Message::NONE || packet->message() == nullptr) return nullptr;
  return packet;
}

}  // namespace berth::agent
