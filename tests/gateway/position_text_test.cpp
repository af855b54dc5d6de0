#include "gateway/render/position_text.hpp"

#include "tests/support/catch.hpp"

using namespace berth;
using gateway::cursor_text;
using gateway::parse_cursor;

TEST_CASE("cursor text: of one partition its position, of several all in order, and back",
          "[gateway]") {
  CHECK(cursor_text({}) == "0.0");
  CHECK(cursor_text(position{0, 42}) == gateway::position_text({0, 42}));
  journal_cursor several;
  for (const auto& at : {position{3, 7}, position{0, 42}, position{12, 1}}) several.set(at);
  CHECK(cursor_text(several) == "0.42_3.7_12.1");
  for (const auto& each :
       {journal_cursor{}, journal_cursor{position{0, 42}}, journal_cursor{position{9, 1}}, several})
    CHECK(parse_cursor(cursor_text(each)) == each);
  for (const auto* bad :
       {"", "x", "1", "0.", ".1", "0.1_", "_0.1", "0.1__1.1", "1.1_0.1", "0.1_0.2", "7.0",
        "0.0_1.1", "0.1_1.0", "0.1 1.1", "4294967296.1", "0.18446744073709551616", "-1.1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_cursor(bad));
  }
}

TEST_CASE("cursor text: 64 partitions fit at any offset", "[gateway]") {
  journal_cursor furthest;
  for (std::uint32_t partition = 0; partition < 64; ++partition)
    furthest.set({partition, ~std::uint64_t{0}});
  CHECK(cursor_text(furthest).size() <= gateway::feed_cursor_bytes_max);
  CHECK(parse_cursor(cursor_text(furthest)) == furthest);
}
