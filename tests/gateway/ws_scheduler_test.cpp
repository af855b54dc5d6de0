// What leaves next: lanes, turns and order.
#include <map>

#include "gateway/ws/frame_scheduler.hpp"
#include "gateway/ws/zstd_stream.hpp"
#include "tests/support/catch.hpp"

using namespace berth;
using namespace berth::wire;

namespace {

frame bytes_frame(std::uint32_t channel, std::uint64_t offset, std::size_t size) {
  return {channel, output{offset, whole(std::string(size, 'x'))}};
}
std::size_t total(const std::vector<frame>& frames) {
  std::size_t sum = 0;
  for (const auto& one : frames) sum += weight_of(one);
  return sum;
}

}  // namespace

TEST_CASE("scheduler: a greedy channel delays an interactive frame by no more than one message",
          "[gateway]") {
  frame_scheduler queue;
  for (std::uint64_t i = 0; i < 100; ++i) queue.push(1, bytes_frame(1, i * 32'768, 32'768), true);
  auto first = queue.next();
  CHECK(total(first) <= batch_bytes_max);
  queue.push(2, bytes_frame(2, 0, 1), true);
  const auto second = queue.next();
  REQUIRE_FALSE(second.empty());
  CHECK(second.front().channel == 2);
}

TEST_CASE("scheduler: answers leave before keystrokes, keystrokes before bulk", "[gateway]") {
  frame_scheduler queue;
  queue.push(1, bytes_frame(1, 0, 4000), true);
  queue.push(2, bytes_frame(2, 0, 10), true);
  queue.push(3, bytes_frame(3, 0, 10), false);
  queue.push_control({4, input_applied{1}});
  const auto out = queue.next();
  REQUIRE(out.size() == 4);
  CHECK(out[0].channel == 4);
  CHECK(out[1].channel == 2);
  CHECK(out[2].channel == 1);
  CHECK(out[3].channel == 3);
  CHECK(queue.empty());
  CHECK(queue.next().empty());
}

TEST_CASE(
    "scheduler: channels with the same to send get the same share, whatever the size of their "
    "frames",
    "[gateway]") {
  frame_scheduler queue;
  const std::map<std::uint32_t, std::size_t> sizes{
      {1, 60'000}, {2, 1'000}, {3, 16'000}, {4, 32'768}};
  for (const auto& [channel, size] : sizes)
    for (std::uint64_t at = 0; at < 4'000'000; at += size)
      queue.push(channel, bytes_frame(channel, at, size), false);
  std::map<std::uint32_t, std::size_t> sent;
  for (std::size_t all = 0; all < 8'000'000;) {
    const auto out = queue.next();
    CHECK((total(out) <= batch_bytes_max || out.size() == 1));
    for (const auto& one : out) sent[one.channel] += weight_of(one), all += weight_of(one);
  }
  for (const auto& [channel, size] : sizes) {
    INFO(channel);
    CHECK(sent[channel] > 1'900'000);
    CHECK(sent[channel] < 2'100'000);
  }
}

TEST_CASE("scheduler: a queue keeps its order through all lanes, and what is dropped is gone",
          "[gateway]") {
  frame_scheduler queue;
  std::uint64_t offset = 0;
  for (const std::size_t size : {10, 400, 300, 40'000, 1, 30'000, 5})
    queue.push(1, bytes_frame(1, offset, size), true), offset += size;
  for (int i = 0; i < 50; ++i) queue.push(2, bytes_frame(2, 0, 20'000), false);
  queue.push(3, bytes_frame(3, 0, 100), true);
  CHECK(queue.frames_of(2) == 50);
  queue.drop(2);
  CHECK(queue.bytes_of(2) == 0);
  std::uint64_t expected = 0;
  while (!queue.empty())
    for (const auto& one : queue.next()) {
      if (one.channel == 3) continue;
      REQUIRE(one.channel == 1);
      const auto& out = std::get<output>(one.what);
      CHECK(out.offset == expected);
      expected += out.bytes.size;
    }
  CHECK(expected == offset);
  CHECK(queue.bytes() == 0);
}

TEST_CASE("scheduler: lines that wait are joined, to the byte, and only what is next to each other",
          "[gateway]") {
  frame_scheduler queue;
  std::string printed;
  for (int i = 0; i < 10'000; ++i) {
    const auto line = "line " + std::to_string(i) + "\r\n";
    queue.push(1, {1, output{printed.size(), whole(line)}}, true);
    printed += line;
  }
  CHECK(queue.frames_of(1) <= 2 * printed.size() / joined_bytes_max + 1);
  queue.push(1, {1, resized{printed.size(), 80, 24}}, false);
  queue.push(1, {1, output{printed.size(), whole("after")}}, true);
  queue.push(1, {1, output{printed.size() + 100, whole("elsewhere")}}, true);
  std::string got;
  std::size_t others = 0;
  while (!queue.empty())
    for (const auto& one : queue.next()) {
      const auto* out = std::get_if<output>(&one.what);
      if (!out) {
        CHECK(got == printed);
        ++others;
      } else if (out->offset == got.size()) {
        got += out->bytes.view();
      } else {
        CHECK(out->offset == printed.size() + 100);
        CHECK(out->bytes.view() == "elsewhere");
      }
    }
  CHECK(got == printed + "after");
  CHECK(others == 1);
  CHECK(queue.bytes() == 0);
}

TEST_CASE("zstd: payloads decode in order, start anew when told, and end at the limit",
          "[gateway]") {
  zstd_writer writer;
  zstd_reader reader;
  std::string text;
  for (int i = 0; i < 900; ++i) text += "line " + std::to_string(i) + " of a build\r\n";
  const auto first = writer.compress(text);
  REQUIRE(first);
  CHECK(first->fresh);
  CHECK(first->bytes.size() * 3 < text.size());
  const auto second = writer.compress(text);
  REQUIRE(second);
  CHECK_FALSE(second->fresh);
  CHECK(second->bytes.size() < first->bytes.size());
  CHECK(reader.decompress(first->bytes, first->fresh, payload_bytes_max) == text);
  CHECK(reader.decompress(second->bytes, second->fresh, payload_bytes_max) == text);

  std::string noise(4096, '\0');
  std::uint64_t state = 1;
  for (auto& c : noise)
    c = static_cast<char>((state = state * 6364136223846793005 + 1442695040888963407) >> 56);
  CHECK_FALSE(writer.compress(noise));
  const auto after = writer.compress(text);
  REQUIRE(after);
  CHECK(after->fresh);
  CHECK(reader.decompress(after->bytes, true, payload_bytes_max) == text);

  const auto bomb = writer.compress(std::string(60'000, 'a'));
  REQUIRE(bomb);
  CHECK_FALSE(reader.decompress(bomb->bytes, false, 59'999));
  CHECK_FALSE(zstd_reader{}.decompress("not zstd at all", true, 100));
}
