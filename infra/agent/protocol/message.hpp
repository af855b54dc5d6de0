// Control messages: FlatBuffers packets, verified before use, with depth and table limits.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "schemas/agent_generated.h"

namespace berth::agent {

namespace wire = berth::fb::agent;

using id_bytes = std::array<std::uint8_t, 16>;
wire::Id to_wire(const id_bytes& id);
id_bytes from_wire(const wire::Id& id);

// Nothing if the bytes are not one whole packet with a message of a kind known here. The pointer
// lives as long as the bytes.
const wire::Packet* verified_packet(std::string_view payload);

// Serializes one message; `Table` is an object API type such as wire::HelloT.
template <class Table>
std::string packed(Table message) {
  wire::PacketT packet;
  packet.message.Set(std::move(message));
  flatbuffers::FlatBufferBuilder builder{256};
  builder.Finish(wire::Packet::Pack(builder, &packet));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

inline std::string text_of(const flatbuffers::String* text) {
  return text ? text->str() : std::string{};
}
inline std::string bytes_of(const flatbuffers::Vector<std::uint8_t>* bytes) {
  return bytes ? std::string{reinterpret_cast<const char*>(bytes->data()), bytes->size()}
               : std::string{};
}
inline std::vector<std::uint8_t> to_vector(std::string_view bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return {data, data + bytes.size()};
}

}  // namespace berth::agent
