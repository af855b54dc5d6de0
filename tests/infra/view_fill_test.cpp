// Generations that are filled from nothing, in files far smaller than the server's.
#include <map>
#include <random>

#include <rocksdb/db.h>

#include "infra/rocksdb/rocksdb_view_store.hpp"
#include "infra/rocksdb/view_fill.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/journal_engines.hpp"

namespace berth::testing {
namespace {

using rows = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t small_file_bytes = 4'000;

// state/ alone.
struct state_alone {
  temporary_folder folder;
  shared_clock time;
  embedded_options options;
  std::unique_ptr<state_store> state;
  std::optional<rocksdb_view_store> views;

  state_alone() {
    options.data_dir = folder.path() / "data";
    options.time = &time;
    open();
  }
  void open() {
    auto opened = state_store::open(options);
    REQUIRE(opened.has_value());
    state = std::move(*opened);
    views.emplace(*state);
  }
  std::unique_ptr<view_store::batch> fill(const view_generation& of) {
    return fill_view(*state, of, views->read(of), small_file_bytes);
  }
  // What a machine without power keeps: files, which are synced, and no log, which is not. At one
  // moment: a compaction that went on would change what is copied.
  void power_cut() {
    const temporary_folder kept;
    REQUIRE(state->db().PauseBackgroundWork().ok());
    for (const auto& each : std::filesystem::recursive_directory_iterator{options.state_dir()})
      if (each.is_regular_file() && each.path().extension() != ".log")
        std::filesystem::copy_file(each.path(), kept.path() / each.path().filename());
    REQUIRE(state->db().ContinueBackgroundWork().ok());
    views.reset();
    state.reset();
    std::filesystem::remove_all(options.state_dir());
    std::filesystem::create_directories(options.state_dir());
    std::filesystem::copy(kept.path(), options.state_dir());
    open();
  }
};

void put_rows(view_store::batch& into, int count, const std::string& row) {
  for (int i = 0; i < count; ++i) {
    into.put("row " + std::to_string(i), row);
    REQUIRE(into.commit({0, static_cast<std::uint64_t>(i) + 1}).has_value());
  }
}

}  // namespace

TEST_CASE("view fill: like one map, over many files, and there once it was kept", "[infra]") {
  state_alone world;
  const view_generation of{"model", 2};
  std::mt19937 random{11};
  std::map<std::string, std::string> model;
  const auto batch = world.fill(of);
  const auto key = [&] { return "key " + std::to_string(random() % 200); };
  for (std::uint64_t step = 1; step <= 6'000; ++step) {
    const auto at = key();
    const auto row = std::to_string(step) + std::string(random() % 60, 'x');
    switch (random() % 8) {
      case 0:
        batch->erase(at);
        model.erase(at);
        break;
      case 1:
        batch->append(at + " of " + std::to_string(step), row);
        model[at + " of " + std::to_string(step)] = row;
        break;
      case 2: {
        const auto found = model.find(at);
        REQUIRE(batch->get(at) ==
                (found == model.end() ? std::nullopt : std::optional{found->second}));
        break;
      }
      case 3:
        REQUIRE(batch->commit({0, step}).has_value());
        break;
      default:
        batch->put(at, row);
        model[at] = row;
    }
    if (step % 1'000 != 0) continue;
    const rows all{model.begin(), model.end()};
    REQUIRE(batch->scan("", "", 100'000) == all);
  }
  CHECK_FALSE(world.views->checkpoint(of, 0));
  CHECK_FALSE(world.views->read(of)->scan("", "", 10).empty());  // of files given away
  REQUIRE(batch->commit({0, 6'000}).has_value());
  REQUIRE(batch->keep().has_value());
  CHECK(world.views->checkpoint(of, 0) == position{0, 6'000});
  const rows all{model.begin(), model.end()};
  CHECK(world.views->read(of)->scan("", "", 100'000) == all);
  world.state.reset();
  world.open();
  CHECK(world.views->read(of)->scan("", "", 100'000) == all);
  CHECK(std::filesystem::is_empty(world.state->filling_folder()));
}

TEST_CASE("view fill: a generation that was dropped is filled anew, with nothing of the old in it",
          "[infra]") {
  state_alone world;
  const view_generation of{"v", 2};
  put_rows(*world.fill(of), 500, "old");
  CHECK_FALSE(world.views->read(of)->scan("", "", 10).empty());
  world.views->drop(of);
  CHECK(world.views->read(of)->scan("", "", 10).empty());
  const auto again = world.fill(of);
  CHECK_FALSE(again->get("row 499"));
  put_rows(*again, 300, "new");
  REQUIRE(again->keep().has_value());
  const auto all = world.views->read(of)->scan("", "", 1'000);
  CHECK(all.size() == 300);
  for (const auto& [key, row] : all) REQUIRE(row == "new");
}

TEST_CASE("view fill: after a power cut a generation is live with all its rows, or is none",
          "[infra]") {
  state_alone world;
  auto& views = world.views;
  const auto begun = [&](std::uint32_t generation) {
    views->drop({"v", generation});  // as the projector begins
    return world.fill({"v", generation});
  };
  const auto first = begun(2);
  put_rows(*first, 400, "second");
  REQUIRE(first->keep().has_value());
  REQUIRE(views->swap_live("v", 2).has_value());
  const auto second = begun(3);
  put_rows(*second, 400, "third");
  world.power_cut();
  const auto live = views->live_generation("v");
  CHECK(live == 2);  // its swap was written before the files of the third
  CHECK(views->checkpoint({"v", 2}, 0) == position{0, 400});
  CHECK(views->read({"v", 2})->scan("", "", 1'000).size() == 400);
  CHECK_FALSE(views->checkpoint({"v", 3}, 0));
  CHECK_FALSE(views->read({"v", 3})->scan("", "", 10).empty());
  views->drop_others({"v", live});  // as the projector starts
  CHECK(views->read({"v", 3})->scan("", "", 10).empty());
  CHECK(views->read({"v", 2})->scan("", "", 1'000).size() == 400);
}

TEST_CASE("view fill: what cannot be given away is an error, and nothing is kept", "[infra]") {
  state_alone world;
  const auto batch = world.fill({"v", 2});
  std::filesystem::remove_all(world.state->filling_folder());
  batch->put("a", std::string(small_file_bytes, 'x'));
  const auto failed = batch->commit({0, 1});
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == journal_errc::io);
  CHECK(failed.error().message.find("view v") != std::string::npos);
  CHECK_FALSE(world.views->checkpoint({"v", 2}, 0));
  CHECK(world.views->read({"v", 2})->scan("", "", 10).empty());
}

}  // namespace berth::testing
