#include "tests/sim/wire_terminal_view.hpp"

#include "events/core/match.hpp"

namespace berth::sim {

namespace {
// What the simulated server's screen paints: the last bytes as they are.
constexpr std::size_t painted_bytes_max = 64;

std::string between(std::uint64_t from, std::uint64_t to) {
  return "[" + std::to_string(from) + ", " + std::to_string(to) + ")";
}
}  // namespace

void terminal_view::fail(const std::string& what) {
  world_.fail("terminal " + on_.id.value +
              (mode_ == wire::mode::exact ? " (exact): " : " (screen): ") + what);
}

wire::open terminal_view::how_to_open() {
  opened_ = false;
  gap_to_.reset();
  snapshot_.reset();
  painting_.clear();
  durable_ = 0;
  until_ = cursor_ + window_;
  wire::open asked;
  asked.id = on_.id.value;
  asked.mode = mode_;
  asked.right = drives() ? wire::right::drive : wire::right::view;
  asked.from = cursor_;
  asked.credit_until = until_;
  return asked;
}

void terminal_view::heard(const wire::payload& what, std::vector<wire::payload>& out) {
  std::visit(match{[&](const wire::output& m) { take(m, out); },
                   [&](const wire::snapshot& m) { take(m, out); },
                   [&](const wire::snapshot_data& m) { take(m, out); },
                   [&](const wire::opened& m) { take(m); }, [&](const wire::gap& m) { take(m); },
                   [&](const wire::durable& m) { take(m); },
                   [&](const wire::input_applied& m) { take(m); },
                   [&](const wire::input_refused& m) { take(m); },
                   [&](const wire::ended& m) { take(m); }, [&](const wire::closed& m) { take(m); },
                   [&](const wire::resized&) {}, [&](const wire::driver&) {},
                   [&](const auto&) {
                     fail("a frame that has no place here: " + std::string{name_of(what)});
                   }},
             what);
}

void terminal_view::take(const wire::opened& what) {
  opened_ = true;
  ++world_.stats.checks;
  if (what.from != cursor_)
    fail("opened at " + std::to_string(what.from) + ", asked from " + std::to_string(cursor_));
}

void terminal_view::take(const wire::output& what, std::vector<wire::payload>& out) {
  const auto bytes = what.bytes.view();
  const auto end = what.offset + bytes.size();
  world_.stats.checks += 3;
  world_.stats.bytes += bytes.size();
  if (shows_snapshot()) return fail("output before the snapshot at the gap's end");
  if (what.offset != cursor_)
    return fail("output " + between(what.offset, end) + " after byte " + std::to_string(cursor_));
  if (end > until_)
    return fail("output up to " + std::to_string(end) + ", credit was given up to " +
                std::to_string(until_));
  if (end > on_.printed.size() || on_.printed.compare(what.offset, bytes.size(), bytes) != 0)
    return fail("output " + between(what.offset, end) + " is not what was printed there");
  cursor_ = end;
  give_credit(out);
}

void terminal_view::give_credit(std::vector<wire::payload>& out) {
  if (until_ - cursor_ > window_ / 2) return;
  until_ = cursor_ + window_;
  out.push_back(wire::credit{cursor_, until_});
}

void terminal_view::take(const wire::gap& what) {
  ++world_.stats.checks;
  if (mode_ == wire::mode::exact) return fail("a gap");
  if (shows_snapshot() || what.from != cursor_ || what.to <= what.from)
    return fail("gap " + between(what.from, what.to) + " at byte " + std::to_string(cursor_));
  gap_to_ = what.to;
}

void terminal_view::take(const wire::snapshot& what, std::vector<wire::payload>& out) {
  ++world_.stats.checks;
  if (mode_ == wire::mode::exact || snapshot_) return fail("a snapshot out of place");
  if (what.offset != gap_to_.value_or(cursor_))
    return fail("a snapshot at " + std::to_string(what.offset) + ", the screen is at " +
                std::to_string(gap_to_.value_or(cursor_)));
  gap_to_.reset();
  snapshot_ = what;
  painting_.clear();
  if (what.size == 0) painted(out);
}

void terminal_view::take(const wire::snapshot_data& what, std::vector<wire::payload>& out) {
  ++world_.stats.checks;
  if (!snapshot_ || what.offset != painting_.size())
    return fail("a part of a snapshot out of place");
  painting_ += what.bytes.view();
  if (painting_.size() > snapshot_->size) return fail("a snapshot larger than it was said to be");
  if (painting_.size() == snapshot_->size) painted(out);
}

void terminal_view::painted(std::vector<wire::payload>& out) {
  const auto at = snapshot_->offset;
  const auto size = std::min<std::uint64_t>(painted_bytes_max, at);
  ++world_.stats.checks;
  if (at > on_.printed.size() || on_.printed.compare(at - size, size, painting_) != 0)
    fail("the snapshot at " + std::to_string(at) + " is not the screen there");
  cursor_ = at;
  until_ = std::max(until_, cursor_);
  snapshot_.reset();
  give_credit(out);
}

void terminal_view::take(const wire::durable& what) {
  ++world_.stats.checks;
  if (what.offset < durable_) fail("what is durable went back");
  if (what.offset > on_.printed.size()) fail("bytes are called durable that were never printed");
  durable_ = what.offset;
  on_.durable_told = std::max(on_.durable_told, what.offset);
}

void terminal_view::take(const wire::input_applied& what) {
  ++world_.stats.checks;
  if (!typist_ || what.sequence > typist_->last)
    return fail("input " + std::to_string(what.sequence) + " is called applied and was never sent");
  typist_->applied = std::max(typist_->applied, what.sequence);
  while (!typist_->unapplied.empty() && typist_->unapplied.front().first <= what.sequence)
    typist_->unapplied.pop_front();
  world_.check_typed(on_);
  const auto known = on_.typed_last.find(typist_->name);
  const auto there = known == on_.typed_last.end() ? 0 : known->second;
  if (world_.server.host.has_terminal(on_.id) && there < what.sequence)
    fail("input " + std::to_string(what.sequence) + " is called applied, the terminal has " +
         std::to_string(there));
}

// Only what passes may be refused to a driver: it is sent again.
void terminal_view::take(const wire::input_refused& what) {
  ++world_.stats.checks;
  if (!typist_ || what.code != "overloaded")
    return fail("input " + std::to_string(what.sequence) + " was refused " + what.code + ": " +
                what.message);
  typist_->refused = true;
}

void terminal_view::take(const wire::ended& what) {
  ++world_.stats.checks;
  on_.failed = on_.failed || what.reason == "failed";
  if (what.final_offset != cursor_)
    fail("it ended at " + std::to_string(what.final_offset) + ", the client has " +
         std::to_string(cursor_));
  if (what.final_offset < on_.durable_told) fail("it ended before bytes that were durable");
  final_ = what.final_offset;
}

void terminal_view::take(const wire::closed& what) {
  ++world_.stats.checks;
  if (what.code == "closed" || what.code == "overloaded" || what.code == "unavailable") return;
  over_ = true;
  if (what.code == "ended") {
    if (!final_) fail("closed as ended, without its end");
    return;
  }
  if (what.code == "truncated" && !world_.server.host.terminal_alive(on_.id)) {
    lost_ = true;
    const auto at = what.details.find("final_offset");
    const auto final = at == what.details.end() ? 0 : std::stoull(at->second);
    if (final >= cursor_) fail("truncated at " + std::to_string(final) + ", which is not before");
    if (final < on_.durable_told) fail("it was cut before bytes that were durable");
    return;
  }
  fail("closed as " + what.code + ": " + what.message);
}

wire::payload terminal_view::type() {
  const auto number = ++typist_->last;
  const auto text = typist_->name + ':' + std::to_string(number) + ';';
  typist_->unapplied.emplace_back(number, text);
  return wire::input{number, text};
}

void terminal_view::type_again(std::vector<wire::payload>& out) const {
  if (!typist_) return;
  typist_->refused = typist_->withheld = false;
  for (const auto& [number, text] : typist_->unapplied) out.push_back(wire::input{number, text});
}

std::optional<std::string> terminal_view::missing() {
  const auto& host = world_.server.host;
  world_.stats.checks += 2;
  const auto name = "terminal " + on_.id.value + ": ";
  // A machine that rebooted has lost what its agent had not stored.
  const bool known = host.has_terminal(on_.id) && !on_.failed && !lost_;
  const auto all = !known                        ? cursor_
                   : host.terminal_alive(on_.id) ? on_.printed.size()
                                                 : host.next_offset(on_.id);
  if (cursor_ != all)
    return name + std::to_string(all) + " bytes were printed, " + std::to_string(cursor_) +
           " arrived";
  if (typist_ && world_.server.host.terminal_alive(on_.id) && !typist_->unapplied.empty())
    return name + "input " + std::to_string(typist_->unapplied.front().first) +
           " was never applied";
  return {};
}

}  // namespace berth::sim
