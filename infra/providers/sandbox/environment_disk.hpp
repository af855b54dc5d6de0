// What of an environment persists over stop and start, and in which id range it lives.
//
//   DIR/environments/<id>/         upper, work, usr, usr_work, home, workspace, sandbox
//   DIR/environments/.new-<id>     half made
//   DIR/environments/.gone-<id>-…  being deleted
//
// Host uid of the environment's uid u: id_base + index * 65536 + u; `index` is unique in the data
// directory and kept in `sandbox`. The range lies above what adduser hands out and below 2^31.
// Any thread; calls for one id one at a time.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/ports/environment_host.hpp"

namespace berth {

inline constexpr std::uint32_t environment_id_base = 0x70000000;
inline constexpr unsigned environments_on_disk_max = 4000;

class environment_disk {
 public:
  // Puts aside what a dead server left half made.
  environment_disk(std::string data_dir, bool reduced);
  bool exists(const environment_id& id) const;
  std::vector<environment_id> stored() const;  // all that exist
  host_result<bool> create(const environment_spec& spec, const std::string& template_root);
  // Out of sight at once; the bytes go when delete_aside is called.
  host_result<bool> put_aside(const environment_id& id);
  void delete_aside();
  std::string path(const environment_id& id) const { return root_ + "/" + id.value; }
  // Bytes the environment occupies; a lower bound if it has more files than are looked at. Slow: a
  // worker's job.
  std::uint64_t bytes_used(const environment_id& id) const;
  struct identity {
    unsigned index{};
    std::uint32_t uid_base{};
    std::uint64_t owner_epoch{};
  };
  std::optional<identity> find(const environment_id& id) const;
  void remember_epoch(const environment_id& id, std::uint64_t owner_epoch);

 private:
  host_result<bool> fill(const std::string& folder, const environment_spec& spec, std::uint32_t uid,
                         const std::string& template_root) const;
  std::optional<unsigned> take_index();

  std::string root_;
  bool reduced_;
  std::mutex mutex_;
  std::set<unsigned> taken_;
  unsigned aside_{};
};

// Deletes by descriptor, never following a link: the tree was written by a tenant.
bool delete_tree(const std::string& path);

}  // namespace berth
