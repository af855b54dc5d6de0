// Asks a running server over DIR/admin.sock (docs/operations.md, "The admin socket").
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <boost/json.hpp>

namespace berth::inspect {

// Nothing if no server listens there. Otherwise the server's last line; each earlier line is given
// to `progress`. An answer that breaks off is an object {"ok":false,"code":"broken_off",…}.
std::optional<boost::json::object> ask_admin(
    const std::filesystem::path& data_dir, const boost::json::object& request,
    const std::function<void(const boost::json::object&)>& progress);

}  // namespace berth::inspect
