// The server's terminal emulator: any output, any resize; and what a snapshot promises, that an
// emulator repainted from it looks the same.
#include <algorithm>

#include "infra/terminal/vterm_screen.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace berth::fuzz {
namespace {

constexpr std::size_t resizes_max = 16;
constexpr std::uint16_t side_max = 200;

struct size {
  std::uint16_t cols{}, rows{};
};

size next_size(input_reader& input) {
  const auto cols = input.byte();
  return {std::min<std::uint16_t>(cols, side_max), std::min<std::uint16_t>(input.byte(), side_max)};
}

}  // namespace

void run(std::string_view bytes) {
  input_reader input{bytes};
  auto now = next_size(input);
  const auto screen = make_vterm_screen(now.cols, now.rows);
  for (std::size_t resizes = 0; !input.empty();) {
    const auto piece = input.byte();
    if (piece == 0 && resizes < resizes_max) {
      now = next_size(input);
      screen->resize(now.cols, now.rows);
      ++resizes;
    } else {
      screen->feed(input.bytes(piece));
    }
  }
  const auto picture = screen->snapshot();
  const auto repainted = make_vterm_screen(now.cols, now.rows);
  repainted->feed(picture);
  require(repainted->snapshot() == picture, "a screen repainted from a snapshot looks the same");
}

std::vector<std::string> seeds() {
  const std::string head{20, 6};
  const auto feed = [](std::string_view text) {
    return std::string(1, static_cast<char>(text.size())).append(text);
  };
  return {
      head + feed("hello\r\nworld\b\b\x1b[1;31mred\x1b[0m\x1b[2J\x1b[3;4Hhere"),
      head + feed("\x1b[?1049h\x1b[?25l\x1b[?1002h\x1b[?1006h\x1b]2;a title\x1b\\alternate"),
      head + feed("\x1b[38;5;200mindexed\x1b[48;2;1;2;3mrgb\x1b[7mreverse\x1b[9mstruck\x1b[5mb"),
      head + feed("\xE4\xB8\xAD\xE6\x96\x87 wide, e\xCC\x81 combined \xF0\x9F\x98\x80 ") +
          std::string{0, 7, 3} + feed("after a resize"),
      head + feed("\x1b[2;5r\x1b[5;1H\n\n\n\x1bM\x1b[L\x1b[M\x1b[3@\x1b[2P\x1b[4X\x1b[?6h\x1b[H"),
      head + feed("\x1b(0lqqk\x1b(B\x1b#8\x1b[?5h\x1b[?7lno wrap at the end of this line") +
          std::string{0, 1, 1} + std::string{0, 80, 24} +
          feed("\x1b"
               "7\x1b[9;9H\x1b"
               "8."),
  };
}

}  // namespace berth::fuzz
