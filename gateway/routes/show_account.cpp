// GET /api/v1/accounts/{account}
#include <fmt/format.h>

#include "gateway/routes/account_place.hpp"
#include "gateway/routes/routes.hpp"

namespace berth::gateway::routes {

void show_account(const api& with, request asked, respond done) {
  const auto place = account_or_refuse(asked, done);
  if (!place) return;
  with.given.kernel.read(place->id, place->as, [asked, done, id = place->id](auto read) {
    if (!read) return refuse(asked, done, read.error());
    done(account_response(200, id, *read,
                          fmt::format("account {}{}", read->state->name,
                                      read->state->disabled ? " is disabled" : "")));
  });
}

}  // namespace berth::gateway::routes
