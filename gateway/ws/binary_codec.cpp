#include "gateway/ws/binary_codec.hpp"

#include <bit>
#include <cstring>
#include <type_traits>

#include <boost/throw_exception.hpp>

#include "events/core/invariant.hpp"
#include "gateway/ws/frame_fields.hpp"
#include "schemas/wire_generated.h"

namespace berth::wire {
namespace {

namespace fbs = berth::fb::wire;
namespace fb = flatbuffers;
static_assert(std::endian::native == std::endian::little,
              "the header is copied as it is in memory");
static_assert(sizeof(fbs::FrameHeader) == header_bytes);

// A table of a `Message` is at most two levels deep (message, pairs).
constexpr fb::uoffset_t table_depth_max = 4;
constexpr fb::uoffset_t tables_max = 1024;

constexpr fb::voffset_t field_at(std::size_t index) {
  return static_cast<fb::voffset_t>(4 + 2 * index);
}

template <class T>
constexpr bool is_scalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;
template <class T>
struct stored {
  using type = T;
};
template <>
struct stored<bool> {
  using type = std::uint8_t;
};
template <class T>
requires std::is_enum_v<T>
struct stored<T> {
  using type = std::underlying_type_t<T>;
};

// Strings and vectors must be in the buffer before their table begins.
struct children_writer {
  fb::FlatBufferBuilder& to;
  std::vector<fb::uoffset_t> places{};
  void operator()(std::string_view, const std::string& text) {
    places.push_back(text.empty() ? 0 : to.CreateString(text).o);
  }
  void operator()(std::string_view, const blob& value) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(value.bytes.data());
    places.push_back(value.bytes.empty() ? 0 : to.CreateVector(bytes, value.bytes.size()).o);
  }
  void operator()(std::string_view, const pairs& values) {
    std::vector<fb::Offset<fbs::Pair>> items;
    for (const auto& [name, value] : values)
      items.push_back(fbs::CreatePair(to, to.CreateString(name), to.CreateString(value)));
    places.push_back(items.empty() ? 0 : to.CreateVector(items).o);
  }
  template <class T>
  requires is_scalar<T>
  void operator()(std::string_view, const T&) { places.push_back(0); }
};

struct table_writer {
  fb::FlatBufferBuilder& to;
  const std::vector<fb::uoffset_t>& places;
  std::size_t next{};
  template <class T>
  void operator()(std::string_view, const T& value) {
    const auto index = next++;
    if constexpr (is_scalar<T>) {
      using as = typename stored<T>::type;
      to.AddElement<as>(field_at(index), static_cast<as>(value), as{});
    } else if (places[index] != 0) {
      to.AddOffset(field_at(index), fb::Offset<void>(places[index]));
    }
  }
};

struct table_reader {
  const fb::Table& from;
  std::string_view bad{};  // name of the first field with a value outside its enumeration
  std::size_t next{};
  std::size_t text_bytes{};  // of all texts read

  std::string text_of(const fb::String* text) {
    if (!text) return {};
    text_bytes += text->size();
    return text_bytes <= payload_bytes_max ? text->str() : std::string();
  }
  template <class T>
  requires is_scalar<T>
  void operator()(std::string_view name, T& value) {
    using as = typename stored<T>::type;
    const auto read = from.GetField<as>(field_at(next++), as{});
    if constexpr (std::is_enum_v<T>) {
      if (read >= names_of(T{}).size()) bad = name;
    }
    value = static_cast<T>(read);
  }
  void operator()(std::string_view, std::string& text) {
    text = text_of(from.GetPointer<const fb::String*>(field_at(next++)));
  }
  void operator()(std::string_view, blob& value) {
    const auto* read = from.GetPointer<const fb::Vector<std::uint8_t>*>(field_at(next++));
    if (!read) return;
    text_bytes += read->size();
    value.bytes.assign(reinterpret_cast<const char*>(read->data()), read->size());
  }
  void operator()(std::string_view, pairs& values) {
    const auto* read = from.GetPointer<const fb::Vector<fb::Offset<fbs::Pair>>*>(field_at(next++));
    if (!read) return;
    for (const auto* pair : *read) values[text_of(pair->name())] = text_of(pair->value());
  }
};

template <class M>
std::string encode_control(std::size_t index, const M& message) {
  fb::FlatBufferBuilder builder{256};
  children_writer children{builder};
  each_field(message, children);
  const auto start = builder.StartTable();
  each_field(message, table_writer{builder, children.places});
  const auto table = fb::Offset<void>(builder.EndTable(start));
  builder.Finish(
      fbs::CreateControl(builder, static_cast<fbs::Message>(index - data_kinds + 1), table));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

frame_problem malformed(std::uint32_t channel, std::string message) {
  return {"malformed", std::move(message), channel};
}

boost::system::result<frame, frame_problem> parse_control(std::uint32_t channel,
                                                          std::string_view bytes) {
  constexpr auto no_table = "the payload of a control frame is not a Control table";
  if (bytes.size() < sizeof(std::uint64_t)) return malformed(channel, no_table);
  // The verifier wants the alignment the writer had; a payload inside a message has none.
  std::vector<std::uint64_t> aligned((bytes.size() + 7) / 8);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  const auto* data = reinterpret_cast<const std::uint8_t*>(aligned.data());
  fb::Verifier verifier{data, bytes.size(), table_depth_max, tables_max};
  if (!fbs::VerifyControlBuffer(verifier)) return malformed(channel, no_table);
  const auto* control = fbs::GetControl(data);
  const auto tag = static_cast<std::size_t>(control->message_type());
  if (tag == 0 || control->message() == nullptr)
    return malformed(channel, "a control frame without a message");
  const auto index = tag + data_kinds - 1;
  if (index >= std::variant_size_v<payload>)
    return frame_problem{"unsupported",
                         "message number " + std::to_string(tag) + " is not known here", channel};
  frame out{channel, {}};
  std::string_view bad;
  std::size_t text_bytes = 0;
  with_alternative(index, [&](auto message) {
    if constexpr (requires {
                    each_field(message, table_reader{*static_cast<const fb::Table*>(nullptr)});
                  }) {
      table_reader reader{*static_cast<const fb::Table*>(control->message())};
      each_field(message, reader);
      bad = reader.bad;
      text_bytes = reader.text_bytes;
      out.what = std::move(message);
    }
    return true;
  });
  if (!bad.empty())
    return malformed(channel, std::string(bad) + " has a value this version does not know");
  // Fields of a table may point at the same bytes: 64 KiB could ask for tens of megabytes.
  if (text_bytes > payload_bytes_max)
    return malformed(channel, "the texts of a control frame are longer than a frame may be");
  return out;
}

std::string until_bytes(std::uint64_t until) {
  std::string bytes(sizeof until, '\0');
  std::memcpy(bytes.data(), &until, sizeof until);
  return bytes;
}

// Offset and payload of a data frame.
struct data_parts {
  std::uint64_t offset{};
  slice bytes{};
};
template <class M>
data_parts parts_of(const M& m) {
  if constexpr (std::is_same_v<M, credit>)
    return {m.consumed, whole(until_bytes(m.until))};
  else if constexpr (std::is_same_v<M, input>)
    return {m.sequence, whole(m.bytes)};
  else if constexpr (std::is_same_v<M, input_applied>)
    return {m.sequence, {}};
  else if constexpr (std::is_same_v<M, durable>)
    return {m.offset, {}};
  else if constexpr (std::is_same_v<M, ping> || std::is_same_v<M, pong>)
    return {m.offset, whole(m.bytes)};
  else
    return {m.offset, m.bytes};
}

}  // namespace

header_buffer bytes_of(const frame_header& header) {
  header_buffer out;
  const fbs::FrameHeader stored{header.channel, header.kind, header.flags, header.length,
                                header.offset};
  std::memcpy(out.data(), &stored, out.size());
  return out;
}

boost::system::result<std::vector<raw_frame>, framing_error> split_message(
    std::string_view message) {
  std::vector<raw_frame> frames;
  const auto size = message.size();
  while (!message.empty()) {
    const auto at = std::to_string(size - message.size());
    if (message.size() < header_bytes)
      return framing_error{"a frame header is cut short at byte " + at + " of the message"};
    fbs::FrameHeader stored;
    std::memcpy(&stored, message.data(), header_bytes);
    const auto length = stored.length();
    if (message.size() - header_bytes < length)
      return framing_error{"the frame at byte " + at + " says " + std::to_string(length) +
                           " payload bytes, " + std::to_string(message.size() - header_bytes) +
                           " follow"};
    frames.push_back({{stored.channel(), stored.kind(), stored.flags(), length, stored.offset()},
                      message.substr(header_bytes, length)});
    message.remove_prefix(header_bytes + length);
  }
  if (frames.empty()) return framing_error{"an empty message holds no frame"};
  return frames;
}

boost::system::result<frame, frame_problem> parse_frame(const frame_header& header,
                                                        std::string_view bytes) {
  const auto no_payload = [&](auto message) -> boost::system::result<frame, frame_problem> {
    if (!bytes.empty()) return malformed(header.channel, "this kind has no payload");
    return frame{header.channel, message};
  };
  const auto echo = [&](auto message) -> boost::system::result<frame, frame_problem> {
    if (bytes.size() > ping_bytes_max)
      return malformed(header.channel, "a ping carries at most 125 bytes");
    return frame{header.channel, message};
  };
  switch (header.kind) {
    case 0:
      return parse_control(header.channel, bytes);
    case 1:
      return frame{header.channel, output{header.offset, whole(std::string(bytes))}};
    case 2:
      return frame{header.channel, input{header.offset, std::string(bytes)}};
    case 3:
      return frame{header.channel, snapshot_data{header.offset, whole(std::string(bytes))}};
    case 4: {
      credit out{header.offset, 0};
      if (bytes.size() != sizeof out.until)
        return malformed(header.channel, "the payload of a credit is 8 bytes");
      std::memcpy(&out.until, bytes.data(), sizeof out.until);
      return frame{header.channel, out};
    }
    case 5:
      return no_payload(durable{header.offset});
    case 6:
      return no_payload(input_applied{header.offset});
    case 7:
      return echo(ping{header.offset, std::string(bytes)});
    case 8:
      return echo(pong{header.offset, std::string(bytes)});
    case 9:
      return frame{header.channel, body{header.offset, whole(std::string(bytes))}};
    default:
      return frame_problem{"unsupported",
                           "frame kind " + std::to_string(header.kind) + " is not known here",
                           header.channel};
  }
}

encoded_frame encode_frame(const frame& what) {
  const auto index = what.what.index();
  encoded_frame out;
  out.header.channel = what.channel;
  std::visit(
      [&]<class M>(const M& message) {
        if constexpr (requires { each_field(message, [](std::string_view, const auto&) {}); }) {
          out.payload = whole(encode_control(index, message));
        } else {
          auto parts = parts_of(message);
          out.header.kind = static_cast<std::uint8_t>(index + 1);
          out.header.offset = parts.offset;
          out.payload = std::move(parts.bytes);
        }
      },
      what.what);
  BERTH_ASSERT(out.payload.size <= payload_bytes_max);
  out.header.length = static_cast<std::uint16_t>(out.payload.size);
  return out;
}

std::string encode_message(const frame& what) {
  const auto encoded = encode_frame(what);
  const auto header = bytes_of(encoded.header);
  std::string out{header.data(), header.size()};
  out += encoded.payload.view();
  return out;
}

void throw_exception_from_error(const framing_error& error, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(error.message), where);
}
void throw_exception_from_error(const frame_problem& error, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(error.message), where);
}

}  // namespace berth::wire
