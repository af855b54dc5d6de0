#include "infra/kafka/kafka_mirror.hpp"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include <spdlog/spdlog.h>

#include "events/core/partition.hpp"
#include "infra/kafka/kafka_log.hpp"
#include "infra/kafka/kafka_topics.hpp"

namespace berth {
namespace {

constexpr std::size_t read_commits = 1'000;
constexpr std::size_t on_their_way_max = 20'000;
constexpr std::chrono::milliseconds retry_every{1'000};
constexpr std::chrono::milliseconds look_every{100};
const std::string note_of_source = "mirror/source";
const std::string note_of_upto = "mirror/upto";

std::string note_of(std::uint32_t partition) {
  return "mirror/partition/" + std::to_string(partition);
}

// Where a partition's last copied commit is here, and what it is: a journal that was cut and
// written on has another one there.
struct copied_commit {
  std::uint64_t offset{};
  std::uint64_t body_hash{};
};

std::string mark_of(const copied_commit& copied, const partition_state& state) {
  return std::to_string(copied.offset) + " " + std::to_string(copied.body_hash) + " " +
         encode_partition_state(state);
}

bool read_mark(const std::string& mark, copied_commit& copied, partition_state& state) {
  const auto first = mark.find(' ');
  const auto second = first == std::string::npos ? first : mark.find(' ', first + 1);
  if (second == std::string::npos) return false;
  const auto read = decode_partition_state(std::string_view{mark}.substr(second + 1));
  if (!read) return false;
  state = *read;
  copied = {std::strtoull(mark.c_str(), nullptr, 10),
            std::strtoull(mark.c_str() + first + 1, nullptr, 10)};
  return true;
}

// `<server>/<offset>`; nothing if it is not of this server.
std::optional<std::uint64_t> offset_in(const std::string& source, const std::string& server) {
  if (!source.starts_with(server + "/")) return std::nullopt;
  std::uint64_t offset = 0;
  const auto* end = source.data() + source.size();
  const auto read = std::from_chars(source.data() + server.size() + 1, end, offset);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return offset;
}

class running_mirror : public kafka_mirror, private kafka_log::sink {
 public:
  running_mirror(const kafka_options& options, std::string server, embedded_engine& from,
                 const clock& time)
      : options_{options},
        server_{std::move(server)},
        from_{from},
        time_{time},
        copied_(options.partitions),
        states_(options.partitions) {
    following_ = from_.journal().follow([this](position) { woken_.notify_one(); });
    thread_ = std::thread{[this] { run(); }};
  }
  ~running_mirror() override {
    following_.reset();
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
    }
    woken_.notify_all();
    thread_.join();
  }

  status now() const override {
    const std::lock_guard lock{mutex_};
    const auto upto = floor();
    return {upto, from_.journal().head().offset - upto, connected_, trouble_};
  }

 private:
  // Its results, in the order they were sent: of one partition after the other's, so by offset.
  class results : public append_listener {
   public:
    explicit results(running_mirror& of) : of_{of} {}
    void appended(std::span<const append_result> told) override { of_.appended(told); }

   private:
    running_mirror& of_;
  };

  void run() {
    while (!stopped()) {
      connect_and_copy();
      std::unique_lock lock{mutex_};
      connected_ = false;
      woken_.wait_for(lock, retry_every, [&] { return stopping_; });
    }
  }

  void connect_and_copy() {
    const auto facts = prepare_topics(options_);
    if (facts.has_error()) return tell(facts.error().message);
    for (const auto& doubt : doubts_about(*facts, options_)) spdlog::warn("kafka: {}", doubt);
    load_marks(facts->cluster);
    kafka_log log{options_, {*this, time_, {}, true, [this](const journal_error& why) {
                               tell(why.message);
                             }}};
    if (auto failed = log.start()) return tell(failed->message);
    for (std::uint32_t p = 0; p < options_.partitions; ++p) log.want(p, true);
    {
      const std::lock_guard lock{mutex_};
      connected_ = true;
      failed_ = false;
      trouble_.clear();
    }
    while (!stopped() && !failed()) {
      std::string why;
      // Leading means: read to the end, so that copied_ knows all that is there.
      if (!log.wait_until_leading(look_every, &why)) continue;
      copy(log);
    }
    log.stop();
    save_upto();
  }

  // Until leadership is lost, trouble, or the end.
  void copy(kafka_log& log) {
    const auto listener = std::make_shared<results>(*this);
    if (auto other = other_history()) return tell(*other);
    std::uint64_t next;
    {
      const std::lock_guard lock{mutex_};
      on_their_way_.clear();
      lost_ = false;
      next = sent_ = upto_;
      ++next;
    }
    auto saved = std::chrono::steady_clock::now();
    while (!stopped() && !failed() && !lost()) {
      const auto commits = from_.journal().read({0, next}, read_commits);
      if (commits.has_error()) return tell(commits.error().message);
      for (const auto& happened : *commits) {
        if (!send(log, happened, listener)) return;
        next = happened.at().offset + 1;
      }
      if (std::chrono::steady_clock::now() - saved > retry_every) {
        saved = std::chrono::steady_clock::now();
        save_upto();
      }
      std::unique_lock lock{mutex_};
      const auto idle = [&] {
        return stopping_ || failed_ || lost_ ||
               (on_their_way_.size() < on_their_way_max && from_.journal().head().offset >= next);
      };
      woken_.wait_for(lock, look_every, idle);
    }
  }

  // The topic is read to its end: what it has last of each partition must be what is here.
  std::optional<std::string> other_history() {
    std::vector<copied_commit> copied;
    {
      const std::lock_guard lock{mutex_};
      copied = copied_;
    }
    for (std::uint32_t p = 0; p < copied.size(); ++p) {
      if (copied[p].offset == 0) continue;
      const auto here = from_.journal().read({0, copied[p].offset}, 1);
      if (here.has_error()) return here.error().message;
      if (!here->empty() && content_hash(encode_body(here->front().body)) == copied[p].body_hash)
        continue;
      return "kafka: " + options_.commits_topic() + " partition " + std::to_string(p) +
             " has another commit than this journal at offset " + std::to_string(copied[p].offset) +
             ": the journal was cut, or restored; give kafka.topic_prefix another value";
    }
    return std::nullopt;
  }

  // False: it is not known whether it will be there.
  bool send(kafka_log& log, const commit& happened,
            const std::shared_ptr<append_listener>& listener) {
    const auto offset = happened.at().offset;
    const auto partition = partition_of(happened.body.stream, options_.partitions);
    {
      const std::lock_guard lock{mutex_};
      if (lost_) return false;  // what is sent now would come before what was lost
      sent_ = offset;
      if (offset <= copied_[partition].offset) return true;
      on_their_way_.push_back(offset);
    }
    const copied_from copy{server_ + "/" + std::to_string(offset), happened.envelope.time};
    while (!stopped() && !lost()) {
      const auto refused = log.append(partition, happened.body, offset, listener, &copy);
      if (!refused) return true;
      if (refused->code != journal_errc::overloaded) break;
      std::unique_lock lock{mutex_};
      woken_.wait_for(lock, look_every);
    }
    const std::lock_guard lock{mutex_};
    lost_ = true;
    return false;
  }

  void appended(std::span<const append_result> told) {
    const std::lock_guard lock{mutex_};
    for (const auto& each : told) {
      if (each.error) {
        lost_ = true;
        continue;
      }
      const auto found = std::lower_bound(on_their_way_.begin(), on_their_way_.end(), each.ticket);
      if (found != on_their_way_.end() && *found == each.ticket) on_their_way_.erase(found);
    }
    if (!lost_) upto_ = floor();
    woken_.notify_one();
  }

  // Everything at or before it is in the topic. Under the lock.
  std::uint64_t floor() const {
    if (lost_) return upto_;
    return on_their_way_.empty() ? std::max(sent_, upto_)
                                 : std::max(on_their_way_.front() - 1, upto_);
  }

  // --- kafka_log::sink ---
  partition_state state(std::uint32_t partition) const override { return states_[partition]; }
  std::optional<journal_error> keep(const partition_state& at,
                                    std::span<const applied_commit> applied) override {
    copied_commit copied;
    {
      const std::lock_guard lock{mutex_};
      for (const auto& each : applied) {
        const auto offset = offset_in(each.source, server_);
        if (!offset)
          return journal_error{journal_errc::conflict,
                               "kafka: " + options_.commits_topic() + " partition " +
                                   std::to_string(at.partition) +
                                   " holds commits that are not this server's (\"" + each.source +
                                   "\"); give kafka.topic_prefix another value",
                               std::nullopt};
        if (*offset > copied_[at.partition].offset)
          copied_[at.partition] = {*offset, content_hash(encode_body(each.happened.body))};
      }
      copied = copied_[at.partition];
      states_[at.partition] = at;
    }
    return from_.notes().set_note(note_of(at.partition), mark_of(copied, at));
  }
  void moved(position) override {}

  // --- marks ---
  void load_marks(const std::string& cluster) {
    const auto source =
        cluster + "/" + options_.commits_topic() + "/" + std::to_string(options_.partitions);
    auto& notes = from_.notes();
    const std::lock_guard lock{mutex_};
    const bool known = notes.note(note_of_source) == source;
    upto_ = 0;
    if (const auto upto = notes.note(note_of_upto); known && upto)
      upto_ = std::min<std::uint64_t>(std::strtoull(upto->c_str(), nullptr, 10),
                                      from_.journal().head().offset);
    // Those of another topic go together with its name.
    std::vector<note_store::named_note> fresh{{note_of_source, source}, {note_of_upto, "0"}};
    for (std::uint32_t p = 0; p < options_.partitions; ++p) {
      copied_[p] = {};
      states_[p] = partition_state{};
      states_[p].partition = p;
      const auto mark = known ? notes.note(note_of(p)) : std::nullopt;
      if (!mark || !read_mark(*mark, copied_[p], states_[p])) fresh.emplace_back(note_of(p), "");
    }
    if (!known) notes.set_notes(fresh);
  }

  void save_upto() {
    std::uint64_t upto;
    {
      const std::lock_guard lock{mutex_};
      upto = upto_ = floor();
    }
    from_.notes().set_note(note_of_upto, std::to_string(upto));
  }

  void tell(const std::string& trouble) {
    const std::lock_guard lock{mutex_};
    failed_ = true;
    if (trouble_ == trouble) return;
    trouble_ = trouble;
    spdlog::warn("the Kafka mirror waits: {}", trouble);
    woken_.notify_one();
  }

  bool stopped() const {
    const std::lock_guard lock{mutex_};
    return stopping_;
  }
  bool failed() const {
    const std::lock_guard lock{mutex_};
    return failed_;
  }
  bool lost() const {
    const std::lock_guard lock{mutex_};
    return lost_;
  }

  const kafka_options options_;
  const std::string server_;
  embedded_engine& from_;
  const clock& time_;

  mutable std::mutex mutex_;
  std::condition_variable woken_;
  std::vector<copied_commit> copied_;       // by partition: its last applied commit
  std::vector<partition_state> states_;     // by partition
  std::deque<std::uint64_t> on_their_way_;  // ascending
  std::uint64_t sent_{};                    // looked at up to here
  std::uint64_t upto_{};                    // floor() when it was last known
  bool lost_{};                             // some of them may not be there
  bool failed_{};
  bool connected_{};
  bool stopping_{};
  std::string trouble_;
  std::shared_ptr<void> following_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<kafka_mirror> start_mirror(const kafka_options& options, const std::string& server,
                                           embedded_engine& from, const clock& time) {
  return std::make_unique<running_mirror>(options, server, from, time);
}

}  // namespace berth
