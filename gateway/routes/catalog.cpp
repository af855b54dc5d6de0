// GET /api/v1/templates and GET /api/v1/instance-types
#include <boost/json.hpp>

#include "gateway/render/json_of.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/support.hpp"

namespace berth::gateway::routes {

void list_templates(const api& with, request, respond done) {
  boost::json::array items;
  for (const auto& one : with.given.host.templates()) items.push_back(json_of(one));
  done(json_response(200, {{"items", std::move(items)}}));
}

void list_instance_types(const api&, request, respond done) {
  boost::json::array items;
  for (const auto& one : instance_types()) items.push_back(json_of(one));
  done(json_response(200, {{"items", std::move(items)}}));
}

}  // namespace berth::gateway::routes
