// usage: what was used and what it costs.
#include <fmt/format.h>

#include "tools/devctl/app.hpp"

namespace berth::devctl {
namespace json = boost::json;
namespace {

// Micro-USD as dollars, all six digits: a bill is not rounded for show.
std::string dollars(const std::string& micro_usd) {
  if (micro_usd.empty()) return {};
  const auto amount = std::stoll(micro_usd);
  const auto size = amount < 0 ? -amount : amount;
  return fmt::format("{}${}.{:06}", amount < 0 ? "-" : "", size / 1'000'000, size % 1'000'000);
}

struct options {
  std::string from;
  std::string to;
  bool lines{};
};

void show(app& run, const options& asked) {
  std::string query;
  if (!asked.from.empty()) query += "&from=" + encoded(asked.from);
  if (!asked.to.empty()) query += "&to=" + encoded(asked.to);
  if (!query.empty()) query[0] = '?';
  if (asked.lines) {
    auto items = run.authorised().list("/api/v1/bill-lines" + query);
    if (!run.json())
      for (auto& each : items) {
        auto& line = each.as_object();
        line["versions"] = text_of(each, "first_version") + "-" + text_of(each, "last_version");
        line["cost"] = dollars(text_of(each, "amount_micro_usd"));
      }
    run.print_list(items,
                   {{"ENVIRONMENT", "name"},
                    {"TYPE", "instance_type"},
                    {"FROM", "from"},
                    {"TO", "to"},
                    {"COST", "cost"},
                    {"PRICE LIST", "price_list"},
                    {"STREAM", "stream"},
                    {"VERSIONS", "versions"}},
                   "nothing was billed");
    return;
  }
  const auto usage = run.authorised().get("/api/v1/usage" + query);
  if (run.json()) {
    fmt::print("{}\n", json::serialize(usage));
    return;
  }
  auto items = usage.at("environments").as_array();
  for (auto& each : items) each.as_object()["cost"] = dollars(text_of(each, "amount_micro_usd"));
  run.print_list(items,
                 {{"ENVIRONMENT", "name"},
                  {"TYPE", "instance_type"},
                  {"RUNNING SECONDS", "running_seconds"},
                  {"EXECS", "execs"},
                  {"TERMINALS", "terminals"},
                  {"COST", "cost"}},
                 "nothing was used");
  run.note(fmt::format("total {} from {} to {}", dollars(text_of(usage, "amount_micro_usd")),
                       text_of(usage, "from"), text_of(usage, "to")));
}

}  // namespace

void add_usage_command(CLI::App& top, app& run) {
  auto asked = std::make_shared<options>();
  auto* command = top.add_subcommand("usage", "what was used and what it costs");
  command->add_option("--from", asked->from, "RFC 3339 time");
  command->add_option("--to", asked->to, "RFC 3339 time");
  command->add_flag("--lines", asked->lines, "the bill's lines");
  command->callback([&run, asked] { show(run, *asked); });
}

}  // namespace berth::devctl
