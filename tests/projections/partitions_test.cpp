// Views of a journal of several partitions: the same rows in whatever order these are folded.
#include <rapidcheck.h>

#include "infra/memory/memory_view_store.hpp"
#include "projections/projector.hpp"
#include "projections/queries.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/partitioned_journal.hpp"
#include "tests/support/random_history.hpp"
#include "tests/support/view_hashes.hpp"

namespace berth {
namespace {

using test::from_nothing;
using test::hashes;

using namespace std::chrono_literals;

// Whose partitions are seen up to where it shows them: as a reader of Kafka sees its topic.
class uneven_journal : public testing::partitioned_journal {
 public:
  using partitioned_journal::partitioned_journal;
  position head(std::uint32_t partition = 0) const override {
    auto head = partitioned_journal::head(partition);
    if (shown) head.offset = std::min(head.offset, shown->offset(partition));
    return head;
  }
  journal_result<std::vector<commit>> read(position from, std::size_t limit) const override {
    const auto last = head(from.partition).offset;
    if (from.offset > last) return std::vector<commit>{};
    return partitioned_journal::read(from, std::min<std::size_t>(limit, last - from.offset + 1));
  }
  journal_cursor ends() const {
    journal_cursor all;
    for (std::uint32_t p = 0; p < partitions(); ++p) all.set(partitioned_journal::head(p));
    return all;
  }
  void show_more(test::chance& any) {
    const auto partition = static_cast<std::uint32_t>(any.below(partitions()));
    const auto end = ends().offset(partition);
    shown->set({partition, std::min(end, shown->offset(partition) + any.below(30))});
  }

  std::optional<journal_cursor> shown;  // nothing: all
};

struct world {
  world(std::uint64_t seed, std::uint32_t partitions)
      : journal{clock, partitions}, history{journal, seed} {}
  // One after the other, so that commit times differ.
  void grow(std::size_t commits) {
    for (; commits > 0; --commits) {
      clock.advance(1ms);
      history.grow(1);
    }
  }

  testing::manual_clock clock;
  uneven_journal journal;
  memory_view_store views;
  test::random_history history;
};

std::uint32_t some_partitions(test::chance& any) {
  return std::array{1U, 3U, 7U}[any.below(3)];
}

// Everything of one partition, then everything of the next.
std::map<std::string, std::string> one_by_one(uneven_journal& from, bool backwards) {
  memory_view_store views;
  projector fresh{from, views};
  from.shown.emplace();
  const auto ends = from.ends();
  for (std::uint32_t i = 0; i < from.partitions(); ++i) {
    const auto partition = backwards ? from.partitions() - 1 - i : i;
    from.shown->set({partition, ends.offset(partition)});
    RC_ASSERT(fresh.catch_up().has_value());
  }
  from.shown.reset();
  RC_ASSERT(fresh.caught_up());
  return hashes(fresh);
}

bool is_identical(view_comparison swapped) {
  for (;;)
    if (const auto all = swapped.compare_some()) return *all;
}

// Streams by hand.
struct written {
  explicit written(std::uint32_t partitions) : journal{clock, partitions} {}
  void append(const stream_id& stream, std::vector<event_record> events) {
    commit_body body;
    body.stream = stream;
    body.first = {versions[stream] + 1};
    body.command = uuid::derived("test", stream.text(), std::to_string(body.first.value));
    body.by = {{"acct_1"}, "tok_1", false};
    body.events = std::move(events);
    versions[stream] = body.last().value;
    clock.advance(1s);
    REQUIRE_FALSE(journal.append(body, 0, nullptr));
  }
  template <class Event>
  void environment(const std::string& id, const Event& happened) {
    append({aggregate_kind::environment, id}, {environment::aggregate::encode(happened)});
  }
  // The n-th id of a kind whose stream is of that partition.
  std::string id_in(std::uint32_t partition, aggregate_kind kind, int n = 0) const {
    for (int i = 0;; ++i) {
      const auto id = "id_" + std::to_string(i);
      if (partition_of({kind, id}, journal.partitions()) == partition && n-- == 0) return id;
    }
  }

  testing::manual_clock clock;
  uneven_journal journal;
  memory_view_store views;
  std::map<stream_id, std::uint64_t> versions;
};

const timestamp t0 = from_us(1'700'000'000'000'000);

environment::created made(const std::string& name, timestamp at) {
  return {{"acct_1"}, name, "lightweight", "host", "2026-11", 5, at, at + 60s};
}

}  // namespace

TEST_CASE("partitions: views are the same to the byte in whatever order partitions are folded",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    test::chance any{seed + 1};
    world w{seed, some_partitions(any)};
    w.grow(600);
    const auto expected = from_nothing(w.journal);
    RC_ASSERT(one_by_one(w.journal, false) == expected);
    RC_ASSERT(one_by_one(w.journal, true) == expected);
    w.journal.shown.emplace();
    projector kept{w.journal, w.views};
    while (*w.journal.shown != w.journal.ends()) {
      w.journal.show_more(any);
      if (any.one_in(20)) kept.start_rebuild();
      RC_ASSERT(kept.step(1 + any.below(40)).has_value());
      RC_ASSERT(w.journal.shown->reaches(kept.projected()));
    }
    RC_ASSERT(kept.catch_up().has_value());
    RC_ASSERT(hashes(kept) == expected);
    RC_ASSERT(kept.rebuild().has_value());
    RC_ASSERT(hashes(kept) == expected);
    for (const auto& name : kept.names())
      RC_ASSERT(is_identical(std::move(*kept.take_comparison(name))));
  }));
}

TEST_CASE("partitions: what is not about positions is the same however many there are",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    std::map<std::string, std::set<std::string>> seen;
    for (const std::uint32_t partitions : {1, 3, 7}) {
      world w{seed, partitions};
      w.grow(600);
      for (const auto& [view, hash] : from_nothing(w.journal)) seen[view].insert(hash);
    }
    for (const auto* view : {"catalog", "usage", "billing", "activity"})
      RC_ASSERT(seen.at(view).size() == 1U);
  }));
}

TEST_CASE("partitions: a crash between batches, or one that loses views, skips and repeats nothing",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    test::chance any{seed + 1};
    world w{seed, some_partitions(any)};
    for (int life = 0; life < 6; ++life) {
      projector kept{w.journal, w.views};
      w.grow(40);
      if (any.one_in(3)) kept.start_rebuild();
      for (auto steps = any.below(6); steps > 0; --steps)
        RC_ASSERT(kept.step(1 + any.below(20)).has_value());
      if (any.one_in(2)) w.views.sync();
      if (any.one_in(2)) w.views.power_cut();
    }
    projector last{w.journal, w.views};
    RC_ASSERT(last.catch_up().has_value());
    RC_ASSERT(hashes(last) == from_nothing(w.journal));
  }));
}

TEST_CASE("partitions: a rebuild filled elsewhere is taken back where it is, and compared",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    test::chance any{seed + 1};
    world w{seed, some_partitions(any)};
    projector kept{w.journal, w.views};
    w.grow(150);
    RC_ASSERT(kept.catch_up().has_value());
    auto lent = kept.lend_rebuild();
    view_filler filler{w.journal, w.views};
    for (auto rounds = any.below(6); rounds > 0; --rounds) {
      const auto upto = kept.projected();
      filler.forget_read();
      for (auto& each : lent)
        RC_ASSERT(
            filler.advance(each, 1 + any.below(60), upto, view_filler::kept::by_keep).has_value());
      w.grow(3);
      RC_ASSERT(kept.step(40).has_value());
    }
    kept.take_back(lent);
    while (kept.rebuilding()) RC_ASSERT(kept.step(40).has_value());
    for (const auto& name : kept.names())
      RC_ASSERT(is_identical(std::move(*kept.take_comparison(name))));
    RC_ASSERT(kept.catch_up().has_value());
    RC_ASSERT(hashes(kept) == from_nothing(w.journal));
  }));
}

TEST_CASE("partitions: they take turns, and what one leaves of its share the others get",
          "[projections]") {
  written w{3};
  const auto add = [&](std::uint32_t partition, int commits) {
    for (; commits > 0; --commits)
      w.environment(w.id_in(partition, aggregate_kind::environment),
                    environment::activity_recorded{"keys", t0});
  };
  for (const std::uint32_t partition : {0, 1, 2}) add(partition, 4);
  projector kept{w.journal, w.views};
  for (std::uint64_t turn = 1; turn <= 6; ++turn) {
    REQUIRE(kept.step(1).value() == 1);
    CHECK(kept.projected().commits() == turn);
    for (const std::uint32_t partition : {0, 1, 2}) {
      CHECK(kept.projected().offset(partition) >= turn / 3);
      CHECK(kept.projected().offset(partition) <= (turn + 2) / 3);
    }
  }
  REQUIRE(kept.catch_up().has_value());
  add(0, 100), add(1, 2), add(2, 50);
  CHECK(kept.step(30).value() == 30);
  CHECK(kept.projected().offset(1) == 6);
  CHECK(kept.projected().offset(0) >= 14);
  CHECK(kept.projected().offset(2) >= 14);
  REQUIRE(kept.catch_up().has_value());
  CHECK(kept.projected() == heads_of(w.journal));
}

TEST_CASE("partitions: the last to use an environment is the last by time, not by fold",
          "[projections]") {
  written w{2};
  const auto used = w.id_in(0, aggregate_kind::environment);
  const auto terminal = w.id_in(1, aggregate_kind::terminal);
  w.environment(used, made("web", t0));
  w.environment(used, environment::activity_recorded{"keys", t0 + 9s});
  terminal::opened opened;
  opened.account = {"acct_1"};
  opened.environment = {used};
  opened.at = t0 + 5s;
  w.append({aggregate_kind::terminal, terminal}, {terminal::aggregate::encode(opened)});
  for (const bool backwards : {false, true}) {
    memory_view_store views;
    projector kept{w.journal, views};
    w.journal.shown = backwards ? position{1, 1} : position{0, 2};
    REQUIRE(kept.catch_up().has_value());
    w.journal.shown.reset();
    REQUIRE(kept.catch_up().has_value());
    const auto row = decode_activity(*views.read({"activity", 1})->get("environment/" + used));
    CHECK(row->at == t0 + 9s);
    CHECK(row->kind == "keys");
  }
}

TEST_CASE("partitions: a name is its newest environment's, however late its predecessor's end",
          "[projections]") {
  written w{2};
  const account_id account{"acct_1"};
  const auto first = w.id_in(0, aggregate_kind::environment);
  const auto second = w.id_in(1, aggregate_kind::environment);
  w.environment(first, made("web", t0));
  w.environment(first, environment::delete_asked{t0 + 1s, t0 + 60s});
  w.environment(first, environment::deleted{t0 + 2s});
  w.environment(second, made("web", t0 + 3s));
  projector kept{w.journal, w.views};
  const auto named = [&] {
    REQUIRE(kept.catch_up().has_value());
    const auto found = queries::find_environment(w.views, account, "web");
    return found ? found->id.value : std::string{};
  };
  w.journal.shown = position{0, 1};
  CHECK(named() == first);
  w.journal.shown->set({1, 1});
  CHECK(named() == second);
  w.journal.shown->set({0, 3});
  CHECK(named() == second);
  w.environment(second, environment::delete_asked{t0 + 4s, t0 + 60s});
  w.environment(second, environment::deleted{t0 + 5s});
  w.journal.shown.reset();
  CHECK(named().empty());
}

TEST_CASE("partitions: the feed has each commit once, those of a partition in order, in any pages",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    test::chance any{seed + 1};
    world w{seed, some_partitions(any)};
    w.grow(100);
    projector kept{w.journal, w.views};
    std::set<position> seen, seen_of_all;
    journal_cursor mine, theirs, of_all;
    const auto take = [](const std::vector<commit>& page, journal_cursor& after, auto& into) {
      for (const auto& happened : page) {
        RC_ASSERT(!after.reaches(happened.at()));
        after.set(happened.at());
        RC_ASSERT(into.insert(happened.at()).second);
      }
      return !page.empty();
    };
    const auto read_on = [&] {
      const auto limit = 1 + any.below(12);
      bool more =
          take(queries::feed(w.views, w.journal, {"acct_1"}, mine, limit).value(), mine, seen);
      more |=
          take(queries::feed(w.views, w.journal, {"acct_2"}, theirs, limit).value(), theirs, seen);
      more |= take(queries::feed_of_all(w.journal, of_all, limit).value(), of_all, seen_of_all);
      return more;
    };
    for (int i = 0; i < 40; ++i) {
      w.grow(any.below(4));
      RC_ASSERT(kept.step(1 + any.below(8)).has_value());
      read_on();
    }
    RC_ASSERT(kept.catch_up().has_value());
    while (read_on()) {}
    std::set<position> expected, expected_of_all;
    const auto ends = w.journal.ends();
    for (const auto& end : ends.places())
      for (const auto& happened : w.journal.read({end.partition, 1}, end.offset).value()) {
        if (happened.body.events.empty()) continue;
        expected_of_all.insert(happened.at());
        if (happened.body.stream.kind != aggregate_kind::host) expected.insert(happened.at());
      }
    RC_ASSERT(seen == expected);
    RC_ASSERT(seen_of_all == expected_of_all);
  }));
}

TEST_CASE("partitions: feed and audit of what is folded are in the order of commit times",
          "[projections]") {
  world w{5, 7};
  w.grow(600);
  projector kept{w.journal, w.views};
  REQUIRE(kept.catch_up().has_value());
  std::vector<timestamp> times;
  for (journal_cursor after;;) {
    const auto page = queries::feed_of_all(w.journal, after, 9).value();
    if (page.empty()) break;
    for (const auto& happened : page) {
      times.push_back(happened.envelope.time);
      after.set(happened.at());
    }
  }
  CHECK(times.size() > 100);
  CHECK(std::is_sorted(times.begin(), times.end()));
  std::map<command_id, timestamp> when;
  const auto ends = w.journal.ends();
  for (const auto& end : ends.places())
    for (const auto& happened : w.journal.read({end.partition, 1}, end.offset).value())
      when[happened.body.command] = happened.envelope.time;
  std::vector<timestamp> audited;
  for (std::string after;;) {
    const auto page = queries::audit_of_all(w.views, after, 9);
    for (const auto& row : page.items) audited.push_back(when.at(row.command));
    if (page.next.empty()) break;
    after = page.next;
  }
  CHECK(audited.size() > 100);
  CHECK(std::is_sorted(audited.rbegin(), audited.rend()));
}

}  // namespace berth
