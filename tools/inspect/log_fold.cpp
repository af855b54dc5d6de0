#include "tools/inspect/log_fold.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>

#include "tools/inspect/commit_fold.hpp"

namespace berth::inspect {
namespace {

constexpr std::size_t commits_a_read = 1'024;  // of some hundred bytes, mostly; of 1 MiB at most
constexpr std::size_t readers = 2;
constexpr std::size_t reads_ahead = 2;  // of each

// Every n-th stretch of a log up to the head, read by a thread of its own.
class read_ahead {
 public:
  using commits = journal_result<std::vector<commit>>;
  read_ahead(const journal& from, position head, std::size_t number)
      : from_{from}, head_{head}, first_{1 + number * commits_a_read}, thread_{[this] {
          read_all();
        }} {}
  read_ahead(const read_ahead&) = delete;
  ~read_ahead() {
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  // In order; empty behind the last.
  commits next() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return !read_.empty(); });
    auto front = std::move(read_.front());
    read_.pop_front();
    changed_.notify_all();
    return front;
  }

 private:
  // Nothing may leave a thread but through its queue.
  commits read_at(position at) const try {
    if (at > head_) return std::vector<commit>{};
    return from_.read(at, std::min<std::uint64_t>(commits_a_read, head_.offset - at.offset + 1));
  } catch (const std::exception& failed) {
    return journal_error{journal_errc::io, std::string{"reading ahead: "} + failed.what(), at};
  }

  void read_all() {
    for (position at{0, first_};; at.offset += readers * commits_a_read) {
      auto found = read_at(at);
      const bool is_last = !found || found->empty();
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [this] { return stopping_ || read_.size() < reads_ahead; });
      if (stopping_) return;
      read_.push_back(std::move(found));
      changed_.notify_all();
      if (is_last) return;
    }
  }

  const journal& from_;
  const position head_;
  const std::uint64_t first_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<commits> read_;
  bool stopping_{};
  std::thread thread_;
};

template <aggregate A>
struct streams_of {
  struct stream {
    typename A::state now{};
    folded_state folded{};
    bool is_stopped{};
  };
  std::unordered_map<stream_id, stream> all;

  static folded_state told_of(const stream& of) {
    auto folded = of.folded;
    folded.fold_version = A::fold_version;
    folded.state = A::encode_state(of.now);
    folded.hash = sha256_hex(folded.state);
    return folded;
  }

  std::optional<journal_error> fold(const commit& one, const fold_told& told) {
    auto& into = all[one.body.stream];
    if (auto within = fold_commit<A>(one, {}, into.now, into.folded); !within)
      return within.error();
    if (!told.at_stop || into.is_stopped) return {};
    const auto stop = told.stops.find(one.body.stream);
    if (stop == told.stops.end() || into.folded.version < stop->second) return {};
    into.is_stopped = true;
    told.at_stop(one.body.stream, told_of(into));
    return {};
  }

  void tell_end(const fold_told& told) const {
    for (const auto& [id, of] : all)
      if (of.folded.version.value > 0) told.at_end(id, told_of(of));
  }
};

}  // namespace

journal_result<fold_total> fold_log(const journal& from, const fold_told& told) {
  std::tuple<streams_of<account::aggregate>, streams_of<session::aggregate>,
             streams_of<environment::aggregate>, streams_of<terminal::aggregate>,
             streams_of<host::aggregate>>
      kinds;
  const auto fold = [&](const commit& one) {
    return with_aggregate(one.body.stream, journal_errc::corrupt,
                          [&]<aggregate A>(std::type_identity<A>) {
                            return std::get<streams_of<A>>(kinds).fold(one, told);
                          });
  };
  const auto head = from.head();
  std::array<std::optional<read_ahead>, readers> ahead;
  for (std::size_t i = 0; i < readers; ++i) ahead[i].emplace(from, head, i);
  fold_total total;
  for (std::size_t stretch = 0;; ++stretch) {
    const auto commits = ahead[stretch % readers]->next();
    if (!commits) return commits.error();
    if (commits->empty()) break;
    for (const auto& one : *commits) {
      if (auto error = fold(one)) return *error;
      total.events += one.body.events.size();
    }
  }
  const auto end = [&](const auto& kind) {
    total.streams += kind.all.size();
    if (told.at_end) kind.tell_end(told);
  };
  std::apply([&](const auto&... kind) { (end(kind), ...); }, kinds);
  return total;
}

}  // namespace berth::inspect
