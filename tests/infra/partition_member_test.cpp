// One member told what a log would tell it, a rule a test. tests/sim/log_universe.cpp does it at
// random.
#include "infra/kafka/partition_member.hpp"

#include <map>

#include "infra/kafka/short_log.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/journal_sample.hpp"
#include "tests/support/manual_clock.hpp"

namespace berth::testing {
namespace {

using role = partition_member::role;
using report = partition_member::report;

// A member and a log that does what the test says.
struct member_on_log {
  manual_clock clock;
  std::map<stream_id, stream_version> versions;
  partition_member member{
      {"node-a", {}}, {}, clock, [this](const stream_id& stream) -> journal_result<stream_version> {
        return versions[stream];
      }};
  std::shared_ptr<recording_listener> answers = std::make_shared<recording_listener>();
  std::vector<std::string> log;
  std::vector<partition_member::outgoing> sent;
  std::vector<std::uint64_t> applied;  // sequences

  void take() {
    for (auto& each : member.take_outgoing()) sent.push_back(std::move(each));
    auto done = member.take_done();
    for (const auto& each : done.applied) {
      applied.push_back(each.happened.envelope.sequence);
      versions[each.happened.body.stream] = each.happened.body.last();
    }
    done.answers.deliver();
  }
  std::uint64_t land(std::string record) {
    log.push_back(std::move(record));
    return log.size() - 1;
  }
  void fetch(std::uint64_t offset) {
    REQUIRE_FALSE(member.fetched(offset, log[offset]));
    take();
  }
  // The oldest record sent: lands, and is reported.
  void write_and_report() {
    const auto offset = land(sent.front().record);
    member.reported(sent.front().number, report::persisted, offset);
    sent.erase(sent.begin());
    take();
  }
  void lead() {
    member.claim(log.size(), 7);
    take();
    const auto offset = land(sent.front().record);
    sent.clear();
    fetch(offset);
    REQUIRE(member.now() == role::leading);
  }
  std::optional<journal_error> append(std::uint64_t version, std::uint64_t ticket) {
    auto refused = member.append(sample_body(stream_named("s"), version, ticket), ticket, answers);
    take();
    return refused;
  }
};

TEST_CASE("member: it leads only when its own announcement was read back", "[infra]") {
  member_on_log on;
  CHECK(on.append(1, 1)->code == journal_errc::closed);
  on.member.claim(0, 7);
  on.take();
  REQUIRE(on.sent.size() == 1);
  on.land(on.sent.front().record);
  on.member.reported(on.sent.front().number, report::persisted, 0);
  CHECK(on.member.now() == role::claiming);
  CHECK(on.append(1, 1)->code == journal_errc::closed);
  on.fetch(0);
  CHECK(on.member.now() == role::leading);
  CHECK(on.member.state().leader == leadership{1, 7});
}

TEST_CASE("member: it reads to the end before it announces itself", "[infra]") {
  member_on_log other;
  other.lead();
  REQUIRE_FALSE(other.append(1, 1));
  other.write_and_report();
  member_on_log on;
  on.log = other.log;
  on.member.claim(2, 8);
  on.take();
  CHECK(on.sent.empty());
  on.fetch(0);
  CHECK(on.sent.empty());
  on.fetch(1);
  REQUIRE(on.sent.size() == 1);
  CHECK(open_lead(on.sent.front().record, {})->envelope.epoch == 2);
}

TEST_CASE("member: a contiguous report is answered at once, in order", "[infra]") {
  member_on_log on;
  on.lead();
  REQUIRE_FALSE(on.append(1, 11));
  REQUIRE_FALSE(on.append(2, 12));
  on.write_and_report();
  on.write_and_report();
  REQUIRE(on.answers->results().size() == 2);
  CHECK(on.answers->results()[0].ticket == 11);
  CHECK(on.answers->results()[1].at == position{0, 2});
  CHECK(on.applied == std::vector<std::uint64_t>{1, 2});
  on.fetch(1);  // read back later: nothing new
  CHECK(on.applied.size() == 2);
}

TEST_CASE("member: with another record in between it is answered when it was read back",
          "[infra]") {
  member_on_log on;
  on.lead();
  on.land("not a record of Berth's");
  REQUIRE_FALSE(on.append(1, 11));
  on.write_and_report();
  CHECK(on.answers->results().empty());
  on.fetch(1);
  CHECK(on.answers->results().empty());
  on.fetch(2);
  REQUIRE(on.answers->results().size() == 1);
  CHECK_FALSE(on.answers->results()[0].error);
  CHECK(on.member.verdicts()[static_cast<std::size_t>(verdict::foreign)] == 1);
}

TEST_CASE("member: a report without an offset, or out of order, is not enough", "[infra]") {
  member_on_log on;
  on.lead();
  REQUIRE_FALSE(on.append(1, 11));
  REQUIRE_FALSE(on.append(2, 12));
  const auto first = on.land(on.sent[0].record), second = on.land(on.sent[1].record);
  on.member.reported(on.sent[1].number, report::persisted, second);
  on.member.reported(on.sent[0].number, report::persisted, std::nullopt);
  on.take();
  CHECK(on.answers->results().empty());
  on.fetch(first);
  on.fetch(second);
  CHECK(on.answers->results().size() == 2);
}

TEST_CASE("member: a failed report ends its leadership; what comes after is void", "[infra]") {
  member_on_log on;
  on.lead();
  REQUIRE_FALSE(on.append(1, 11));
  REQUIRE_FALSE(on.append(2, 12));
  on.member.reported(on.sent[0].number, report::failed, std::nullopt);
  on.take();
  REQUIRE(on.answers->results().size() == 2);
  for (const auto& each : on.answers->results())
    CHECK(each.error->code == journal_errc::unknown_outcome);
  CHECK(on.member.now() == role::following);
  CHECK(on.append(1, 13)->code == journal_errc::closed);
  // The first was never written, the second was: it does not count, and a new leadership begins.
  on.fetch(on.land(on.sent[1].record));
  CHECK(on.applied.empty());
  on.sent.clear();
  on.lead();
  REQUIRE_FALSE(on.append(1, 14));
  on.write_and_report();
  CHECK(on.applied == std::vector<std::uint64_t>{1});
}

TEST_CASE("member: of two announcements of one epoch the first in the log leads", "[infra]") {
  member_on_log on, other;
  on.member.claim(0, 7);
  other.member.claim(0, 8);
  on.take();
  other.take();
  for (auto* each : {&on, &other}) {
    each->land(other.sent.front().record);
    each->land(on.sent.front().record);
  }
  on.fetch(0);
  other.fetch(0);
  on.fetch(1);
  other.fetch(1);
  CHECK(on.member.now() == role::following);
  CHECK(other.member.now() == role::leading);
  CHECK(on.member.why_not_leading().find("node-a") != std::string::npos);
}

TEST_CASE("member: a leader that reads another's announcement answers unknown_outcome", "[infra]") {
  member_on_log on;
  on.lead();
  REQUIRE_FALSE(on.append(1, 11));
  member_on_log next;
  next.log = on.log;
  next.fetch(0);
  next.member.claim(1, 9);
  next.take();
  on.fetch(on.land(next.sent.front().record));
  CHECK(on.member.now() == role::following);
  REQUIRE(on.answers->results().size() == 1);
  CHECK(on.answers->results()[0].error->code == journal_errc::unknown_outcome);
  // Its record lands behind the announcement: it does not count.
  on.fetch(on.land(on.sent.front().record));
  CHECK(on.applied.empty());
  CHECK(on.member.verdicts()[static_cast<std::size_t>(verdict::other_leader)] == 1);
}

TEST_CASE("member: a damaged record is an error, and nothing behind it is read", "[infra]") {
  member_on_log on;
  on.lead();
  REQUIRE_FALSE(on.append(1, 11));
  auto record = on.sent.front().record;
  record.back() = static_cast<char>(record.back() ^ 1);
  const auto failed = on.member.fetched(1, record);
  REQUIRE(failed);
  CHECK(failed->code == journal_errc::corrupt);
  CHECK(failed->where == position{0, 1});
  CHECK(on.member.state().next_offset == 1);
}

TEST_CASE("member: another version than the next, too much at once and too large are refused",
          "[infra]") {
  member_on_log on;
  on.lead();
  CHECK(on.append(2, 11)->code == journal_errc::conflict);
  REQUIRE_FALSE(on.append(1, 11));
  CHECK(on.append(1, 12)->code == journal_errc::conflict);
  CHECK(on.member.append(sample_body(stream_named("t"), 1, 1, 1, commit_bytes_max), 13, on.answers)
            ->code == journal_errc::too_large);
  for (std::uint64_t n = 2; n <= journal_limits{}.queue_commits_max; ++n)
    REQUIRE_FALSE(on.member.append(sample_body(stream_named("s"), n, n), n, on.answers));
  CHECK(on.append(journal_limits{}.queue_commits_max + 1, 1)->code == journal_errc::overloaded);
}

// A broker that was stopped and woke up told of an end it had left behind, and the node ended.
TEST_CASE("short log: only an end that stays too near is a loss", "[infra]") {
  using finding = short_log::finding;
  const short_log::time t0{};
  short_log end;
  CHECK(end.look(10, 10, t0) == finding::whole);
  CHECK(end.look(9, 10, t0) == finding::perhaps);
  CHECK(end.look(9, 10, t0 + std::chrono::seconds{4}) == finding::perhaps);
  CHECK(end.look(11, 10, t0 + std::chrono::seconds{4}) == finding::whole);
  for (int s = 8; s < 13; ++s)
    CHECK(end.look(9, 10, t0 + std::chrono::seconds{s}) == finding::perhaps);
  CHECK(end.look(9, 10, t0 + std::chrono::seconds{13}) == finding::lost);
  // Looked at again after a long time it is another incident.
  CHECK(end.look(9, 10, t0 + std::chrono::seconds{60}) == finding::perhaps);
}

TEST_CASE("partition state: it survives being kept, and nothing else is taken for it", "[infra]") {
  partition_state state{3, {4, 5}, 6, {}, from_us(7), 8};
  state.hash[31] = 9;
  const auto kept = encode_partition_state(state);
  CHECK(decode_partition_state(kept) == state);
  CHECK_FALSE(decode_partition_state(kept.substr(1)));
  CHECK_FALSE(decode_partition_state(""));
}

}  // namespace
}  // namespace berth::testing
