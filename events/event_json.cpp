#include "events/event_json.hpp"

#include <flatbuffers/minireflect.h>

#include "events/core/arguments.hpp"
#include "events/core/codec.hpp"
#include "events/core/invariant.hpp"
#include "schemas/account_generated.h"
#include "schemas/environment_generated.h"
#include "schemas/host_generated.h"
#include "schemas/session_generated.h"
#include "schemas/terminal_generated.h"

namespace berth {
namespace {

using flatbuffers::ElementaryType;
using flatbuffers::TypeTable;

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k)
      out += k <= count ? base64_digits[(group >> (18 - 6 * k)) & 63] : '=';
  }
  return out;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const unsigned char byte : bytes) {
    out += hex_digits[byte >> 4];
    out += hex_digits[byte & 15];
  }
  return out;
}

// A byte field as JSON; what it holds follows from its name and size.
std::string bytes_json(std::string_view name, std::string_view bytes) {
  if (name.ends_with("_hash")) return '"' + hex(bytes) + '"';
  if (!name.ends_with("_bytes") && bytes.size() == 16) {
    uuid id;
    std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
    return '"' + id.text() + '"';
  }
  if (is_utf8(bytes)) return json_string(bytes);
  return "{\"base64\":\"" + base64(bytes) + "\"}";
}

// Writes JSON while FlatBuffers' mini reflection walks a verified buffer.
class json_writer : public flatbuffers::IterationVisitor {
 public:
  std::string take() { return std::move(out_); }

  void StartSequence() override { out_ += '{'; }
  void EndSequence() override { out_ += '}'; }

  void Field(size_t index, size_t, ElementaryType type, bool is_vector, const TypeTable* table,
             const char* name, const uint8_t* value) override {
    BERTH_ASSERT(name != nullptr);
    std::string_view shown{name};
    if (shown.ends_with('_')) shown.remove_suffix(1);  // the compiler's escape of C++ keywords
    if (index > 0) out_ += ',';
    out_ += '"';
    out_ += shown;
    out_ += "\":";
    is_bytes_ = is_vector && type == flatbuffers::ET_UCHAR && table == nullptr;
    if (value == nullptr) {
      out_ += default_of(type, is_vector, table);
    } else if (is_bytes_) {
      const auto* vector = reinterpret_cast<const flatbuffers::Vector<std::uint8_t>*>(
          value + flatbuffers::ReadScalar<flatbuffers::uoffset_t>(value));
      out_ += bytes_json(shown, {reinterpret_cast<const char*>(vector->Data()), vector->size()});
    }
  }

  void UType(uint8_t value, const char* name) override { named(value, name); }
  void Bool(bool value) override { out_ += value ? "true" : "false"; }
  void Char(int8_t value, const char* name) override { named(value, name); }
  void UChar(uint8_t value, const char* name) override {
    if (!is_bytes_) named(value, name);
  }
  void Short(int16_t value, const char* name) override { named(value, name); }
  void UShort(uint16_t value, const char* name) override { named(value, name); }
  void Int(int32_t value, const char* name) override { named(value, name); }
  void UInt(uint32_t value, const char* name) override { named(value, name); }
  void Long(int64_t value) override { out_ += std::to_string(value); }
  void ULong(uint64_t value) override { out_ += std::to_string(value); }
  void Float(float value) override { out_ += std::to_string(value); }
  void Double(double value) override { out_ += std::to_string(value); }
  void String(const flatbuffers::String* text) override {
    out_ += json_string(text->string_view());
  }
  void Unknown(const uint8_t*) override { out_ += "null"; }
  void StartVector() override {
    if (!is_bytes_) out_ += '[';
  }
  void EndVector() override {
    if (!is_bytes_) out_ += ']';
    is_bytes_ = false;
  }
  void Element(size_t index, ElementaryType, const TypeTable*, const uint8_t*) override {
    if (!is_bytes_ && index > 0) out_ += ',';
  }

 private:
  template <class T>
  void named(T value, const char* name) {
    out_ += name != nullptr ? '"' + std::string{name} + '"' : std::to_string(value);
  }

  static std::string default_of(ElementaryType type, bool is_vector, const TypeTable* table) {
    if (is_vector) return type == flatbuffers::ET_UCHAR ? "\"\"" : "[]";
    if (type == flatbuffers::ET_STRING) return "\"\"";
    if (type == flatbuffers::ET_BOOL) return "false";
    if (type == flatbuffers::ET_SEQUENCE) return "null";
    const char* name = flatbuffers::EnumName(0, table);
    return name != nullptr ? '"' + std::string{name} + '"' : "0";
  }

  std::string out_;
  bool is_bytes_{};  // of the vector being walked: it was written as a whole
};

// What one aggregate's schema gives, whatever its namespace.
struct schema {
  const TypeTable* events;
  const TypeTable* state;
  // The event's table in a verified record, or why not.
  decoded<std::string> (*event_json)(const schema&, const event_record&);
  decoded<std::string> (*state_json)(const schema&, std::string_view);
};

std::string walk(const void* table, const TypeTable* type) {
  json_writer writer;
  flatbuffers::IterateObject(static_cast<const std::uint8_t*>(table), type, &writer);
  return writer.take();
}

template <class Record>
decoded<std::string> record_json(const schema& of, const event_record& record) {
  using result = decoded<std::string>;
  if (record.type == 0 || record.type >= of.events->num_elems)
    return codec::unknown_type("the", record.type);
  return codec::with_verified<Record>(record.payload, [&](const Record& root) -> result {
    if (static_cast<std::uint16_t>(root.event_type()) != record.type || root.event() == nullptr) {
      return codec::malformed("the event is not of the type its record says");
    }
    const auto reference = of.events->type_codes[record.type].sequence_ref;
    BERTH_ASSERT(reference >= 0);
    return walk(root.event(), of.events->type_refs[reference]());
  });
}

template <class State>
decoded<std::string> snapshot_json(const schema& of, std::string_view bytes) {
  return codec::with_verified<State>(
      bytes, [&](const State& root) -> decoded<std::string> { return walk(&root, of.state); });
}

const schema* schema_of(aggregate_kind kind) {
  static const schema account{fb::account::EventTypeTable(), fb::account::StateTypeTable(),
                              record_json<fb::account::Record>, snapshot_json<fb::account::State>};
  static const schema session{fb::session::EventTypeTable(), fb::session::StateTypeTable(),
                              record_json<fb::session::Record>, snapshot_json<fb::session::State>};
  static const schema environment{
      fb::environment::EventTypeTable(), fb::environment::StateTypeTable(),
      record_json<fb::environment::Record>, snapshot_json<fb::environment::State>};
  static const schema terminal{fb::terminal::EventTypeTable(), fb::terminal::StateTypeTable(),
                               record_json<fb::terminal::Record>,
                               snapshot_json<fb::terminal::State>};
  static const schema host{fb::host::EventTypeTable(), fb::host::StateTypeTable(),
                           record_json<fb::host::Record>, snapshot_json<fb::host::State>};
  switch (kind) {
    case aggregate_kind::account:
      return &account;
    case aggregate_kind::session:
      return &session;
    case aggregate_kind::environment:
      return &environment;
    case aggregate_kind::terminal:
      return &terminal;
    case aggregate_kind::host:
      return &host;
  }
  return nullptr;
}

std::string unreadable(std::string_view why) {
  return "{\"unreadable\":" + json_string(why) + "}";
}

}  // namespace

std::string event_name(aggregate_kind kind, std::uint16_t type) {
  const auto* of = schema_of(kind);
  if (of == nullptr || type == 0 || type >= of->events->num_elems)
    return "unknown_" + std::to_string(type);
  std::string out;
  for (const char c : std::string_view{of->events->names[type]}) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !out.empty()) out += '_';
    out += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

std::string event_to_json(aggregate_kind kind, const event_record& record) {
  const auto* of = schema_of(kind);
  if (of == nullptr) return unreadable("unknown aggregate");
  const auto json = of->event_json(*of, record);
  return json ? *json : unreadable(json.error().message);
}

std::string state_to_json(aggregate_kind kind, std::string_view state_bytes) {
  const auto* of = schema_of(kind);
  if (of == nullptr) return unreadable("unknown aggregate");
  const auto json = of->state_json(*of, state_bytes);
  return json ? *json : unreadable(json.error().message);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const auto size = utf8_character_size(text);
    if (size == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += text.front();
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += hex_digits[c >> 4];
      out += hex_digits[c & 15];
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out + '"';
}

}  // namespace berth
