#include "tests/support/catch.hpp"

#include <set>

#include <yaml-cpp/yaml.h>

#include "gateway/embedded.hpp"
#include "gateway/problem.hpp"
#include "gateway/router.hpp"

using namespace berth::gateway;

namespace {

const std::set<std::string> methods{"get", "put", "post", "delete", "patch", "head", "options"};

std::string upper(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::toupper(c));
  return text;
}

std::set<std::string> named_in(const std::string& path) {
  std::set<std::string> names;
  for (auto at = path.find('{'); at != std::string::npos; at = path.find('{', at + 1))
    names.insert(path.substr(at + 1, path.find('}', at) - at - 1));
  return names;
}

}  // namespace

TEST_CASE("openapi: the file describes exactly the routes of the table", "[gateway]") {
  const auto file = YAML::Load(std::string(*embedded_text("openapi.yaml")));
  std::set<std::string> described;
  for (const auto& path : file["paths"])
    for (const auto& operation : path.second)
      if (methods.contains(operation.first.as<std::string>()))
        described.insert(upper(operation.first.as<std::string>()) + ' ' +
                         path.first.as<std::string>());
  std::set<std::string> served;
  for (const auto& route : route_table())
    served.insert(std::string(route.method) + ' ' + std::string(route.path));
  CHECK(served.size() == route_table().size());
  CHECK(described == served);
}

TEST_CASE("openapi: security and refusals are those the route table implies", "[gateway]") {
  const auto file = YAML::Load(std::string(*embedded_text("openapi.yaml")));
  for (const auto& route : route_table()) {
    auto method = std::string(route.method);
    for (auto& c : method) c = static_cast<char>(std::tolower(c));
    const auto operation = file["paths"][std::string(route.path)][method];
    CAPTURE(route.method, route.path);
    REQUIRE(operation);
    const bool open = operation["security"] && operation["security"].size() == 0;
    CHECK(open == (route.needs == access::open));
    if (route.needs != access::open) CHECK(operation["responses"]["401"]);
    if (route.needs == access::admin) CHECK(operation["responses"]["403"]);
    if (route.path.find('{') != std::string_view::npos) CHECK(operation["responses"]["404"]);
  }
}

TEST_CASE("openapi: every parameter of a path is described, and every error code is listed",
          "[gateway]") {
  const auto file = YAML::Load(std::string(*embedded_text("openapi.yaml")));
  const auto parameters = file["components"]["parameters"];
  for (const auto& path : file["paths"]) {
    for (const auto& operation : path.second) {
      std::set<std::string> described;
      for (const auto& parameter : operation.second["parameters"]) {
        const auto reference = parameter["$ref"];
        const auto shown = reference ? parameters[reference.as<std::string>().substr(
                                           std::string("#/components/parameters/").size())]
                                     : parameter;
        REQUIRE(shown);
        if (shown["in"].as<std::string>() == "path")
          described.insert(shown["name"].as<std::string>());
      }
      CAPTURE(path.first.as<std::string>());
      CHECK(described == named_in(path.first.as<std::string>()));
    }
  }
  std::set<std::string> listed;
  for (const auto& code : file["components"]["schemas"]["Error"]["properties"]["code"]["enum"])
    listed.insert(code.as<std::string>());
  std::set<std::string> known;
  for (const auto& kind : problem_kinds()) known.insert(std::string(kind.code));
  CHECK(listed == known);
}
