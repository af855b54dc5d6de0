// The rules of projections/view_store.hpp over every view store.
#include <array>
#include <map>
#include <random>

#include "infra/memory/row_overlay.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/journal_engines.hpp"
#include "tests/support/journal_sample.hpp"

namespace berth::testing {

using rows = std::vector<std::pair<std::string, std::string>>;

#define VIEW_ENGINES memory_engine, rocksdb_engine

TEMPLATE_TEST_CASE("views: rows and checkpoint become visible together", "[infra]", VIEW_ENGINES) {
  TestType engine;
  auto& views = engine.views();
  const view_generation usage{"usage", 1};
  CHECK(views.live_generation("usage") == 1);
  CHECK_FALSE(views.checkpoint(usage, 0));
  auto batch = views.write(usage);
  batch->put("a", "1");
  batch->put("b", "2");
  CHECK(batch->get("a") == "1");
  CHECK_FALSE(views.read(usage)->get("a"));
  REQUIRE(batch->commit({0, 7}).has_value());
  CHECK(views.read(usage)->get("a") == "1");
  CHECK(views.checkpoint(usage, 0) == position{0, 7});
  CHECK_FALSE(views.checkpoint(usage, 1));
  CHECK_FALSE(views.checkpoint({"usage", 2}, 0));
}

TEMPLATE_TEST_CASE("views: several batches are written at once, each with its checkpoint",
                   "[infra]", VIEW_ENGINES) {
  TestType engine;
  auto& views = engine.views();
  const view_generation usage{"usage", 1}, audit{"audit", 3};
  const auto of_usage = views.write(usage), of_audit = views.write(audit);
  for (std::uint64_t round = 1; round <= 2; ++round) {
    of_usage->put("a", std::to_string(round));
    of_audit->append("b" + std::to_string(round), "row");
    const std::array<view_store::batch_at, 2> both{
        {{of_usage.get(), {{0, 10 * round}}}, {of_audit.get(), {{0, 7 * round}}}}};
    REQUIRE(views.commit_all(both).has_value());
    CHECK(views.read(usage)->get("a") == std::to_string(round));
    CHECK(views.read(audit)->scan("b", "", 10).size() == round);
    CHECK(views.checkpoint(usage, 0) == position{0, 10 * round});
    CHECK(views.checkpoint(audit, 0) == position{0, 7 * round});
  }
  CHECK_FALSE(views.read(usage)->get("b1"));
}

TEMPLATE_TEST_CASE("views: a write has checkpoints of the partitions it folded, others stay",
                   "[infra]", VIEW_ENGINES) {
  TestType engine;
  auto& views = engine.views();
  const view_generation usage{"usage", 1}, filled{"usage", 2};
  const auto batch = views.write(usage);
  batch->put("a", "1");
  REQUIRE(batch->commit(std::vector<position>{{0, 5}, {3, 7}, {63, 1}}).has_value());
  batch->put("a", "2");
  REQUIRE(batch->commit({3, 8}).has_value());
  CHECK(views.checkpoint(usage, 0) == position{0, 5});
  CHECK(views.checkpoint(usage, 3) == position{3, 8});
  CHECK(views.checkpoint(usage, 63) == position{63, 1});
  CHECK_FALSE(views.checkpoint(usage, 1));
  const auto fill = views.fill(filled);
  fill->put("a", "1");
  REQUIRE(fill->commit({2, 1}).has_value());
  REQUIRE(fill->commit(std::vector<position>{{0, 4}, {2, 3}}).has_value());
  REQUIRE(fill->keep().has_value());
  CHECK(views.checkpoint(filled, 0) == position{0, 4});
  CHECK(views.checkpoint(filled, 2) == position{2, 3});
  CHECK_FALSE(views.checkpoint(filled, 3));
  CHECK(views.read(filled)->get("a") == "1");
  views.drop(usage);
  for (const std::uint32_t partition : {0, 3, 63}) CHECK_FALSE(views.checkpoint(usage, partition));
}

TEMPLATE_TEST_CASE("views: a batch can be used again after its commit", "[infra]", VIEW_ENGINES) {
  TestType engine;
  const view_generation usage{"usage", 1};
  auto batch = engine.views().write(usage);
  batch->put("a", "1");
  REQUIRE(batch->commit({0, 1}).has_value());
  batch->erase("a");
  CHECK_FALSE(batch->get("a"));
  CHECK(engine.views().read(usage)->get("a") == "1");
  REQUIRE(batch->commit({0, 2}).has_value());
  CHECK_FALSE(engine.views().read(usage)->get("a"));
  CHECK(engine.views().checkpoint(usage, 0) == position{0, 2});
}

TEMPLATE_TEST_CASE("views: names, generations and prefixes do not see one another's rows",
                   "[infra]", VIEW_ENGINES) {
  TestType engine;
  auto& views = engine.views();
  const std::vector<view_generation> all{{"a", 1}, {"a", 2}, {"a", 255}, {"ab", 1}, {"b", 1}};
  for (const auto& each : all) {
    auto batch = views.write(each);
    batch->put("k\xff", each.name + std::to_string(each.generation));
    batch->put("k\xff\xff", "deep");
    batch->put("l", "other");
    REQUIRE(batch->commit({0, 1}).has_value());
  }
  for (const auto& each : all) {
    const auto view = views.read(each);
    CHECK(view->scan("", "", 10).size() == 3);
    CHECK(view->scan("k\xff", "", 10) ==
          rows{{"k\xff", each.name + std::to_string(each.generation)}, {"k\xff\xff", "deep"}});
    CHECK(view->scan("k", "k\xff", 10) == rows{{"k\xff\xff", "deep"}});
  }
  views.drop({"a", 2});
  CHECK(views.read({"a", 2})->scan("", "", 10).empty());
  CHECK_FALSE(views.checkpoint({"a", 2}, 0));
  CHECK(views.read({"a", 1})->scan("", "", 10).size() == 3);
  CHECK(views.read({"ab", 1})->scan("", "", 10).size() == 3);
}

TEMPLATE_TEST_CASE("views: a rebuilt generation is swapped in and stays after a restart", "[infra]",
                   VIEW_ENGINES) {
  TestType engine;
  const auto listener = std::make_shared<recording_listener>();
  REQUIRE_FALSE(engine.journal().append(sample_body(stream_named("a"), 1, 1), 1, listener));
  REQUIRE(listener->wait_for(1));
  auto batch = engine.views().write({"usage", 2});
  batch->put("a", "new");
  REQUIRE(batch->commit({0, 1}).has_value());
  batch.reset();
  REQUIRE(engine.views().swap_live("usage", 2).has_value());
  engine.reopen();
  CHECK(engine.views().read({"usage", 2})->get("a") == "new");
  CHECK(engine.views().live_generation("usage") == 2);
  CHECK(engine.views().live_generation("usages") == 1);
}

TEST_CASE("views: what was filled and kept is there after a crash, what was only filled is not",
          "[infra]") {
  rocksdb_engine engine;
  const auto fill = [&](const view_generation& of, std::uint64_t batches, bool keeps) {
    const auto batch = engine.views().fill(of);
    for (std::uint64_t n = 1; n <= batches; ++n) {
      batch->put("row " + std::to_string(n), "x");
      REQUIRE(batch->commit({0, n}).has_value());
    }
    CHECK(batch->scan("", "", 100).size() == batches);
    if (keeps) REQUIRE(batch->keep().has_value());
  };
  const auto listener = std::make_shared<recording_listener>();
  for (std::uint64_t n = 1; n <= 5; ++n)
    REQUIRE_FALSE(engine.journal().append(sample_body(stream_named("a"), n, n), n, listener));
  REQUIRE(listener->wait_for(5));
  fill({"kept", 2}, 5, true);
  REQUIRE(engine.views().swap_live("kept", 2).has_value());
  fill({"filled", 2}, 5, false);
  // As the disk is if the process dies here: nothing is closed.
  const temporary_folder after;
  auto crashed = engine.options();
  crashed.data_dir = after.path() / "data";
  std::filesystem::copy(engine.options().data_dir, crashed.data_dir,
                        std::filesystem::copy_options::recursive);
  const auto reopened = open_embedded(crashed);
  REQUIRE(reopened.has_value());
  auto& views = (*reopened)->views();
  CHECK(views.live_generation("kept") == 2);
  CHECK(views.checkpoint({"kept", 2}, 0) == position{0, 5});
  CHECK(views.read({"kept", 2})->scan("", "", 100).size() == 5);
  CHECK_FALSE(views.checkpoint({"filled", 2}, 0));
}

TEMPLATE_TEST_CASE("views: a snapshot is of its moment, whatever is written or dropped later",
                   "[infra]", VIEW_ENGINES) {
  TestType engine;
  const auto put = [&](const char* key, const char* row) {
    const auto batch = engine.views().write({"v", 1});
    batch->put(key, row);
    REQUIRE(batch->commit({0, 1}).has_value());
  };
  put("a", "1");
  const auto then = engine.views().snapshot({"v", 1});
  put("a", "2");
  put("b", "2");
  engine.views().drop({"v", 1});
  CHECK(then->scan("", "", 10) == rows{{"a", "1"}});
  CHECK(then->get("a") == "1");
  CHECK_FALSE(then->get("b"));
}

TEMPLATE_TEST_CASE("views: a batch shows its own writes over what is stored, like one map",
                   "[infra]", VIEW_ENGINES) {
  TestType engine;
  const view_generation of{"model", 1};
  std::mt19937 random{7};
  std::map<std::string, std::string> model;
  auto batch = engine.views().write(of);
  const auto key = [&] {
    return std::string(1, static_cast<char>('a' + random() % 3)) + std::to_string(random() % 40);
  };
  for (std::uint64_t step = 1; step <= 3'000; ++step) {
    const auto which = random() % 20;
    const auto at = key();
    if (which == 0) {
      const auto fresh = at + " " + std::to_string(step);
      batch->append(fresh, std::to_string(step));
      model[fresh] = std::to_string(step);
    } else if (which < 9) {
      batch->put(at, std::to_string(step));
      model[at] = std::to_string(step);
    } else if (which < 14) {
      batch->erase(at);
      model.erase(at);
    } else if (which == 14) {
      REQUIRE(batch->commit({0, step}).has_value());
    } else if (which < 17) {
      const auto found = model.find(at);
      REQUIRE(batch->get(at) ==
              (found == model.end() ? std::nullopt : std::optional{found->second}));
    } else {
      const std::string prefix(random() % 2, static_cast<char>('a' + random() % 3));
      const auto after = random() % 2 ? key() : std::string{};
      const std::size_t limit = 1 + random() % 50;
      rows expected;
      for (const auto& row : model)
        if (row.first.starts_with(prefix) && row.first > after && expected.size() < limit)
          expected.push_back(row);
      REQUIRE(batch->scan(prefix, after, limit) == expected);
    }
  }
}

}  // namespace berth::testing
