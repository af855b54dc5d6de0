#include "actors/forwarding_kernel.hpp"

#include <deque>

#include "tests/support/catch.hpp"
#include "tests/support/fake_kernel.hpp"
#include "tests/support/partitioned_journal.hpp"
#include "tests/support/recording_viewer.hpp"
#include "tests/support/terminal_kernel.hpp"

using namespace berth;
using namespace berth::testing;
using namespace std::chrono_literals;

namespace {

// This node's journal, which leads what it is told to.
struct led_journal : partitioned_journal {
  using partitioned_journal::partitioned_journal;
  std::uint64_t leadership_of(const stream_id&) const override { return leads ? 1 : 0; }
  bool leads{};
};

// Two nodes' kernels over one journal, and who leads; time passes by pass().
struct world : peers {
  manual_clock clock;
  led_journal journal{clock};
  fake_kernel here_kernel{clock, journal};
  fake_kernel there_kernel{clock, journal};
  terminal_kernel here{here_kernel};
  terminal_kernel there{there_kernel};
  bool is_there_reached{true};
  std::deque<std::function<void()>> later;
  std::unique_ptr<kernel> whole =
      make_forwarding_kernel({here, journal, *this,
                              [this](std::chrono::milliseconds, std::function<void()> run) {
                                later.push_back(std::move(run));
                              },
                              200ms, 200ms});

  std::shared_ptr<kernel> leader_of(const stream_id&, std::size_t) override {
    if (!is_there_reached) return nullptr;
    return {std::shared_ptr<void>{}, &there};
  }
  void pass() {
    auto due = std::exchange(later, {});
    for (auto& each : due) each();
  }

  account_id account{"acct_1"};
  command_meta meta(const char* id) {
    return {uuid::derived("test", id), system_principal(account), {}, {}, {}};
  }
  std::optional<outcome<answer<account::aggregate>>> create(const char* id) {
    auto got = std::make_shared<std::optional<outcome<answer<account::aggregate>>>>();
    whole->ask(account, account::create{"anna", {}}, meta(id), [got](auto r) { *got = r; });
    answers.push_back(got);
    return *got;
  }
  std::vector<std::shared_ptr<std::optional<outcome<answer<account::aggregate>>>>> answers;
};

}  // namespace

TEST_CASE("forwarding: what is led here is asked here, the rest where it is led", "[actors]") {
  world w;
  REQUIRE(w.create("1"));
  CHECK(w.answers.back()->value());
  w.journal.leads = true;
  w.there_kernel.refuse_next = reject(rejection_code::overloaded, "not asked");
  bool is_found = false;
  w.whole->read(w.account, system_principal(w.account), [&](const auto& got) {
    is_found = got.has_value();  // the fake here knows nothing of it
  });
  CHECK_FALSE(is_found);
  CHECK(w.there_kernel.refuse_next);
}

TEST_CASE("forwarding: a call is asked again while leadership moves, with the same id",
          "[actors]") {
  world w;
  SECTION("nobody can be reached") {
    w.is_there_reached = false;
  }
  SECTION("the one that was asked leads no longer") {
    w.there_kernel.refuse_next = not_led("x");
  }
  SECTION("the outcome is unknown") {
    w.there_kernel.refuse_next = reject(rejection_code::unknown_outcome, "x");
  }
  CHECK_FALSE(w.create("1"));
  w.is_there_reached = true;
  w.pass();
  REQUIRE(w.answers.back()->has_value());
  CHECK(w.answers.back()->value());
}

TEST_CASE("forwarding: other refusals are answers, and so is a leader that never comes",
          "[actors]") {
  world w;
  w.there_kernel.refuse_next = reject(rejection_code::overloaded, "x");
  REQUIRE(w.create("1"));
  CHECK(w.answers.back()->value().error() == rejection_code::overloaded);
  w.is_there_reached = false;
  CHECK_FALSE(w.create("2"));
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (!w.answers.back()->has_value() && std::chrono::steady_clock::now() < until) w.pass();
  REQUIRE(w.answers.back()->has_value());
  CHECK(is_not_led(w.answers.back()->value().error()));
}

TEST_CASE("forwarding: an attachment goes on at the next leader, byte for byte", "[actors]") {
  world w;
  const terminal_id id{"term_1"};
  for (auto* each : {&w.here, &w.there}) each->add(id, w.account);
  const auto input = uuid::derived("test", "input");
  const auto view = std::make_shared<recording_viewer>(0);
  w.whole->attach({id,
                   {w.account, "tok", false},
                   {"sess_1"},
                   input,
                   attach_mode::exact,
                   attach_right::drive,
                   0,
                   1'000},
                  view, [&](auto got) { view->attached(std::move(got)); });
  REQUIRE(view->attachment());
  w.there.print(id, "one ");
  view->attachment()->input(1, "a");
  CHECK(view->input_applied_until == 1);
  w.there.with(id, [](auto& t) { t.silent = true; });
  view->attachment()->input(2, "b");  // applied there, and nobody heard of it

  // The terminal is here from now on, with all it had.
  w.here.print(id, "one two ");
  w.here.with(id, [&](auto& t) { t.typed = "ab", t.applied[input] = 2; });
  w.journal.leads = true;
  const auto old = w.there.with(id, [](auto& t) { return t.viewers.begin()->second.out; });
  old->failed(not_led("gone"));
  CHECK_FALSE(view->refused);
  view->attachment()->input(3, "c");  // typed meanwhile
  view->attachment()->credit(4, 2'000);
  w.pass();
  w.pass();
  CHECK(view->bytes == "one two ");
  CHECK(w.here.typed(id) == "abc");
  CHECK(view->input_applied_until == 3);
  // What the old one still says is not heard.
  old->output(8, share("wrong"), 0, 5);
  w.here.print(id, "three");
  CHECK(view->bytes == "one two three");

  SECTION("a refusal for good ends it") {
    const auto now = w.here.with(id, [](auto& t) { return t.viewers.begin()->second.out; });
    now->failed(reject(rejection_code::not_found, "removed"));
    CHECK(view->refused == rejection_code::not_found);
    view->detach();  // who holds both holds a cycle
  }
  SECTION("who detaches is attached nowhere") {
    view->detach();
    CHECK(w.here.viewers(id) == 0);
    CHECK(w.there.viewers(id) == 0);
  }
}

TEST_CASE("forwarding: an attachment gives up when its terminal stays away", "[actors]") {
  world w;
  const terminal_id id{"term_1"};
  w.there.add(id, w.account);
  const auto view = std::make_shared<recording_viewer>(0);
  w.whole->attach({id, {w.account, "tok", false}, {"sess_1"}, {}, {}, {}, 0, 1'000}, view,
                  [&](auto got) { view->attached(std::move(got)); });
  REQUIRE(view->attachment());
  w.is_there_reached = false;
  w.there.with(id, [](auto& t) { return t.viewers.begin()->second.out; })->failed(not_led("gone"));
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (!view->refused && std::chrono::steady_clock::now() < until) w.pass();
  CHECK(view->refused == rejection_code::unavailable);
  view->detach();
}

TEST_CASE("forwarding: a watch begins anew where its environment is led", "[actors]") {
  world w;
  REQUIRE(w.create("1"));
  std::optional<environment_id> made;
  w.whole->create_environment(w.account, {w.account, "dev", "lightweight", "host", "2026-11"},
                              w.meta("env"), [&](const auto& got) { made = got->id; });
  REQUIRE(made);
  int seen = 0;
  w.there_kernel.refuse_next = not_led("moving");
  auto watch = w.whole->watch(*made, system_principal(w.account),
                              [&](const auto& now) { seen += now ? 1 : 100; });
  CHECK(seen == 0);
  w.pass();
  CHECK(seen == 1);
  watch.reset();
  w.pass();
  CHECK(seen == 1);
}
