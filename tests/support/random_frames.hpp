// Seeded frames of every kind, with plausible and implausible contents.
#pragma once

#include <random>

#include "gateway/ws/frame_fields.hpp"

namespace berth {

class random_frames {
 public:
  explicit random_frames(std::uint64_t seed) : dice_{seed} {}

  wire::frame next() { return next(dice_() % std::variant_size_v<wire::payload>); }
  wire::frame next(std::size_t kind) {
    wire::frame out{static_cast<std::uint32_t>(dice_() % 5), {}};
    wire::with_alternative(kind, [&]<class M>(M message) {
      if constexpr (requires { wire::each_field(message, *this); })
        wire::each_field(message, *this);
      else
        data(message);
      out.what = std::move(message);
      return true;
    });
    return out;
  }

  // As a visitor of fields.
  void operator()(std::string_view, std::string& text) { text = letters(dice_() % 40); }
  void operator()(std::string_view, wire::blob& value) { value.bytes = bytes(dice_() % 60); }
  void operator()(std::string_view, wire::pairs& values) {
    for (auto n = dice_() % 3; n > 0; --n) values[letters(6)] = letters(dice_() % 9);
  }
  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void operator()(std::string_view, T& value) {
    if constexpr (std::is_enum_v<T>)
      value = static_cast<T>(dice_() % wire::names_of(T{}).size());
    else if constexpr (std::is_same_v<T, bool>)
      value = dice_() % 2 == 0;
    else
      value = static_cast<T>(dice_() >> (dice_() % 64));
  }

 private:
  std::string letters(std::size_t size) {
    std::string out(size, 'a');
    constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz_0123456789 \"\\\n{}";
    for (auto& c : out) c = alphabet[dice_() % alphabet.size()];
    return out;
  }
  std::string bytes(std::size_t size) {
    std::string out(size, '\0');
    for (auto& c : out) c = static_cast<char>(dice_());
    return out;
  }
  template <class M>
  void data(M& m) {
    const auto number = dice_() >> (dice_() % 64);
    if constexpr (requires { m.sequence; })
      m.sequence = number;
    else if constexpr (requires { m.until; })
      m.consumed = number, m.until = dice_();
    else
      m.offset = number;
    if constexpr (requires { m.bytes.view(); })
      m.bytes = wire::whole(bytes(dice_() % 300));
    else if constexpr (requires { m.bytes; })
      m.bytes = bytes(dice_() % 100);
  }
  std::mt19937_64 dice_;
};

}  // namespace berth
