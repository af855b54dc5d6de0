// The few rtnetlink requests a bridge and veth pairs need (rtnetlink(7)), and interface addresses
// by ioctl (netdevice(7)).
#pragma once

#include <string>

#include "infra/agent/program/launcher/os.hpp"

namespace berth::launcher {

fault make_bridge(const std::string& name);  // an existing one is fine; it comes up
// Host end on the bridge as an isolated port (ports of environments cannot reach each other), peer
// "eth0" straight into the net namespace of `pid`.
fault make_veth(const std::string& host_end, const std::string& bridge, int pid);
fault remove_link(const std::string& name);
fault set_address(const std::string& interface, const std::string& address,
                  const std::string& netmask);
fault set_up(const std::string& interface);
fault add_default_route(const std::string& gateway);

}  // namespace berth::launcher
