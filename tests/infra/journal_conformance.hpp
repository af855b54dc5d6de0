// The rules of events/core/journal.hpp as one suite. A test file defines JOURNAL_ENGINES, a list of
// types of the shape in tests/support/journal_engines.hpp, and JOURNAL_TAGS, and includes this
// once.
#pragma once

#include <atomic>
#include <set>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/journal_engines.hpp"
#include "tests/support/journal_sample.hpp"

namespace berth::testing {

inline journal_limits two_hours() {
  journal_limits limits;
  limits.deduplication_window = std::chrono::hours{2};
  return limits;
}

// Appends and waits until all are durable; returns their bodies in order.
inline std::vector<commit_body> append_all(journal& to, const std::vector<commit_body>& bodies) {
  const auto listener = std::make_shared<recording_listener>();
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const auto refused = to.append(bodies[i], i, listener);
    if (refused) FAIL("append " << i << ": " << refused->message);
  }
  REQUIRE(listener->wait_for(bodies.size()));
  const auto results = listener->results();
  REQUIRE(results.size() == bodies.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    REQUIRE_FALSE(results[i].error);
    REQUIRE(results[i].ticket == i);
    REQUIRE(results[i].last == bodies[i].last());
  }
  return bodies;
}

// `streams` streams of `commits` commits each, interleaved.
inline std::vector<commit_body> interleaved(std::size_t streams, std::size_t commits,
                                            std::uint64_t first = 1) {
  std::vector<commit_body> bodies;
  for (std::size_t n = 0; n < commits; ++n)
    for (std::size_t s = 0; s < streams; ++s)
      bodies.push_back(
          sample_body(stream_named(std::to_string(s)), first + n, (first + n) * 1'000 + s));
  return bodies;
}

inline std::vector<commit_body> bodies_of(const std::vector<commit>& commits) {
  std::vector<commit_body> bodies;
  for (const auto& each : commits) bodies.push_back(each.body);
  return bodies;
}

TEMPLATE_TEST_CASE("journal: a new one is empty", JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  auto& journal = engine.journal();
  CHECK(journal.partitions() == 1);
  CHECK(journal.head() == position{0, 0});
  CHECK(journal.read({0, 1}, 10).value().empty());
  CHECK(journal.read_stream(stream_named("a"), {0}, 10).value().empty());
  CHECK_FALSE(journal.find_command({"acct_sample"}, command_number(1)));
  CHECK(journal.list_streams({}, 10).value().empty());
  CHECK(journal.load_snapshot(stream_named("a")).error().code == journal_errc::not_found);
}

TEMPLATE_TEST_CASE("journal: offsets start at 1 without a gap, and reads give what was appended",
                   JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  const auto bodies = append_all(engine.journal(), interleaved(3, 40));
  CHECK(engine.journal().head() == position{0, 120});
  const auto read = engine.journal().read({0, 1}, 1'000).value();
  CHECK(bodies_of(read) == bodies);
  for (std::size_t i = 0; i < read.size(); ++i) REQUIRE(read[i].at() == position{0, i + 1});
  CHECK(bodies_of(engine.journal().read({0, 0}, 1'000).value()) == bodies);
  const auto middle = engine.journal().read({0, 50}, 7).value();
  REQUIRE(middle.size() == 7);
  CHECK(middle.front().at().offset == 50);
  CHECK(engine.journal().read({0, 121}, 10).value().empty());
  CHECK(engine.journal().read({0, 120}, 10).value().size() == 1);
}

TEMPLATE_TEST_CASE("journal: every commit carries the chain hash of the one before", JOURNAL_TAGS,
                   JOURNAL_ENGINES) {
  TestType engine;
  append_all(engine.journal(), interleaved(2, 20));
  engine.reopen();
  append_all(engine.journal(), interleaved(2, 20, 21));
  chain_hash before{};
  for (const auto& each : engine.journal().read({0, 1}, 1'000).value()) {
    REQUIRE(each.envelope.previous_hash == before);
    before = seal(each.envelope, encode_body(each.body)).hash;
  }
}

TEMPLATE_TEST_CASE("journal: a stream is read in version order from any version", JOURNAL_TAGS,
                   JOURNAL_ENGINES) {
  TestType engine;
  const auto stream = stream_named("s");
  std::vector<commit_body> bodies;
  for (std::uint64_t first = 1, n = 1; n <= 300; ++n) {
    const std::size_t events = n % 4;  // eventless ones too
    bodies.push_back(sample_body(stream, first, n, events));
    first += events;
    bodies.push_back(sample_body(stream_named("other"), n, 10'000 + n));
  }
  append_all(engine.journal(), bodies);
  std::erase_if(bodies, [&](const commit_body& body) { return body.stream != stream; });
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t after : {0, 1, 2, 3, 4, 5, 100, 440, 449, 450, 451}) {
      std::vector<commit_body> expected;
      for (const auto& body : bodies)
        if (body.last().value > after) expected.push_back(body);
      CHECK(bodies_of(engine.journal().read_stream(stream, {after}, 1'000).value()) == expected);
      if (expected.size() > 5) expected.resize(5);
      CHECK(bodies_of(engine.journal().read_stream(stream, {after}, 5).value()) == expected);
    }
    engine.reopen();  // now all of it is in the index
  }
}

TEMPLATE_TEST_CASE("journal: an append at another version is refused conflict and writes nothing",
                   JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  auto& journal = engine.journal();
  const auto stream = stream_named("a");
  const auto listener = std::make_shared<recording_listener>();
  CHECK(journal.append(sample_body(stream, 2, 1), 1, listener)->code == journal_errc::conflict);
  append_all(journal, {sample_body(stream, 1, 2), sample_body(stream, 2, 3, 3)});
  CHECK(journal.append(sample_body(stream, 2, 4), 1, listener)->code == journal_errc::conflict);
  CHECK(journal.append(sample_body(stream, 4, 4), 1, listener)->code == journal_errc::conflict);
  CHECK(journal.append(sample_body(stream, 6, 4), 1, listener)->code == journal_errc::conflict);
  CHECK(journal.head().offset == 2);
  engine.reopen();
  CHECK(engine.journal().append(sample_body(stream, 2, 4), 1, listener)->code ==
        journal_errc::conflict);
  append_all(engine.journal(), {sample_body(stream, 5, 5)});
  CHECK(listener->results().empty());
}

TEMPLATE_TEST_CASE("journal: an eventless commit is stored and leaves the version as it is",
                   JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  const auto stream = stream_named("a");
  append_all(engine.journal(), {sample_body(stream, 1, 1, 0), sample_body(stream, 1, 2, 2),
                                sample_body(stream, 3, 3, 0), sample_body(stream, 3, 4, 0)});
  engine.reopen();
  append_all(engine.journal(), {sample_body(stream, 3, 5, 1)});
  CHECK(engine.journal().head().offset == 5);
  CHECK(engine.journal().read_stream(stream, {0}, 10).value().size() == 4);
  CHECK(engine.journal().find_command({"acct_sample"}, command_number(1))->last.value == 0);
  CHECK(engine.journal().find_command({"acct_sample"}, command_number(4))->last.value == 2);
}

TEMPLATE_TEST_CASE("journal: a commit above the bound is refused before it is queued", JOURNAL_TAGS,
                   JOURNAL_ENGINES) {
  TestType engine;
  const auto listener = std::make_shared<recording_listener>();
  const auto stream = stream_named("a");
  CHECK(
      engine.journal().append(sample_body(stream, 1, 1, 1, commit_bytes_max), 1, listener)->code ==
      journal_errc::too_large);
  append_all(engine.journal(), {sample_body(stream, 1, 1, 1, commit_bytes_max - 1'000)});
}

TEMPLATE_TEST_CASE("journal: completions come in append order, one call a listener and group",
                   JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  const auto one = std::make_shared<recording_listener>();
  const auto two = std::make_shared<recording_listener>();
  for (std::uint64_t n = 1; n <= 500; ++n) {
    REQUIRE_FALSE(engine.journal().append(sample_body(stream_named("one"), n, n), n, one));
    REQUIRE_FALSE(engine.journal().append(sample_body(stream_named("two"), n, 1'000 + n), n, two));
  }
  for (const auto& listener : {one, two}) {
    REQUIRE(listener->wait_for(500));
    const auto results = listener->results();
    REQUIRE(results.size() == 500);
    CHECK(listener->calls() <= 500);
    for (std::size_t i = 0; i < 500; ++i) REQUIRE(results[i].ticket == i + 1);
    for (std::size_t i = 1; i < 500; ++i) REQUIRE(results[i - 1].at < results[i].at);
  }
}

TEMPLATE_TEST_CASE("journal: what was acknowledged is seen by a reader at once", JOURNAL_TAGS,
                   JOURNAL_ENGINES) {
  TestType engine;
  const auto stream = stream_named("a");
  for (std::uint64_t n = 1; n <= 50; ++n) {
    append_all(engine.journal(), {sample_body(stream, n, n)});
    REQUIRE(engine.journal().head().offset == n);
    REQUIRE(engine.journal().read_stream(stream, {n - 1}, 10).value().size() == 1);
    REQUIRE(engine.journal().find_command({"acct_sample"}, command_number(n))->at.offset == n);
    REQUIRE(engine.journal().list_streams({}, 10).value().size() == 1);
  }
}

TEMPLATE_TEST_CASE("journal: commit time never goes back, not even with the clock or a restart",
                   JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  const auto stream = stream_named("a");
  const auto begin = engine.time().now();
  append_all(engine.journal(), {sample_body(stream, 1, 1)});
  engine.time().set(begin - std::chrono::seconds{100});
  append_all(engine.journal(), {sample_body(stream, 2, 2)});
  engine.reopen();
  append_all(engine.journal(), {sample_body(stream, 3, 3)});
  engine.time().set(begin + std::chrono::seconds{1});
  append_all(engine.journal(), {sample_body(stream, 4, 4)});
  const auto read = engine.journal().read({0, 1}, 10).value();
  REQUIRE(read.size() == 4);
  CHECK(read[0].envelope.time == begin);
  CHECK(read[1].envelope.time == begin);
  CHECK(read[2].envelope.time == begin);
  CHECK(read[3].envelope.time == begin + std::chrono::seconds{1});
}

TEMPLATE_TEST_CASE("journal: every start leads with the next epoch and another nonce", JOURNAL_TAGS,
                   JOURNAL_ENGINES) {
  TestType engine;
  append_all(engine.journal(), {sample_body(stream_named("a"), 1, 1)});
  const auto before = engine.epoch();
  engine.reopen();
  CHECK(engine.epoch() == before + 1);
  append_all(engine.journal(), {sample_body(stream_named("a"), 2, 2)});
  const auto read = engine.journal().read({0, 1}, 10).value();
  CHECK(read[0].envelope.epoch == before);
  CHECK(read[1].envelope.epoch == before + 1);
  CHECK(read[0].envelope.nonce != read[1].envelope.nonce);
}

TEMPLATE_TEST_CASE("journal: a command is found with what it was answered, in its own account only",
                   JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  const auto body = sample_body(stream_named("a"), 1, 42, 3);
  append_all(engine.journal(), {body, sample_body(stream_named("b"), 1, 43)});
  for (int round = 0; round < 2; ++round) {
    const auto found = engine.journal().find_command({"acct_sample"}, command_number(42));
    REQUIRE(found);
    CHECK(found->stream == body.stream);
    CHECK(found->last.value == 3);
    CHECK(found->command_hash == body.command_hash);
    CHECK(found->at == position{0, 1});
    CHECK(found->answer == "answer 42");
    CHECK_FALSE(engine.journal().find_command({"acct_other"}, command_number(42)));
    CHECK_FALSE(engine.journal().find_command({"acct_sample"}, command_number(44)));
    engine.reopen();
  }
}

TEMPLATE_TEST_CASE("journal: a command is forgotten when its window has passed by commit time",
                   JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine{two_hours()};
  append_all(engine.journal(), {sample_body(stream_named("a"), 1, 1)});
  engine.time().advance(std::chrono::hours{2});
  CHECK(engine.journal().find_command({"acct_sample"}, command_number(1)));
  append_all(engine.journal(), {sample_body(stream_named("a"), 2, 2)});
  engine.time().advance(microseconds{1});
  CHECK_FALSE(engine.journal().find_command({"acct_sample"}, command_number(1)));
  CHECK(engine.journal().find_command({"acct_sample"}, command_number(2)));
  engine.reopen();
  CHECK_FALSE(engine.journal().find_command({"acct_sample"}, command_number(1)));
  CHECK(engine.journal().find_command({"acct_sample"}, command_number(2)));
}

TEMPLATE_TEST_CASE("journal: a follower is woken after every move of the head, until it leaves",
                   JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  std::atomic<std::uint64_t> seen{0}, calls{0};
  auto handle = engine.journal().follow([&](position head) {
    seen = head.offset;
    ++calls;
  });
  append_all(engine.journal(), interleaved(1, 20));
  for (int i = 0; i < 2'000 && seen < 20; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  CHECK(seen == 20);
  handle.reset();
  const auto before = calls.load();
  append_all(engine.journal(), interleaved(1, 5, 21));
  CHECK(calls == before);
}

TEMPLATE_TEST_CASE("journal: streams are listed in order of name, page by page", JOURNAL_TAGS,
                   JOURNAL_ENGINES) {
  TestType engine;
  std::vector<commit_body> bodies;
  for (std::size_t i = 0; i < 120; ++i)
    bodies.push_back(sample_body(stream_named("n" + std::to_string(i)), 1, i + 1));
  for (std::size_t i = 0; i < 30; ++i)
    bodies.push_back(
        sample_body({aggregate_kind::session, "sess_" + std::to_string(i)}, 1, i + 1'000));
  append_all(engine.journal(), bodies);
  engine.reopen();
  append_all(engine.journal(),
             {sample_body(stream_named("n"), 1, 5'000), sample_body(stream_named("n7"), 2, 5'001)});
  std::vector<std::string> names;
  std::optional<stream_id> after;
  for (;;) {
    const auto page = engine.journal().list_streams(after, 17).value();
    if (page.empty()) break;
    CHECK(page.size() <= 17);
    for (const auto& stream : page) names.push_back(stream.text());
    after = page.back();
  }
  CHECK(names.size() == 151);
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEMPLATE_TEST_CASE("journal: a snapshot is the newest at or below the version asked for",
                   JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  const auto stream = stream_named("a");
  append_all(engine.journal(), interleaved(1, 64));
  for (std::uint64_t upto = 1; upto <= 64; ++upto)
    engine.journal().save_snapshot({stream, {upto}, {0, upto}, 3, "state " + std::to_string(upto)});
  engine.reopen();
  const auto newest = engine.journal().load_snapshot(stream).value();
  CHECK(newest.stream == stream);
  CHECK(newest.upto.value == 64);
  CHECK(newest.at == position{0, 64});
  CHECK(newest.fold_version == 3);
  CHECK(newest.state == "state 64");
  const auto older = engine.journal().load_snapshot(stream, stream_version{40}).value();
  CHECK(older.upto.value <= 40);
  CHECK(older.upto.value >= 16);  // the ladder keeps one for every doubling
  CHECK(engine.journal().load_snapshot(stream_named("b")).error().code == journal_errc::not_found);
}

TEMPLATE_TEST_CASE("journal: any past version has a snapshot near below it, and few are kept",
                   JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  const auto stream = stream_named("a");
  append_all(engine.journal(), interleaved(1, 1));
  constexpr std::uint64_t interval = 256, events = 50'000;
  for (auto upto = interval; upto <= events; upto += interval)
    engine.journal().save_snapshot({stream, {upto}, {0, 1}, 3, "state"});
  engine.reopen();
  std::set<std::uint64_t> kept;
  for (auto version = interval; version <= events; version += interval) {
    const auto found = engine.journal().load_snapshot(stream, stream_version{version}).value();
    CHECK(version - found.upto.value <= 4096);
    kept.insert(found.upto.value);
  }
  CHECK(kept.size() <= events / 4096 + 20);
}

TEMPLATE_TEST_CASE("journal: a snapshot newer than the head is not kept", JOURNAL_TAGS,
                   JOURNAL_ENGINES) {
  TestType engine;
  append_all(engine.journal(), interleaved(1, 3));
  engine.journal().save_snapshot({stream_named("0"), {4}, {0, 4}, 1, "of the future"});
  engine.reopen();
  append_all(engine.journal(), interleaved(1, 1, 4));
  REQUIRE(engine.journal().head() == position{0, 4});
  CHECK(engine.journal().load_snapshot(stream_named("0")).error().code == journal_errc::not_found);
}

TEMPLATE_TEST_CASE(
    "journal: many threads append to one stream and to their own without losing a commit",
    JOURNAL_TAGS, JOURNAL_ENGINES) {
  TestType engine;
  auto& journal = engine.journal();
  constexpr std::uint64_t threads = 4, commits = 300;
  std::atomic<std::uint64_t> conflicts{0}, shared_appended{0};
  std::vector<std::shared_ptr<recording_listener>> listeners;
  for (std::uint64_t t = 0; t < threads; ++t)
    listeners.push_back(std::make_shared<recording_listener>());
  std::vector<std::thread> running;
  for (std::uint64_t t = 0; t < threads; ++t)
    running.emplace_back([&, t] {
      std::uint64_t mine = 0;
      for (std::uint64_t n = 1; n <= commits; ++n) {
        const auto own = sample_body(stream_named("own" + std::to_string(t)), n, t * 10'000 + n);
        mine += !journal.append(own, n, listeners[t]);
        const auto contended =
            sample_body(stream_named("shared"), shared_appended + 1, 100'000 + t * 10'000 + n);
        if (journal.append(contended, n, listeners[t]))
          ++conflicts;
        else
          ++shared_appended, ++mine;
      }
      listeners[t]->wait_for(mine);
    });
  for (auto& thread : running) thread.join();
  std::size_t acknowledged = 0;
  for (const auto& listener : listeners) acknowledged += listener->results().size();
  CHECK(acknowledged == threads * commits + shared_appended);
  CHECK(journal.head().offset == acknowledged);
  CHECK(journal.read_stream(stream_named("shared"), {0}, 10'000).value().size() == shared_appended);
  CHECK(shared_appended + conflicts == threads * commits);
}

}  // namespace berth::testing
