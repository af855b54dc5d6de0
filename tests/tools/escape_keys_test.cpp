#include "tools/devctl/escape_keys.hpp"

#include "tests/support/catch.hpp"

using berth::devctl::escape_keys;

namespace {

// What is sent when the keys come one by one, which must not differ from all at once.
std::string sent(std::string_view typed) {
  escape_keys at_once, one_by_one;
  std::string pieces;
  for (const char key : typed) pieces += one_by_one.feed(std::string_view(&key, 1)).send;
  const auto whole = at_once.feed(typed);
  if (!whole.detach) CHECK(whole.send == pieces);
  return whole.send;
}

bool detaches(std::string_view typed) {
  return escape_keys{}.feed(typed).detach;
}

}  // namespace

TEST_CASE("escape keys: ordinary typing passes unchanged", "[tools]") {
  CHECK(sent("ls -l ~/x\r") == "ls -l ~/x\r");
  CHECK(sent("a~.b\r") == "a~.b\r");
  CHECK(sent("\x1b[A\x1b[B") == "\x1b[A\x1b[B");
}

TEST_CASE("escape keys: tilde and dot at the start of a line detach", "[tools]") {
  CHECK(detaches("~."));
  CHECK(detaches("exit\r~."));
  CHECK_FALSE(detaches("x~."));
  CHECK(escape_keys{}.feed("ls\r~.never sent").send == "ls\r");
}

TEST_CASE("escape keys: a doubled tilde is one tilde, another key after it is both", "[tools]") {
  CHECK(sent("~~.") == "~.");
  CHECK(sent("~x") == "~x");
  CHECK(sent("~\r~~") == "~\r~");
}

TEST_CASE("escape keys: Ctrl-] leads too, at any place", "[tools]") {
  CHECK(detaches("abc\x1d."));
  CHECK(
      detaches("\x1d"
               "d"));
  CHECK(sent("\x1d\x1d") == "\x1d");
  CHECK(sent("\x1dx") == "\x1dx");
  const auto taken = escape_keys{}.feed("a\x1dtb");
  CHECK(taken.take_drive);
  CHECK(taken.send == "ab");
}
