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
  CHECK(picture.find("a\xef\xbf\xbd") != std::string::npos);
  CHECK(picture.find("\xef\xbf\xbd"
                     "b") != std::string::npos);
  const auto repainted = make_vterm_screen(10, 2);
  repainted->feed(picture);
  CHECK(repainted->snapshot() == picture);
}

TEST_CASE("screen: a control that came as a character is not painted", "[infra]") {
  const auto picture = picture_after("\xc2\x9d]2;x", 20, 2) + picture_after("\xc2\x80\x9d", 20, 2);
  CHECK(picture.find("\xc2\x9d") == std::string::npos);
  const auto screen = make_vterm_screen(20, 6);
  screen->feed(std::string{"\xc2\0\x9d", 3});
  CHECK(screen->snapshot().find("\xc2\x9d") == std::string::npos);
}

// It moved the cursor left of the screen, and what came next was written there: any program could
// end the server.
TEST_CASE("screen: controls that come as characters leave the cursor inside", "[infra]") {
  for (const std::string_view left : {"\xc2\x9d", "\xc2\x80", "\xc2\x9f\xc2\x9f"})
    for (const auto* next : {"\x1b[4X", "x", "\x1b[K", "\x1b[1P", "\x1b[2@", "\b", "\t"})
      for (const std::size_t piece : {1, 2, 100}) {
        const auto screen = make_vterm_screen(114, 6);
        for (auto fed = std::string{left} + next + "ok"; !fed.empty();
             fed.erase(0, std::min(piece, fed.size())))
          screen->feed(std::string_view{fed}.substr(0, piece));
        CHECK(screen->snapshot().find("ok") != std::string::npos);
      }
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

TEST_CASE("screen: a title is kept wherever its sequence is cut", "[infra]") {
  const std::string titled = "text\x1b]2;a title\x1b\\\x1b]2;another\x07ok";
  for (std::size_t cut = 0; cut <= titled.size(); ++cut) {
    const auto screen = make_vterm_screen(20, 2);
    screen->feed(std::string_view{titled}.substr(0, cut));
    screen->feed(std::string_view{titled}.substr(cut));
    CHECK(screen->snapshot().find("\x1b]2;another\x1b\\") != std::string::npos);
  }
  for (std::size_t before = 4'070; before < 4'120; ++before) {
    const auto screen = make_vterm_screen(20, 2);
    screen->feed(std::string(before, 'x') + "\x1b]2;a title\x1b\\");
    CHECK(screen->snapshot().find("\x1b]2;a title\x1b\\") != std::string::npos);
  }
}

TEST_CASE("screen: much text at once is what it is in pieces", "[infra]") {
  for (std::size_t before = 4'085; before < 4'100; ++before) {
    const auto text = std::string(before, 'x') + "\xef\xbf\xbd\xe4\xb8\xad\x1b[1;31mred\x1b[mok";
    const auto whole = make_vterm_screen(80, 60);
    whole->feed(text);
    const auto pieces = make_vterm_screen(80, 60);
    for (std::size_t at = 0; at < text.size(); at += 100)
      pieces->feed(std::string_view{text}.substr(at, 100));
    CHECK(whole->snapshot() == pieces->snapshot());
  }
}

TEST_CASE("screen: a string without an end takes no more than its due", "[infra]") {
  const auto screen = make_vterm_screen(20, 2);
  screen->feed("\x1b]2;" + std::string(100'000, 'x'));
  screen->feed("\x1b[2J\x1b[Hok");
  CHECK(screen->snapshot().find("ok") != std::string::npos);
}

TEST_CASE("screen: a title that is too long ends with a whole character", "[infra]") {
  std::string title = "t";
  for (int i = 0; i < 100; ++i) title += "\xe4\xb8\xad";
  const auto picture = picture_after("\x1b]2;" + title + "\x1b\\ok", 20, 2);
  CHECK(picture.find(title.substr(0, 256) + "\x1b\\") != std::string::npos);
  CHECK(picture_after(picture, 20, 2) == picture);
}

TEST_CASE("screen: any amount of text can be fed at once", "[infra]") {
  const auto screen = make_vterm_screen(10, 2);
  screen->feed(std::string(32 << 20, 'x') + "\r\nok");
  CHECK(screen->snapshot().find("ok") != std::string::npos);
}

TEST_CASE("screen: margins that a resize took away hold nothing any more", "[infra]") {
  const auto screen = make_vterm_screen(40, 90);
  screen->feed("\x1b[47;90r\x1b[?69h\x1b[30;40s\x1b[5;5Hx");
  screen->resize(10, 3);
  screen->feed("\n\n\n\n\x1b[L\x1b[3@\x1b[?6h\x1b[Hok");
  CHECK(screen->snapshot().find("ok") != std::string::npos);
}

TEST_CASE("screen: a character is repeated, but not for ever", "[infra]") {
  const auto painted = [](std::string_view output) { return picture_after(output, 10, 2); };
  CHECK(painted("ab\x1b[3b") == painted("abbbb"));
  CHECK(painted("ab\x1b[b|") == painted("abb|"));
  CHECK(painted("a\x1b[99b") == painted("aaaaaaaaaa"));
  CHECK(painted("\xe4\xb8\xad\x1b[99b") ==
        painted("\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad"));
  // libvterm never ended: nothing was printed before, or what takes no column.
  CHECK(painted("\x1b[3;;2;b") == painted(""));
  // Nor is there a sequence any more behind a byte that is in none.
  CHECK(painted("\x1b\xff\n[3;;b") == painted("\xff\n[3;;b"));
  CHECK(painted("\x1b+\xdf\x02+[bx") == painted("\xdf\x02+[bx"));
  CHECK(painted("\xe2\x80\x8b\x1b[3b|").find('|') != std::string::npos);
}

TEST_CASE("guard: what is no danger is not touched, however it is cut", "[infra]") {
  struct recorder : csi_guard::emulator {
    void write(std::string_view bytes) override { all += bytes; }
    void repeat_last(std::size_t times) override { all += "<" + std::to_string(times) + ">"; }
    std::string all;
  };
  const auto passed = [](std::string_view output, std::size_t piece) {
    csi_guard guard;
    recorder to;
    for (; !output.empty(); output.remove_prefix(std::min(piece, output.size())))
      guard.pass(output.substr(0, piece), to);
    return to.all;
  };
  for (const std::size_t piece : {1, 2, 3, 1000}) {
    for (const std::string_view same :
         {"a;\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16m;;;;;;;;;;;;;;;;;;;;b",
          "\x1b]0;t\x07x\x1b\\", "\x1b[?1049h\x1b(0q\x1b[2 q\x1b[>c", "\x1b[12\x18m",
          "\xe4\xb8\xad\x1b[3m\xe4\xb8\xad\xc2\xa0\xf0\x9f\x98\x80"})
      CHECK(passed(same, piece) == same);
    CHECK(passed("a\x1b[3\xe4\xb8\xad\x1b\xe4\xb8\xad", piece) == "a\xe4\xb8\xad\xe4\xb8\xad");
    CHECK(passed("a\xc2\x9d\xc2\x80"
                 "b\xc2\x9f\xc2\xa0",
                 piece) == "ab\xc2\xa0");
    CHECK(passed("\xe4\xb8\x1b[m\x9d|", piece) == "\xef\xbf\xbd\x1b[m\xef\xbf\xbd|");
    CHECK(passed("\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18m;", piece) ==
          "\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16m;");
    CHECK(passed("a\x1b[12bc\x1b[b", piece) == "a<12>c<1>");
    CHECK(passed("\x1b[3\n1m\x1b[4\x1b[5m", piece) == "\n\x1b[31m\x1b[5m");
  }
}
