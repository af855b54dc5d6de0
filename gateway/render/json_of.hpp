// Things as JSON objects, as docs/openapi.yaml describes them. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "actors/ports/environment_host.hpp"
#include "events/account/state.hpp"
#include "events/core/instance_type.hpp"
#include "events/environment/state.hpp"
#include "events/session/state.hpp"
#include "events/terminal/state.hpp"

namespace berth::gateway {

boost::json::object json_of(const environment_id& id, const environment::state& now,
                            stream_version version);
boost::json::object json_of(const terminal_id& id, const terminal::state& now,
                            stream_version version);
boost::json::object json_of(const session_id& id, const session::state& now,
                            stream_version version);
boost::json::object json_of(const account_id& id, const account::state& now,
                            stream_version version);
boost::json::object json_of(const token_id& id, const account::token& token);
boost::json::object json_of(const instance_type& type);
boost::json::object json_of(const template_info& made_from);
boost::json::object json_of(const host_capabilities& found);
// stdout and stderr as text, ill-formed UTF-8 replaced; as base64 under …_base64 if asked.
boost::json::object json_of(const environment::exec_finished& result, bool as_base64);

// What a person should know about the environment now: "web is RUNNING", or why not and what to do.
std::string sentence_of(const environment::state& now);

// Well-formed UTF-8: every ill-formed sequence becomes U+FFFD. `changed` tells whether there was
// one.
std::string utf8_of(std::string_view bytes, bool* changed = nullptr);

}  // namespace berth::gateway
