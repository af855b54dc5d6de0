// Events and states <-> FlatBuffers (schemas/host.fbs), and canonical texts.
#include "events/core/codec.hpp"

#include "events/core/match.hpp"
#include "events/host/aggregate.hpp"
#include "schemas/host_generated.h"

namespace berth::host {
namespace {

namespace stored = ::berth::fb::host;
using codec::field_reader;

static_assert(std::variant_size_v<event> == static_cast<std::size_t>(stored::Event::MAX));

stored::RegisteredT to_table(const registered& e) {
  stored::RegisteredT t;
  t.boot = e.boot;
  t.provider = e.provider;
  t.at_us = to_us(e.at);
  return t;
}
registered from_table(const stored::RegisteredT& t, field_reader& read) {
  return {t.boot, t.provider, read.time(t.at_us)};
}

stored::AliveSeenT to_table(const alive_seen& e) {
  stored::AliveSeenT t;
  t.until_us = to_us(e.until);
  t.at_us = to_us(e.at);
  return t;
}
alive_seen from_table(const stored::AliveSeenT& t, field_reader& read) {
  return {read.time(t.until_us), read.time(t.at_us)};
}

stored::CordonedT to_table(const cordoned& e) {
  stored::CordonedT t;
  t.at_us = to_us(e.at);
  return t;
}
cordoned from_table(const stored::CordonedT& t, field_reader& read) {
  return {read.time(t.at_us)};
}

stored::UncordonedT to_table(const uncordoned& e) {
  stored::UncordonedT t;
  t.at_us = to_us(e.at);
  return t;
}
uncordoned from_table(const stored::UncordonedT& t, field_reader& read) {
  return {read.time(t.at_us)};
}

event from_union(const stored::EventUnion& u, field_reader& read) {
  switch (u.type) {
    case stored::Event::NONE:
      break;
    case stored::Event::Registered:
      return from_table(*u.AsRegistered(), read);
    case stored::Event::AliveSeen:
      return from_table(*u.AsAliveSeen(), read);
    case stored::Event::Cordoned:
      return from_table(*u.AsCordoned(), read);
    case stored::Event::Uncordoned:
      return from_table(*u.AsUncordoned(), read);
  }
  read.ok = false;
  return event{};
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
  if (!read.ok) return codec::malformed("a host event has a field out of range");
  return happened;
}

std::string aggregate::encode_state(const state& now) {
  stored::StateT t;
  t.boot = now.boot;
  t.provider = now.provider;
  t.registered_at_us = to_us(now.registered_at);
  t.alive_until_us = to_us(now.alive_until);
  t.cordoned = now.is_cordoned;
  return codec::pack<stored::State>(t);
}

decoded<state> aggregate::decode_state(std::string_view bytes) {
  return codec::with_verified<stored::State>(
      bytes, [](const stored::State& root) -> decoded<state> {
        stored::StateT t;
        root.UnPackTo(&t);
        field_reader read;
        state now{t.boot, t.provider, read.time(t.registered_at_us), read.time(t.alive_until_us),
                  t.cordoned};
        if (!read.ok) return codec::malformed("a host state has a field out of range");
        return now;
      });
}

std::string aggregate::canonical(const command& asked) {
  using codec::canonical_text;
  return std::visit(match{
                        [](const enlist& c) {
                          return canonical_text{"enlist"}.text(c.boot).text(c.provider).take();
                        },
                        [](const record_alive& c) {
                          return canonical_text{"record_alive"}.number(to_us(c.until)).take();
                        },
                        [](const cordon&) { return canonical_text{"cordon"}.take(); },
                        [](const uncordon&) { return canonical_text{"uncordon"}.take(); },
                    },
                    asked);
}

static_assert(berth::aggregate<aggregate>);

}  // namespace berth::host
