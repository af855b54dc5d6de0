// What every environment_host must do, whichever provider made it (rules H1–H5 of the port). The
// provider's test gives a world: the host, a recorder that observes it, and how to wait.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "actors/ports/environment_host.hpp"
#include "tests/support/catch.hpp"

namespace berth::testing {

// Waits for one completion, whatever waiting means to the provider (pumping the fake, blocking on
// the real one).
struct host_world {
  environment_host& host;
  std::function<void()> settle;  // lets completions and observer calls run
  std::function<bool(const std::function<bool()>&)>
      until;  // settles until the condition holds, or a deadline
  std::function<std::string(const terminal_id&)> output;  // told so far
  std::function<std::optional<terminal_end>(const terminal_id&)> end;
  std::function<void(const terminal_id&, const std::string&)>
      print;  // the terminal's program prints this
};

class host_conformance {
 public:
  explicit host_conformance(host_world world) : world_(std::move(world)) {
    spec_.id = {"env_conformance"};
    spec_.account = {"acct_test"};
    spec_.owner_epoch = 2;
    spec_.name = "conformance";
    spec_.template_name = "host";
    spec_.cpu_millis = 1000;
    spec_.memory_bytes = 256u << 20;
    spec_.pids_max = 64;
  }

  void run() {
    lifecycle_is_repeatable();
    exec_is_keyed();
    terminals_are_numbered();
    stale_owners_are_refused();
    what_is_gone_is_said();
  }

 private:
  template <class T>
  host_result<T> wait(const std::function<void(host_completion<T>)>& call) {
    std::mutex mutex;
    std::optional<host_result<T>> got;
    int times = 0;
    bool inside = true;
    const auto caller = std::this_thread::get_id();
    call([&](host_result<T> result) {
      const std::lock_guard hold(mutex);
      // H1: never inside the call.
      if (std::this_thread::get_id() == caller) CHECK(!inside);
      ++times;
      got = std::move(result);
    });
    inside = false;
    REQUIRE(world_.until([&] {
      const std::lock_guard hold(mutex);
      return got.has_value();
    }));
    world_.settle();
    const std::lock_guard hold(mutex);
    CHECK(times == 1);
    return *got;
  }
  host_result<bool> create() {
    return wait<bool>([&](auto done) { world_.host.create(spec_, done); });
  }
  host_result<incarnation> start() {
    return wait<incarnation>([&](auto done) { world_.host.start(spec_, done); });
  }
  host_result<bool> stop(std::uint64_t epoch) {
    return wait<bool>([&](auto done) { world_.host.stop(spec_.id, epoch, done); });
  }
  host_result<bool> destroy(std::uint64_t epoch) {
    return wait<bool>([&](auto done) { world_.host.destroy(spec_.id, epoch, done); });
  }
  host_result<exec_output> exec(const effect_id& effect, const incarnation& life = {}) {
    exec_request request;
    request.effect = effect;
    request.life = life;
    request.command = {"/bin/sh", "-c", "date +%s%N"};
    return wait<exec_output>([&](auto done) { world_.host.exec(spec_.id, request, done); });
  }

  void lifecycle_is_repeatable() {
    const auto missing = start();
    REQUIRE(!missing);
    CHECK(missing.error().code == host_errc::not_found);
    CHECK(create());
    CHECK(create());
    CHECK(stop(2));
    const auto first = start();
    REQUIRE(first);
    CHECK(*start() == *first);
    CHECK(stop(2));
    CHECK(stop(2));
    const auto second = start();
    REQUIRE(second);
    CHECK(!(*second == *first));
    CHECK(adopted_life() == *second);
    CHECK(stop(2));
    CHECK(adopted_life() == incarnation{});  // H6: it lies on the disk
    CHECK(start());
  }
  incarnation adopted_life() {
    const auto adopted =
        wait<std::vector<adopted_environment>>([&](auto done) { world_.host.adopt(done); });
    REQUIRE(adopted);
    REQUIRE(adopted->size() == 1);
    return adopted->front().life;
  }

  void exec_is_keyed() {
    const auto effect = uuid::derived("conformance", "exec");
    const auto first = exec(effect);
    REQUIRE(first);
    CHECK(first->exit_code == 0);
    const auto again = exec(effect);
    REQUIRE(again);
    CHECK(again->stdout_bytes ==
          first->stdout_bytes);  // H4: the recorded outcome, not a second run
    const auto present = start();
    REQUIRE(present);
    CHECK(exec(uuid::derived("conformance", "exec in this life"), *present));
    const auto elsewhere =
        exec(uuid::derived("conformance", "exec in another life"), {present->value + "x"});
    REQUIRE(!elsewhere);
    CHECK(elsewhere.error().code == host_errc::outcome_unknown);
  }

  void terminals_are_numbered() {
    terminal_spec spec;
    spec.id = {"term_conformance"};
    spec.command = {"/bin/sh", "-c", "stty raw -echo; cat"};
    const auto open = [&] {
      return wait<terminal_started>(
          [&](auto done) { world_.host.open_terminal(spec_.id, spec, done); });
    };
    REQUIRE(open());
    world_.host.follow_terminal(spec_.id, spec.id, 0);
    world_.print(spec.id, "hello ");
    world_.print(spec.id, "world");
    REQUIRE(world_.until([&] { return world_.output(spec.id) == "hello world"; }));
    CHECK(open()->next_offset == 11);  // H2: it runs already
    world_.host.terminal_durable(spec_.id, spec.id, 11);

    const auto stream = uuid::derived("conformance", "input");
    const auto type = [&](std::uint64_t sequence) {
      return wait<input_outcome>([&](auto done) {
        world_.host.terminal_input(spec_.id, spec.id, stream, sequence, "x", done);
      });
    };
    CHECK(type(2)->refused_unknown_stream);
    CHECK(type(1)->last_applied == 1);
    CHECK(type(1)->last_applied == 1);
    CHECK(type(3)->refused_gap);
    CHECK(type(2)->last_applied == 2);
    world_.host.close_terminal(spec_.id, spec.id);
    REQUIRE(world_.until([&] { return world_.end(spec.id).has_value(); }));
    CHECK(world_.end(spec.id)->final_offset >= 11);
  }

  void stale_owners_are_refused() {
    const auto stale = stop(1);
    REQUIRE(!stale);
    CHECK(stale.error().code == host_errc::stale_owner);
    CHECK(destroy(3));
    const auto late = destroy(2);
    REQUIRE(!late);
    CHECK(late.error().code == host_errc::stale_owner);
  }

  void what_is_gone_is_said() {
    CHECK(destroy(3));
    const auto gone = exec(uuid::derived("conformance", "after"));
    REQUIRE(!gone);
    CHECK(gone.error().code == host_errc::not_found);
  }

  host_world world_;
  environment_spec spec_;
};

}  // namespace berth::testing
