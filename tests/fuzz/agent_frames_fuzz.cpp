// The agent protocol below both sides: frames, then packets, read in full.
#include "infra/agent/protocol/frame.hpp"
#include "infra/agent/protocol/message.hpp"
#include "tests/fuzz/agent_seeds.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace berth::fuzz {
namespace {

using namespace berth::agent;

void read_packet(std::string_view payload) {
  const auto* packet = verified_packet(payload);
  if (!packet || packet->message_type() > agent::wire::Message::MAX) return;  // of a newer peer
  agent::wire::PacketT all;
  packet->UnPackTo(&all);
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(agent::wire::Packet::Pack(builder, &all));
  const std::string again{reinterpret_cast<const char*>(builder.GetBufferPointer()),
                          builder.GetSize()};
  const auto* same = verified_packet(again);
  require(same && same->message_type() == packet->message_type(),
          "a packet packed again is a packet of the same kind");
}

struct read_stream {
  std::vector<frame> frames;
  std::optional<frame_error> error;
};

// In pieces of the given size: a decoder must not depend on them.
read_stream read_all(std::string_view bytes, std::size_t piece) {
  read_stream read;
  frame_decoder decoder;
  for (; !bytes.empty() && !decoder.error(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    auto part = bytes.substr(0, piece);
    while (auto next = decoder.next(part)) read.frames.push_back(std::move(*next));
  }
  read.error = decoder.error();
  return read;
}

}  // namespace

void run(std::string_view input) {
  const auto whole = read_all(input, input.size() + 1);
  for (const std::size_t piece : {1, 7}) {
    const auto split = read_all(input, piece);
    require(split.frames.size() == whole.frames.size(), "the same frames however a stream is cut");
    require(split.error.has_value() == whole.error.has_value(), "the same error");
    for (std::size_t i = 0; i < split.frames.size(); ++i)
      require(split.frames[i].header == whole.frames[i].header &&
                  split.frames[i].payload == whole.frames[i].payload,
              "the same contents");
  }
  std::string encoded;
  for (const auto& next : whole.frames) {
    require(next.payload.size() <= control_bytes_max, "a payload is bounded");
    const auto head = encode(next.header);
    encoded.append(head.data(), head.size()).append(next.payload);
    if (next.header.kind == frame_kind::control) read_packet(next.payload);
  }
  require(input.starts_with(encoded), "encoding the frames gives the stream again");
  if (whole.error) require(!whole.error->text().empty(), "an error says what");
  read_packet(std::string{input});
}

std::vector<std::string> seeds() {
  auto all = server_says();
  for (auto& each : agent_says()) all.push_back(std::move(each));
  return all;
}

}  // namespace berth::fuzz
