#include "tools/inspect/commit_json.hpp"

#include <fmt/format.h>

#include "events/event_json.hpp"

namespace berth::inspect {
namespace json = boost::json;
namespace {

constexpr const char* no_events = "(no events)";

json::object shared_part(const commit& one) {
  json::object shared{{"time", to_rfc3339(one.envelope.time)},
                      {"position", position_json(one.at())},
                      {"command", one.body.command.text()},
                      {"correlation", one.body.correlation.text()},
                      {"principal", json::object{{"account", one.body.by.account.value},
                                                 {"actor", one.body.by.actor},
                                                 {"system", one.body.by.is_system}}}};
  if (one.body.because)
    shared["cause"] = json::object{{"stream", one.body.because->stream.text()},
                                   {"version", one.body.because->version.value}};
  else
    shared["cause"] = nullptr;
  return shared;
}

}  // namespace

json::object position_json(position at) {
  return {{"partition", at.partition}, {"offset", at.offset}};
}

json::array events_of(const commit& one) {
  json::array all;
  auto version = one.body.first.value;
  for (const auto& record : one.body.events) {
    json::object event{{"stream", one.body.stream.text()},
                       {"version", version++},
                       {"type", event_name(one.body.stream.kind, record.type)}};
    for (auto&& [name, value] : shared_part(one)) event[name] = value;
    event["data"] = json::parse(event_to_json(one.body.stream.kind, record));
    all.push_back(std::move(event));
  }
  if (all.empty()) {
    json::object event{{"stream", one.body.stream.text()},
                       {"version", one.body.last().value},
                       {"type", no_events}};
    for (auto&& [name, value] : shared_part(one)) event[name] = value;
    all.push_back(std::move(event));
  }
  return all;
}

json::object event_at(const commit& one, stream_version version) {
  auto all = events_of(one);
  for (auto& each : all)
    if (each.at("version").to_number<std::uint64_t>() == version.value) return each.as_object();
  return all.front().as_object();
}

std::string line_of(const json::object& event) {
  const auto* data = event.if_contains("data");
  return fmt::format("{}  {}/{}  {} v{}  {}  {}", event.at("time").as_string().c_str(),
                     event.at("position").at("partition").to_number<std::uint32_t>(),
                     event.at("position").at("offset").to_number<std::uint64_t>(),
                     event.at("stream").as_string().c_str(),
                     event.at("version").to_number<std::uint64_t>(),
                     event.at("type").as_string().c_str(), data ? json::serialize(*data) : "");
}

}  // namespace berth::inspect
