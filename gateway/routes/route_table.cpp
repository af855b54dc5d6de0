#include <array>

#include "gateway/routes/routes.hpp"

namespace berth::gateway {

std::span<const route> route_table() {
  using enum access;
  using namespace routes;
  static constexpr std::array table{
      route{"GET", "/", open, welcome},
      route{"GET", "/health", open, health},
      route{"GET", "/live", open, live},
      route{"GET", "/ready", open, ready},
      route{"GET", "/metrics", open, metrics},
      route{"GET", "/openapi.yaml", open, openapi},
      route{"GET", "/schemas/{file}", open, show_schema},
      route{"GET", "/api/v1/host", user, show_host},
      route{"GET", "/api/v1/ws", open, upgrade_websocket},

      route{"GET", "/api/v1/cluster", admin, show_cluster},
      route{"POST", "/api/v1/cluster/nodes/{ordinal}/cordon", admin, cordon_node},
      route{"POST", "/api/v1/cluster/nodes/{ordinal}/uncordon", admin, uncordon_node},
      route{"POST", "/api/v1/cluster/nodes/{ordinal}/drain", admin, drain_node},

      route{"POST", "/api/v1/accounts", admin, create_account},
      route{"GET", "/api/v1/accounts", admin, list_accounts},
      route{"GET", "/api/v1/accounts/{account}", user, show_account},
      route{"POST", "/api/v1/accounts/{account}/disable", admin, disable_account},
      route{"POST", "/api/v1/accounts/{account}/tokens", user, create_token},
      route{"GET", "/api/v1/accounts/{account}/tokens", user, list_tokens},
      route{"DELETE", "/api/v1/accounts/{account}/tokens/{token}", user, revoke_token},

      route{"GET", "/api/v1/auth/whoami", user, show_identity},
      route{"POST", "/api/v1/auth/jwt", user, issue_jwt},
      route{"DELETE", "/api/v1/auth/jwt", open, clear_cookie},

      route{"GET", "/api/v1/templates", user, list_templates},
      route{"GET", "/api/v1/instance-types", user, list_instance_types},
      route{"POST", "/api/v1/environments", user, create_environment},
      route{"GET", "/api/v1/environments", user, list_environments},
      route{"GET", "/api/v1/environments/{environment}", user, show_environment},
      route{"DELETE", "/api/v1/environments/{environment}", user, delete_environment},
      route{"POST", "/api/v1/environments/{environment}/start", user, start_environment},
      route{"POST", "/api/v1/environments/{environment}/stop", user, stop_environment},
      route{"POST", "/api/v1/environments/{environment}/activity", user, record_activity},
      route{"GET", "/api/v1/environments/{environment}/wait", user, wait_environment},
      route{"POST", "/api/v1/environments/{environment}/exec", user, exec_environment},
      route{"GET", "/api/v1/environments/{environment}/ports/{port}", user, dial_port},
      route{"POST", "/api/v1/environments/{environment}/terminals", user, open_terminal},
      route{"GET", "/api/v1/environments/{environment}/terminals", user,
            list_environment_terminals},

      route{"GET", "/api/v1/terminals", user, list_terminals},
      route{"GET", "/api/v1/terminals/{terminal}", user, show_terminal},
      route{"DELETE", "/api/v1/terminals/{terminal}", user, close_terminal},
      route{"POST", "/api/v1/terminals/{terminal}/resize", user, resize_terminal},
      route{"GET", "/api/v1/terminals/{terminal}/output", user, read_terminal_output},
      route{"GET", "/api/v1/terminals/{terminal}/recording", user, export_recording},

      route{"GET", "/api/v1/sessions", user, list_sessions},
      route{"GET", "/api/v1/sessions/{session}", user, show_session},
      route{"DELETE", "/api/v1/sessions/{session}", user, close_session},
      route{"POST", "/api/v1/sessions/{session}/hand-over", user, hand_over_session},

      route{"GET", "/api/v1/usage", user, show_usage},
      route{"GET", "/api/v1/bill-lines", user, list_bill_lines},
      route{"GET", "/api/v1/audit", user, list_audit},
      route{"GET", "/api/v1/events", user, list_events},
  };
  return table;
}

}  // namespace berth::gateway
