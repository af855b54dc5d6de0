// The generator of the simulator: xoshiro256** (Blackman, Vigna 2018), seeded by splitmix64. A seed
// gives the same numbers with every compiler. A UniformRandomBitGenerator.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace berth::testing {

class seeded_random {
 public:
  using result_type = std::uint64_t;

  explicit seeded_random(std::uint64_t seed) {
    for (auto& each : state_) {
      seed += 0x9E3779B97F4A7C15ULL;
      auto mixed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9ULL;
      mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
      each = mixed ^ (mixed >> 31);
    }
  }

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  result_type operator()() {
    const auto result = std::rotl(state_[1] * 5, 7) * 9;
    const auto shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  std::size_t below(std::size_t bound) { return static_cast<std::size_t>((*this)() % bound); }
  bool one_in(std::size_t n) { return below(n) == 0; }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace berth::testing
