// {account} in paths: an id, a name or `me`. Members see their own account only, administrators
// every one; another's is not_found for a member.
#pragma once

#include "gateway/routes/support.hpp"

namespace berth::gateway {

// The account a path names and the principal to act as. Nothing after having answered not_found.
struct account_place {
  account_id id;
  principal as;  // an administrator acts on others' accounts as the system, named by its own token
};
std::optional<account_place> account_or_refuse(const request& asked, const respond& done);

response account_response(int status, const account_id& id, const answer<account::aggregate>& now,
                          std::string_view message);

}  // namespace berth::gateway
