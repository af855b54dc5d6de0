// GET /api/v1/usage, /api/v1/bill-lines and /api/v1/audit
#include "gateway/render/json_of.hpp"
#include "gateway/routes/page_answer.hpp"
#include "gateway/routes/routes.hpp"

namespace berth::gateway::routes {
namespace {

namespace json = boost::json;

json::object durations(const std::map<environment::status, microseconds>& by_status) {
  json::object out;
  for (const auto& [status, duration] : by_status)
    out.emplace(environment::name_of(status), duration.count());
  return out;
}

json::object render_usage(const queries::usage_report& report) {
  json::array environments;
  for (const auto& one : report.environments) {
    const auto running = one.by_status.find(environment::status::running);
    const auto ran = running == one.by_status.end() ? microseconds{} : running->second;
    environments.push_back(json::object{{"environment_id", one.id.value},
                                        {"name", one.name},
                                        {"instance_type", one.instance_type},
                                        {"running_seconds", static_cast<double>(ran.count()) / 1e6},
                                        {"microseconds_by_status", durations(one.by_status)},
                                        {"execs", one.execs},
                                        {"terminals", one.terminals},
                                        {"amount_micro_usd", one.amount_micro_usd}});
  }
  json::object types;
  for (const auto& [name, by_status] : report.by_instance_type)
    types.emplace(name, durations(by_status));
  return {{"from", to_rfc3339(report.from)},
          {"to", to_rfc3339(report.to)},
          {"environments", std::move(environments)},
          {"microseconds_by_instance_type", std::move(types)},
          {"amount_micro_usd", report.amount_micro_usd},
          {"overflowed", report.overflowed}};
}

json::object render_line(const bill_line& line) {
  const auto& what = line.what;
  return {{"environment_id", what.environment.value},
          {"name", what.name},
          {"instance_type", what.instance_type},
          {"price_list", what.price_list},
          {"price_pico_usd_per_second", what.price_pico_usd_per_second},
          {"from", to_rfc3339(what.from)},
          {"to", to_rfc3339(what.to)},
          {"stream", stream_id{aggregate_kind::environment, what.environment.value}.text()},
          {"first_version", what.first.value},
          {"last_version", what.last.value},
          {"amount_pico_usd", line.amount_pico_usd},
          {"amount_micro_usd", line.amount_micro_usd},
          {"overflowed", line.overflowed}};
}

json::object render_audit(const audit_row& row) {
  json::array events;
  for (const auto& name : row.events) events.emplace_back(name);
  json::object out{{"time", to_rfc3339(row.at)},
                   {"account_id", row.owner.value},
                   {"by_account_id", row.by.account.value},
                   {"actor", row.by.actor},
                   {"is_system", row.by.is_system},
                   {"command", row.command.text()},
                   {"correlation", row.correlation.text()},
                   {"stream", row.stream.text()},
                   {"first_version", row.first.value},
                   {"events", std::move(events)}};
  if (row.because)
    out.emplace("cause", json::object{{"stream", row.because->stream.text()},
                                      {"version", row.because->version.value}});
  return out;
}

timestamp start_of_month(timestamp now) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date{day};
  return std::chrono::sys_days{date.year() / date.month() / 1};
}

}  // namespace

void show_usage(const api& with, request asked, respond done) {
  query_fields query(asked);
  const auto now = with.given.clock.now();
  const auto from = query.time("from").value_or(start_of_month(now));
  const auto to = query.time("to").value_or(std::max(now, from));
  if (to < from) query.refuse("to", "is before `from`");
  if (query.problem()) return refuse(asked, done, *query.problem());
  answer_from_views(with, asked, done, [&with, account = asked.by->account, from, to, now] {
    return json_response(200,
                         render_usage(queries::usage(with.given.views, account, from, to, now)));
  });
}

void list_bill_lines(const api& with, request asked, respond done) {
  query_fields query(asked);
  const auto page = read_page(query);
  const bool accruing = query.flag("accruing", false);
  if (query.problem()) return refuse(asked, done, *query.problem());
  answer_from_views(with, asked, done, [&with, account = asked.by->account, page, accruing] {
    if (!accruing)
      return page_response(
          queries::list_bill_lines(with.given.views, account, page.after, page.limit), render_line);
    return page_response(
        queries::page<bill_line>{
            queries::accruing_lines(with.given.views, account, with.given.clock.now()), {}},
        render_line);
  });
}

void list_audit(const api& with, request asked, respond done) {
  query_fields query(asked);
  const auto page = read_page(query);
  bool all = false;
  if (!wants_all_or_refuse(asked, query, all, done)) return;
  answer_from_views(with, asked, done, [&with, account = asked.by->account, page, all] {
    const auto& views = with.given.views;
    return page_response(all ? queries::audit_of_all(views, page.after, page.limit)
                             : queries::audit(views, account, page.after, page.limit),
                         render_audit);
  });
}

}  // namespace berth::gateway::routes
