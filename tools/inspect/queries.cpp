#include "tools/inspect/queries.hpp"

#include <cstdio>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "events/event_json.hpp"
#include "tools/inspect/commit_json.hpp"
#include "tools/printable.hpp"

namespace berth::inspect {
namespace json = boost::json;
namespace {

constexpr std::size_t streams_per_read = 1024;
constexpr std::size_t commits_per_read = 1024;

// Prints items of a list as they come: one JSON array, or a line each.
class list_printer {
 public:
  explicit list_printer(const output& how) : json_(how.json) {}
  void add(const json::object& item, const std::string& line) {
    if (json_)
      fmt::print("{}{}", first_ ? "[\n" : ",\n", json::serialize(item));
    else
      fmt::print("{}\n", printable(line));
    first_ = false;
  }
  void finish() const {
    if (json_) fmt::print("{}\n", first_ ? "[]" : "\n]");
  }

 private:
  bool json_;
  bool first_{true};
};

json::object state_json(const stream_id& stream, const folded_state& folded) {
  return {{"stream", stream.text()},
          {"version", folded.version.value},
          {"position", position_json(folded.at)},
          {"time", folded.version.value ? json::value(to_rfc3339(folded.time)) : json::value()},
          {"hash", folded.hash},
          {"state", json::parse(state_to_json(stream.kind, folded.state))}};
}

// Every path whose value differs, depth first; lists are compared by index.
void compare(const std::string& path, const json::value& before, const json::value& after,
             json::array& into) {
  if (before == after) return;
  if (before.is_object() && after.is_object()) {
    for (const auto& [name, value] : before.as_object()) {
      const auto* other = after.as_object().if_contains(name);
      compare(path + "/" + std::string(name), value, other ? *other : json::value(), into);
    }
    for (const auto& [name, value] : after.as_object())
      if (!before.as_object().contains(name))
        compare(path + "/" + std::string(name), {}, value, into);
    return;
  }
  if (before.is_array() && after.is_array()) {
    const auto& a = before.as_array();
    const auto& b = after.as_array();
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i)
      compare(path + "/" + std::to_string(i), i < a.size() ? a[i] : json::value(),
              i < b.size() ? b[i] : json::value(), into);
    return;
  }
  into.push_back(json::object{{"path", path}, {"before", before}, {"after", after}});
}

}  // namespace

int exit_code_of(journal_errc code) {
  switch (code) {
    case journal_errc::not_found:
      return exit_not_found;
    case journal_errc::corrupt:
      return exit_corrupt;
    case journal_errc::data_loss:
      return exit_data_loss;
    default:
      return exit_error;
  }
}

int fail(int code, const std::string& message) {
  fmt::print(stderr, "berth-inspect: {}\n", message);
  return code;
}

int fail(const journal_error& error) {
  const auto where = error.where
                         ? fmt::format(" at {}/{}", error.where->partition, error.where->offset)
                         : std::string();
  return fail(exit_code_of(error.code),
              fmt::format("{}{}: {}", name_of(error.code), where, error.message));
}

int print_streams(const journal& from, const output& how, const std::string& kind) {
  list_printer list(how);
  std::optional<stream_id> after;
  for (;;) {
    const auto found = from.list_streams(after, streams_per_read);
    if (!found) return fail(found.error());
    for (const auto& stream : *found) {
      if (!kind.empty() && name_of(stream.kind) != kind) continue;
      list.add({{"stream", stream.text()}, {"kind", name_of(stream.kind)}, {"id", stream.key}},
               stream.text());
    }
    if (found->size() < streams_per_read) break;
    after = found->back();
  }
  list.finish();
  return exit_ok;
}

int print_events(const journal& from, const output& how, const stream_id& stream,
                 stream_version after, std::optional<stream_version> upto) {
  list_printer list(how);
  bool any = false;
  for (bool more = true; more;) {
    const auto commits = from.read_stream(stream, after, commits_per_read);
    if (!commits) return fail(commits.error());
    more = commits->size() == commits_per_read;
    for (const auto& one : *commits) {
      after = std::max(after, one.body.last());
      for (const auto& event : events_of(one)) {
        const auto version = event.at("version").to_number<std::uint64_t>();
        if (upto && version > upto->value) {
          more = false;
          break;
        }
        any = true;
        list.add(event.as_object(), line_of(event.as_object()));
      }
    }
  }
  if (!any && after.value == 0)
    return fail(exit_not_found, stream.text() + " has no events; `streams` lists what there is");
  list.finish();
  return exit_ok;
}

int print_all_events(const journal& from, const output& how) {
  list_printer list(how);
  for (std::uint32_t partition = 0; partition < from.partitions(); ++partition) {
    position next{partition, 1};
    const auto head = from.head(partition);
    while (next <= head) {
      const auto commits = from.read(next, commits_per_read);
      if (!commits) return fail(commits.error());
      if (commits->empty()) break;
      for (const auto& one : *commits)
        for (const auto& event : events_of(one))
          list.add(event.as_object(), line_of(event.as_object()));
      next.offset = commits->back().at().offset + 1;
    }
  }
  list.finish();
  return exit_ok;
}

int print_state(const journal& from, const output& how, const stream_id& stream,
                const fold_until& until, bool from_first) {
  const auto folded = from_first ? fold_stream(from, stream, until) : state_at(from, stream, until);
  if (!folded) return fail(folded.error());
  const auto state = state_json(stream, *folded);
  if (how.json) {
    fmt::print("{}\n", json::serialize(state));
    return exit_ok;
  }
  fmt::print("{} version {} at {}, sha256 {}\n", stream.text(), folded->version.value,
             folded->version.value ? to_rfc3339(folded->time) : "the beginning", folded->hash);
  for (const auto& [name, value] : state.at("state").as_object())
    fmt::print("  {}: {}\n", std::string(name), printable(json::serialize(value)));
  return exit_ok;
}

int print_diff(const journal& from, const output& how, const stream_id& stream,
               const fold_until& before, const fold_until& after) {
  const auto a = state_at(from, stream, before);
  if (!a) return fail(a.error());
  const auto b = state_at(from, stream, after);
  if (!b) return fail(b.error());
  json::array changes;
  compare("", json::parse(state_to_json(stream.kind, a->state)),
          json::parse(state_to_json(stream.kind, b->state)), changes);
  if (how.json) {
    fmt::print("{}\n", json::serialize(json::object{{"stream", stream.text()},
                                                    {"before", a->version.value},
                                                    {"after", b->version.value},
                                                    {"changes", changes}}));
    return exit_ok;
  }
  fmt::print("{} version {} -> {}: {} changes\n", stream.text(), a->version.value, b->version.value,
             changes.size());
  for (const auto& each : changes)
    fmt::print("  {}: {} -> {}\n", each.at("path").as_string().c_str(),
               printable(json::serialize(each.at("before"))),
               printable(json::serialize(each.at("after"))));
  return exit_ok;
}

}  // namespace berth::inspect
