#include "events/core/lead.hpp"

#include <flatbuffers/flatbuffers.h>

#include "events/core/codec.hpp"
#include "schemas/commit_generated.h"

namespace berth {
namespace {

constexpr std::size_t node_bytes_max = 255;

}  // namespace

std::string seal_lead(const commit_envelope& envelope, const std::string& node) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreateLead(builder, builder.CreateString(node)));
  const std::string_view body{reinterpret_cast<const char*>(builder.GetBufferPointer()),
                              builder.GetSize()};
  return seal(envelope, body, record_kind::lead).bytes;
}

journal_result<lead> open_lead(std::string_view record, position where) {
  auto opened = open_record(record, where, nullptr, record_kind::lead);
  if (opened.has_error()) return opened.error();
  const auto read =
      codec::with_verified<fb::Lead>(opened->body_bytes, [](const fb::Lead& body) -> decoded<lead> {
        return lead{{}, body.node()->str().substr(0, node_bytes_max)};
      });
  if (!read)
    return journal_error{journal_errc::corrupt,
                         "partition " + std::to_string(where.partition) + " offset " +
                             std::to_string(where.offset) + ": not a Lead of schemas/commit.fbs",
                         where};
  return lead{opened->envelope, read->node};
}

}  // namespace berth
