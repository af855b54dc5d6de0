// POST /api/v1/accounts/{account}/disable [administrators]: its tokens are refused from the next
// request on.
#include <fmt/format.h>

#include "gateway/routes/account_place.hpp"
#include "gateway/routes/routes.hpp"

namespace berth::gateway::routes {
namespace {
constexpr std::size_t reason_bytes_max = 1024;
}  // namespace

void disable_account(const api& with, request asked, respond done) {
  auto fields = fields_or_refuse(asked, done);
  if (!fields) return;
  account::disable command{fields->text("reason", need::optional, reason_bytes_max)};
  if (fields->problem()) return refuse(asked, done, *fields->problem());
  const auto place = account_or_refuse(asked, done);
  if (!place) return;
  if (place->id == asked.by->account)
    return refuse(
        asked, done,
        reject(rejection_code::wrong_state,
               "an administrator cannot disable the own account; another one can", "account"));
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  meta->by = place->as;
  with.given.kernel.ask(place->id, command, *meta, [asked, done, id = place->id](auto disabled) {
    if (!disabled) return refuse(asked, done, disabled.error());
    done(account_response(200, id, *disabled,
                          fmt::format("account {} is disabled", disabled->state->name)));
  });
}

}  // namespace berth::gateway::routes
