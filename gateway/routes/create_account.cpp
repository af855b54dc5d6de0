// POST /api/v1/accounts [administrators]: an account and its first token, shown in this answer
// only.
#include <fmt/format.h>

#include "gateway/auth/api_token.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/routes/account_place.hpp"
#include "gateway/routes/routes.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::size_t role_bytes_max = 16;
constexpr std::string_view first_token_label = "first";

account::role read_role(body_fields& fields) {
  const auto role = fields.text("role", need::optional, role_bytes_max);
  if (!role.empty() && role != "member" && role != "admin")
    fields.refuse("role", "must be member or admin");
  return role == "admin" ? account::role::admin : account::role::member;
}

// The second command of the request has an id of its own that a retry arrives at again.
command_meta token_meta(const command_meta& first) {
  auto meta = first;
  meta.id = uuid::derived("first-token", first.by.account.value, first.id.text());
  meta.if_match.reset();
  return meta;
}

}  // namespace

void create_account(const api& with, request asked, respond done) {
  auto fields = fields_or_refuse(asked, done);
  if (!fields) return;
  account::create command{fields->text("name", need::required, account::name_bytes_max),
                          read_role(*fields)};
  if (fields->problem()) return refuse(asked, done, *fields->problem());
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  meta->by.is_system = true;
  const auto id = account_id_of(command.name);
  const auto token = make_api_token(with.given.server_key, id, token_id_of(id, meta->id));
  with.given.kernel.ask(
      id, command, *meta, [&with, asked, done, id, token, meta = *meta](auto created) {
        if (!created) return refuse(asked, done, created.error());
        account::issue_token issue{token.token, std::string(first_token_label), token.hash, {}};
        with.given.kernel.ask(id, issue, token_meta(meta), [asked, done, id, token](auto issued) {
          if (!issued) return refuse(asked, done, issued.error());
          auto given = json_response(
              201,
              {{"account", json_of(id, *issued->state, issued->version)},
               {"token", json_of(token.token, issued->state->tokens.at(token.token))},
               {"secret", token.text},
               {"message", fmt::format("account {} created; keep the secret, it is not shown again",
                                       issued->state->name)}});
          stamp(given, *issued);
          done(std::move(given));
        });
      });
}

}  // namespace berth::gateway::routes
