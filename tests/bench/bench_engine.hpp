// The embedded engine in a directory; whatever it cannot do ends the program.
#pragma once

#include <filesystem>
#include <memory>

#include "infra/rocksdb/embedded_engine.hpp"
#include "tests/bench/measure.hpp"

namespace berth::bench {

inline embedded_options engine_in(const std::filesystem::path& dir) {
  embedded_options options;
  options.data_dir = dir;
  options.on_fatal = [](const journal_error& why) { fail(why.message); };
  return options;
}

inline std::unique_ptr<embedded_engine> open_engine(const std::filesystem::path& dir) {
  auto opened = open_embedded(engine_in(dir));
  if (!opened) fail(opened.error().message);
  return std::move(*opened);
}

}  // namespace berth::bench
