// A terminal emulator on the server's side: what `screen` attachments are repainted from. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace berth {

class screen {
 public:
  virtual ~screen() = default;
  virtual void feed(std::string_view output) = 0;
  virtual void resize(std::uint16_t cols, std::uint16_t rows) = 0;
  // Escape sequences that repaint an emulator of the same size from nothing: cells, colours,
  // cursor, modes, alternate screen.
  virtual std::string snapshot() const = 0;
};

using screen_factory =
    std::function<std::unique_ptr<screen>(std::uint16_t cols, std::uint16_t rows)>;

}  // namespace berth
