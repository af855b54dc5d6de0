// berth-inspect: what is in a data directory and why, beside a running server or alone.
#include <charconv>
#include <csignal>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "infra/rocksdb/embedded_engine.hpp"
#include "tools/inspect/damage.hpp"
#include "tools/inspect/queries.hpp"

namespace berth::inspect {
namespace {

struct options {
  std::string data_dir;
  std::string format{"table"};
  std::string kind;
  std::string stream;
  std::string point, other_point;  // a version or a time
  std::string place;
  std::uint64_t after{};
  std::optional<std::uint64_t> version;
  std::string time;
  bool yes{};
  bool from_first{};

  output how() const { return {format == "json"}; }
  embedded_options engine() const {
    embedded_options engine;
    engine.data_dir = data_dir;
    return engine;
  }
};

// Opens the directory as a reader and runs the query; an error is printed.
template <class Query>
int with_journal(const options& asked, Query query) {
  const auto reader = open_reader(asked.engine());
  if (!reader) return fail(reader.error());
  return query((*reader)->journal());
}

template <class Query>
int with_stream(const options& asked, Query query) {
  const auto stream = stream_id::parse(asked.stream);
  if (!stream)
    return fail(exit_usage, fmt::format("\"{}\" is no stream; they look like environment/env_…, "
                                        "and `streams` lists them",
                                        asked.stream));
  return with_journal(asked, [&](const journal& from) { return query(from, *stream); });
}

// "17" is a version, anything else a time.
std::optional<fold_until> parse_point(const std::string& text) {
  std::uint64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error == std::errc() && end == text.data() + text.size())
    return fold_until{stream_version{version}, {}};
  if (const auto time = parse_rfc3339(text)) return fold_until{{}, time};
  fail(exit_usage,
       fmt::format("\"{}\" is neither a version (17) nor a time (2026-11-21T13:04:05Z)", text));
  return {};
}

int state(const options& asked) {
  fold_until until;
  if (asked.version) until.version = stream_version{*asked.version};
  if (!asked.time.empty()) {
    until.time = parse_rfc3339(asked.time);
    if (!until.time)
      return fail(exit_usage, fmt::format("\"{}\" is no time; they look like 2026-11-21T13:04:05Z",
                                          asked.time));
  }
  return with_stream(asked, [&](const journal& from, const stream_id& stream) {
    return print_state(from, asked.how(), stream, until, asked.from_first);
  });
}

int diff(const options& asked) {
  const auto before = parse_point(asked.point), after = parse_point(asked.other_point);
  if (!before || !after) return exit_usage;
  return with_stream(asked, [&](const journal& from, const stream_id& stream) {
    return print_diff(from, asked.how(), stream, *before, *after);
  });
}

int events(const options& asked) {
  if (asked.stream.empty())
    return with_journal(asked,
                        [&](const journal& from) { return print_all_events(from, asked.how()); });
  const auto upto = asked.version ? std::optional(stream_version{*asked.version}) : std::nullopt;
  return with_stream(asked, [&](const journal& from, const stream_id& stream) {
    return print_events(from, asked.how(), stream, {asked.after}, upto);
  });
}

void add_commands(CLI::App& top, options& asked, int& exit) {
  const auto on = [&](CLI::App* command, int (*run)(const options&)) {
    command->callback([&asked, &exit, run] { exit = run(asked); });
    return command;
  };
  auto* streams = on(top.add_subcommand("streams", "every stream, by name"), [](const options& o) {
    return with_journal(o,
                        [&](const journal& from) { return print_streams(from, o.how(), o.kind); });
  });
  streams->add_option("--kind", asked.kind, "account, session, environment, terminal or host");

  auto* list =
      on(top.add_subcommand("events", "the events of a stream, or of the whole journal"), events);
  list->add_option("stream", asked.stream, "environment/env_…; none: all");
  list->add_option("--after", asked.after, "only versions above");
  list->add_option("--version", asked.version, "only versions up to");

  auto* show = on(top.add_subcommand("state", "a stream's state, now or as it was"), state);
  show->add_option("stream", asked.stream, "environment/env_…")->required();
  auto* version = show->add_option("--version", asked.version, "as it was at this version");
  show->add_option("--at", asked.time, "as it was at this time (RFC 3339)")->excludes(version);
  show->add_flag("--from-first", asked.from_first, "fold every event, use no snapshot");

  auto* changes = on(top.add_subcommand("diff", "what changed between two points"), diff);
  changes->add_option("stream", asked.stream, "environment/env_…")->required();
  changes->add_option("before", asked.point, "version or time")->required();
  changes->add_option("after", asked.other_point, "version or time")->required();

  auto* why = on(top.add_subcommand("why", "an event's causes and all its request led to"),
                 [](const options& o) {
                   return with_journal(
                       o, [&](const journal& from) { return print_why(from, o.how(), o.place); });
                 });
  why->add_option("place", asked.place, "offset (42 or 0/42) or STREAM@VERSION")->required();

  on(top.add_subcommand("verify", "check every record's checksum and chain link"),
     [](const options& o) { return verify_all(o.engine(), o.how()); });
  on(top.add_subcommand("accept-loss", "cut the log where it is damaged, so that berthd starts"),
     [](const options& o) { return accept(o.engine(), o.how(), o.yes); })
      ->add_flag("--yes", asked.yes, "it cannot be undone");
}

}  // namespace
}  // namespace berth::inspect

int main(int argc, char** argv) {
  using namespace berth::inspect;
  std::signal(SIGPIPE, SIG_DFL);
  options asked;
  int exit = exit_ok;
  CLI::App top{"berth-inspect: what is in Berth's data directory", "berth-inspect"};
  top.require_subcommand(1);
  top.fallthrough();
  top.add_option("--data-dir", asked.data_dir, "berthd's data directory")
      ->required()
      ->envname("BERTH_DATA_DIR")
      ->check(CLI::ExistingDirectory);
  top.add_option("-o,--output", asked.format, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  add_commands(top, asked, exit);
  try {
    top.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return top.exit(error) == 0 ? exit_ok : exit_usage;
  } catch (const std::exception& error) {
    return fail(exit_error, error.what());
  }
  return exit;
}
