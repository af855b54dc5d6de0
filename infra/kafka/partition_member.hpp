// One partition of a log that several nodes may write to, as one node sees it: follows it, leads
// it, and knows what may be acknowledged. Pure over what it is told, so that tests/sim can prove
// it; its owner moves records between it and the log (kafka_log.hpp) and writes down what was
// applied.
//
//   following ──claim──> catching_up ──read to the end──> claiming ──own Lead read back──> leading
//       ^                     │                              │ void: another was first        │
//       └─────────────────────┴──────────────────────────────┴── resigned: a failed or unknown
//       append,
//                                                                 another's Lead, a lost position
//
//   append ─> seal with the next sequence ─> outgoing ─> the log ─> report ─> contiguous? apply,
//   answer
//                                                          └─> fetched ─> judge (reader_rule.hpp)
//                                                          ─> apply,
//                                                                         and answer if it is our
//                                                                         own
// Rules
//  M1  Acknowledgement: at once only if the report says that the oldest unanswered record was
//  written
//      exactly behind everything applied; otherwise when it was read back and applied.
//  M2  A failed or unknown append ends the leadership: all that is unanswered is `unknown_outcome`.
//  M3  A Lead counts when it was read back, never because it was written.
//
// Not synchronised: its owner locks.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/ports/clock.hpp"
#include "events/core/journal.hpp"
#include "events/core/reader_rule.hpp"
#include "infra/memory/completions.hpp"
#include "infra/memory/journal_limits.hpp"

namespace berth {

struct applied_commit {
  commit happened;
  std::string record;
  std::string source;  // as given to append()
};

// Of a commit that is copied from another log.
struct copied_from {
  std::string source;  // its place there; kept beside the record, not in it
  timestamp time;      // the time it has there
};

class partition_member {
 public:
  enum class role : std::uint8_t { following, catching_up, claiming, leading };

  struct identity {
    std::string node;
    journal_limits limits;
    std::size_t known_streams_max = 16'384;  // versions kept in memory, of each kind
  };
  // `last_version` answers for everything taken by take_done(); empty: versions are not looked at.
  // `time` outlives it.
  partition_member(identity who, const partition_state& at, const clock& time,
                   version_of_stream last_version);

  // --- what it is told ---
  // The record at `offset`, in order of the log. What was applied by its report is passed over. An
  // error is of the record (`corrupt`) or of `last_version`: the partition cannot be read on.
  std::optional<journal_error> fetched(std::uint64_t offset, std::string_view record,
                                       const std::string& source = {});
  // This node should lead. `end` is the log's end as asked for after the wish came up; `nonce` is
  // random.
  void claim(std::uint64_t end, std::uint64_t nonce);
  // As journal::append; `closed` unless it leads.
  std::optional<journal_error> append(const commit_body& body, std::uint64_t ticket,
                                      std::shared_ptr<append_listener> listener,
                                      const copied_from* copy = nullptr);
  // The log took the record of that number, at `offset` if it knows; or it failed, perhaps.
  enum class report : std::uint8_t { persisted, failed };
  void reported(std::uint64_t number, report what, std::optional<std::uint64_t> offset);
  // Gives up what it has of leadership; what is unanswered is `unknown_outcome`.
  void resign(const std::string& why);

  // --- what it wants, to be taken after every call above ---
  struct outgoing {
    std::uint64_t number{};
    std::string key;  // stream, or empty of a Lead
    std::string record;
    std::string source;
  };
  std::vector<outgoing> take_outgoing() { return std::exchange(outgoing_, {}); }
  struct done {
    std::vector<applied_commit> applied;  // to be kept together with state(), then shown
    completions answers;                  // to be delivered after that
    bool moved{};                         // state() is another one
  };
  done take_done();

  role now() const { return role_; }
  const partition_state& state() const { return state_; }
  leadership mine() const { return mine_; }  // meaningful while claiming or leading
  std::size_t unanswered() const { return inflight_.size(); }
  std::size_t unanswered_bytes() const { return inflight_bytes_; }
  const std::string& why_not_leading() const { return why_; }
  // The node whose announcement ended its leadership or its claim since this was asked last.
  std::optional<std::string> take_rival() { return std::exchange(rival_, std::nullopt); }
  // Why it must not go on: the log lost what it had said it has.
  const std::optional<journal_error>& damage() const { return damage_; }
  // How often each verdict was given, by its number.
  const std::array<std::uint64_t, verdict_count>& verdicts() const { return verdicts_; }

 private:
  struct inflight {
    std::uint64_t number{};
    std::uint64_t ticket{};
    stream_version last;
    std::uint64_t sequence{};
    std::string record;
    std::string source;
    std::shared_ptr<append_listener> listener;
    bool answered{};
  };

  journal_result<stream_version> next_version(const stream_id& stream);
  version_of_stream version_behind_applied();
  void announce();
  void begin_to_lead();
  void take_applied(commit&& happened, std::string record, std::string source);
  void answer(inflight& what);
  void complete_front();
  std::optional<journal_error> refuse_load() const;
  void forget_streams();

  const identity who_;
  const clock& time_;
  const version_of_stream last_version_;

  partition_state state_;
  role role_{role::following};
  std::string why_{"it was not asked to lead"};
  leadership mine_;
  std::uint64_t claim_end_{};
  std::uint64_t claim_number_{};
  std::optional<std::string> rival_;
  std::optional<journal_error> damage_;
  std::uint64_t next_number_{1};

  // Of the present leadership: what the next record is sealed with.
  std::uint64_t last_queued_{};
  chain_hash last_hash_{};
  timestamp last_time_;
  std::deque<inflight> inflight_;
  std::size_t inflight_bytes_{};
  std::unordered_map<stream_id, stream_version> known_;

  // Last versions of streams that were applied to lately; of all that take_done() has not given
  // yet.
  std::unordered_map<stream_id, stream_version> applied_;
  std::vector<outgoing> outgoing_;
  done done_;
  std::array<std::uint64_t, verdict_count> verdicts_{};
};

const char* name_of(partition_member::role what);
// The log ends before what was read of it.
journal_error log_is_shorter(const partition_state& known, std::uint64_t end);

}  // namespace berth
