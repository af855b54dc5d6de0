// libFuzzer's entry points over a target (fuzz_target.hpp).
#include <cstring>
#include <fstream>

#include "tests/fuzz/fuzz_target.hpp"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc != 3 || std::strcmp((*argv)[1], "--seeds") != 0) return 0;
  std::size_t number = 0;
  for (const auto& seed : berth::fuzz::seeds()) {
    const auto path = std::string{(*argv)[2]} + "/seed-" + std::to_string(number++);
    std::ofstream out{path, std::ios::binary};
    out << seed;
    if (!out.flush()) {
      std::fprintf(stderr, "cannot write %s\n", path.c_str());
      std::exit(1);
    }
  }
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  berth::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
