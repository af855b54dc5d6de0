// What the server says about itself: / /health /live /ready /metrics /openapi.yaml /schemas/{file}
// /api/v1/host
#include "gateway/embedded.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/support.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::string_view greeting =
    "Berth: cloud development environments.\n"
    "\n"
    "The API is described at /openapi.yaml; whether it serves is told at /ready.\n"
    "Get going with the administrator's token in DATA_DIR/admin-token:\n"
    "\n"
    "  devctl login --server THIS_ADDRESS --token-file DATA_DIR/admin-token\n"
    "  devctl env create first --wait\n"
    "  devctl terminal open first\n";

response text_response(std::string body, std::string type) {
  response given;
  given.body = std::move(body);
  given.content_type = std::move(type);
  return given;
}

response status_response(bool good) {
  return json_response(good ? 200 : 503, {{"status", good ? "ok" : "starting"}});
}

}  // namespace

void welcome(const api&, request, respond done) {
  done(text_response(std::string(greeting), "text/plain; charset=utf-8"));
}

void health(const api&, request, respond done) {
  done(status_response(true));
}

void live(const api&, request, respond done) {
  done(status_response(true));
}

void ready(const api& with, request asked, respond done) {
  if (with.given.ready()) return done(status_response(true));
  refuse(asked, done,
         reject(rejection_code::unavailable, "not serving commands yet; see the server's log"));
}

void metrics(const api& with, request, respond done) {
  done(text_response(with.given.metrics() + with.routes.metrics(),
                     "text/plain; version=0.0.4; charset=utf-8"));
}

void openapi(const api&, request, respond done) {
  done(text_response(std::string(*embedded_text("openapi.yaml")), "application/yaml"));
}

void show_schema(const api&, request asked, respond done) {
  const auto& name = asked.parameters.at("file");
  const auto text = name.ends_with(".fbs") ? embedded_text(name) : std::nullopt;
  if (!text)
    return refuse(asked, done, reject(rejection_code::not_found, "no such schema", "file"));
  done(text_response(std::string(*text), "text/plain; charset=utf-8"));
}

void show_host(const api& with, request, respond done) {
  done(json_response(200, json_of(with.given.host.capabilities())));
}

void upgrade_websocket(const api&, request asked, respond done) {
  auto refused =
      problem_response(kind_named("upgrade_required"),
                       "connect with a WebSocket client; see docs/protocol.md", asked.request_id);
  refused.headers["Upgrade"] = "websocket";
  done(std::move(refused));
}

}  // namespace berth::gateway::routes
