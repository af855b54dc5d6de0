// C11 threads as POSIX ones, for TSan builds: GCC 12's ThreadSanitizer knows only the latter, and
// librdkafka uses the former. Without this the first intercepted call of one of its threads
// crashes, and what its locks order is not seen. In glibc both kinds of object are the same
// (nptl/thrd_priv.h).
#include <pthread.h>
#include <threads.h>

#include <cerrno>
#include <memory>
#include <utility>

namespace {

int result_of(int error) {
  if (error == 0) return thrd_success;
  if (error == EBUSY) return thrd_busy;
  if (error == ETIMEDOUT) return thrd_timedout;
  return error == ENOMEM ? thrd_nomem : thrd_error;
}

auto* posix(mtx_t* lock) {
  return reinterpret_cast<pthread_mutex_t*>(lock);
}
auto* posix(cnd_t* changed) {
  return reinterpret_cast<pthread_cond_t*>(changed);
}

using start = std::pair<thrd_start_t, void*>;

void* run(void* given) {
  const std::unique_ptr<start> what{static_cast<start*>(given)};
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(what->first(what->second)));
}

}  // namespace

extern "C" {

int thrd_create(thrd_t* made, thrd_start_t function, void* argument) {
  auto what = std::make_unique<start>(function, argument);
  const auto error = pthread_create(made, nullptr, run, what.get());
  if (error == 0) static_cast<void>(what.release());
  return result_of(error);
}
int thrd_join(thrd_t of, int* result) {
  void* value = nullptr;
  const auto error = pthread_join(of, &value);
  if (result) *result = static_cast<int>(reinterpret_cast<std::intptr_t>(value));
  return result_of(error);
}
int thrd_detach(thrd_t of) {
  return result_of(pthread_detach(of));
}

int mtx_init(mtx_t* lock, int kind) noexcept {
  pthread_mutexattr_t how;
  pthread_mutexattr_init(&how);
  if (kind & mtx_recursive) pthread_mutexattr_settype(&how, PTHREAD_MUTEX_RECURSIVE);
  const auto error = pthread_mutex_init(posix(lock), &how);
  pthread_mutexattr_destroy(&how);
  return result_of(error);
}
int mtx_lock(mtx_t* lock) {
  return result_of(pthread_mutex_lock(posix(lock)));
}
int mtx_trylock(mtx_t* lock) {
  return result_of(pthread_mutex_trylock(posix(lock)));
}
int mtx_unlock(mtx_t* lock) {
  return result_of(pthread_mutex_unlock(posix(lock)));
}
void mtx_destroy(mtx_t* lock) noexcept {
  pthread_mutex_destroy(posix(lock));
}

int cnd_init(cnd_t* changed) {
  return result_of(pthread_cond_init(posix(changed), nullptr));
}
int cnd_signal(cnd_t* changed) {
  return result_of(pthread_cond_signal(posix(changed)));
}
int cnd_broadcast(cnd_t* changed) {
  return result_of(pthread_cond_broadcast(posix(changed)));
}
int cnd_wait(cnd_t* changed, mtx_t* lock) {
  return result_of(pthread_cond_wait(posix(changed), posix(lock)));
}
int cnd_timedwait(cnd_t* changed, mtx_t* lock, const timespec* until) {
  return result_of(pthread_cond_timedwait(posix(changed), posix(lock), until));
}
void cnd_destroy(cnd_t* changed) {
  pthread_cond_destroy(posix(changed));
}
}
