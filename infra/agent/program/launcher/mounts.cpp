#include "infra/agent/program/launcher/mounts.hpp"

#include <linux/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "infra/agent/protocol/passed_descriptors.hpp"

// After <linux/mount.h>: <sys/mount.h> of glibc defines the same names.
extern "C" int umount2(const char* target, int flags) noexcept;

namespace berth::launcher {

namespace {
constexpr int descriptors_max = 8;
constexpr int detach = 2;  // MNT_DETACH

int fsconfig_text(int fs, const char* key, const std::string& value) {
  return static_cast<int>(::syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value.c_str(), 0));
}

// A lower layer has to be attached somewhere while the overlay is made; only this process sees it.
class attached_layer {
 public:
  attached_layer(const std::string& source, int user_namespace) {
    unique_fd tree{static_cast<int>(
        ::syscall(SYS_open_tree, AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC))};
    if (!tree) {
      failed = errno_fault("open_tree " + source);
      return;
    }
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV;
    attributes.userns_fd = static_cast<std::uint64_t>(user_namespace);
    if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes,
                  sizeof attributes) != 0) {
      failed = errno_fault("id-mapped mount of " + source);
      return;
    }
    if (::syscall(SYS_move_mount, tree.get(), "", AT_FDCWD, "lower", MOVE_MOUNT_F_EMPTY_PATH) !=
        0) {
      failed = errno_fault("attach " + source);
      return;
    }
    attached_ = true;
  }
  ~attached_layer() {
    if (attached_) ::umount2("lower", detach);
  }
  attached_layer(const attached_layer&) = delete;
  attached_layer& operator=(const attached_layer&) = delete;
  fault failed;

 private:
  bool attached_{};
};
}  // namespace

detached_mount idmapped_overlay(const std::string& lower, const std::string& upper,
                                const std::string& work, int user_namespace) {
  detached_mount made;
  const attached_layer layer(lower, user_namespace);
  if (layer.failed) {
    made.failed = layer.failed;
    return made;
  }
  unique_fd fs{static_cast<int>(::syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC))};
  if (!fs) {
    made.failed = errno_fault("overlay file system");
    return made;
  }
  if (fsconfig_text(fs.get(), "source", "berth") != 0 ||
      fsconfig_text(fs.get(), "lowerdir", "lower") != 0 ||
      fsconfig_text(fs.get(), "upperdir", upper) != 0 ||
      fsconfig_text(fs.get(), "workdir", work) != 0 ||
      ::syscall(SYS_fsconfig, fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    made.failed = errno_fault("overlay over " + lower);
    return made;
  }
  made.fd = unique_fd{
      static_cast<int>(::syscall(SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV))};
  if (!made.fd) made.failed = errno_fault("mount overlay over " + lower);
  return made;
}

detached_mount bind_of(const std::string& path) {
  detached_mount made;
  made.fd = unique_fd{static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC))};
  if (!made.fd) made.failed = errno_fault("open_tree " + path);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NODEV;
  if (made.fd && ::syscall(SYS_mount_setattr, made.fd.get(), "", AT_EMPTY_PATH, &attributes,
                           sizeof attributes) != 0) {
    made.failed = errno_fault("mount attributes of " + path);
  }
  return made;
}

fault send_descriptors(int channel, const int* fds, int count) {
  char byte = 'm';
  iovec part{&byte, 1};
  agent::descriptor_room<descriptors_max> room;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (count > 0) agent::pass_descriptors(header, room, {fds, static_cast<std::size_t>(count)});
  return ::sendmsg(channel, &header, MSG_NOSIGNAL) == 1 ? no_fault() : errno_fault("send mounts");
}

bool receive_descriptors(int channel, int* fds, int count) {
  char byte = 0;
  iovec part{&byte, 1};
  agent::descriptor_room<descriptors_max> room;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  agent::expect_descriptors(header, room);
  if (::recvmsg(channel, &header, MSG_CMSG_CLOEXEC) != 1) return false;
  int came = 0;
  agent::take_descriptors(header, [&](agent::unique_fd fd) {
    if (came++ < count) *fds++ = fd.release();
  });
  return came == count;
}

}  // namespace berth::launcher
