// What an agent may send to the server, and the server to an agent: frames, then packets, read in
// full.
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize=vptr -I.
//   -I<build>/generated
//     tests/fuzz/agent_stream_fuzz.cpp infra/agent/protocol/frame.cpp
//     infra/agent/protocol/message.cpp
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "infra/agent/protocol/frame.hpp"
#include "infra/agent/protocol/message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth::agent;
  std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const auto read_packet = [](std::string_view payload) {
    if (const auto* packet = verified_packet(payload)) {
      wire::PacketT all;
      packet->UnPackTo(&all);
    }
  };
  read_packet(bytes);
  // The same stream in one piece and byte by byte gives the same frames.
  frame_decoder whole;
  frame_decoder split;
  std::size_t frames_whole = 0;
  std::size_t frames_split = 0;
  auto left = bytes;
  while (auto next = whole.next(left)) {
    ++frames_whole;
    if (next->payload.size() > control_bytes_max) std::abort();
    if (next->header.kind == frame_kind::control) read_packet(next->payload);
  }
  for (; !bytes.empty() && !split.error(); bytes.remove_prefix(1)) {
    auto one = bytes.substr(0, 1);
    while (split.next(one)) ++frames_split;
  }
  if (frames_whole != frames_split || whole.error().has_value() != split.error().has_value())
    std::abort();
  return 0;
}
