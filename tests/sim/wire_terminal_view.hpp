// A client's terminal: its cursor, its credit, what it typed. Every byte heard is compared with
// what the program printed at that offset.
#pragma once

#include <deque>

#include "tests/sim/wire_world.hpp"

namespace berth::sim {

// What one session types into one terminal; the same numbers whatever channel carries them.
struct wire_typist {
  std::string name;
  std::uint64_t last{};                                         // number given
  std::deque<std::pair<std::uint64_t, std::string>> unapplied;  // to be sent again
  std::uint64_t applied{};
  bool refused{};   // send again soon
  bool withheld{};  // the numbers are of a session not known yet: nothing is sent before them
};

class terminal_view final : public wire_view {
 public:
  terminal_view(wire_world& world, wire_terminal& on, wire::mode mode,
                std::shared_ptr<wire_typist> typist, std::uint64_t window)
      : world_{world}, on_{on}, mode_{mode}, typist_{std::move(typist)}, window_{window} {}

  wire::open how_to_open() override;
  void heard(const wire::payload& what, std::vector<wire::payload>& out) override;
  bool wanted() const override { return !over_; }
  std::optional<std::string> missing() override;

  bool drives() const { return typist_ != nullptr; }
  bool opened() const { return opened_; }
  const std::shared_ptr<wire_typist>& typist() const { return typist_; }
  void new_typist(std::shared_ptr<wire_typist> typist) { typist_ = std::move(typist); }
  wire_terminal& terminal() { return on_; }
  wire::payload type();
  // Whatever is not applied, with its old numbers.
  void type_again(std::vector<wire::payload>& out) const;

 private:
  void take(const wire::opened& what);
  void take(const wire::output& what, std::vector<wire::payload>& out);
  void take(const wire::gap& what);
  void take(const wire::snapshot& what, std::vector<wire::payload>& out);
  void take(const wire::snapshot_data& what, std::vector<wire::payload>& out);
  void take(const wire::durable& what);
  void take(const wire::input_applied& what);
  void take(const wire::input_refused& what);
  void take(const wire::ended& what);
  void take(const wire::closed& what);
  void painted(std::vector<wire::payload>& out);
  void give_credit(std::vector<wire::payload>& out);
  void fail(const std::string& what);
  bool shows_snapshot() const { return snapshot_.has_value() || gap_to_.has_value(); }

  wire_world& world_;
  wire_terminal& on_;
  const wire::mode mode_;
  std::shared_ptr<wire_typist> typist_;  // none: it only views
  const std::uint64_t window_;
  std::uint64_t cursor_{};  // one past the last byte shown
  std::uint64_t until_{};   // credit given on this channel
  std::uint64_t durable_{};
  bool opened_{};
  bool over_{};
  bool lost_{};  // the terminal's last bytes, with its agent
  std::optional<std::uint64_t> final_;
  std::optional<std::uint64_t> gap_to_;  // a snapshot must follow
  std::optional<wire::snapshot> snapshot_;
  std::string painting_;
};

}  // namespace berth::sim
