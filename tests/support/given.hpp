// given(events).when(command) == then(events) | rejection code, for any aggregate:
//
//   using given = berth::test::scenario<environment::aggregate>;
//   CHECK(given{created_event}.when(stop{}, 5s) == given::then{stopped{…}});
//   CHECK(given{}.when(stop{}) == rejection_code::not_found);
#pragma once

#include <initializer_list>
#include <ostream>
#include <string>
#include <vector>

#include "events/core/aggregate.hpp"
#include "events/event_json.hpp"

namespace berth::test {

// Where scenarios' clocks begin.
inline const timestamp start_of_time = from_us(1'700'000'000'000'000);

template <aggregate A>
class scenario {
 public:
  using event = typename A::event;
  using then = std::vector<event>;

  // What a command led to, comparable and printable.
  struct led_to {
    decision<event> decided;

    friend bool operator==(const led_to& left, const then& right) {
      return left.decided.has_value() && *left.decided == right;
    }
    friend bool operator==(const led_to& left, rejection_code right) {
      return left.decided.has_error() && left.decided.error().code == right;
    }
    // The rejection's field; "" if it names none or nothing was rejected.
    std::string field() const { return decided.has_error() ? decided.error().field : ""; }

    friend std::ostream& operator<<(std::ostream& out, const led_to& led) {
      if (led.decided.has_error()) {
        return out << name_of(led.decided.error().code) << ": " << led.decided.error().message;
      }
      for (const auto& happened : *led.decided) {
        const auto record = A::encode(happened);
        out << event_name(A::kind, record.type) << event_to_json(A::kind, record) << ' ';
      }
      return out << led.decided->size() << " event(s)";
    }
  };

  scenario() = default;
  scenario(std::initializer_list<event> history) {
    for (const auto& happened : history) state = A::apply(std::move(state), happened);
  }

  // Decided `later` after start_of_time; the state stays.
  led_to when(const typename A::command& asked, microseconds later = {}) const {
    return {A::decide(state, asked, {start_of_time + later})};
  }
  // Decided and folded, for longer stories. Asserts that it was accepted.
  scenario& after(const typename A::command& asked, microseconds later = {}) {
    for (const auto& happened : A::decide(state, asked, {start_of_time + later}).value()) {
      state = A::apply(std::move(state), happened);
    }
    return *this;
  }

  typename A::state state;
};

}  // namespace berth::test
