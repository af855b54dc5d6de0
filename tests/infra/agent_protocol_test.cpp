#include <sys/stat.h>

#include "infra/agent/link/ring_import.hpp"
#include "infra/agent/protocol/ring_file.hpp"
#include "tests/infra/agent_harness.hpp"

namespace berth::agent::test {
namespace {

std::string encoded(const frame& what) {
  auto header = what.header;
  header.length = static_cast<std::uint32_t>(what.payload.size());
  const auto raw = encode(header);
  return std::string{raw.data(), raw.size()} + what.payload;
}

frame random_frame(std::mt19937& random) {
  constexpr std::array kinds{frame_kind::control,   frame_kind::output, frame_kind::input,
                             frame_kind::input_ack, frame_kind::follow, frame_kind::pace,
                             frame_kind::durable,   frame_kind::resize, frame_kind::close,
                             frame_kind::ping};
  frame made;
  made.header.kind = kinds[random() % kinds.size()];
  const auto kind = made.header.kind;
  const bool of_connection = kind == frame_kind::control || kind == frame_kind::ping;
  made.header.channel = of_connection ? 0 : static_cast<std::uint16_t>(1 + random() % 65535);
  made.header.offset = std::uint64_t{random()} << 32 | random();
  std::size_t size = 0;
  if (kind == frame_kind::control || kind == frame_kind::output) size = 1 + random() % 3000;
  if (kind == frame_kind::input) size = 16 + random() % 3000;
  if (kind == frame_kind::input_ack) {
    size = input_ack_bytes;
    made.header.flags = static_cast<std::uint8_t>(random() % 16);
  }
  if (kind == frame_kind::control) made.header.flags = static_cast<std::uint8_t>(random() % 2);
  made.payload = random_bytes(size, random());
  made.header.length = static_cast<std::uint32_t>(size);
  return made;
}

// Feeds `bytes` in random pieces; stops at an error.
std::vector<frame> decoded(frame_decoder& decoder, std::string_view bytes, std::mt19937& random) {
  std::vector<frame> frames;
  while (!bytes.empty() && !decoder.error()) {
    auto piece = bytes.substr(0, 1 + random() % 5000);
    bytes.remove_prefix(piece.size());
    while (auto next = decoder.next(piece)) frames.push_back(std::move(*next));
  }
  return frames;
}

frame_errc error_of(frame_header header) {
  const auto raw = encode(header);
  std::string_view bytes{raw.data(), raw.size()};
  frame_decoder decoder;
  CHECK_FALSE(decoder.next(bytes));
  REQUIRE(decoder.error());
  return decoder.error()->code;
}

}  // namespace

TEST_CASE("frames: any split of a stream decodes to what was encoded", "[infra]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 50; ++round) {
    std::vector<frame> frames(20);
    std::string bytes;
    for (auto& one : frames) bytes += encoded(one = random_frame(random));
    frame_decoder decoder;
    const auto got = decoded(decoder, bytes, random);
    REQUIRE(got.size() == frames.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      CHECK(got[i].header == frames[i].header);
      CHECK((got[i].payload == frames[i].payload));
    }
    CHECK(decoder.between_frames());
  }
}

TEST_CASE("frames: each broken rule is named, with the place of the header", "[infra]") {
  CHECK(error_of({.kind = static_cast<frame_kind>(0)}) == frame_errc::unknown_kind);
  CHECK(error_of({.kind = static_cast<frame_kind>(12)}) == frame_errc::unknown_kind);
  CHECK(error_of({.kind = frame_kind::ping, .flags = 1}) == frame_errc::bad_flags);
  CHECK(error_of({.kind = frame_kind::output, .channel = 0, .length = 1}) ==
        frame_errc::bad_channel);
  CHECK(error_of({.kind = frame_kind::control, .channel = 1, .length = 1}) ==
        frame_errc::bad_channel);
  CHECK(error_of({.kind = frame_kind::control, .length = control_bytes_max + 1}) ==
        frame_errc::too_long);
  CHECK(error_of({.kind = frame_kind::output, .channel = 1, .length = data_bytes_max + 1}) ==
        frame_errc::too_long);
  CHECK(error_of({.kind = frame_kind::pace, .channel = 1, .length = 1}) == frame_errc::too_long);
  CHECK(error_of({.kind = frame_kind::input, .channel = 1, .length = 15}) == frame_errc::too_short);
  CHECK(error_of({.kind = frame_kind::control}) == frame_errc::too_short);

  frame_decoder decoder;
  std::string bytes = encoded({{.kind = frame_kind::ping}, {}}) + std::string(16, '\0');
  std::string_view left{bytes};
  CHECK(decoder.next(left));
  CHECK_FALSE(decoder.next(left));
  CHECK(decoder.error()->text() == "frame at byte 16: unknown_kind");
  left = bytes;
  CHECK_FALSE(decoder.next(left));  // stays failed
}

TEST_CASE(
    "frames: random bytes and mutated packets give errors or frames within the bounds, never a "
    "crash",
    "[infra]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  wire::OpenTerminalT open;
  open.terminal = "term_x";
  open.channel = 3;
  open.command = {"a", "b"};
  open.env.push_back(std::make_unique<wire::VariableT>());
  const auto packet = packed(std::move(open));
  REQUIRE(verified_packet(packet));
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = packet;
    for (unsigned change = 0; change <= random() % 3; ++change)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    if (const auto* parsed = verified_packet(bytes)) {
      // What passes may be read in full.
      if (const auto* message = parsed->message_as_OpenTerminal()) {
        wire::OpenTerminalT copy;
        message->UnPackTo(&copy);
        ++accepted;
      }
    }
    frame_decoder decoder;
    for (const auto& one : decoded(decoder, bytes, random))
      CHECK(one.payload.size() <= control_bytes_max);
  }
  CHECK(accepted > 0);
  CHECK_FALSE(verified_packet(""));
  CHECK_FALSE(verified_packet(packed(wire::HelloT{}).substr(4)));
}

TEST_CASE("ring: bytes come back by offset over many rounds, never more than the capacity is held",
          "[infra]") {
  const testing::temporary_folder directory;
  const unique_fd fd{::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY)};
  int error = 0;
  auto ring = ring_file::create(fd.get(), "a.ring", 3 * ring_chunk_bytes - 5000, error);
  REQUIRE(ring);
  CHECK_FALSE(ring_file::create(fd.get(), "a.ring", 4096, error));
  CHECK(error == EEXIST);
  std::mt19937 random{3};
  const auto all = random_bytes(20 * 1024 * 1024, 9);
  while (ring->end() < all.size()) {
    auto want = std::min<std::size_t>(1 + random() % 400'000, all.size() - ring->end());
    if (char* place = ring->writable(want)) {
      std::memcpy(place, all.data() + ring->end(), want);
      ring->commit(want);
    }
    CHECK(ring->end() - ring->base() <= ring->capacity());
    if (ring->free_bytes() == 0 || random() % 3 == 0)
      ring->drop_below(ring->base() + random() % 1'500'000);
    for (auto at = ring->base(); at < ring->end();) {
      const auto piece = ring->readable(at, 1 << 20);
      REQUIRE((piece == std::string_view{all}.substr(at, piece.size())));
      at += piece.size();
    }
  }
  ring->drop_below(~0ull);
  ring->give_back();
  CHECK(ring->base() == ring->end());
  struct stat info {};
  REQUIRE(::stat((directory / "a.ring").c_str(), &info) == 0);
  CHECK(info.st_blocks * 512 <= 2 * static_cast<long>(ring_chunk_bytes));  // space is given back
}

TEST_CASE("ring: a damaged, foreign or older file is refused by reason", "[infra]") {
  const testing::temporary_folder directory;
  const auto path = directory / "term_a.ring";
  const terminal_id terminal{"term_a"};
  const unique_fd fd{::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY)};
  int error = 0;
  {
    auto ring = ring_file::create(fd.get(), "term_a.ring", 8192, error);
    REQUIRE(ring);
    std::size_t want = 5;
    std::memcpy(ring->writable(want), "hello", 5);
    ring->commit(5);
    ring->set_ended(3 << 8);
  }
  const auto tail = import_ring(directory.path(), terminal, 2);
  REQUIRE(tail);
  CHECK(tail->bytes == "llo");
  CHECK(tail->end.exit_code == 3);
  CHECK(tail->end.reason == "exited");
  CHECK(import_ring(directory.path(), terminal, 99)->bytes.empty());

  std::ifstream file{path, std::ios::binary};
  const std::string sound{std::istreambuf_iterator<char>{file}, {}};
  const auto refused = [&](std::string bytes, const std::string& reason) {
    write_file(path, bytes);
    const auto result = import_ring(directory.path(), terminal, 0);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == host_errc::io);
    CHECK(result.error().message.find(reason) != std::string::npos);
  };
  refused("", "damaged");
  refused(sound.substr(0, 100), "damaged");
  refused(sound.substr(0, sound.size() - 1), "damaged");
  auto grown = sound;
  grown[17] = 1;  // capacity
  refused(grown, "damaged");
  auto ahead = sound;
  ahead[offsetof(ring_header, base)] = 9;  // base past end
  refused(ahead, "damaged");
  for (std::size_t at = 0; at < offsetof(ring_header, base); ++at) {
    auto flipped = sound;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    refused(flipped, "damaged");
  }
  write_file(path, sound);
  CHECK(import_ring(directory.path(), terminal, 0));
}

}  // namespace berth::agent::test
