// What the aggregates' codecs share: packing and bounded verification of FlatBuffers, byte fields,
// canonical text. Pure; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <flatbuffers/flatbuffers.h>

#include "events/core/aggregate.hpp"
#include "events/core/ids.hpp"
#include "events/core/time.hpp"

namespace berth::codec {

// Bounds of what a stored buffer may ask the reader to walk.
inline constexpr flatbuffers::uoffset_t table_depth_max = 8;
inline constexpr flatbuffers::uoffset_t tables_max = 65'536;

decode_error malformed(std::string_view what);
decode_error unknown_type(std::string_view aggregate, std::uint16_t type);

template <class Table>
std::string pack(const typename Table::NativeTableType& native) {
  flatbuffers::FlatBufferBuilder builder(256);
  builder.Finish(Table::Pack(builder, &native));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

// `use(root)` is called with a verified table. Scalars are read in place, so the bytes are copied
// if the caller's are not aligned for the widest of them.
template <class Table, class Use>
auto with_verified(std::string_view bytes, Use use) -> decltype(use(std::declval<const Table&>())) {
  std::vector<std::uint64_t> aligned;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(std::uint64_t) != 0) {
    aligned.resize(bytes.size() / sizeof(std::uint64_t) + 1);
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(aligned.data()));
    bytes = {reinterpret_cast<const char*>(aligned.data()), bytes.size()};
  }
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  if (bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) return malformed("buffer is too large");
  flatbuffers::Verifier verifier(data, bytes.size(), table_depth_max, tables_max);
  if (!verifier.VerifyBuffer<Table>(nullptr)) return malformed("buffer does not match its schema");
  return use(*flatbuffers::GetRoot<Table>(data));
}

// One event's table -> the stored record; the union tag becomes the record's type.
template <class Record, class EventTable>
event_record encode_event(EventTable table) {
  typename Record::NativeTableType record;
  record.event.Set(std::move(table));
  return {static_cast<std::uint16_t>(record.event.type), pack<Record>(record)};
}

// The stored record -> the union of event tables: verified, of a known type, and of the type it
// says.
template <class Record>
decoded<typename Record::NativeTableType> decode_event(std::string_view aggregate,
                                                       const event_record& stored) {
  using native = typename Record::NativeTableType;
  using tag = decltype(native{}.event.type);
  if (stored.type == 0 || stored.type > static_cast<std::uint16_t>(tag::MAX)) {
    return unknown_type(aggregate, stored.type);
  }
  return with_verified<Record>(stored.payload, [&](const Record& root) -> decoded<native> {
    if (static_cast<std::uint16_t>(root.event_type()) != stored.type || root.event() == nullptr) {
      return malformed("the event is not of the type its record says");
    }
    native out;
    root.UnPackTo(&out);
    return out;
  });
}

std::vector<std::uint8_t> to_bytes(std::string_view text);
std::string to_text(const std::vector<std::uint8_t>& bytes);
// Nil is stored as nothing.
std::vector<std::uint8_t> to_bytes(const uuid& id);

// Reads fields whose type in the schema is wider than in the domain. `ok` says whether all fitted.
struct field_reader {
  bool ok{true};

  timestamp time(
      std::int64_t us);  // from the epoch to the end of the year 9999: differences never overflow
  uuid id(const std::vector<std::uint8_t>& bytes);
  std::array<std::uint8_t, 32> hash(const std::vector<std::uint8_t>& bytes);
  template <class To, class From>
  To enumeration(From value) {
    ok = ok && value >= From::MIN && value <= From::MAX;
    return static_cast<To>(value);
  }
};

// The content of a command as one unambiguous text: a name and netstrings ("5:hello,"), so that no
// two different contents share a text.
class canonical_text {
 public:
  explicit canonical_text(std::string_view command) { text(command); }
  canonical_text& text(std::string_view value);
  canonical_text& number(std::int64_t value);
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace berth::codec
