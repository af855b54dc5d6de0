#include "gateway/routes/account_place.hpp"

#include "gateway/auth/api_token.hpp"
#include "gateway/render/json_of.hpp"

namespace berth::gateway {

std::optional<account_place> account_or_refuse(const request& asked, const respond& done) {
  const auto& named = asked.parameters.at("account");
  const auto id = named == "me"          ? asked.by->account
                  : is_id(named, "acct") ? account_id{named}
                                         : account_id_of(named);
  if (id == asked.by->account) return account_place{id, *asked.by};
  if (asked.is_admin) return account_place{id, {asked.by->account, asked.by->actor, true}};
  refuse(asked, done, reject(rejection_code::not_found, "no such account", "account"));
  return {};
}

response account_response(int status, const account_id& id, const answer<account::aggregate>& now,
                          std::string_view message) {
  auto given = json_response(
      status, {{"account", json_of(id, *now.state, now.version)}, {"message", message}});
  stamp(given, now);
  return given;
}

}  // namespace berth::gateway
