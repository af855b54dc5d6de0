#include "tools/replay/rebuild.hpp"

#include <unistd.h>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "infra/rocksdb/embedded_engine.hpp"
#include "projections/projector.hpp"
#include "tools/inspect/admin_client.hpp"
#include "tools/inspect/queries.hpp"

namespace berth::replay {
namespace json = boost::json;
namespace {

constexpr const char* everything = "all views";

void show_progress(const std::string& view, std::uint64_t done, std::uint64_t of) {
  if (::isatty(STDERR_FILENO)) fmt::print(stderr, "\r{}: {} of {} commits", view, done, of);
}

int print_outcome(const json::object& answer, bool as_json) {
  if (::isatty(STDERR_FILENO)) fmt::print(stderr, "\n");
  if (as_json) {
    fmt::print("{}\n", json::serialize(answer));
  } else if (!answer.at("ok").as_bool()) {
    const auto* error = answer.if_contains("error");
    fmt::print(stderr, "berth-replay: {}\n",
               error && error->is_string() ? error->as_string().c_str() : "refused");
  } else {
    for (const auto& each : answer.at("views").as_array())
      fmt::print("{}: rebuilt from {} commits, {}\n", each.at("view").as_string().c_str(),
                 each.at("checkpoint").to_number<std::uint64_t>(),
                 each.at("identical").as_bool() ? "identical to what it replaced"
                                                : "DIFFERENT from what it replaced");
  }
  return answer.at("ok").as_bool() ? inspect::exit_ok : inspect::exit_error;
}

json::object refusal(const journal_error& error) {
  return {{"ok", false}, {"code", name_of(error.code)}, {"error", error.message}};
}

json::object rebuild_here(const embedded_options& options, const std::string& only) {
  const auto engine = open_embedded(options);
  if (!engine) return refusal(engine.error());
  auto& journal = (*engine)->journal();
  auto& views = (*engine)->views();
  projector project(journal, views);
  if (const auto caught = project.catch_up(); !caught) return refusal(caught.error());
  std::vector<std::string> names;
  for (const auto& name : project.names())
    if (only.empty() || only == name) names.push_back(name);
  if (names.empty())
    return {{"ok", false},
            {"code", "not_found"},
            {"error", fmt::format("there is no view \"{}\"", only)}};
  std::map<std::string, std::string> before;
  for (const auto& name : names) before[name] = project.state_hash(name);
  project.start_rebuild(only);
  std::uint64_t done = 0;
  while (project.rebuilding()) {
    const auto stepped = project.step();
    if (!stepped) return refusal(stepped.error());
    show_progress(only.empty() ? everything : only, done += *stepped, journal.head().offset);
  }
  json::array rebuilt;
  for (const auto& name : names)
    rebuilt.push_back(json::object{{"view", name},
                                   {"generation", views.live_generation(name)},
                                   {"checkpoint", journal.head().offset},
                                   {"hash", project.state_hash(name)},
                                   {"identical", before[name] == project.state_hash(name)}});
  return {{"ok", true}, {"views", rebuilt}};
}

}  // namespace

int rebuild(const embedded_options& engine, const std::string& view, bool as_json) {
  json::object request{{"op", "rebuild"}};
  if (!view.empty()) request["view"] = view;
  const auto answer = inspect::ask_admin(engine.data_dir, request, [](const json::object& line) {
    const auto* progress = line.if_contains("progress");
    if (progress && progress->is_object())
      show_progress(json::value_to<std::string>(progress->at("view")),
                    progress->at("done").to_number<std::uint64_t>(),
                    progress->at("of").to_number<std::uint64_t>());
  });
  return print_outcome(answer ? *answer : rebuild_here(engine, view), as_json);
}

}  // namespace berth::replay
