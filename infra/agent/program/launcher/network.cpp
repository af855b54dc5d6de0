#include "infra/agent/program/launcher/network.hpp"

#include <net/if.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "infra/agent/program/launcher/netlink.hpp"

namespace berth::launcher {

namespace {
constexpr const char* netmask = "255.255.0.0";
constexpr unsigned first_prefix = 201;
constexpr unsigned last_prefix = 250;
constexpr unsigned addresses_per_row = 250;
constexpr unsigned environments_max = 4096;
constexpr unsigned connections_max = 4096;  // of one environment; the machine's table is everyone's

// Interface of the default route, from /proc/net/route: "eth0 00000000 gateway flags …".
std::string find_uplink() {
  std::istringstream in(read_file("/proc/net/route"));
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string interface;
    std::string destination;
    std::string gateway;
    std::string flags;
    std::string unused;
    std::string mask;
    fields >> interface >> destination >> gateway >> flags >> unused >> unused >> unused >> mask;
    if (destination == "00000000" && mask == "00000000") return interface;
  }
  return {};
}

// True if a route of another interface covers 10.<second>.0.0/16. Addresses there are little-endian
// hexadecimal.
bool prefix_in_use(unsigned second, const std::string& own_bridge) {
  std::istringstream in(read_file("/proc/net/route"));
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string interface;
    std::string destination;
    fields >> interface >> destination;
    if (interface == own_bridge || interface == "Iface") continue;
    const auto address = std::strtoul(destination.c_str(), nullptr, 16);
    if ((address & 0xff) == 10 &&
        (((address >> 8) & 0xff) == second || ((address >> 8) & 0xff) == 0))
      return true;
  }
  return false;
}

std::string find_nft() {
  for (const auto* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return {};
}
}  // namespace

std::string network::address(unsigned index) const {
  return prefix_ + "." + std::to_string(1 + index / addresses_per_row) + "." +
         std::to_string(2 + index % addresses_per_row);
}

std::string network::rules(const std::string& uplink) const {
  const auto table = "inet berth_" + tag_;
  const auto bridge = "\"brth" + tag_ + "\"";
  std::string text = "table " + table + " {}\ndelete table " + table + "\ntable " + table + " {\n";
  text += " set pairs { type ether_addr . ipv4_addr; elements = {";
  for (unsigned index = 0; index < environments_max; ++index)
    text += (index == 0 ? " " : ", ") + text_of(hardware_address_of(address(index))) + " . " +
            address(index);
  text += " }; }\n";
  text += " set busy { type ipv4_addr; size " + std::to_string(environments_max) +
          "; flags dynamic; }\n";
  text += " chain input { type filter hook input priority -10; policy accept; iifname " + bridge +
          " drop; }\n";
  text += " chain forward { type filter hook forward priority -10; policy accept;\n";
  text += "  oifname " + bridge + " ct state established,related accept\n";
  text += "  oifname " + bridge + " drop\n";
  text += "  iifname " + bridge + " ether saddr . ip saddr != @pairs drop\n";
  text += "  iifname " + bridge + " meta nfproto ipv6 drop\n";
  text += "  iifname " + bridge + " ip daddr { 169.254.0.0/16, 127.0.0.0/8, 224.0.0.0/4 } drop\n";
  text += "  iifname " + bridge + " oifname != \"" + uplink + "\" drop\n";
  text += "  iifname " + bridge + " ct state new add @busy { ip saddr ct count over " +
          std::to_string(connections_max) + " } drop\n }\n";
  text += " chain postrouting { type nat hook postrouting priority 100; ip saddr " + prefix_ +
          ".0.0/16 oifname \"" + uplink + "\" masquerade; }\n}\n";
  return text;
}

fault network::prepare() {
  works_ = false;
  const auto bridge = "brth" + tag_;
  const auto nft = find_nft();
  if (nft.empty()) return {"nft is not installed; install the package nftables"};
  uplink_ = find_uplink();
  if (uplink_.empty())
    return {"this machine has no default route; connect it, then restart the launcher"};
  for (unsigned second = first_prefix; second <= last_prefix && prefix_.empty(); ++second) {
    if (!prefix_in_use(second, bridge)) prefix_ = "10." + std::to_string(second);
  }
  if (prefix_.empty()) return {"no free network from 10.201.0.0/16 to 10.250.0.0/16"};
  if (auto failed = make_bridge(bridge, hardware_address_of(gateway())))
    return {failed.text + "; run as root with CAP_NET_ADMIN"};
  (void)write_file("/proc/sys/net/ipv6/conf/" + bridge + "/disable_ipv6",
                   "1");  // there may be no IPv6 at all
  if (auto failed = set_address(bridge, gateway(), netmask)) return failed;
  if (auto failed = set_up(bridge)) return failed;
  if (auto failed = run_program({nft, "-f", "-"}, rules(uplink_))) return failed;
  if (read_file("/proc/sys/net/ipv4/ip_forward", 8).rfind('1', 0) != 0) {
    if (auto failed = write_file("/proc/sys/net/ipv4/ip_forward", "1")) return failed;
  }
  works_ = true;
  return no_fault();
}

void network::remove() {
  if (!works_) return;
  works_ = false;
  (void)run_program({find_nft(), "delete", "table", "inet", "berth_" + tag_}, "");
  (void)remove_link("brth" + tag_);
}

fault network::attach(int pid, unsigned index) {
  if (find_uplink() != uplink_) {
    if (auto failed = prepare()) return failed;
  }
  // Interface names have 15 characters: v, tag, index, generation.
  char name[IFNAMSIZ];
  std::snprintf(name, sizeof name, "v%.6s%03x%04x", tag_.c_str(), index & 0xfff,
                generation_++ & 0xffff);
  const auto bridge = "brth" + tag_;
  const auto inside = hardware_address_of(address(index));
  auto failed = make_veth(name, bridge, pid, inside);
  // After a restart of the launcher the counter begins again and may meet a pair that still lives.
  for (int attempt = 0; failed && attempt < 8; ++attempt) {
    std::snprintf(name, sizeof name, "v%.6s%03x%04x", tag_.c_str(), index & 0xfff,
                  static_cast<unsigned>(monotonic_ms() + attempt) & 0xffff);
    failed = make_veth(name, bridge, pid, inside);
  }
  return failed ? failed : add_neighbour(bridge, address(index), inside);
}

}  // namespace berth::launcher
