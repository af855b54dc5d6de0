// POST, GET /api/v1/accounts/{account}/tokens and DELETE …/tokens/{token}
#include <fmt/format.h>
#include <boost/json.hpp>

#include "gateway/auth/api_token.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/routes/account_place.hpp"
#include "gateway/routes/routes.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::size_t label_bytes_max = 128;
constexpr std::uint64_t lifetime_s_max = 10ULL * 365 * 24 * 3600;

}  // namespace

void create_token(const api& with, request asked, respond done) {
  auto fields = fields_or_refuse(asked, done);
  if (!fields) return;
  account::issue_token command;
  command.label = fields->text("label", need::optional, label_bytes_max);
  const auto expires = fields->text("expires_at", need::optional, label_bytes_max);
  const auto at = expires.empty() ? timestamp{} : parse_rfc3339(expires).value_or(from_us(-1));
  if (at < timestamp{} ||
      (at != timestamp{} && at > with.given.clock.now() + std::chrono::seconds{lifetime_s_max}))
    fields->refuse("expires_at",
                   "must be a time such as 2026-11-21T13:04:05Z, at most ten years away");
  command.expires_at = at;
  if (fields->problem()) return refuse(asked, done, *fields->problem());
  const auto place = account_or_refuse(asked, done);
  if (!place) return;
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  meta->by = place->as;
  const auto token =
      make_api_token(with.given.server_key, place->id, token_id_of(place->id, meta->id));
  command.token = token.token;
  command.hash = token.hash;
  with.given.kernel.ask(place->id, command, *meta, [asked, done, token](auto issued) {
    if (!issued) return refuse(asked, done, issued.error());
    auto given =
        json_response(201, {{"token", json_of(token.token, issued->state->tokens.at(token.token))},
                            {"secret", token.text},
                            {"message", "keep the secret, it is not shown again"}});
    stamp(given, *issued);
    done(std::move(given));
  });
}

void list_tokens(const api& with, request asked, respond done) {
  const auto place = account_or_refuse(asked, done);
  if (!place) return;
  with.given.kernel.read(place->id, place->as, [asked, done](auto read) {
    if (!read) return refuse(asked, done, read.error());
    boost::json::array items;
    for (const auto& [id, token] : read->state->tokens) items.push_back(json_of(id, token));
    auto given = json_response(200, {{"items", std::move(items)}});
    stamp(given, *read);
    done(std::move(given));
  });
}

void revoke_token(const api& with, request asked, respond done) {
  const auto place = account_or_refuse(asked, done);
  if (!place || !id_or_refuse(asked, "token", "tok", done)) return;
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  meta->by = place->as;
  const token_id id{asked.parameters.at("token")};
  with.given.kernel.ask(
      place->id, account::revoke_token{id}, *meta, [asked, done, id](auto revoked) {
        if (!revoked) return refuse(asked, done, revoked.error());
        const auto found = revoked->state->tokens.find(id);
        const auto token = found == revoked->state->tokens.end()
                               ? account::token{{}, {}, {}, {}, true}
                               : found->second;
        auto given = json_response(200, {{"token", json_of(id, token)},
                                         {"message", fmt::format("{} is revoked", id.value)}});
        stamp(given, *revoked);
        done(std::move(given));
      });
}

}  // namespace berth::gateway::routes
