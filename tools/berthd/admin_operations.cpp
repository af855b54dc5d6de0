#include "tools/berthd/admin_operations.hpp"

#include <unistd.h>

#include <boost/json/array.hpp>

namespace berth::berthd {

namespace json = boost::json;

namespace {

json::object rebuild(projection_driver& views, const std::function<server_status()>& status,
                     const json::object& request, const admin_socket::progress& tell) {
  const auto* named = request.if_contains("view");
  if (named && !named->is_string())
    return {{"ok", false}, {"code", "bad_request"}, {"error", "\"view\" is not a string"}};
  const auto name = named ? std::string{named->as_string()} : std::string{};
  if (!name.empty() && !views.knows(name))
    return {{"ok", false}, {"code", "not_found"}, {"error", "there is no view named " + name}};
  const auto rebuilt = views.rebuild(name, [&](std::uint64_t done) {
    tell({{"progress",
           {{"view", name.empty() ? "all" : name}, {"done", done}, {"of", status().head}}}});
  });
  if (!rebuilt)
    return {{"ok", false},
            {"code", "busy"},
            {"error", "another rebuild runs, or the server is stopping; try again later"}};
  json::array list;
  for (const auto& each : *rebuilt)
    list.push_back({{"view", each.name},
                    {"generation", each.generation},
                    {"checkpoint", each.checkpoint},
                    {"identical", each.identical}});
  return {{"ok", true}, {"views", std::move(list)}};
}

}  // namespace

std::map<std::string, admin_socket::operation> admin_operations(
    projection_driver& views, std::function<server_status()> status) {
  return {{"rebuild",
           [&views, status](const json::object& request, const auto& tell) {
             return rebuild(views, status, request, tell);
           }},
          {"status",
           [status](const json::object&, const auto&) -> json::object {
             const auto now = status();
             return {{"ok", true},
                     {"pid", ::getpid()},
                     {"version", BERTH_VERSION},
                     {"listen", now.url},
                     {"head", now.head},
                     {"environments_running", now.environments_running}};
           }},
          {"accept_loss", [](const json::object&, const auto&) -> json::object {
             return {{"ok", false},
                     {"code", "nothing_to_accept"},
                     {"error", "this server is running, so nothing is missing"}};
           }}};
}

}  // namespace berth::berthd
