#include <chrono>

#include <rapidcheck.h>

#include "infra/memory/memory_journal.hpp"
#include "infra/memory/memory_view_store.hpp"
#include "projections/projector.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/random_history.hpp"
#include "tests/support/view_hashes.hpp"

namespace berth {
namespace {

using test::from_nothing;
using test::hashes;

bool is_identical(view_comparison swapped) {
  for (;;)
    if (const auto all = swapped.compare_some()) return *all;
}

// A journal and a view store, and a history that grows in the one.
struct world {
  explicit world(std::uint64_t seed) : history{journal, seed} {}

  testing::manual_clock clock;
  memory_journal journal{clock, memory_journal::mode::automatic};
  memory_view_store views;
  test::random_history history;
};

// Counts commits, under a version of its own.
class counter : public projection {
 public:
  explicit counter(std::uint32_t version) : version_{version} {}
  std::string_view name() const override { return "counter"; }
  std::uint32_t version() const override { return version_; }
  void fold(view& rows, const commit&) const override {
    const auto count = rows.get("count");
    rows.put("count", std::to_string((count ? std::stoull(*count) : 0) + version_));
  }

 private:
  std::uint32_t version_;
};

}  // namespace

TEST_CASE("projector: views kept up in steps of any size equal views folded at once, to the byte",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    world w{seed};
    test::chance any{seed + 1};
    projector kept{w.journal, w.views};
    for (int i = 0; i < 8; ++i) {
      w.history.grow(any.below(60));
      RC_ASSERT(kept.step(1 + any.below(50)).has_value());
    }
    RC_ASSERT(kept.catch_up().has_value());
    RC_ASSERT(kept.caught_up());
    RC_ASSERT(hashes(kept) == from_nothing(w.journal));
  }));
}

TEST_CASE("projector: a rebuild beside the live view, while commits arrive, equals it",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    world w{seed};
    projector kept{w.journal, w.views};
    w.history.grow(200);
    RC_ASSERT(kept.catch_up().has_value());
    RC_ASSERT(kept.start_rebuild());
    while (kept.rebuilding()) {
      w.history.grow(3);
      RC_ASSERT(kept.step(40).has_value());
    }
    RC_ASSERT(kept.catch_up().has_value());
    RC_ASSERT(w.views.live_generation("catalog") == 2);
    RC_ASSERT(hashes(kept) == from_nothing(w.journal));
  }));
}

TEST_CASE("projector: rows of a generation that was lost are under no later one", "[projections]") {
  world w{11};
  w.history.grow(200);
  // As a power cut leaves them that took the swaps back.
  const auto leave = [&](std::uint32_t generation) {
    for (const auto* name : {"usage", "catalog"}) {
      const auto rows = w.views.write({name, generation});
      rows->put("left", "behind");
      REQUIRE(rows->commit({0, 7}).has_value());
    }
  };
  leave(2), leave(3), leave(9);
  projector kept{w.journal, w.views};
  for (const std::uint32_t generation : {2, 3, 9}) {
    CHECK(w.views.read({"usage", generation})->scan("", "", 10).empty());
    CHECK_FALSE(w.views.checkpoint({"usage", generation}, 0));
  }
  REQUIRE(kept.catch_up().has_value());
  const auto expected = hashes(kept);
  leave(2);
  REQUIRE(kept.rebuild().has_value());
  CHECK(hashes(kept) == expected);
}

TEST_CASE("projector: a rebuild is compared with the live view, however fast commits arrive",
          "[projections]") {
  // Commits arrive while it reads.
  struct growing_journal : memory_journal {
    using memory_journal::memory_journal;
    journal_result<std::vector<commit>> read(position from, std::size_t limit) const override {
      if (grow) grow();
      return memory_journal::read(from, limit);
    }
    std::function<void()> grow;
  };
  testing::manual_clock clock;
  growing_journal journal{clock, memory_journal::mode::automatic};
  test::random_history history{journal, 7};
  memory_view_store views;
  history.grow(200);
  projector kept{journal, views};
  REQUIRE(kept.catch_up());
  REQUIRE(kept.start_rebuild({}));
  int growths = 0;
  journal.grow = [&] {
    if (++growths < 200) history.grow(3);
  };
  while (kept.rebuilding()) REQUIRE(kept.step());
  for (const auto& name : kept.names()) {
    auto swapped = kept.take_comparison(name);
    REQUIRE(swapped.has_value());
    CHECK(is_identical(std::move(*swapped)));
    CHECK_FALSE(kept.take_comparison(name).has_value());
  }
}

TEST_CASE("projector: a rebuild filled elsewhere while commits arrive equals the live view",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    world w{seed};
    test::chance any{seed + 1};
    projector kept{w.journal, w.views};
    w.history.grow(200);
    RC_ASSERT(kept.catch_up().has_value());
    auto lent = kept.lend_rebuild();
    RC_ASSERT(lent.size() == kept.names().size());
    RC_ASSERT(!kept.rebuilding());
    view_filler filler{w.journal, w.views};
    const journal_cursor upto{{0, 1 + any.below(200)}};
    for (bool more = true; more;) {
      more = false;
      for (auto& each : lent)
        more =
            filler.advance(each, 1 + any.below(60), upto, view_filler::kept::by_keep).value() > 0 ||
            more;
      w.history.grow(3);
      RC_ASSERT(kept.step(40).has_value());
    }
    kept.take_back(lent);
    RC_ASSERT(kept.rebuilding());
    while (kept.rebuilding()) RC_ASSERT(kept.step(40).has_value());
    for (const auto& name : kept.names()) {
      RC_ASSERT(w.views.live_generation(name) == 2U);
      RC_ASSERT(is_identical(std::move(*kept.take_comparison(name))));
    }
    RC_ASSERT(kept.catch_up().has_value());
    RC_ASSERT(hashes(kept) == from_nothing(w.journal));
  }));
}

TEST_CASE("projector: a comparison sees what differs, and nothing that came later",
          "[projections]") {
  memory_view_store views;
  const auto put = [&](std::uint32_t generation, const char* key, const char* row) {
    const auto batch = views.write({"v", generation});
    batch->put(key, row);
    REQUIRE(batch->commit({0, 1}));
  };
  put(1, "a", "1");
  put(2, "a", "1");
  view_comparison same{views.snapshot({"v", 1}), views.snapshot({"v", 2})};
  put(2, "b", "2");
  view_comparison other{views.snapshot({"v", 1}), views.snapshot({"v", 2})};
  CHECK(is_identical(std::move(same)));
  CHECK_FALSE(is_identical(std::move(other)));
}

TEST_CASE(
    "projector: a crash between batches, or one that loses unsynced views, skips and repeats "
    "nothing",
    "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    world w{seed};
    test::chance any{seed + 1};
    for (int life = 0; life < 6; ++life) {
      projector kept{w.journal, w.views};
      w.history.grow(40);
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

TEST_CASE("projector: projected() is the position of the view furthest behind", "[projections]") {
  world w{1};
  projector kept{w.journal, w.views};
  CHECK(kept.projected() == journal_cursor{});
  w.history.grow(50);
  CHECK_FALSE(kept.caught_up());
  REQUIRE(kept.step(20).value() == 20);
  CHECK(kept.projected() == journal_cursor{{0, 20}});
  REQUIRE(kept.catch_up().has_value());
  CHECK(kept.projected() == heads_of(w.journal));
  CHECK(kept.step().value() == 0);
}

TEST_CASE("projector: a view stored by another version is rebuilt, never folded further",
          "[projections]") {
  world w{1};
  w.history.grow(50);
  const counter first{1};
  REQUIRE(projector{w.journal, w.views, {&first}}.catch_up().has_value());
  CHECK(w.views.read({"counter", 1})->get("count") == "50");
  w.history.grow(10);
  const counter second{2};
  projector kept{w.journal, w.views, {&second}};
  CHECK(kept.rebuilding());
  CHECK_FALSE(kept.caught_up());
  REQUIRE(kept.step(30).has_value());
  CHECK(w.views.live_generation("counter") == 1);
  CHECK(w.views.read({"counter", 1})->get("count") == "50");
  CHECK(kept.projected() == journal_cursor{});
  REQUIRE(kept.catch_up().has_value());
  CHECK(kept.caught_up());
  CHECK(w.views.live_generation("counter") == 2);
  CHECK(w.views.read({"counter", 2})->get("count") == "120");
}

TEST_CASE("projector: a rebuild of an unknown view is refused, one begun twice begins again",
          "[projections]") {
  world w{1};
  w.history.grow(50);
  projector kept{w.journal, w.views};
  CHECK(kept.rebuild("planet").error().code == journal_errc::not_found);
  REQUIRE(kept.catch_up().has_value());
  const auto before = hashes(kept);
  CHECK(kept.start_rebuild("audit"));
  REQUIRE(kept.step(10).has_value());
  CHECK(kept.start_rebuild("audit"));
  REQUIRE(kept.catch_up().has_value());
  CHECK(hashes(kept) == before);
  CHECK(w.views.live_generation("audit") == 2);
  CHECK(w.views.live_generation("feed") == 1);
}

TEST_CASE("projector: a corrupt commit stops it with the journal's error, and nothing is skipped",
          "[projections]") {
  world w{1};
  w.history.grow(50);
  w.journal.flip_bit(30, 200);
  projector kept{w.journal, w.views};
  const auto stopped = kept.catch_up();
  REQUIRE(stopped.has_error());
  CHECK(stopped.error().code == journal_errc::corrupt);
  CHECK(kept.projected().commits() < 30);
}

TEST_CASE("projector: commits folded a second into every view, in memory", "[.bench]") {
  world w{1};
  w.history.grow(20'000);
  projector kept{w.journal, w.views};
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(kept.catch_up().has_value());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  WARN("20,000 commits in " << took.count() << " s, " << 20'000 / took.count() << " a second");
  CHECK(kept.caught_up());
}

}  // namespace berth
