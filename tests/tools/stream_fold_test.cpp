#include "tools/inspect/stream_fold.hpp"

#include <map>

#include "events/account/aggregate.hpp"
#include "infra/memory/memory_journal.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tools/inspect/log_fold.hpp"
#include "tools/inspect/snapshot_check.hpp"

using namespace berth;
using inspect::fold_stream;

namespace {

struct silent : append_listener {
  void appended(std::span<const append_result>) override {}
};

// An account's stream: created, then tokens issued one a commit, one second apart.
struct recorded {
  testing::manual_clock time;
  memory_journal log{time, memory_journal::mode::automatic};
  stream_id stream{aggregate_kind::account, "acct_sample"};
  std::uint64_t next{1};

  void append(const std::vector<account::event>& events) {
    commit_body body;
    body.stream = stream;
    body.first = {next};
    body.command = uuid::derived("test", std::to_string(next));
    body.by.account = {stream.key};
    for (const auto& each : events) body.events.push_back(account::aggregate::encode(each));
    next += events.size();
    REQUIRE_FALSE(log.append(body, next, std::make_shared<silent>()));
  }
  account::event token(int number) {
    return account::token_issued{{"tok_" + std::to_string(number)}, "label", {}, {}, time.now()};
  }
};

struct recorded_stream {
  stream_id stream;
  std::uint64_t next{1};
};

}  // namespace

TEST_CASE("stream fold: the present is every event, a version is the events up to it", "[tools]") {
  recorded given;
  given.append({account::created{"sample", account::role::member, given.time.now()}});
  given.append({given.token(1), given.token(2)});
  given.append({});
  given.append({given.token(3)});
  const auto tokens = [&](const inspect::fold_until& until) {
    const auto folded = fold_stream(given.log, given.stream, until).value();
    return account::aggregate::decode_state(folded.state).value().tokens.size();
  };
  CHECK(fold_stream(given.log, given.stream).value().version.value == 4);
  CHECK(tokens({}) == 3);
  CHECK(tokens({stream_version{4}, {}}) == 3);
  CHECK(tokens({stream_version{2}, {}}) == 1);
  CHECK(tokens({stream_version{1}, {}}) == 0);
  CHECK(tokens({stream_version{0}, {}}) == 0);
  CHECK(tokens({stream_version{99}, {}}) == 3);
}

TEST_CASE("stream fold: a time is the commits up to it", "[tools]") {
  recorded given;
  given.append({account::created{"sample", account::role::member, given.time.now()}});
  const auto first = given.log.read({0, 1}, 1).value().front().envelope.time;
  given.time.advance(std::chrono::seconds{10});
  given.append({given.token(1)});
  CHECK(fold_stream(given.log, given.stream, {{}, first}).value().version.value == 1);
  CHECK(fold_stream(given.log, given.stream, {{}, first - microseconds{1}}).value().version.value ==
        0);
  CHECK(fold_stream(given.log, given.stream, {{}, first + std::chrono::seconds{60}})
            .value()
            .version.value == 2);
}

TEST_CASE("stream fold: more commits than one read are all folded", "[tools]") {
  recorded given;
  given.append({account::created{"sample", account::role::member, given.time.now()}});
  for (int n = 0; n < 2'500; ++n) given.append({given.token(n)});
  const auto folded = fold_stream(given.log, given.stream).value();
  CHECK(folded.version.value == 2'501);
  CHECK(folded.at == position{0, 2'501});
  CHECK(folded.hash == fold_stream(given.log, given.stream).value().hash);
  CHECK(folded.hash !=
        fold_stream(given.log, given.stream, {stream_version{2'500}, {}}).value().hash);
}

TEST_CASE("stream fold: from the nearest snapshot every version and time is the same state",
          "[tools]") {
  recorded given;
  given.append({account::created{"sample", account::role::member, given.time.now()}});
  for (int n = 0; n < 60; ++n) {
    given.time.advance(std::chrono::seconds{1});
    given.append({given.token(2 * n), given.token(2 * n + 1)});
    if (n % 10 != 9) continue;
    const auto now = fold_stream(given.log, given.stream).value();
    // Of the first half only the last is of this build; the others must not be read.
    const auto build = account::aggregate::fold_version + (n < 29 ? 1 : 0);
    given.log.save_snapshot(
        {given.stream, now.version, now.at, build, n < 29 ? "of another build" : now.state});
  }
  for (std::uint64_t version = 0; version <= 122; ++version) {
    const inspect::fold_until until{stream_version{version}, {}};
    const auto folded = fold_stream(given.log, given.stream, until).value();
    const auto taken = inspect::state_at(given.log, given.stream, until).value();
    CHECK(taken.hash == folded.hash);
    CHECK(taken.version == folded.version);
    CHECK(taken.at == folded.at);
    CHECK(taken.time == folded.time);
  }
  const auto first = given.log.read({0, 1}, 1).value().front().envelope.time;
  for (int half_seconds = -1; half_seconds < 130; ++half_seconds) {
    const inspect::fold_until until{{}, first + std::chrono::milliseconds{500} * half_seconds};
    CHECK(inspect::state_at(given.log, given.stream, until).value().hash ==
          fold_stream(given.log, given.stream, until).value().hash);
  }
  CHECK(inspect::state_at(given.log, given.stream).value().version.value == 121);
}

TEST_CASE("stream fold: an unknown stream and an unreadable event say where", "[tools]") {
  recorded given;
  CHECK(fold_stream(given.log, given.stream).error().code == journal_errc::not_found);
  given.append({account::created{"sample", account::role::member, given.time.now()}});
  commit_body strange;
  strange.stream = given.stream;
  strange.first = {2};
  strange.events.push_back({999, "?"});
  REQUIRE_FALSE(given.log.append(strange, 2, std::make_shared<silent>()));
  const auto failed = fold_stream(given.log, given.stream);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == journal_errc::corrupt);
  CHECK(failed.error().message.find("version 2") != std::string::npos);
  CHECK(fold_stream(given.log, given.stream, {stream_version{1}, {}}).value().version.value == 1);
  const auto all = inspect::fold_log(given.log);
  REQUIRE_FALSE(all);
  CHECK(all.error().code == journal_errc::corrupt);
  CHECK(all.error().message == failed.error().message);
}

TEST_CASE(
    "log fold: in one pass every stream is what its own fold gives, at its stop and at the end",
    "[tools]") {
  recorded given;
  CHECK(inspect::fold_log(given.log).value().streams == 0);
  constexpr int accounts = 7, rounds = 3'000;  // several reads
  std::vector<recorded_stream> all;
  for (int n = 0; n < accounts; ++n)
    all.push_back({{aggregate_kind::account, "acct_" + std::to_string(n)}});
  for (int round = 0; round < rounds; ++round)
    for (int n = 0; n < accounts; ++n) {
      given.stream = all[n].stream;
      given.next = all[n].next;
      if (round == 0)
        given.append({account::created{"sample", account::role::member, given.time.now()}});
      else if (round % (n + 2) == 0)
        given.append({given.token(round), given.token(rounds + round)});
      else if (round % 3 == 0)
        given.append({});
      all[n].next = given.next;
    }
  inspect::fold_told told;
  for (int n = 1; n < accounts; ++n) told.stops[all[n].stream] = {all[n].next / 2 | 1};
  std::map<stream_id, int> stopped, ended;
  const auto check = [&](const stream_id& stream, const inspect::folded_state& folded,
                         const inspect::fold_until& until) {
    const auto alone = fold_stream(given.log, stream, until).value();
    CHECK(folded.version == alone.version);
    CHECK(folded.at == alone.at);
    CHECK(folded.time == alone.time);
    CHECK(folded.hash == alone.hash);
    CHECK(folded.fold_version == alone.fold_version);
  };
  told.at_stop = [&](const stream_id& stream, const inspect::folded_state& folded) {
    ++stopped[stream];
    check(stream, folded, {told.stops.at(stream), {}});
  };
  told.at_end = [&](const stream_id& stream, const inspect::folded_state& folded) {
    ++ended[stream];
    check(stream, folded, {});
  };
  const auto total = inspect::fold_log(given.log, told).value();
  CHECK(total.streams == accounts);
  std::uint64_t events = 0;
  for (const auto& each : all) {
    events += each.next - 1;
    CHECK(ended[each.stream] == 1);
    CHECK(stopped[each.stream] == (each.stream == all[0].stream ? 0 : 1));
  }
  CHECK(total.events == events);
}

TEST_CASE("snapshot check: a snapshot that is not what the events give is named, whatever it lacks",
          "[tools]") {
  recorded given;
  const auto begin = [&](const char* name) {
    given.stream.key = name;
    given.next = 1;
    given.append({account::created{"sample", account::role::member, given.time.now()}});
    given.append({given.token(1)});
    return fold_stream(given.log, given.stream).value();
  };
  const auto save = [&](const inspect::folded_state& of, std::uint64_t upto, std::uint32_t build,
                        const std::string& state) {
    given.log.save_snapshot({given.stream, {upto}, of.at, build, state});
  };
  constexpr auto build = account::aggregate::fold_version;
  const auto good = begin("acct_good");
  save(good, 2, build, good.state);
  const auto changed = begin("acct_changed");
  save(changed, 2, build, good.state + "x");
  const auto beyond = begin("acct_beyond");
  save(beyond, 3, build, beyond.state);
  const auto older = begin("acct_older");
  save(older, 2, build + 1, "of another build");
  begin("acct_without");
  const auto report = inspect::compare_snapshots(given.log).value();
  CHECK(report.streams == 5);
  CHECK(report.snapshots == 2);
  CHECK(report.other_build == 1);
  using named = std::pair<stream_id, stream_version>;
  const std::vector<named> wrong{{{aggregate_kind::account, "acct_changed"}, {2}},
                                 {{aggregate_kind::account, "acct_beyond"}, {3}}};
  CHECK(report.different == wrong);
}
