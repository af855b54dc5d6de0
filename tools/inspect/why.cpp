// Why an event is there: up from cause to cause to the request that began it, and down to all it
// led to.
#include <charconv>
#include <deque>
#include <set>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "tools/inspect/commit_json.hpp"
#include "tools/inspect/queries.hpp"
#include "tools/printable.hpp"

namespace berth::inspect {
namespace json = boost::json;
namespace {

constexpr std::size_t commits_per_read = 1024;
constexpr std::size_t causes_max = 1000;                // a longer chain is a loop in the data
constexpr std::uint64_t scanned_commits_max = 200'000;  // behind the root, for what it led to

journal_result<commit> commit_of(const journal& from, const cause& wanted) {
  const auto found = from.read_stream(wanted.stream, {wanted.version.value - 1}, 1);
  if (!found) return found.error();
  if (found->empty())
    return journal_error{
        journal_errc::not_found,
        fmt::format("{} has no version {}", wanted.stream.text(), wanted.version.value),
        {}};
  return found->front();
}

bool parse_number(std::string_view text, std::uint64_t& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

struct place {
  commit found;
  stream_version version;
};

journal_result<place> find_place(const journal& from, const std::string& text) {
  const auto bad = journal_error{
      journal_errc::not_found,
      fmt::format("\"{}\" is no place: give an offset (42, 0/42) or STREAM@VERSION", text),
      {}};
  if (const auto at = text.find('@'); at != std::string::npos) {
    const auto stream = stream_id::parse(text.substr(0, at));
    std::uint64_t version = 0;
    if (!stream || !parse_number(std::string_view(text).substr(at + 1), version) || version == 0)
      return bad;
    const auto found = commit_of(from, {*stream, {version}});
    if (!found) return found.error();
    return place{*found, {version}};
  }
  const auto slash = text.find('/');
  std::uint64_t partition = 0, offset = 0;
  const std::string_view all(text);
  if (slash != std::string::npos && !parse_number(all.substr(0, slash), partition)) return bad;
  if (!parse_number(slash == std::string::npos ? all : all.substr(slash + 1), offset)) return bad;
  const auto found = from.read({std::uint32_t(partition), offset}, 1);
  if (!found) return found.error();
  if (found->empty() || offset == 0)
    return journal_error{journal_errc::not_found,
                         fmt::format("the journal ends at {}/{}", partition,
                                     from.head(std::uint32_t(partition)).offset),
                         {}};
  return place{found->front(), found->front().body.first};
}

// From the event's root cause to the event itself.
journal_result<std::deque<json::object>> chain_of(const journal& from, place at, commit& root) {
  std::deque<json::object> chain{event_at(at.found, at.version)};
  root = at.found;
  while (root.body.because && chain.size() < causes_max) {
    const auto because = *root.body.because;
    const auto before = commit_of(from, because);
    if (!before) return before.error();
    root = *before;
    chain.push_front(event_at(root, because.version));
  }
  return chain;
}

// All that follows from the root, in journal order: what was caused by it, or by what was, and what
// carries its correlation id. One pass is enough, because a cause is always before what it caused.
journal_result<json::array> led_to(const journal& from, const commit& root) {
  json::array found;
  std::set<std::pair<stream_id, std::uint64_t>> known;
  position next = root.at();
  const auto head = from.head(next.partition);
  const auto follows = [&](const commit& one) {
    const auto& because = one.body.because;
    return one.at() == root.at() ||
           (because && known.contains({because->stream, because->version.value})) ||
           (!root.body.correlation.is_nil() && one.body.correlation == root.body.correlation);
  };
  for (std::uint64_t scanned = 0; next <= head && scanned < scanned_commits_max;) {
    const auto commits = from.read(next, commits_per_read);
    if (!commits) return commits.error();
    if (commits->empty()) break;
    for (const auto& one : *commits) {
      if (!follows(one)) continue;
      for (auto version = one.body.first.value; version <= one.body.last().value; ++version)
        known.insert({one.body.stream, version});
      for (auto& event : events_of(one)) found.push_back(std::move(event));
    }
    scanned += commits->size();
    next.offset = commits->back().at().offset + 1;
  }
  return found;
}

}  // namespace

int print_why(const journal& from, const output& how, const std::string& text) {
  const auto at = find_place(from, text);
  if (!at) return fail(at.error());
  commit root;
  const auto chain = chain_of(from, *at, root);
  if (!chain) return fail(chain.error());
  const auto consequences = led_to(from, root);
  if (!consequences) return fail(consequences.error());
  if (how.json) {
    json::array causes(chain->begin(), chain->end());
    fmt::print("{}\n", json::serialize(json::object{{"correlation", root.body.correlation.text()},
                                                    {"chain", causes},
                                                    {"led_to", *consequences}}));
    return exit_ok;
  }
  fmt::print("request {} by {} {}\n\ncaused by, first cause first:\n", root.body.correlation.text(),
             root.body.by.account.value, root.body.by.is_system ? "(system)" : root.body.by.actor);
  std::size_t depth = 0;
  for (const auto& event : *chain)
    fmt::print("{:>{}}{}\n", "", 2 + 2 * depth++, printable(line_of(event)));
  fmt::print("\nall that this request led to:\n");
  for (const auto& event : *consequences)
    fmt::print("  {}\n", printable(line_of(event.as_object())));
  return exit_ok;
}

}  // namespace berth::inspect
