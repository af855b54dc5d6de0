// Not a benchmark: a bound wide enough for a loaded machine, and a figure to look at.
#include <algorithm>

#include "tests/infra/sandbox_fixture.hpp"

using namespace berth;
using namespace berth::testing;

TEST_CASE("sandbox: create to the first command's output takes milliseconds", "[infra]") {
  sandbox on;
  if (lacks(on, "works")) return;
  std::vector<double> times_ms;
  for (int i = 0; i < 11; ++i) {
    const auto spec = on.spec("speed-" + std::to_string(i));
    const auto before = std::chrono::steady_clock::now();
    on.create(spec);
    on.start(spec);
    CHECK(on.sh(spec.id, "echo hi") == "hi\n");
    times_ms.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before)
            .count());
    on.destroy(spec.id);
  }
  std::sort(times_ms.begin(), times_ms.end());
  std::printf("sandbox: create to first command p50 %.1f ms, min %.1f, max %.1f (n=%zu)\n",
              times_ms[times_ms.size() / 2], times_ms.front(), times_ms.back(), times_ms.size());
  CHECK(times_ms[times_ms.size() / 2] < 1000);
}
