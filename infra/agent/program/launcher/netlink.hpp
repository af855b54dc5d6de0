// The few rtnetlink requests a bridge and veth pairs need (rtnetlink(7)), and interface addresses
// by ioctl (netdevice(7)).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "infra/agent/program/launcher/os.hpp"

namespace berth::launcher {

using hardware_address = std::array<std::uint8_t, 6>;
// A locally administered one, always the same for an IPv4 address: nobody has to ask for it.
hardware_address hardware_address_of(const std::string& ipv4);
std::string text_of(const hardware_address& address);

// An existing one is fine; it comes up. It neither asks by ARP nor answers.
fault make_bridge(const std::string& name, const hardware_address& address);
// Host end on the bridge, peer "eth0" straight into the net namespace of `pid`. Ports cannot reach
// each other (isolated), and take frames from `inside` only (locked, one static entry, no
// learning).
fault make_veth(const std::string& host_end, const std::string& bridge, int pid,
                const hardware_address& inside);
// Known for ever: what others say by ARP changes nothing.
fault add_neighbour(const std::string& interface, const std::string& ipv4,
                    const hardware_address& address);
fault remove_link(const std::string& name);
fault set_address(const std::string& interface, const std::string& address,
                  const std::string& netmask);
fault set_up(const std::string& interface);
fault add_default_route(const std::string& gateway);

}  // namespace berth::launcher
