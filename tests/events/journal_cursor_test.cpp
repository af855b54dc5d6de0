#include "events/core/journal_cursor.hpp"

#include <map>

#include <rapidcheck.h>

#include "tests/support/catch.hpp"
#include "tests/support/random_commands.hpp"

namespace berth {
namespace {

using model = std::map<std::uint32_t, std::uint64_t>;

constexpr std::uint32_t partitions = 5;

std::pair<journal_cursor, model> random_cursor(test::chance& any) {
  std::pair<journal_cursor, model> made;
  for (auto sets = any.below(8); sets > 0; --sets) {
    const position to{static_cast<std::uint32_t>(any.below(partitions)), any.below(4)};
    made.first.set(to);
    made.second[to.partition] = to.offset;
  }
  return made;
}

}  // namespace

TEST_CASE("cursor: one that is before everything is reached by all, and holds nothing",
          "[events]") {
  const journal_cursor none;
  CHECK(none.empty());
  CHECK(none.commits() == 0);
  CHECK(none.reaches(none));
  CHECK(none.reaches(position{7, 0}));
  CHECK_FALSE(none.reaches(position{7, 1}));
  CHECK(journal_cursor{position{3, 9}}.reaches(none));
  CHECK(journal_cursor{position{3, 0}} == none);
  const journal_cursor far{position{~0U, 5}};
  CHECK(far.places().size() == 1);
}

TEST_CASE("cursor: offset by offset what a map from partition to offset is", "[events]") {
  CHECK(rc::check([](std::uint64_t seed) {
    test::chance any{seed};
    auto [one, of_one] = random_cursor(any);
    auto [other, of_other] = random_cursor(any);
    std::uint64_t sum = 0;
    bool reaches = true;
    bool equal = true;
    for (std::uint32_t p = 0; p < partitions; ++p) {
      RC_ASSERT(one.offset(p) == of_one[p]);
      RC_ASSERT(one.reaches(position{p, 2}) == (of_one[p] >= 2));
      sum += of_one[p];
      reaches = reaches && of_one[p] >= of_other[p];
      equal = equal && of_one[p] == of_other[p];
    }
    RC_ASSERT(one.commits() == sum);
    RC_ASSERT(one.reaches(other) == reaches);
    RC_ASSERT((one == other) == equal);
    auto further = one;
    further.go_on_to(other);
    auto nearer = one;
    nearer.go_back_to(other);
    for (std::uint32_t p = 0; p < partitions; ++p) {
      RC_ASSERT(further.offset(p) == std::max(of_one[p], of_other[p]));
      RC_ASSERT(nearer.offset(p) == std::min(of_one[p], of_other[p]));
    }
    for (const auto& at : nearer.places()) RC_ASSERT(at.offset > 0);
    RC_ASSERT(std::is_sorted(further.places().begin(), further.places().end()));
  }));
}

}  // namespace berth
