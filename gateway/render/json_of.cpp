#include "gateway/render/json_of.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include "events/core/utf8.hpp"
#include "gateway/base64.hpp"

namespace berth::gateway {
namespace {

namespace json = boost::json;

// Fields without a value are left out.
void put_time(json::object& into, std::string_view name, timestamp at) {
  if (at != timestamp{}) into.emplace(name, to_rfc3339(at));
}
void put_text(json::object& into, std::string_view name, std::string_view text) {
  if (!text.empty()) into.emplace(name, utf8_of(text));
}

json::array texts_of(const std::vector<std::string>& all) {
  json::array out;
  for (const auto& one : all) out.emplace_back(utf8_of(one));
  return out;
}

std::string_view name_of(session::close_reason reason) {
  switch (reason) {
    case session::close_reason::logout:
      return "logout";
    case session::close_reason::revoked:
      return "revoked";
    case session::close_reason::idle:
      return "idle";
    case session::close_reason::handed_over:
      return "handed_over";
  }
  return "logout";
}

std::string_view name_of(terminal::journal_mode mode) {
  switch (mode) {
    case terminal::journal_mode::full:
      return "full";
    case terminal::journal_mode::tail:
      return "tail";
    case terminal::journal_mode::none:
      return "none";
  }
  return "full";
}

std::string_view name_of(account::role role) {
  return role == account::role::admin ? "admin" : "member";
}

}  // namespace

std::string utf8_of(std::string_view bytes, bool* changed) {
  std::string out;
  bool replaced = false;
  out.reserve(bytes.size());
  if (append_utf8(out, bytes, replaced) > 0) {
    out += "\xEF\xBF\xBD";
    replaced = true;
  }
  if (changed) *changed = replaced;
  return out;
}

json::object json_of(const environment_id& id, const environment::state& now,
                     stream_version version) {
  json::object out{
      {"id", id.value},
      {"name", now.name},
      {"status", environment::name_of(now.status)},
      {"instance_type", now.instance_type},
      {"template", now.template_name},
      {"price_list", now.price_list},
      {"price_pico_usd_per_second", now.price_pico_usd_per_second},
      {"version", version.value},
  };
  put_time(out, "created_at", now.created_at);
  put_time(out, "changed_at", now.changed_at);
  put_time(out, "deadline", now.deadline);
  if (now.status == environment::status::running) put_time(out, "started_at", now.started_at);
  put_time(out, "last_activity_at", now.last_activity);
  put_text(out, "host", now.host.value);
  put_text(out, "cause", now.cause);
  put_text(out, "next_step", now.next_step);
  out.emplace("execs_running", now.pending_execs.size());
  return out;
}

json::object json_of(const terminal_id& id, const terminal::state& now, stream_version version) {
  json::object out{
      {"id", id.value},
      {"environment_id", now.environment.value},
      {"status", terminal::name_of(now.status)},
      {"cols", now.cols},
      {"rows", now.rows},
      {"command", texts_of(now.command)},
      {"journal", name_of(now.journal)},
      {"version", version.value},
  };
  if (now.journal == terminal::journal_mode::tail)
    out.emplace("journal_tail_bytes", now.journal_tail_bytes);
  put_text(out, "working_directory", now.working_directory);
  put_text(out, "driver", now.driver.value);
  put_time(out, "opened_at", now.opened_at);
  put_time(out, "changed_at", now.changed_at);
  if (now.pid > 0) out.emplace("pid", now.pid);
  if (!now.end) return out;
  json::object end{{"final_offset", now.end->final_offset},
                   {"reason", now.end->reason},
                   {"at", to_rfc3339(now.end->at)}};
  if (now.end->exit_code) end.emplace("exit_code", *now.end->exit_code);
  if (now.end->signal != 0) end.emplace("signal", now.end->signal);
  put_text(end, "detail", now.end->detail);
  out.emplace("end", std::move(end));
  return out;
}

json::object json_of(const session_id& id, const session::state& now, stream_version version) {
  json::object out{
      {"id", id.value},
      {"client", utf8_of(now.client)},
      {"token_id", now.token.value},
      {"connections", now.connections.size()},
      {"closed", now.closed},
      {"version", version.value},
  };
  put_time(out, "opened_at", now.opened_at);
  put_time(out, "last_seen_at", now.last_seen);
  if (now.closed) out.emplace("close_reason", name_of(now.close_reason));
  return out;
}

json::object json_of(const account_id& id, const account::state& now, stream_version version) {
  json::object out{
      {"id", id.value},
      {"name", now.name},
      {"role", name_of(now.role)},
      {"disabled", now.disabled},
      {"environments", now.environments.size()},
      {"version", version.value},
  };
  put_time(out, "created_at", now.created_at);
  return out;
}

json::object json_of(const token_id& id, const account::token& token) {
  json::object out{{"id", id.value}, {"label", utf8_of(token.label)}, {"revoked", token.revoked}};
  put_time(out, "issued_at", token.issued_at);
  put_time(out, "expires_at", token.expires_at);
  return out;
}

json::object json_of(const instance_type& type) {
  return {{"name", type.name},
          {"cpus", static_cast<double>(type.cpu_millis) / 1000},
          {"memory_bytes", type.memory_bytes},
          {"pids_max", type.pids_max},
          {"price_list", current_price_list},
          {"price_pico_usd_per_second", type.price_pico_usd_per_second}};
}

json::object json_of(const template_info& made_from) {
  json::array tools;
  for (const auto& [name, version] : made_from.tools)
    tools.push_back(json::object{{"name", utf8_of(name)}, {"version", utf8_of(version)}});
  return {{"name", made_from.name},
          {"description", utf8_of(made_from.description)},
          {"tools", std::move(tools)}};
}

json::object json_of(const host_capabilities& found) {
  return {{"provider", found.provider},   {"works", found.works},
          {"isolation", found.isolation}, {"limits", found.limits},
          {"network", found.network},     {"problems", texts_of(found.problems)}};
}

json::object json_of(const environment::exec_finished& result, bool as_base64) {
  json::object out{{"exec_id", result.exec.value}, {"exit_code", result.exit_code}};
  if (as_base64) {
    out.emplace("stdout_base64", base64_encode(result.stdout_bytes));
    out.emplace("stderr_base64", base64_encode(result.stderr_bytes));
  } else {
    bool out_changed = false;
    bool err_changed = false;
    out.emplace("stdout", utf8_of(result.stdout_bytes, &out_changed));
    out.emplace("stderr", utf8_of(result.stderr_bytes, &err_changed));
    out.emplace("lossy", out_changed || err_changed);
  }
  out.emplace("duration_ms", result.duration_ms);
  out.emplace("truncated", result.truncated);
  out.emplace("timed_out", result.timed_out);
  return out;
}

std::string sentence_of(const environment::state& now) {
  auto text = fmt::format("{} is {}", now.name, environment::name_of(now.status));
  if (now.status != environment::status::error) return text;
  return fmt::format(
      "{} while {}: {}; {}", text, environment::name_of(now.failed_during), utf8_of(now.cause),
      utf8_of(now.next_step.empty() ? "start it again, or delete it" : now.next_step));
}

}  // namespace berth::gateway
