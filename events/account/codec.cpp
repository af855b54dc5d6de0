// Events and states <-> FlatBuffers (schemas/account.fbs), and canonical texts.
#include "events/core/codec.hpp"

#include "events/account/aggregate.hpp"
#include "events/core/match.hpp"
#include "schemas/account_generated.h"

namespace berth::account {
namespace {

namespace stored = ::berth::fb::account;
using codec::field_reader;

static_assert(std::variant_size_v<event> == static_cast<std::size_t>(stored::Event::MAX));

std::vector<std::uint8_t> hash_bytes(const secret_hash& hash) {
  return {hash.begin(), hash.end()};
}

stored::CreatedT to_table(const created& e) {
  stored::CreatedT t;
  t.name = e.name;
  t.role = static_cast<stored::Role>(e.role);
  t.at_us = to_us(e.at);
  return t;
}
created from_table(const stored::CreatedT& t, field_reader& read) {
  return {t.name, read.enumeration<role>(t.role), read.time(t.at_us)};
}

stored::TokenIssuedT to_table(const token_issued& e) {
  stored::TokenIssuedT t;
  t.token = e.token.value;
  t.label = e.label;
  t.secret_hash = hash_bytes(e.hash);
  t.expires_at_us = to_us(e.expires_at);
  t.at_us = to_us(e.at);
  return t;
}
token_issued from_table(const stored::TokenIssuedT& t, field_reader& read) {
  return {
      {t.token}, t.label, read.hash(t.secret_hash), read.time(t.expires_at_us), read.time(t.at_us)};
}

stored::TokenRevokedT to_table(const token_revoked& e) {
  stored::TokenRevokedT t;
  t.token = e.token.value;
  t.at_us = to_us(e.at);
  return t;
}
token_revoked from_table(const stored::TokenRevokedT& t, field_reader& read) {
  return {{t.token}, read.time(t.at_us)};
}

stored::EnvironmentRequestedT to_table(const environment_requested& e) {
  stored::EnvironmentRequestedT t;
  t.environment = e.environment.value;
  t.name = e.name;
  t.instance_type = e.instance_type;
  t.template_ = e.template_name;
  t.price_list = e.price_list;
  t.correlation = codec::to_bytes(e.correlation);
  t.at_us = to_us(e.at);
  return t;
}
environment_requested from_table(const stored::EnvironmentRequestedT& t, field_reader& read) {
  return {{t.environment},   t.name,       t.instance_type,
          t.template_,       t.price_list, read.id(t.correlation),
          read.time(t.at_us)};
}

stored::EnvironmentConfirmedT to_table(const environment_confirmed& e) {
  stored::EnvironmentConfirmedT t;
  t.environment = e.environment.value;
  t.at_us = to_us(e.at);
  return t;
}
environment_confirmed from_table(const stored::EnvironmentConfirmedT& t, field_reader& read) {
  return {{t.environment}, read.time(t.at_us)};
}

stored::NameReleasedT to_table(const name_released& e) {
  stored::NameReleasedT t;
  t.environment = e.environment.value;
  t.name = e.name;
  t.at_us = to_us(e.at);
  return t;
}
name_released from_table(const stored::NameReleasedT& t, field_reader& read) {
  return {{t.environment}, t.name, read.time(t.at_us)};
}

stored::DisabledT to_table(const disabled& e) {
  stored::DisabledT t;
  t.reason = e.reason;
  t.at_us = to_us(e.at);
  return t;
}
disabled from_table(const stored::DisabledT& t, field_reader& read) {
  return {t.reason, read.time(t.at_us)};
}

event from_union(const stored::EventUnion& u, field_reader& read) {
  switch (u.type) {
    case stored::Event::NONE:
      break;
    case stored::Event::Created:
      return from_table(*u.AsCreated(), read);
    case stored::Event::TokenIssued:
      return from_table(*u.AsTokenIssued(), read);
    case stored::Event::TokenRevoked:
      return from_table(*u.AsTokenRevoked(), read);
    case stored::Event::EnvironmentRequested:
      return from_table(*u.AsEnvironmentRequested(), read);
    case stored::Event::EnvironmentConfirmed:
      return from_table(*u.AsEnvironmentConfirmed(), read);
    case stored::Event::NameReleased:
      return from_table(*u.AsNameReleased(), read);
    case stored::Event::Disabled:
      return from_table(*u.AsDisabled(), read);
  }
  read.ok = false;
  return event{};
}

state from_table(const stored::StateT& t, field_reader& read) {
  state now;
  now.exists = t.exists;
  now.name = t.name;
  now.role = read.enumeration<role>(t.role);
  now.disabled = t.disabled;
  now.created_at = read.time(t.created_at_us);
  for (const auto& entry : t.tokens) {
    now.tokens.insert_or_assign(
        token_id{entry->token},
        token{entry->label, read.hash(entry->secret_hash), read.time(entry->issued_at_us),
              read.time(entry->expires_at_us), entry->revoked});
  }
  for (const auto& entry : t.environments) {
    now.environments.insert_or_assign(
        environment_id{entry->environment},
        environment_entry{entry->name, entry->instance_type, entry->template_, entry->price_list,
                          read.id(entry->correlation), entry->confirmed,
                          read.time(entry->requested_at_us)});
  }
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
  if (!read.ok) return codec::malformed("an account event has a field out of range");
  return happened;
}

std::string aggregate::encode_state(const state& now) {
  stored::StateT t;
  t.exists = now.exists;
  t.name = now.name;
  t.role = static_cast<stored::Role>(now.role);
  t.disabled = now.disabled;
  t.created_at_us = to_us(now.created_at);
  for (const auto& [id, entry] : now.tokens) {
    auto& out = *t.tokens.emplace_back(std::make_unique<stored::TokenStateT>());
    out.token = id.value;
    out.label = entry.label;
    out.secret_hash = hash_bytes(entry.hash);
    out.issued_at_us = to_us(entry.issued_at);
    out.expires_at_us = to_us(entry.expires_at);
    out.revoked = entry.revoked;
  }
  for (const auto& [id, entry] : now.environments) {
    auto& out = *t.environments.emplace_back(std::make_unique<stored::EnvironmentStateT>());
    out.environment = id.value;
    out.name = entry.name;
    out.instance_type = entry.instance_type;
    out.template_ = entry.template_name;
    out.price_list = entry.price_list;
    out.correlation = codec::to_bytes(entry.correlation);
    out.confirmed = entry.confirmed;
    out.requested_at_us = to_us(entry.requested_at);
  }
  return codec::pack<stored::State>(t);
}

decoded<state> aggregate::decode_state(std::string_view bytes) {
  return codec::with_verified<stored::State>(
      bytes, [](const stored::State& root) -> decoded<state> {
        stored::StateT t;
        root.UnPackTo(&t);
        field_reader read;
        auto now = from_table(t, read);
        if (!read.ok) return codec::malformed("an account state has a field out of range");
        return now;
      });
}

// Price list and correlation are the server's: a retry after a new price list is still the same
// command.
std::string aggregate::canonical(const command& asked) {
  using codec::canonical_text;
  return std::visit(
      match{
          [](const create& c) {
            return canonical_text{"create"}.text(c.name).number(static_cast<int>(c.role)).take();
          },
          [](const issue_token& c) {
            const std::string_view hash{reinterpret_cast<const char*>(c.hash.data()),
                                        c.hash.size()};
            return canonical_text{"issue_token"}
                .text(c.token.value)
                .text(c.label)
                .text(hash)
                .number(to_us(c.expires_at))
                .take();
          },
          [](const revoke_token& c) {
            return canonical_text{"revoke_token"}.text(c.token.value).take();
          },
          [](const request_environment& c) {
            return canonical_text{"request_environment"}
                .text(c.environment.value)
                .text(c.name)
                .text(c.instance_type)
                .text(c.template_name)
                .take();
          },
          [](const confirm_environment& c) {
            return canonical_text{"confirm_environment"}.text(c.environment.value).take();
          },
          [](const release_name& c) {
            return canonical_text{"release_name"}.text(c.environment.value).take();
          },
          [](const disable& c) { return canonical_text{"disable"}.text(c.reason).take(); },
      },
      asked);
}

static_assert(berth::aggregate<aggregate>);

}  // namespace berth::account
