// What holds of every aggregate, over random histories. A failing property prints its seed.
#include <rapidcheck.h>

#include "events/event_json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/given.hpp"
#include "tests/support/random_commands.hpp"

namespace berth {
namespace {

using test::chance;

// Asks `commands` random commands and calls check(before, events, after, now) after each accepted
// one.
template <class A, class Check>
void live(std::uint64_t seed, int commands, Check check) {
  chance any{seed};
  typename A::state state;
  auto now = test::start_of_time;
  for (int i = 0; i < commands; ++i) {
    now += test::random_step(any);
    const auto asked = test::random_command(any, state, now);
    const auto decided = A::decide(state, asked, {now});
    if (!decided) continue;
    const auto before = state;
    for (const auto& happened : *decided) state = A::apply(std::move(state), happened);
    check(before, *decided, state, now);
  }
}

template <class A>
void check_codec(std::uint64_t seed) {
  typename A::state refolded;
  live<A>(seed, 200, [&](const auto&, const auto& events, const auto& after, timestamp) {
    for (const auto& happened : events) {
      const auto record = A::encode(happened);
      const auto read = A::decode(record);
      RC_ASSERT(read.has_value());
      RC_ASSERT(*read == happened);
      RC_ASSERT(A::encode(*read) == record);
      refolded = A::apply(std::move(refolded), *read);
    }
    RC_ASSERT(refolded == after);
  });
}

template <class A>
void check_snapshots(std::uint64_t seed) {
  live<A>(seed, 200, [&](const auto&, const auto&, const auto& after, timestamp) {
    const auto bytes = A::encode_state(after);
    const auto read = A::decode_state(bytes);
    RC_ASSERT(read.has_value());
    RC_ASSERT(*read == after);
    RC_ASSERT(A::encode_state(*read) == bytes);
    // Also from an unaligned place.
    const auto shifted = "x" + bytes;
    RC_ASSERT(*A::decode_state(std::string_view{shifted}.substr(1)) == after);
  });
}

// An event applied where it does not belong, and a command decided there, still give a state that
// can be kept.
template <class A>
void check_total(std::uint64_t seed) {
  std::vector<typename A::event> pool;
  live<A>(seed, 150, [&](const auto&, const auto& events, const auto&, timestamp) {
    pool.insert(pool.end(), events.begin(), events.end());
  });
  if (pool.empty()) return;
  chance any{seed + 1};
  typename A::state state;
  for (int i = 0; i < 200; ++i) {
    state = A::apply(std::move(state), pool[any.below(pool.size())]);
    RC_ASSERT(*A::decode_state(A::encode_state(state)) == state);
    (void)A::decide(state, test::random_command(any, state, test::start_of_time),
                    {test::start_of_time});
  }
}

template <class A>
void check_fuzz(std::uint64_t seed) {
  std::vector<std::string> bodies;
  std::vector<std::uint16_t> types;
  live<A>(seed, 100, [&](const auto&, const auto& events, const auto& after, timestamp) {
    bodies.push_back(A::encode_state(after));
    types.push_back(0);
    for (const auto& happened : events) {
      auto record = A::encode(happened);
      types.push_back(record.type);
      bodies.push_back(std::move(record.payload));
    }
  });
  chance any{seed + 1};
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    auto bytes = any.one_in(10) ? any.bytes(100) : bodies[i];
    const auto flips = any.below(4);
    for (std::uint64_t k = 0; k < flips && !bytes.empty(); ++k) {
      bytes[any.below(bytes.size())] = static_cast<char>(any.below(256));
    }
    if (any.one_in(4)) bytes.resize(any.below(bytes.size() + 1));
    if (auto state = A::decode_state(bytes)) (void)A::encode_state(*state);
    const event_record record{
        static_cast<std::uint16_t>(any.one_in(8) ? any.below(70'000) : types[i]), bytes};
    if (auto happened = A::decode(record)) (void)A::apply(typename A::state{}, *happened);
    RC_ASSERT(!event_to_json(A::kind, record).empty());
    RC_ASSERT(!state_to_json(A::kind, bytes).empty());
  }
}

template <class A>
bool holds(const std::string& what, void (*property)(std::uint64_t)) {
  return rc::check(std::string{name_of(A::kind)} + ": " + what,
                   [=](std::uint64_t seed) { property(seed); });
}

template <class... As>
struct kinds {};
using every_kind = kinds<environment::aggregate, account::aggregate, terminal::aggregate,
                         session::aggregate, host::aggregate>;

template <class... As, class Each>
void for_every(kinds<As...>, Each each) {
  (each(As{}), ...);
}

// How often each kind of event happens in the histories the properties see.
template <class A>
std::map<std::string, int> events_seen() {
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    live<A>(seed, 200, [&](const auto&, const auto& events, const auto&, timestamp) {
      for (const auto& happened : events) ++seen[event_name(A::kind, A::encode(happened).type)];
    });
  }
  return seen;
}

}  // namespace

TEST_CASE("aggregates: random histories hold every kind of event, each more than once",
          "[events]") {
  for_every(every_kind{}, [](auto a) {
    const auto seen = events_seen<decltype(a)>();
    for (const auto& [name, count] : seen) {
      CAPTURE(name, count);
      CHECK(count > 5);
    }
    std::string names;
    for (const auto& [name, count] : seen) names += name + ' ';
    CAPTURE(names);
    CHECK(seen.size() == std::variant_size_v<typename decltype(a)::event>);
  });
}

TEST_CASE("aggregates: stored events read back equal, and refold to the state kept", "[events]") {
  for_every(every_kind{},
            [](auto a) { CHECK(holds<decltype(a)>("codec", check_codec<decltype(a)>)); });
}

TEST_CASE("aggregates: snapshots read back equal, and equal states give equal bytes", "[events]") {
  for_every(every_kind{},
            [](auto a) { CHECK(holds<decltype(a)>("snapshots", check_snapshots<decltype(a)>)); });
}

TEST_CASE("aggregates: apply is total, whatever the event and the state", "[events]") {
  for_every(every_kind{},
            [](auto a) { CHECK(holds<decltype(a)>("total", check_total<decltype(a)>)); });
}

TEST_CASE("aggregates: mutated bytes are refused or read, and never crash", "[events]") {
  for_every(every_kind{},
            [](auto a) { CHECK(holds<decltype(a)>("fuzz", check_fuzz<decltype(a)>)); });
}

TEST_CASE("environment: DELETED is final, and a transient state always has a deadline ahead",
          "[events]") {
  using A = environment::aggregate;
  using environment::status;
  CHECK(rc::check([](std::uint64_t seed) {
    live<A>(seed, 300,
            [](const auto& before, const auto& events, const auto& after, timestamp now) {
              if (before.status == status::deleted) RC_ASSERT(events.empty());
              const bool transient =
                  after.status == status::creating || after.status == status::starting ||
                  after.status == status::stopping || after.status == status::deleting;
              RC_ASSERT(transient == (after.deadline != timestamp{}));
              if (!after.pending_execs.empty()) RC_ASSERT(after.status == status::running);
              if (before.status != after.status && transient) RC_ASSERT(after.deadline > now);
            });
  }));
}

TEST_CASE("environment: the shell's deadline command always moves the deadline on", "[events]") {
  using A = environment::aggregate;
  CHECK(rc::check([](std::uint64_t seed) {
    live<A>(seed, 200, [](const auto&, const auto&, const auto& after, timestamp now) {
      const auto due = A::deadline(after);
      if (!due) return;
      const auto at = std::max(now, *due);
      auto state = after;
      const auto decided = A::decide(after, A::on_deadline(after), {at});
      RC_ASSERT(decided.has_value());
      for (const auto& happened : *decided) state = A::apply(std::move(state), happened);
      const auto next = A::deadline(state);
      RC_ASSERT(!next || *next > at);
    });
  }));
}

TEST_CASE("terminal: the shell's deadline command always moves the deadline on", "[events]") {
  using A = terminal::aggregate;
  CHECK(rc::check([](std::uint64_t seed) {
    live<A>(seed, 200, [](const auto&, const auto&, const auto& after, timestamp now) {
      const auto due = A::deadline(after);
      if (!due) return;
      const auto at = std::max(now, *due);
      auto state = after;
      const auto decided = A::decide(after, A::on_deadline(after), {at});
      for (const auto& happened : decided.value()) state = A::apply(std::move(state), happened);
      const auto next = A::deadline(state);
      RC_ASSERT(!next || *next > at);
    });
  }));
}

TEST_CASE("account: names of live environments are unique", "[events]") {
  CHECK(rc::check([](std::uint64_t seed) {
    live<account::aggregate>(seed, 300, [](const auto&, const auto&, const auto& after, timestamp) {
      std::set<std::string> names;
      for (const auto& [id, entry] : after.environments) RC_ASSERT(names.insert(entry.name).second);
    });
  }));
}

TEST_CASE("aggregates: canonical texts of different commands differ", "[events]") {
  CHECK(rc::check([](std::uint64_t seed) {
    chance any{seed};
    std::map<std::string, std::string> texts;  // canonical -> something that tells commands apart
    for (int i = 0; i < 100; ++i) {
      environment::exec c;
      c.id.value = any.pick({"e", "e1"});
      for (auto n = any.below(4); n > 0; --n)
        c.command.push_back(any.pick({"", "1", "1:", "2:1:,", ","}));
      for (auto n = any.below(3); n > 0; --n)
        c.env[any.pick({"1", "1:", ","})] = any.pick({"", "1", ","});
      std::string content = c.id.value + '\n' + std::to_string(c.command.size()) + '\n';
      for (const auto& argument : c.command) content += argument + '\n';
      for (const auto& [name, value] : c.env) content += name + '\t' + value + '\n';
      const auto [known, is_new] = texts.emplace(environment::aggregate::canonical(c), content);
      if (!is_new) RC_ASSERT(known->second == content);
    }
  }));
}

}  // namespace berth
