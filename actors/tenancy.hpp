// Whose stream it is (kernel.hpp K5). An empty account: it does not exist yet, or belongs to nobody
// but Berth.
#pragma once

#include "actors/kernel.hpp"

namespace berth::actors {

inline account_id owner_of(const std::string& key, const account::state& now) {
  return now.exists ? account_id{key} : account_id{};
}
inline account_id owner_of(const std::string&, const session::state& now) {
  return now.account;
}
inline account_id owner_of(const std::string&, const environment::state& now) {
  return now.account;
}
inline account_id owner_of(const std::string&, const terminal::state& now) {
  return now.account;
}
inline account_id owner_of(const std::string&, const host::state&) {
  return {};
}

}  // namespace berth::actors
