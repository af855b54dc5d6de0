// LD_PRELOAD: makes writes and syncs of files below a folder fail, and moves the clock, when told to
// by a shared file (faulty_server.py). Nothing happens until `kinds` is set.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { writes = 1, syncs = 2 };

struct control {
  _Atomic int32_t kinds;      // which calls fail
  _Atomic int32_t countdown;  // calls of that kind that still work
  _Atomic int32_t error;      // errno of those that do not
  _Atomic int32_t failed;     // how many did
  _Atomic int64_t clock_offset_ns;
};

static struct control none;
static struct control* now = &none;
static char folder[4096];

__attribute__((constructor)) static void begin(void) {
  const char* file = getenv("BERTH_FAULT_CONTROL");
  const char* below = getenv("BERTH_FAULT_FOLDER");
  if (!file || !below) return;
  const int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* at = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at == MAP_FAILED) return;
  snprintf(folder, sizeof folder, "%s/", below);
  now = at;
}

static int fails(int kind, int fd) {
  if (!(now->kinds & kind)) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  if (strncmp(path, folder, strlen(folder)) != 0) return 0;
  if (now->countdown-- > 0) return 0;
  ++now->failed;
  errno = now->error;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void* bytes, size_t size) {
  return fails(writes, fd) ? -1 : REAL(write)(fd, bytes, size);
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  return fails(writes, fd) ? -1 : REAL(pwrite)(fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  return fails(writes, fd) ? -1 : REAL(pwrite64)(fd, bytes, size, at);
}
int fsync(int fd) {
  return fails(syncs, fd) ? -1 : REAL(fsync)(fd);
}
int fdatasync(int fd) {
  return fails(syncs, fd) ? -1 : REAL(fdatasync)(fd);
}
// Without flags it asks only whether the file system can do it: nothing a disk could fail at.
int sync_file_range(int fd, off64_t at, off64_t size, unsigned flags) {
  return flags != 0 && fails(syncs, fd) ? -1 : REAL(sync_file_range)(fd, at, size, flags);
}

int clock_gettime(clockid_t which, struct timespec* into) {
  const int result = REAL(clock_gettime)(which, into);
  if (result == 0 && which == CLOCK_REALTIME && now->clock_offset_ns != 0) {
    const int64_t moved =
        into->tv_sec * INT64_C(1000000000) + into->tv_nsec + now->clock_offset_ns;
    into->tv_sec = moved / INT64_C(1000000000);
    into->tv_nsec = moved % INT64_C(1000000000);
  }
  return result;
}
