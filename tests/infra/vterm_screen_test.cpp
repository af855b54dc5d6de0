// The terminal emulator behind `screen` attachments: what a repainted client sees.
#include "infra/terminal/vterm_screen.hpp"
#include "infra/terminal/csi_guard.hpp"
#include "tests/support/catch.hpp"

using namespace berth;

namespace {

std::string picture_after(std::string_view output, std::uint16_t cols, std::uint16_t rows) {
  const auto screen = make_vterm_screen(cols, rows);
  screen->feed(output);
  return screen->snapshot();
}

}  // namespace

TEST_CASE("screen: wide characters fit a terminal of one column, or are left out", "[infra]") {
  const auto screen = make_vterm_screen(1, 2);
  screen->feed("\xE4\xB8\xAD\xE6\x96\x87");
  screen->resize(1, 1);
  screen->feed("\xE4\xB8\xAD");
  screen->resize(0, 0);
  screen->feed("\xE4\xB8\xAD");
  CHECK_FALSE(screen->snapshot().empty());
}

TEST_CASE("screen: half overwritten wide characters are repainted in their columns", "[infra]") {
  // The second half of the first, the first half of the second.
  const auto picture =
      picture_after("\xE4\xB8\xAD x\x1b[1;2Hy\x1b[2;1H\xE6\x96\x87z\x1b[2;1Hq", 10, 2);
  CHECK(picture_after(picture, 10, 2) == picture);
  CHECK(picture.find("\xE4\xB8\xAD\x1b[2Gy x") != std::string::npos);
  CHECK(picture.find("q z") != std::string::npos);
}

TEST_CASE("screen: a wide character cut by a resize does not wrap to the next row", "[infra]") {
  const auto screen = make_vterm_screen(4, 2);
  screen->feed("ab\xE4\xB8\xAD");
  screen->resize(3, 2);
  const auto picture = screen->snapshot();
  CHECK(picture.find("\xE4\xB8\xAD") == std::string::npos);
  CHECK(picture_after(picture, 3, 2) == picture);
}

TEST_CASE("screen: a cursor whose row a resize took away is inside again", "[infra]") {
  const auto screen = make_vterm_screen(20, 6);
  screen->feed("\x1b#8\x1b[6;1Hlast row");
  screen->resize(2, 1);
  screen->resize(80, 24);
  screen->feed(
      "\x1b"
      "7\x1b[9;9H\x1b"
      "8.");
  const auto picture = screen->snapshot();
  CHECK(picture.find("[-") == std::string::npos);
  CHECK(picture_after(picture, 80, 24) == picture);
}

TEST_CASE("screen: sequences of six bytes are painted as the replacement character", "[infra]") {
  const auto screen = make_vterm_screen(10, 2);
  screen->feed(
      "a\xfd\xad\xad\xad\xad\xad"
      "b");
  const auto picture = screen->snapshot();
  CHECK(picture.find("a\xef\xbf\xbd"
                     "b") != std::string::npos);
  const auto repainted = make_vterm_screen(10, 2);
  repainted->feed(picture);
  CHECK(repainted->snapshot() == picture);
}

// libvterm wrote the seventeenth argument over its own callbacks: any program could end the server.
TEST_CASE("screen: a control sequence with any number of arguments stays inside the emulator",
          "[infra]") {
  for (const char separator : {':', ';'})
    for (const auto* before : {"\x1b[", "\x1b[?5", "\x1b[\t", "\x1b[1"}) {
      const auto screen = make_vterm_screen(10, 2);
      for (int i = 0; i < 40; ++i) {
        screen->feed(i == 0 ? before : "");
        screen->feed(std::string(1 + i % 3, separator) + "99999999");
      }
      screen->feed("m\x1b[mok");
      CHECK(screen->snapshot().find("ok") != std::string::npos);
    }
}

TEST_CASE("screen: arguments that are not too many are not touched", "[infra]") {
  csi_guard guard;
  const std::string_view sixteen =
      "a;\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16m;;;;;;;;;;;;;;;;;;;;b";
  CHECK(guard.filter(sixteen) == sixteen);
  CHECK(guard.filter("\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18m;") ==
        "\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16m;");
}
