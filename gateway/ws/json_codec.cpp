#include "gateway/ws/json_codec.hpp"

#include <algorithm>
#include <limits>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "events/core/arguments.hpp"
#include "gateway/base64.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/ws/frame_fields.hpp"

namespace berth::wire {
namespace {

namespace json = boost::json;
constexpr std::size_t depth_max = 8;

// The name a data frame's header offset has in JSON; body frames call the channel `id`.
template <class M>
constexpr std::string_view offset_name() {
  if constexpr (std::is_same_v<M, input> || std::is_same_v<M, input_applied>)
    return "sequence";
  else if constexpr (std::is_same_v<M, credit>)
    return "consumed";
  else
    return "offset";
}
template <class M>
auto& offset_of(M& m) {
  if constexpr (is<M, input> || is<M, input_applied>)
    return m.sequence;
  else if constexpr (is<M, credit>)
    return m.consumed;
  else
    return m.offset;
}
template <class M>
concept control_message = requires(const M& m) {
  each_field(m, [](std::string_view, const auto&) {});
};

// Reads members; remembers the first that has the wrong type or value.
struct object_reader {
  const json::object& from;
  std::string bad{};

  void fail(std::string_view name, std::string_view wanted) {
    if (bad.empty()) bad = std::string(name) + " must be " + std::string(wanted);
  }
  template <std::integral T>
  void operator()(std::string_view name, T& value) {
    const auto* member = from.if_contains(name);
    if (!member) return;
    if constexpr (std::is_same_v<T, bool>) {
      if (member->is_bool())
        value = member->get_bool();
      else
        fail(name, "true or false");
    } else if (std::is_same_v<T, std::uint64_t> && name == "from" && member->is_string() &&
               member->get_string() == "end") {
      value = static_cast<T>(from_end);
    } else {
      boost::system::error_code error;
      value = member->to_number<T>(error);
      if (error)
        fail(name, "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                       std::to_string(std::numeric_limits<T>::max()));
    }
  }
  template <class T>
  requires std::is_enum_v<T>
  void operator()(std::string_view name, T& value) {
    const auto* member = from.if_contains(name);
    if (!member) return;
    const auto names = names_of(T{});
    const auto found = member->is_string() ? std::find(names.begin(), names.end(),
                                                       std::string_view(member->get_string()))
                                           : names.end();
    if (found == names.end()) return fail(name, "one of its names");
    value = static_cast<T>(found - names.begin());
  }
  void operator()(std::string_view name, std::string& text) {
    const auto* member = from.if_contains(name);
    if (!member) return;
    if (member->is_string())
      text = std::string(member->get_string());
    else
      fail(name, "a string");
  }
  void operator()(std::string_view name, pairs& values) {
    const auto* member = from.if_contains(name);
    if (!member) return;
    if (!member->is_object()) return fail(name, "an object of strings");
    for (const auto& [key, value] : member->get_object()) {
      if (!value.is_string()) return fail(name, "an object of strings");
      values[std::string(key)] = std::string(value.get_string());
    }
  }
  void operator()(std::string_view name, blob& value) {
    (*this)(name, value.bytes);
    base64(std::string(name) + "_base64", value.bytes);
  }
  void base64(std::string_view name, std::string& bytes) {
    const auto* member = from.if_contains(name);
    if (!member) return;
    auto decoded =
        member->is_string() ? gateway::base64_decode(member->get_string()) : std::nullopt;
    if (!decoded) return fail(name, "base64");
    bytes = std::move(*decoded);
  }
};

struct object_writer {
  json::object& to;
  template <class T>
  requires std::integral<T> || std::is_enum_v<T>
  void operator()(std::string_view name, const T& value) {
    if (value == T{}) return;
    if constexpr (std::is_enum_v<T>)
      to[name] = names_of(T{})[static_cast<std::size_t>(value)];
    else if (std::is_same_v<T, std::uint64_t> && name == "from" &&
             value == static_cast<T>(from_end))
      to[name] = "end";
    else
      to[name] = value;
  }
  // JSON text must be UTF-8; what programs wrote need not be.
  void operator()(std::string_view name, const std::string& text) {
    if (!text.empty()) to[name] = gateway::utf8_of(text);
  }
  void operator()(std::string_view name, const pairs& values) {
    if (values.empty()) return;
    auto& object = to[name].emplace_object();
    for (const auto& [key, value] : values) object[gateway::utf8_of(key)] = gateway::utf8_of(value);
  }
  void operator()(std::string_view name, const blob& value) {
    if (value.bytes.empty()) return;
    if (is_utf8(value.bytes))
      to[name] = value.bytes;
    else
      to[std::string(name) + "_base64"] = gateway::base64_encode(value.bytes);
  }
};

void read_payload(object_reader& read, std::string& bytes) {
  read.base64("data", bytes);
}
void read_payload(object_reader& read, slice& bytes) {
  std::string decoded;
  read.base64("data", decoded);
  if (decoded.size() > payload_bytes_max) read.fail("data", "at most 65535 bytes");
  bytes = whole(std::move(decoded));
}

template <class M>
void read_data(object_reader& read, M& m) {
  read(offset_name<M>(), offset_of(m));
  if constexpr (std::is_same_v<M, credit>) read("until", m.until);
  if constexpr (requires { m.bytes; }) read_payload(read, m.bytes);
  if constexpr (std::is_same_v<M, input>) read("text", m.bytes);
  if constexpr (std::is_same_v<M, ping> || std::is_same_v<M, pong>) {
    if (m.bytes.size() > ping_bytes_max) read.fail("data", "at most 125 bytes");
  }
}

}  // namespace

boost::system::result<std::vector<json::object>, framing_error> split_json(
    std::string_view message) {
  json::parse_options options;
  options.max_depth = depth_max;
  boost::system::error_code error;
  auto value = json::parse(message, error, {}, options);
  if (error) return framing_error{"the message is not JSON: " + error.message()};
  std::vector<json::object> objects;
  if (value.is_array()) {
    for (auto& item : value.get_array()) {
      if (!item.is_object()) return framing_error{"an element of the message is not a JSON object"};
      objects.push_back(std::move(item.get_object()));
    }
  } else if (value.is_object()) {
    objects.push_back(std::move(value.get_object()));
  }
  if (objects.empty())
    return framing_error{"the message is neither a JSON object nor an array of some"};
  for (const auto& object : objects) {
    const auto* kind = object.if_contains("kind");
    if (!kind || !kind->is_string())
      return framing_error{"a JSON object without a string `kind` is not a frame"};
  }
  return objects;
}

boost::system::result<frame, frame_problem> parse_json(const json::object& object) {
  frame out;
  object_reader read{object};
  read("channel", out.channel);
  if (!read.bad.empty()) return frame_problem{"malformed", read.bad, 0};
  const std::string_view kind = object.at("kind").get_string();
  const auto found = std::find(frame_names.begin(), frame_names.end(), kind);
  if (found == frame_names.end())
    return frame_problem{
        "unsupported",
        "a frame of kind \"" + gateway::utf8_of(kind.substr(0, 64)) + "\" is not known here",
        out.channel};
  with_alternative(static_cast<std::size_t>(found - frame_names.begin()), [&]<class M>(M message) {
    if constexpr (control_message<M>) {
      each_field(message, read);
    } else {
      read_data(read, message);
      if constexpr (std::is_same_v<M, body>) read("id", out.channel);
    }
    out.what = std::move(message);
    return true;
  });
  if (!read.bad.empty()) return frame_problem{"malformed", read.bad, out.channel};
  return out;
}

std::string encode_json(const frame& what) {
  json::object object;
  object["kind"] = frame_names[what.what.index()];
  std::visit(
      [&]<class M>(const M& message) {
        if (what.channel != 0) object[std::is_same_v<M, body> ? "id" : "channel"] = what.channel;
        if constexpr (control_message<M>) {
          each_field(message, object_writer{object});
        } else {
          object[offset_name<M>()] = offset_of(message);
          if constexpr (std::is_same_v<M, credit>) object["until"] = message.until;
          if constexpr (requires { message.bytes.view(); })
            object["data"] = gateway::base64_encode(message.bytes.view());
          else if constexpr (requires { message.bytes; })
            object["data"] = gateway::base64_encode(message.bytes);
        }
      },
      what.what);
  return json::serialize(object);
}

}  // namespace berth::wire
