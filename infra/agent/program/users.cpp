#include "infra/agent/program/users.hpp"

#include <grp.h>
#include <pwd.h>

#include <cstdio>
#include <memory>

namespace berth::agent {
namespace {

constexpr std::size_t groups_max = 64;
using file = std::unique_ptr<std::FILE, decltype([](std::FILE* f) { std::fclose(f); })>;

template <class Matches>
std::optional<user_record> scan_users(Matches matches) {
  const file passwd{std::fopen("/etc/passwd", "re")};
  if (!passwd) return std::nullopt;
  while (const auto* entry = ::fgetpwent(passwd.get())) {
    if (!matches(*entry)) continue;
    return user_record{entry->pw_name, entry->pw_uid, entry->pw_gid, entry->pw_dir,
                       entry->pw_shell};
  }
  return std::nullopt;
}

}  // namespace

std::optional<user_record> find_user(const std::string& name) {
  return scan_users([&](const passwd& entry) { return name == entry.pw_name; });
}

std::optional<user_record> find_user(uid_t uid) {
  return scan_users([&](const passwd& entry) { return uid == entry.pw_uid; });
}

std::vector<gid_t> groups_of(const user_record& user) {
  std::vector<gid_t> groups{user.gid};
  const file group{std::fopen("/etc/group", "re")};
  if (!group) return groups;
  while (const auto* entry = ::fgetgrent(group.get())) {
    for (auto** member = entry->gr_mem; *member && groups.size() < groups_max; ++member) {
      if (user.name == *member && entry->gr_gid != user.gid) groups.push_back(entry->gr_gid);
    }
  }
  return groups;
}

}  // namespace berth::agent
