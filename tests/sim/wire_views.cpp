#include "tests/sim/wire_views.hpp"

#include <algorithm>

#include <boost/json.hpp>

#include "events/core/match.hpp"
#include "gateway/render/position_text.hpp"

namespace berth::sim {

void feed_view::fail(const std::string& what) {
  world_.fail("feed of " + world_.accounts[account_].id.value + ": " + what);
}

wire::open feed_view::how_to_open() {
  wire::open asked;
  asked.target = wire::target::feed;
  asked.after = cursor_;
  if (next_) next_ = resumed_at_;
  return asked;
}

void feed_view::heard(const wire::payload& what, std::vector<wire::payload>&) {
  std::visit(
      match{[&](const wire::opened& m) { take(m); }, [&](const wire::feed_event& m) { take(m); },
            [&](const wire::closed& m) { take(m); },
            [&](const auto&) { fail("a frame of another kind"); }},
      what);
}

void feed_view::take(const wire::opened& what) {
  ++world_.stats.checks;
  if (next_) {
    if (what.after != cursor_) fail("opened at another cursor than asked");
    return;
  }
  const auto at = gateway::parse_cursor(what.after);
  if (!at) return fail("opened without a cursor");
  if (!world_.read_journal()) return;
  const auto& facts = world_.accounts[account_].facts;
  next_ = static_cast<std::size_t>(
      std::find_if(facts.begin(), facts.end(),
                   [&](const wire_fact& each) { return !at->reaches(each.at); }) -
      facts.begin());
  resumed_at_ = *next_;
  cursor_ = what.after;
}

void feed_view::take(const wire::feed_event& what) {
  world_.stats.checks += 2;
  const auto& facts = world_.accounts[account_].facts;
  if (!next_) return fail("an event before it was opened");
  if (*next_ >= facts.size() && !world_.read_journal()) return;
  if (*next_ >= facts.size()) return fail("an event the journal does not have");
  const auto& fact = facts[*next_];
  boost::system::error_code failed;
  const auto body = boost::json::parse(what.body, failed);
  if (failed || !body.is_object()) return fail("an event that is no JSON object");
  const auto stream = std::string{body.at("stream").as_string()};
  const auto version = body.at("version").to_number<std::uint64_t>();
  if (stream != fact.stream || version != fact.version)
    return fail(stream + " version " + std::to_string(version) + " came, the journal's next is " +
                fact.stream + " version " + std::to_string(fact.version));
  ++*next_;
  if (what.after == cursor_) return;
  cursor_ = what.after;
  resumed_at_ = *next_;
  if (*next_ < facts.size() && facts[*next_].at == fact.at)
    fail("the cursor moved in the middle of a commit");
}

void feed_view::take(const wire::closed& what) {
  ++world_.stats.checks;
  if (what.code != "closed" && what.code != "overloaded" && what.code != "unavailable")
    fail("closed as " + what.code + ": " + what.message);
}

std::optional<std::string> feed_view::missing() {
  ++world_.stats.checks;
  const auto& account = world_.accounts[account_];
  if (!world_.read_journal() || (next_ && *next_ == account.facts.size())) return {};
  return "feed of " + account.id.value + ": " + std::to_string(next_.value_or(0)) + " of " +
         std::to_string(account.facts.size()) + " events arrived";
}

void environment_view::fail(const std::string& what) {
  world_.fail("environment " + id_.value + ": " + what);
}

wire::open environment_view::how_to_open() {
  opened_ = false;
  wire::open asked;
  asked.target = wire::target::environment;
  asked.id = id_.value;
  asked.from = version_;
  return asked;
}

void environment_view::heard(const wire::payload& what, std::vector<wire::payload>&) {
  ++world_.stats.checks;
  std::visit(match{[&](const wire::opened&) { opened_ = true; },
                   [&](const wire::environment_state& m) {
                     if (m.version <= version_)
                       fail("version " + std::to_string(m.version) + " after version " +
                            std::to_string(version_));
                     if (m.body.find(id_.value) == std::string::npos)
                       fail("the state of another environment");
                     version_ = m.version;
                   },
                   [&](const wire::closed& m) {
                     if (m.code != "closed" && m.code != "overloaded" && m.code != "unavailable")
                       fail("closed as " + m.code + ": " + m.message);
                   },
                   [&](const auto&) { fail("a frame of another kind"); }},
             what);
}

std::optional<std::string> environment_view::missing() {
  ++world_.stats.checks;
  const auto commits =
      world_.server.journal.read_stream({aggregate_kind::environment, id_.value}, {version_}, 1);
  if (!commits || commits->empty() || commits->back().body.last().value <= version_) return {};
  return "environment " + id_.value + ": a state after version " + std::to_string(version_) +
         " did not arrive";
}

void foreign_view::heard(const wire::payload& what, std::vector<wire::payload>&) {
  ++world_.stats.checks;
  const auto* closed = std::get_if<wire::closed>(&what);
  if (closed && (closed->code == "not_found" || closed->code == "overloaded" ||
                 closed->code == "unavailable"))
    return;
  world_.fail(asked_.id + " of another account: " + std::string{name_of(what)} +
              (closed ? " as " + closed->code : "") + " instead of not_found");
}

}  // namespace berth::sim
