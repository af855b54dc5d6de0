// What a client looks at beside terminals: its account's events, an environment, and what is not
// its own.
#pragma once

#include "tests/sim/wire_world.hpp"

namespace berth::sim {

// Every event heard must be the account's next one; after a resume the events of the commit that
// was under way come again, and no others.
class feed_view final : public wire_view {
 public:
  feed_view(wire_world& world, std::size_t account) : world_{world}, account_{account} {}
  wire::open how_to_open() override;
  void heard(const wire::payload& what, std::vector<wire::payload>& out) override;
  std::optional<std::string> missing() override;

 private:
  void take(const wire::opened& what);
  void take(const wire::feed_event& what);
  void take(const wire::closed& what);
  void fail(const std::string& what);

  wire_world& world_;
  const std::size_t account_;
  std::string cursor_;
  std::optional<std::size_t> next_;  // of the account's facts; nothing: never opened
  std::size_t resumed_at_{};         // the fact after the cursor
};

class environment_view final : public wire_view {
 public:
  environment_view(wire_world& world, environment_id id) : world_{world}, id_{std::move(id)} {}
  wire::open how_to_open() override;
  void heard(const wire::payload& what, std::vector<wire::payload>& out) override;
  std::optional<std::string> missing() override;

 private:
  void fail(const std::string& what);
  wire_world& world_;
  environment_id id_;
  std::uint64_t version_{};
  bool opened_{};
};

// Something of another tenant: it must not exist.
class foreign_view final : public wire_view {
 public:
  foreign_view(wire_world& world, wire::open asked) : world_{world}, asked_{std::move(asked)} {}
  wire::open how_to_open() override { return asked_; }
  void heard(const wire::payload& what, std::vector<wire::payload>& out) override;
  bool wanted() const override { return false; }

 private:
  wire_world& world_;
  wire::open asked_;
};

}  // namespace berth::sim
