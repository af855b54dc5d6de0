#include "infra/rocksdb/journal_reads.hpp"

#include <algorithm>
#include <mutex>

#include "events/core/invariant.hpp"
#include "infra/memory/commit_record.hpp"

namespace berth {
namespace {

constexpr std::size_t drop_step_commits = 256;  // appends wait for no longer than this takes

// The answer for a command that was executed, or may have been, but whose record cannot be read: no
// content has this hash, so that a retry is refused as a conflict and never executed twice.
recorded_command unreadable(position at) {
  recorded_command found;
  found.at = at;
  return found;
}

}  // namespace

journal_reads::journal_reads(const embedded_options& options, const record_source& log,
                             const state_store& state, position indexed, timestamp last_time,
                             std::function<void(const journal_error&)> damaged)
    : time_{*options.time},
      window_{options.limits.deduplication_window},
      log_{log},
      state_{state},
      damaged_{std::move(damaged)},
      partition_{indexed.partition},
      indexed_{indexed.offset},
      durable_{indexed.offset},
      last_time_{last_time} {}

void journal_reads::publish(std::vector<indexed_commit>&& group, timestamp time) {
  BERTH_ASSERT(!group.empty());
  const std::unique_lock lock{mutex_};
  BERTH_ASSERT(group.front().place.offset == durable_ + 1);
  for (auto& happened : group) tail_.add(std::move(happened));
  durable_ = tail_.commits().back().place.offset;
  last_time_ = time;
  lag_commits_ = tail_.commits().size();
  lag_bytes_ = tail_.bytes();
}

void journal_reads::publish_indexed(std::size_t count, timestamp time) {
  const std::unique_lock lock{mutex_};
  BERTH_ASSERT(tail_.commits().empty() && durable_ == indexed_);
  durable_ = indexed_ += count;
  last_time_ = time;
}

std::vector<const indexed_commit*> journal_reads::unindexed(std::size_t limit) const {
  const std::shared_lock lock{mutex_};
  const auto count = std::min(limit, tail_.commits().size());
  std::vector<const indexed_commit*> oldest(count);
  for (std::size_t i = 0; i < count; ++i) oldest[i] = &tail_.commits()[i];
  return oldest;
}

void journal_reads::drop_indexed(std::size_t count) {
  while (count > 0) {
    const auto step = std::min(count, drop_step_commits);
    const std::unique_lock lock{mutex_};
    BERTH_ASSERT(tail_.commits().size() >= step);
    tail_.drop_oldest(step);
    indexed_ += step;
    lag_commits_ = tail_.commits().size();
    lag_bytes_ = tail_.bytes();
    count -= step;
  }
}

std::uint64_t journal_reads::durable() const {
  const std::shared_lock lock{mutex_};
  return durable_;
}

std::uint64_t journal_reads::indexed() const {
  const std::shared_lock lock{mutex_};
  return indexed_;
}

void journal_reads::check_state(const journal_error& error) const {
  if (error.code == journal_errc::corrupt) damaged_(error);
}

journal_result<commit> journal_reads::commit_at(std::uint64_t offset) const {
  const auto record = log_.read(offset);
  if (record.has_error()) {
    auto error = record.error();
    // The index or the head says that it is there.
    if (error.code == journal_errc::not_found) error.code = journal_errc::corrupt;
    return error;
  }
  auto read = read_commit(record->ToStringView(), {partition_, offset});
  if (read.has_error()) return read.error();
  return std::move(read->happened);
}

journal_result<std::vector<commit>> journal_reads::read_stream(const stream_id& stream,
                                                               stream_version after,
                                                               std::size_t limit) const {
  std::vector<stream_place> recent;
  std::uint64_t indexed;
  {
    const std::shared_lock lock{mutex_};
    tail_.places_after(stream, after, limit, recent);
    indexed = indexed_;
  }
  // state/ may have been written on in between: what the tail held is taken from the tail.
  std::vector<stream_place> places;
  if (auto error = state_.places_after(stream, after, limit, places)) {
    check_state(*error);
    return *error;
  }
  std::erase_if(places, [&](const stream_place& place) { return place.offset > indexed; });
  for (const auto& place : recent)
    if (places.size() < limit) places.push_back(place);
  std::vector<commit> commits;
  commits.reserve(places.size());
  for (const auto& place : places) {
    auto read = commit_at(place.offset);
    if (read.has_error()) return read.error();
    if (auto broken = check_joins(stream, after, *read)) {
      check_state(*broken);
      return *broken;
    }
    after = read->body.last();
    commits.push_back(std::move(*read));
  }
  return commits;
}

journal_result<std::vector<commit>> journal_reads::read(position from, std::size_t limit) const {
  const auto first = std::max<std::uint64_t>(from.offset, 1);
  const auto head = durable();
  std::vector<commit> commits;
  if (first > head || limit == 0) return commits;
  const auto last = head - first < limit ? head : first + limit - 1;
  std::optional<chain_hash> previous;
  const auto failed = log_.scan(first, last, [&](std::uint64_t offset, std::string_view record) {
    auto read = read_commit(record, {partition_, offset}, previous ? &*previous : nullptr);
    if (read.has_error()) return std::optional{read.error()};
    previous = read->hash;
    commits.push_back(std::move(read->happened));
    return std::optional<journal_error>{};
  });
  if (failed) return *failed;
  return commits;
}

std::optional<std::uint64_t> journal_reads::offset_of(const command_key& command,
                                                      timestamp& oldest) const {
  {
    const std::shared_lock lock{mutex_};
    oldest = std::max(time_.now(), last_time_) - window_;
    if (const auto recent = tail_.find(command)) return recent;
  }
  const auto stored = state_.find(command);
  if (stored.has_error()) {
    check_state(stored.error());
    return 0;
  }
  if (!*stored || (*stored)->time < oldest) return std::nullopt;
  if ((*stored)->at.partition != partition_) return std::nullopt;
  return (*stored)->at.offset;
}

std::optional<recorded_command> journal_reads::find_command(const account_id& scope,
                                                            const command_id& id) const {
  timestamp oldest;
  const auto offset = offset_of({scope, id}, oldest);
  if (!offset) return std::nullopt;
  if (*offset == 0) return unreadable({partition_, 0});
  if (*offset > durable()) return std::nullopt;
  const auto found = commit_at(*offset);
  if (found.has_error()) return unreadable({partition_, *offset});
  if (found->body.command != id || found->body.by.account != scope) return std::nullopt;
  if (found->envelope.time < oldest) return std::nullopt;
  return recorded_from(*found);
}

journal_result<snapshot> journal_reads::load_snapshot(const stream_id& stream,
                                                      std::optional<stream_version> at_most) const {
  if (auto kept = state_.newest_snapshot(stream, at_most, {partition_, durable()}))
    return std::move(*kept);
  return journal_error{journal_errc::not_found, stream.text() + ": no usable snapshot",
                       std::nullopt};
}

journal_result<std::vector<stream_id>> journal_reads::list_streams(
    const std::optional<stream_id>& after, std::size_t limit) const {
  const auto from = after ? after->text() : std::string{};
  std::vector<std::string> names;
  {
    const std::shared_lock lock{mutex_};
    for (const auto& stream : tail_.list(from, limit)) names.push_back(stream.text());
  }
  auto stored = state_.list(from, limit);
  if (stored.has_error()) {
    check_state(stored.error());
    return stored.error();
  }
  names.insert(names.end(), stored->begin(), stored->end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<stream_id> streams;
  for (const auto& name : names) {
    if (streams.size() == limit) break;
    if (auto stream = stream_id::parse(name)) streams.push_back(std::move(*stream));
  }
  return streams;
}

}  // namespace berth
