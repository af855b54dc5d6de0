// Questions the feed answers: commits of every partition, as one sequence.
#include <algorithm>
#include <functional>
#include <optional>

#include "projections/feed.hpp"
#include "projections/keys.hpp"
#include "projections/paging.hpp"
#include "projections/queries.hpp"

namespace berth::queries {
namespace {

using next_commit = journal_result<std::optional<commit>>;  // nothing: no more for now

// One partition's commits of an account, by the rows of the view.
class account_commits {
 public:
  account_commits(const view& rows, const journal& from, const std::string& prefix, position after,
                  std::size_t some)
      : rows_{rows},
        from_{from},
        account_bytes_{prefix.size()},
        prefix_{prefix + keys::of_partition(after.partition)},
        last_{prefix + keys::of(after)},
        some_{some} {}

  next_commit operator()() {
    for (;;) {
      if (at_ == found_.size()) {
        if (is_last_) return std::optional<commit>{};
        found_ = rows_.scan(prefix_, last_, some_);
        is_last_ = found_.size() < some_;
        at_ = 0;
        if (found_.empty()) continue;
        last_ = found_.back().first;
      }
      const auto place = std::string_view{found_[at_++].first}.substr(account_bytes_);
      auto read = from_.read(keys::parse_position(place), 1);
      if (!read) return read.error();
      if (!read->empty()) return std::optional{std::move(read->front())};
    }
  }

 private:
  const view& rows_;
  const journal& from_;
  std::size_t account_bytes_;
  std::string prefix_;
  std::string last_;
  std::size_t some_;
  std::vector<std::pair<std::string, std::string>> found_;
  std::size_t at_{};
  bool is_last_{};
};

// One partition's commits with events.
class all_commits {
 public:
  all_commits(const journal& from, position after, std::size_t some)
      : from_{from}, next_{after.partition, after.offset + 1}, some_{some} {}

  next_commit operator()() {
    for (;;) {
      for (; at_ < found_.size(); ++at_)
        if (!found_[at_].body.events.empty()) return std::optional{std::move(found_[at_++])};
      auto read = from_.read(next_, some_);
      if (!read) return read.error();
      if (read->empty()) return std::optional<commit>{};
      found_ = std::move(*read);
      at_ = 0;
      next_.offset = found_.back().at().offset + 1;
    }
  }

 private:
  const journal& from_;
  position next_;
  std::size_t some_;
  std::vector<commit> found_;
  std::size_t at_{};
};

// The oldest of what the partitions have next, one after the other. Nothing is asked for before
// what was got has its place.
journal_result<std::vector<commit>> merged(std::vector<std::function<next_commit()>> partitions,
                                           std::size_t limit) {
  std::vector<std::optional<commit>> next;
  for (auto& each : partitions) {
    auto first = each();
    if (!first) return first.error();
    next.push_back(std::move(*first));
  }
  const auto is_older = [](const std::optional<commit>& a, const std::optional<commit>& b) {
    return a && (!b || a->envelope.time < b->envelope.time);
  };
  std::vector<commit> out;
  while (!next.empty()) {
    const auto oldest = std::min_element(next.begin(), next.end(), is_older);
    if (!*oldest) break;
    out.push_back(std::move(**oldest));
    if (out.size() == limit) break;
    auto following = partitions[static_cast<std::size_t>(oldest - next.begin())]();
    if (!following) return following.error();
    *oldest = std::move(*following);
  }
  return out;
}

// Where the partitions stand that have something behind the cursor.
std::vector<position> behind(const journal& from, const journal_cursor& after) {
  std::vector<position> found;
  const auto heads = heads_of(from);
  for (const auto& head : heads.places())
    if (!after.reaches(head)) found.push_back({head.partition, after.offset(head.partition)});
  return found;
}

}  // namespace

journal_result<std::vector<commit>> feed(const view_store& views, const journal& from,
                                         const account_id& account, const journal_cursor& after,
                                         std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, page_items_max);
  const auto rows = live(views, feed_name);
  const auto prefix = keys::below("account", account.value);
  const auto places = behind(from, after);
  std::vector<std::function<next_commit()>> partitions;
  for (const auto& at : places)
    partitions.emplace_back(
        account_commits{*rows, from, prefix, at, 1 + (limit - 1) / places.size()});
  return merged(std::move(partitions), limit);
}

journal_result<std::vector<commit>> feed_of_all(const journal& from, const journal_cursor& after,
                                                std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, page_items_max);
  const auto places = behind(from, after);
  std::vector<std::function<next_commit()>> partitions;
  for (const auto& at : places)
    partitions.emplace_back(all_commits{from, at, 1 + (limit - 1) / places.size()});
  return merged(std::move(partitions), limit);
}

}  // namespace berth::queries
