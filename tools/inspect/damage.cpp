#include "tools/inspect/damage.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include "infra/bulk/check_output.hpp"
#include "infra/bulk/segment_bulk_log.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "tools/inspect/admin_client.hpp"

namespace berth::inspect {
namespace json = boost::json;
namespace {

json::object error_json(const journal_error& error) {
  json::object out{{"code", name_of(error.code)}, {"message", error.message}};
  if (error.where) {
    out["partition"] = error.where->partition;
    out["offset"] = error.where->offset;
  }
  return out;
}

bulk_options bulk_of(const embedded_options& engine) {
  bulk_options options;
  options.dir = engine.data_dir / "bulk";
  return options;
}

// A server beside us may drop old segments meanwhile; what it dropped is no problem.
output_report verify_output(const embedded_options& engine) {
  output_report report;
  if (!std::filesystem::exists(bulk_of(engine).dir)) return report;
  const auto reader = open_reader(engine);
  const auto bulk = open_bulk_reader(bulk_of(engine));
  if (!reader || !bulk) {
    report.problems.push_back(reader ? bulk.error() : reader.error());
    return report;
  }
  return check_output((*reader)->journal(), **bulk, at_once);
}

}  // namespace

int verify_all(const embedded_options& engine, const output& how) {
  const auto report = verify(engine);
  if (!report) return fail(report.error());
  const auto kept = verify_output(engine);
  auto problems = report->problems;
  problems.insert(problems.end(), kept.problems.begin(), kept.problems.end());
  if (how.json) {
    json::array listed;
    for (const auto& each : problems) listed.push_back(error_json(each));
    fmt::print("{}\n", json::serialize(json::object{{"ok", problems.empty()},
                                                    {"commits", report->commits},
                                                    {"events", report->events},
                                                    {"streams", report->streams},
                                                    {"bytes", report->bytes},
                                                    {"head", report->head.offset},
                                                    {"terminals", kept.terminals},
                                                    {"output_bytes", kept.bytes},
                                                    {"problems", listed}}));
  } else {
    fmt::print(
        "{} commits, {} events, {} streams, {} bytes up to offset {}; {} terminals, {} bytes of "
        "output: {}\n",
        report->commits, report->events, report->streams, report->bytes, report->head.offset,
        kept.terminals, kept.bytes,
        problems.empty() ? "every checksum and chain link matches"
                         : fmt::format("{} problems", problems.size()));
  }
  for (const auto& each : problems) fail(each);
  return problems.empty() ? int(exit_ok) : exit_code_of(problems.front().code);
}

int accept(const embedded_options& engine, const output& how, bool yes) {
  if (const auto answer = ask_admin(engine.data_dir, {{"op", "accept_loss"}}, [](const auto&) {})) {
    fmt::print(how.json ? stdout : stderr, "{}\n", json::serialize(*answer));
    return answer->at("ok").as_bool() ? exit_ok : exit_error;
  }
  if (!yes)
    return fail(exit_usage,
                "accept-loss cuts the log behind its last intact record, for ever; copy the "
                "directory first, then "
                "run it again with --yes");
  const auto done = accept_loss(engine);
  if (!done) return fail(done.error());
  json::array terminals;
  if (std::filesystem::exists(bulk_of(engine).dir)) {
    const auto mended = accept_bulk_loss(bulk_of(engine));
    if (!mended) return fail(mended.error());
    for (const auto& each : *mended)
      terminals.push_back(json::object{{"terminal", each.terminal.value},
                                       {"problem", each.problem},
                                       {"continues_at", each.continues_at}});
  }
  if (how.json) {
    fmt::print("{}\n", json::serialize(json::object{{"ok", true},
                                                    {"kept", done->kept.offset},
                                                    {"claimed", done->claimed.offset},
                                                    {"terminals", terminals}}));
    return exit_ok;
  }
  fmt::print("kept {}/{}, gave up everything up to {}/{}; berthd starts again\n",
             done->kept.partition, done->kept.offset, done->claimed.partition,
             done->claimed.offset);
  for (const auto& each : terminals)
    fmt::print("{}: {}; its output goes on at {}\n", each.at("terminal").as_string().c_str(),
               each.at("problem").as_string().c_str(),
               each.at("continues_at").to_number<std::uint64_t>());
  return exit_ok;
}

}  // namespace berth::inspect
