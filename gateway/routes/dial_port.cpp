// GET /api/v1/environments/{environment}/ports/{port} with `Upgrade: tcp`: 101, then the bytes of a
// TCP connection to 127.0.0.1:port inside the environment, both ways.
#include "gateway/descriptor.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/support.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::string_view tunnel_protocol = "tcp";

bool asks_tunnel(const request& asked) {
  const auto at = asked.headers.find("upgrade");
  return at != asked.headers.end() && at->second == tunnel_protocol;
}

response upgrade_refusal(const request& asked) {
  auto refused =
      problem_response(kind_named("upgrade_required"),
                       "send `Connection: Upgrade` and `Upgrade: tcp`", asked.request_id);
  refused.headers["Upgrade"] = tunnel_protocol;
  return refused;
}

}  // namespace

void dial_port(const api& with, request asked, respond done) {
  const auto port = parse_decimal(asked.parameters.at("port"));
  if (!port || *port == 0 || *port > 65535)
    return refuse(asked, done,
                  reject(rejection_code::invalid_argument,
                         "`port` must be a number from 1 to 65535", "port"));
  with_environment(
      with, asked, done,
      [&with, asked, done, port = static_cast<std::uint16_t>(*port)](environment_id id) {
        with.given.kernel.read(id, *asked.by, [&with, id, asked, done, port](auto read) {
          if (!read) return refuse(asked, done, read.error());
          if (!asks_tunnel(asked)) return done(upgrade_refusal(asked));
          if (read->state->status != environment::status::running)
            return refuse(asked, done,
                          reject(rejection_code::wrong_state,
                                 "the environment is not RUNNING; start it first"));
          const auto answer = [asked, done](host_result<int> dialled) {
            if (!dialled) return done(problem_response(dialled.error(), asked.request_id));
            response joined;
            joined.status = 101;
            joined.headers["Upgrade"] = tunnel_protocol;
            joined.headers["Connection"] = "Upgrade";
            joined.tunnel = own_descriptor(*dialled);
            done(std::move(joined));
          };
          if (with.given.dial) return with.given.dial(id, port, answer);
          with.given.host.dial(id, port, answer);
        });
      });
}

}  // namespace berth::gateway::routes
