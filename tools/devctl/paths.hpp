// Where things are on the server, and small helpers several commands share.
#pragma once

#include <string>

#include "gateway/client/client.hpp"
#include "tools/devctl/app.hpp"

namespace berth::devctl {

// /api/v1/environments/NAME; the name is encoded.
std::string environment_path(const std::string& name_or_id);
std::string terminal_path(const std::string& id);
// Host, port, TLS and token of the configured server for a WebSocket.
client::client_options socket_options(const config& used);
// The failure for what the WebSocket client reports.
class failure;
failure failure_of(const client::client_error& error);
// The history of one environment, oldest first.
void print_environment_events(app& run, const std::string& name_or_id);

}  // namespace berth::devctl
