// What a fuzz target is: one parser, its properties, and seeds made by the real encoders, so that
// they follow the formats. fuzz_main.cpp turns one into a libFuzzer program:
//
//   NAME_fuzz --seeds FOLDER     writes the seed corpus and ends
//   NAME_fuzz FOLDER…            fuzzes (libFuzzer's own options)
//
// A target is a function of its input only: no state is kept between inputs, so that a saved input
// fails again.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace berth::fuzz {

// Defined once by each target.
void run(std::string_view input);
std::vector<std::string> seeds();

// A property that must hold for every input.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property broken: %s\n", property);
  std::abort();
}

// Takes an input apart from its front. Past the end all is zero and empty.
class input_reader {
 public:
  explicit input_reader(std::string_view input) : left_{input} {}

  bool empty() const { return left_.empty(); }
  std::uint8_t byte() {
    const auto taken = bytes(1);
    return taken.empty() ? 0 : static_cast<std::uint8_t>(taken.front());
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : bytes(size)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string_view bytes(std::size_t size) {
    const auto taken = left_.substr(0, size);
    left_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() { return bytes(left_.size()); }

 private:
  std::string_view left_;
};

}  // namespace berth::fuzz
