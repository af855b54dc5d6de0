// Every handler of the route table; each is defined in the file named for it.
#pragma once

#include "gateway/http_message.hpp"
#include "gateway/router.hpp"

namespace berth::gateway::routes {

#define BERTH_ROUTE(name) void name(const api& with, request asked, respond done)

BERTH_ROUTE(welcome);  // server.cpp
BERTH_ROUTE(health);
BERTH_ROUTE(live);
BERTH_ROUTE(ready);
BERTH_ROUTE(metrics);
BERTH_ROUTE(openapi);
BERTH_ROUTE(show_schema);
BERTH_ROUTE(show_host);

BERTH_ROUTE(create_account);  // accounts
BERTH_ROUTE(disable_account);
BERTH_ROUTE(list_accounts);
BERTH_ROUTE(show_account);
BERTH_ROUTE(create_token);
BERTH_ROUTE(list_tokens);
BERTH_ROUTE(revoke_token);
BERTH_ROUTE(issue_jwt);
BERTH_ROUTE(clear_cookie);
BERTH_ROUTE(show_identity);

BERTH_ROUTE(create_environment);
BERTH_ROUTE(list_environments);
BERTH_ROUTE(show_environment);
BERTH_ROUTE(delete_environment);
BERTH_ROUTE(start_environment);
BERTH_ROUTE(stop_environment);
BERTH_ROUTE(record_activity);
BERTH_ROUTE(wait_environment);
BERTH_ROUTE(exec_environment);
BERTH_ROUTE(dial_port);
BERTH_ROUTE(list_templates);
BERTH_ROUTE(list_instance_types);

BERTH_ROUTE(open_terminal);
BERTH_ROUTE(list_environment_terminals);
BERTH_ROUTE(list_terminals);
BERTH_ROUTE(show_terminal);
BERTH_ROUTE(close_terminal);
BERTH_ROUTE(resize_terminal);
BERTH_ROUTE(read_terminal_output);
BERTH_ROUTE(export_recording);

BERTH_ROUTE(list_sessions);
BERTH_ROUTE(show_session);
BERTH_ROUTE(close_session);
BERTH_ROUTE(hand_over_session);

BERTH_ROUTE(show_usage);
BERTH_ROUTE(list_bill_lines);
BERTH_ROUTE(list_audit);
BERTH_ROUTE(list_events);

BERTH_ROUTE(show_cluster);
BERTH_ROUTE(cordon_node);
BERTH_ROUTE(uncordon_node);
BERTH_ROUTE(drain_node);

BERTH_ROUTE(upgrade_websocket);  // answers 426: connections handle the upgrade before routing

#undef BERTH_ROUTE

}  // namespace berth::gateway::routes
