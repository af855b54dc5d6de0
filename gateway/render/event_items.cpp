#include "gateway/render/event_items.hpp"

#include <boost/json.hpp>

#include "events/event_json.hpp"
#include "gateway/render/position_text.hpp"

namespace berth::gateway {
namespace {

boost::json::object data_of(aggregate_kind kind, const event_record& record) {
  boost::system::error_code failed;
  auto data = boost::json::parse(event_to_json(kind, record), failed);
  if (failed || !data.is_object()) return {};
  data.get_object().erase("hash");
  return std::move(data.get_object());
}

}  // namespace

boost::json::array event_items(const commit& happened, const std::string& after) {
  boost::json::array items;
  const auto& body = happened.body;
  auto version = body.first.value;
  for (const auto& record : body.events) {
    items.push_back(boost::json::object{
        {"cursor", after},
        {"time", to_rfc3339(happened.envelope.time)},
        {"stream", body.stream.text()},
        {"version", version++},
        {"type", event_name(body.stream.kind, record.type)},
        {"command", body.command.text()},
        {"correlation", body.correlation.text()},
        {"actor", body.by.actor},
        {"data", data_of(body.stream.kind, record)},
    });
  }
  return items;
}

}  // namespace berth::gateway
