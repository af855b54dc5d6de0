#include "actors/deadlines.hpp"

#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"

namespace berth::actors {
namespace {

using std::chrono::seconds;
using testing::manual_clock;

stream_id session_named(const std::string& name) {
  return {aggregate_kind::session, name};
}

struct armed {
  manual_clock time;
  timers by{time, true};
  std::vector<std::string> woken;
  deadlines all{by, time, [this](const stream_id& stream) { woken.push_back(stream.key); }};

  std::vector<std::string> after(seconds passed) {
    time.advance(passed);
    by.fire_due();
    return std::exchange(woken, {});
  }
};

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("deadlines: a stream is woken once, in order of time", "[actors]") {
  armed given;
  given.all.arm(session_named("late"), given.time.now() + seconds{20});
  given.all.arm(session_named("soon"), given.time.now() + seconds{10});
  CHECK(given.after(seconds{9}) == names{});
  CHECK(given.after(seconds{1}) == names{"soon"});
  CHECK(given.after(seconds{9}) == names{});
  CHECK(given.after(seconds{60}) == names{"late"});
  CHECK(given.after(seconds{60}) == names{});
  CHECK(given.all.armed() == 0);
}

TEST_CASE("deadlines: the last time asked for is the one, sooner or later", "[actors]") {
  armed given;
  for (int i = 0; i < 1'000; ++i)
    given.all.arm(session_named("busy"), given.time.now() + seconds{100 + i});
  CHECK(given.all.armed() == 1);
  CHECK(given.after(seconds{100}) == names{});
  given.all.arm(session_named("busy"), given.time.now() + seconds{5});
  CHECK(given.after(seconds{5}) == names{"busy"});
  CHECK(given.after(seconds{2'000}) == names{});
}

TEST_CASE("deadlines: short ones before a far one leave no timers behind", "[actors]") {
  armed given;
  given.all.arm(session_named("month"), given.time.now() + seconds{2'592'000});
  for (int i = 0; i < 1'000; ++i) {
    given.all.arm(session_named("exec"), given.time.now() + seconds{75});
    CHECK(given.after(seconds{75}) == names{"exec"});
  }
  CHECK(given.all.timers_set() == 1);
  CHECK(given.after(seconds{2'592'000}) == names{"month"});
  CHECK(given.all.timers_set() == 0);
}

}  // namespace berth::actors
