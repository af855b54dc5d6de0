// berth.v1.json: what a script may send as one text message.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/ws/json_codec.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/support/random_frames.hpp"

namespace berth::fuzz {
namespace {

// What fits one binary frame, its table's overhead included.
constexpr std::size_t fits_binary_bytes = 30'000;

void check(const wire::frame& frame, std::size_t message_bytes) {
  const auto text = wire::encode_json(frame);
  const auto objects = wire::split_json(text);
  require(objects.has_value() && objects->size() == 1, "an encoded frame is one JSON object");
  const auto again = wire::parse_json(objects->front());
  require(again.has_value() && *again == frame, "parse(encode(frame)) is the frame");
  if (message_bytes > fits_binary_bytes) return;
  const auto bytes = wire::encode_message(frame);
  const auto raw = wire::split_message(bytes);
  require(raw.has_value() && raw->size() == 1, "the same frame is one binary frame");
  const auto binary = wire::parse_frame(raw->front().header, raw->front().payload);
  require(binary.has_value() && *binary == frame, "JSON and binary frames mean the same");
}

}  // namespace

void run(std::string_view input) {
  const auto objects = wire::split_json(input);
  if (!objects) return require(!objects.error().message.empty(), "a framing error says why");
  for (const auto& object : *objects) {
    const auto frame = wire::parse_json(object);
    if (frame)
      check(*frame, input.size());
    else
      require(!frame.error().code.empty() && !frame.error().message.empty(),
              "a frame problem has a code and says what");
  }
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  random_frames random{11};
  for (std::size_t kind = 0; kind < std::variant_size_v<wire::payload>; ++kind)
    for (int n = 0; n < 2; ++n) all.push_back(wire::encode_json(random.next(kind)));
  all.push_back("[" + wire::encode_json(random.next(1)) + "," + wire::encode_json(random.next(9)) +
                "]");
  all.push_back(R"({"kind":"open","channel":1,"target":"terminal","id":"term_1","from":"end"})");
  all.push_back(R"({"kind":"input","channel":1,"sequence":1,"text":"ls\r\u00e9\ud83d\ude00"})");
  return all;
}

}  // namespace berth::fuzz
