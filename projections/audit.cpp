#include "projections/audit.hpp"

#include "events/core/codec.hpp"
#include "events/event_json.hpp"
#include "projections/keys.hpp"
#include "projections/owners.hpp"
#include "schemas/views_generated.h"

namespace berth {
namespace {

std::string encode_audit(const commit_body& body, const account_id& owner) {
  fb::views::AuditT t;
  t.at_us = to_us(body.asked_at);
  t.owner = owner.value;
  t.account = body.by.account.value;
  t.actor = body.by.actor;
  t.is_system = body.by.is_system;
  t.command = codec::to_bytes(body.command);
  t.correlation = codec::to_bytes(body.correlation);
  t.stream = body.stream.text();
  t.first_version = body.first.value;
  for (const auto& record : body.events)
    t.events.push_back(event_name(body.stream.kind, record.type));
  if (body.because) {
    t.cause_stream = body.because->stream.text();
    t.cause_version = body.because->version.value;
  }
  return codec::pack<fb::views::Audit>(t);
}

class audit : public projection {
 public:
  std::string_view name() const override { return audit_name; }
  std::uint32_t version() const override { return 2; }

  void fold(view& rows, const commit& happened) const override {
    const auto& body = happened.body;
    if (body.stream.kind == aggregate_kind::host || (body.by.is_system && body.events.empty()))
      return;
    const auto owner = owner_of(rows, happened);
    const auto place = keys::newest_first(happened.envelope.time, happened.at());
    rows.append(keys::join("commit", place), encode_audit(body, owner));
    if (owner) rows.append(keys::join("account", owner.value, place), "1");
  }
};

}  // namespace

std::optional<audit_row> decode_audit(std::string_view row) {
  using result = decoded<audit_row>;
  const auto read =
      codec::with_verified<fb::views::Audit>(row, [](const fb::views::Audit& root) -> result {
        fb::views::AuditT t;
        root.UnPackTo(&t);
        codec::field_reader fields;
        audit_row out{fields.time(t.at_us),
                      {t.owner},
                      {{t.account}, t.actor, t.is_system},
                      fields.id(t.command),
                      fields.id(t.correlation),
                      {},
                      {t.first_version},
                      t.events,
                      std::nullopt};
        const auto stream = stream_id::parse(t.stream);
        if (!stream || !fields.ok) return codec::malformed("an audit row names no stream");
        out.stream = *stream;
        if (const auto from = stream_id::parse(t.cause_stream))
          out.because = cause{*from, {t.cause_version}};
        return out;
      });
  if (!read) return std::nullopt;
  return *read;
}

std::unique_ptr<projection> make_audit() {
  return std::make_unique<audit>();
}

}  // namespace berth
