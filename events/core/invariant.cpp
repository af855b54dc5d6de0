#include "events/core/invariant.hpp"

#include <cstdio>
#include <cstdlib>

namespace berth {

void invariant_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "berth: invariant violated: %s (%s:%d)\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace berth
