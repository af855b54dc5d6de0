// Events and states <-> FlatBuffers (schemas/session.fbs), and canonical texts.
#include "events/core/codec.hpp"

#include "events/core/match.hpp"
#include "events/session/aggregate.hpp"
#include "schemas/session_generated.h"

namespace berth::session {
namespace {

namespace stored = ::berth::fb::session;
using codec::field_reader;

static_assert(std::variant_size_v<event> == static_cast<std::size_t>(stored::Event::MAX));

stored::OpenedT to_table(const opened& e) {
  stored::OpenedT t;
  t.account = e.account.value;
  t.token = e.token.value;
  t.client = e.client;
  t.input_stream = codec::to_bytes(e.input_stream);
  t.at_us = to_us(e.at);
  return t;
}
opened from_table(const stored::OpenedT& t, field_reader& read) {
  return {{t.account}, {t.token}, t.client, read.id(t.input_stream), read.time(t.at_us)};
}

stored::AttachedT to_table(const attached& e) {
  stored::AttachedT t;
  t.connection = e.connection;
  t.remote = e.remote;
  t.at_us = to_us(e.at);
  return t;
}
attached from_table(const stored::AttachedT& t, field_reader& read) {
  return {t.connection, t.remote, read.time(t.at_us)};
}

stored::DetachedT to_table(const detached& e) {
  stored::DetachedT t;
  t.connection = e.connection;
  t.at_us = to_us(e.at);
  return t;
}
detached from_table(const stored::DetachedT& t, field_reader& read) {
  return {t.connection, read.time(t.at_us)};
}

stored::HandedOverT to_table(const handed_over& e) {
  stored::HandedOverT t;
  t.client = e.client;
  t.input_stream = codec::to_bytes(e.input_stream);
  t.at_us = to_us(e.at);
  return t;
}
handed_over from_table(const stored::HandedOverT& t, field_reader& read) {
  return {t.client, read.id(t.input_stream), read.time(t.at_us)};
}

stored::ClosedT to_table(const closed& e) {
  stored::ClosedT t;
  t.reason = static_cast<stored::CloseReason>(e.reason);
  t.at_us = to_us(e.at);
  return t;
}
closed from_table(const stored::ClosedT& t, field_reader& read) {
  return {read.enumeration<close_reason>(t.reason), read.time(t.at_us)};
}

event from_union(const stored::EventUnion& u, field_reader& read) {
  switch (u.type) {
    case stored::Event::NONE:
      break;
    case stored::Event::Opened:
      return from_table(*u.AsOpened(), read);
    case stored::Event::Attached:
      return from_table(*u.AsAttached(), read);
    case stored::Event::Detached:
      return from_table(*u.AsDetached(), read);
    case stored::Event::HandedOver:
      return from_table(*u.AsHandedOver(), read);
    case stored::Event::Closed:
      return from_table(*u.AsClosed(), read);
  }
  read.ok = false;
  return event{};
}

state from_table(const stored::StateT& t, field_reader& read) {
  state now;
  now.exists = t.exists;
  now.account.value = t.account;
  now.token.value = t.token;
  now.client = t.client;
  now.input_stream = read.id(t.input_stream);
  now.opened_at = read.time(t.opened_at_us);
  now.last_seen = read.time(t.last_seen_us);
  now.connections.insert(t.connections.begin(), t.connections.end());
  now.closed = t.closed;
  now.close_reason = read.enumeration<close_reason>(t.close_reason);
  return now;
}

}  // namespace

event_record aggregate::encode(const event& happened) {
  return std::visit([](const auto& e) { return codec::encode_event<stored::Record>(to_table(e)); },
                    happened);
}

decoded<event> aggregate::decode(const event_record& record) {
  const auto table = codec::decode_event<stored::Record>(name_of(kind), record);
  if (!table) return table.error();
  field_reader read;
  auto happened = from_union(table->event, read);
  if (!read.ok) return codec::malformed("a session event has a field out of range");
  return happened;
}

std::string aggregate::encode_state(const state& now) {
  stored::StateT t;
  t.exists = now.exists;
  t.account = now.account.value;
  t.token = now.token.value;
  t.client = now.client;
  t.input_stream = codec::to_bytes(now.input_stream);
  t.opened_at_us = to_us(now.opened_at);
  t.last_seen_us = to_us(now.last_seen);
  t.connections.assign(now.connections.begin(), now.connections.end());
  t.closed = now.closed;
  t.close_reason = static_cast<stored::CloseReason>(now.close_reason);
  return codec::pack<stored::State>(t);
}

decoded<state> aggregate::decode_state(std::string_view bytes) {
  return codec::with_verified<stored::State>(
      bytes, [](const stored::State& root) -> decoded<state> {
        stored::StateT t;
        root.UnPackTo(&t);
        field_reader read;
        auto now = from_table(t, read);
        if (!read.ok) return codec::malformed("a session state has a field out of range");
        return now;
      });
}

std::string aggregate::canonical(const command& asked) {
  using codec::canonical_text;
  return std::visit(
      match{
          [](const open& c) {
            return canonical_text{"open"}
                .text(c.account.value)
                .text(c.token.value)
                .text(c.client)
                .text(c.input_stream.text())
                .take();
          },
          [](const attach& c) {
            return canonical_text{"attach"}.text(c.connection).text(c.remote).take();
          },
          [](const detach& c) { return canonical_text{"detach"}.text(c.connection).take(); },
          [](const hand_over& c) {
            return canonical_text{"hand_over"}.text(c.client).text(c.input_stream.text()).take();
          },
          [](const close& c) {
            return canonical_text{"close"}.number(static_cast<int>(c.reason)).take();
          },
          [](const expire&) { return canonical_text{"expire"}.take(); },
      },
      asked);
}

static_assert(berth::aggregate<aggregate>);

}  // namespace berth::session
