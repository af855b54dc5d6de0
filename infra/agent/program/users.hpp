// Users as the environment's own /etc/passwd and /etc/group name them; no name service, so that
// static linking works.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace berth::agent {

struct user_record {
  std::string name;
  uid_t uid{};
  gid_t gid{};
  std::string home;
  std::string shell;
};

std::optional<user_record> find_user(const std::string& name);
std::optional<user_record> find_user(uid_t uid);
// Its primary group and every group that lists it.
std::vector<gid_t> groups_of(const user_record& user);

}  // namespace berth::agent
