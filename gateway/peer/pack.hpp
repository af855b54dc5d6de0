// Plain structs <-> bytes, by their fields (Boost.PFR), for what nodes of one build say to each
// other. Little endian; sizes and counts are 32 bits; a variant is its index and its value.
//
// Nothing here is stored and no field is optional: two nodes whose structs differ in layout do not
// understand each other, and find out at the greeting (layout_text). Reading checks every bound:
// bytes that are too short, too long or out of range are refused, whoever sent them. Any thread.
#pragma once

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include <boost/pfr.hpp>

#include "events/core/ids.hpp"
#include "events/core/time.hpp"

namespace berth::gateway::peer {

namespace detail {
template <class T>
struct kind_of : std::integral_constant<char, 'r'> {};  // a record: its fields
template <class T>
requires(std::is_integral_v<T> || std::is_enum_v<T>) struct kind_of<T>
    : std::integral_constant<char, 'i'> {
};
template <>
struct kind_of<std::string> : std::integral_constant<char, 's'> {};
template <>
struct kind_of<timestamp> : std::integral_constant<char, 't'> {};
template <class Tag>
struct kind_of<named_id<Tag>> : std::integral_constant<char, 'n'> {};
template <class T>
struct kind_of<std::optional<T>> : std::integral_constant<char, 'o'> {};
template <class T>
struct kind_of<std::vector<T>> : std::integral_constant<char, 'v'> {};
template <class T>
struct kind_of<std::set<T>> : std::integral_constant<char, 'v'> {};
template <class K, class V>
struct kind_of<std::map<K, V>> : std::integral_constant<char, 'm'> {};
template <class... Ts>
struct kind_of<std::variant<Ts...>> : std::integral_constant<char, 'a'> {};
template <std::size_t N>
struct kind_of<std::array<std::uint8_t, N>> : std::integral_constant<char, 'b'> {};
}  // namespace detail

class packer {
 public:
  template <class... Ts>
  packer& put(const Ts&... values) {
    (put_one(values), ...);
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  template <class T>
  void put_one(const T& value) {
    constexpr auto kind = detail::kind_of<T>::value;
    if constexpr (kind == 'i') {
      put_bytes(&value, sizeof value);
    } else if constexpr (kind == 's') {
      put_count(value.size());
      out_ += value;
    } else if constexpr (kind == 't') {
      put_one(to_us(value));
    } else if constexpr (kind == 'n') {
      put_one(value.value);
    } else if constexpr (kind == 'o') {
      put_one(value.has_value());
      if (value) put_one(*value);
    } else if constexpr (kind == 'v') {
      put_count(value.size());
      for (const auto& each : value) put_one(each);
    } else if constexpr (kind == 'm') {
      put_count(value.size());
      for (const auto& [key, mapped] : value) put(key, mapped);
    } else if constexpr (kind == 'a') {
      put_one(static_cast<std::uint8_t>(value.index()));
      std::visit([this](const auto& held) { put_one(held); }, value);
    } else if constexpr (kind == 'b') {
      put_bytes(value.data(), value.size());
    } else if constexpr (!std::is_empty_v<T>) {
      boost::pfr::for_each_field(value, [this](const auto& field) { put_one(field); });
    }
  }
  void put_count(std::size_t count) { put_one(static_cast<std::uint32_t>(count)); }
  void put_bytes(const void* from, std::size_t size) {
    out_.append(static_cast<const char*>(from), size);
  }

  std::string out_;
};

class unpacker {
 public:
  explicit unpacker(std::string_view bytes) : left_{bytes} {}

  // False, now and ever after, if the bytes are not these values.
  template <class... Ts>
  bool take(Ts&... into) {
    (take_one(into), ...);
    return good_;
  }
  // Everything was read, and was right.
  bool done() const { return good_ && left_.empty(); }
  // What is left, as it is.
  std::string_view rest() { return std::exchange(left_, {}); }

 private:
  template <class T>
  void take_one(T& into) {
    constexpr auto kind = detail::kind_of<T>::value;
    if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      take_one(byte);
      good_ = good_ && byte <= 1;
      into = byte == 1;
    } else if constexpr (kind == 'i') {
      take_bytes(&into, sizeof into);
    } else if constexpr (kind == 's') {
      const auto size = take_count(1);
      into.assign(left_.substr(0, size));
      left_.remove_prefix(size);
    } else if constexpr (kind == 't') {
      std::int64_t us = 0;
      take_one(us);
      into = from_us(us);
    } else if constexpr (kind == 'n') {
      take_one(into.value);
    } else if constexpr (kind == 'o') {
      bool has = false;
      take_one(has);
      if (has) take_one(into.emplace());
    } else if constexpr (kind == 'v') {
      for (auto count = take_count(0); count > 0 && good_; --count) {
        typename T::value_type each{};
        take_one(each);
        into.insert(into.end(), std::move(each));
      }
    } else if constexpr (kind == 'm') {
      for (auto count = take_count(0); count > 0 && good_; --count) {
        typename T::key_type key{};
        typename T::mapped_type mapped{};
        take(key, mapped);
        into.emplace(std::move(key), std::move(mapped));
      }
    } else if constexpr (kind == 'a') {
      std::uint8_t index = 0;
      take_one(index);
      take_alternative(into, index, std::make_index_sequence<std::variant_size_v<T>>{});
    } else if constexpr (kind == 'b') {
      take_bytes(into.data(), into.size());
    } else if constexpr (!std::is_empty_v<T>) {
      boost::pfr::for_each_field(into, [this](auto& field) { take_one(field); });
    }
  }

  template <class V, std::size_t... Is>
  void take_alternative(V& into, std::size_t index, std::index_sequence<Is...>) {
    if (index >= sizeof...(Is)) good_ = false;
    ((index == Is ? take_one(into.template emplace<Is>()) : void()), ...);
  }

  // A count cannot be more than the bytes that are left: each element has one at least, or the
  // loop ends with the first that has not.
  std::size_t take_count(std::size_t bytes_each) {
    std::uint32_t count = 0;
    take_one(count);
    if (bytes_each * count > left_.size()) good_ = false;
    return good_ ? count : 0;
  }
  void take_bytes(void* into, std::size_t size) {
    if (size > left_.size()) good_ = false;
    if (!good_) return;
    std::memcpy(into, left_.data(), size);
    left_.remove_prefix(size);
  }

  std::string_view left_;
  bool good_{true};
};

// What T looks like, as text: equal texts, equal bytes.
template <class T>
void describe_layout(std::string& out) {
  constexpr auto kind = detail::kind_of<T>::value;
  out += kind;
  if constexpr (kind == 'i') {
    out += std::to_string(sizeof(T));
  } else if constexpr (kind == 'b') {
    out += std::to_string(std::tuple_size_v<T>);
  } else if constexpr (kind == 'o' || kind == 'v') {
    describe_layout<typename T::value_type>(out);
  } else if constexpr (kind == 'm') {
    describe_layout<typename T::key_type>(out);
    describe_layout<typename T::mapped_type>(out);
  } else if constexpr (kind == 'a') {
    [&]<std::size_t... Is>(std::index_sequence<Is...>) {
      (describe_layout<std::variant_alternative_t<Is, T>>(out), ...);
    }
    (std::make_index_sequence<std::variant_size_v<T>>{});
  } else if constexpr (kind == 'r' && !std::is_empty_v<T>) {
    const T value{};
    boost::pfr::for_each_field(value, [&out](const auto& field) {
      describe_layout<std::remove_cvref_t<decltype(field)>>(out);
    });
  }
  out += '.';
}

}  // namespace berth::gateway::peer
