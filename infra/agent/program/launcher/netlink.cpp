#include "infra/agent/program/launcher/netlink.hpp"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/route.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstdio>

namespace berth::launcher {

namespace {

// One RTM_*LINK or RTM_*NEIGH request, its nested attributes closed in the order they were opened.
class link_request {
 public:
  link_request(int type, int flags, std::size_t head_bytes = sizeof(ifinfomsg)) {
    header()->nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(head_bytes));
    header()->nlmsg_type = static_cast<std::uint16_t>(type);
    header()->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  }
  ifinfomsg* info() { return static_cast<ifinfomsg*>(NLMSG_DATA(header())); }
  ndmsg* neighbour() { return static_cast<ndmsg*>(NLMSG_DATA(header())); }
  void up(unsigned more = 0) {
    info()->ifi_flags = IFF_UP | more;
    info()->ifi_change = IFF_UP | more;
  }
  rtattr* put(int type, const void* data, std::size_t size) {
    auto* attribute = reinterpret_cast<rtattr*>(buffer_ + NLMSG_ALIGN(header()->nlmsg_len));
    attribute->rta_type = static_cast<unsigned short>(type);
    attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
    if (size > 0) std::memcpy(RTA_DATA(attribute), data, size);
    header()->nlmsg_len = static_cast<std::uint32_t>(NLMSG_ALIGN(header()->nlmsg_len) +
                                                     RTA_ALIGN(attribute->rta_len));
    return attribute;
  }
  void name(const std::string& text) { put(IFLA_IFNAME, text.c_str(), text.size() + 1); }
  rtattr* open(int type) { return put(type, nullptr, 0); }
  void close(rtattr* attribute) {
    attribute->rta_len = static_cast<unsigned short>(buffer_ + header()->nlmsg_len -
                                                     reinterpret_cast<char*>(attribute));
  }
  fault send(const std::string& step) {
    unique_fd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
    if (!socket) return errno_fault("netlink socket");
    char answer[4096];
    const auto sent = ::send(socket.get(), buffer_, header()->nlmsg_len, 0);
    const auto got = sent < 0 ? sent : ::recv(socket.get(), answer, sizeof answer, 0);
    if (got < 0) return errno_fault(step);
    const auto* first = reinterpret_cast<const nlmsghdr*>(answer);
    if (first->nlmsg_type != NLMSG_ERROR) return no_fault();
    errno = -static_cast<const nlmsgerr*>(NLMSG_DATA(first))->error;
    return errno == 0 ? no_fault() : errno_fault(step);
  }

 private:
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(buffer_); }
  alignas(8) char buffer_[1024]{};
};

// The one sender a port of the bridge takes frames from.
fault allow_sender(const std::string& port, const hardware_address& address) {
  link_request entry(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(ndmsg));
  entry.neighbour()->ndm_family = AF_BRIDGE;
  entry.neighbour()->ndm_ifindex = static_cast<int>(::if_nametoindex(port.c_str()));
  entry.neighbour()->ndm_state = NUD_NOARP;
  entry.neighbour()->ndm_flags = NTF_MASTER;
  entry.put(NDA_LLADDR, address.data(), address.size());
  return entry.send("forwarding entry of " + port);
}

fault set_port(const std::string& name, std::initializer_list<std::pair<int, std::uint8_t>> what) {
  link_request request(RTM_NEWLINK, 0);
  request.info()->ifi_index = static_cast<int>(::if_nametoindex(name.c_str()));
  auto* port = request.open(IFLA_LINKINFO);
  request.put(IFLA_INFO_SLAVE_KIND, "bridge", 6);
  auto* options = request.open(IFLA_INFO_SLAVE_DATA);
  for (const auto& [option, value] : what) request.put(option, &value, sizeof value);
  request.close(options);
  request.close(port);
  return request.send("options of bridge port " + name);
}

ifreq request_for(const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

void put_address(sockaddr* where, const std::string& address) {
  auto* in = reinterpret_cast<sockaddr_in*>(where);
  in->sin_family = AF_INET;
  ::inet_pton(AF_INET, address.c_str(), &in->sin_addr);
}

unique_fd inet_socket() {
  return unique_fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
}

}  // namespace

hardware_address hardware_address_of(const std::string& ipv4) {
  hardware_address made{0x02, 0xbe};
  in_addr address{};
  ::inet_pton(AF_INET, ipv4.c_str(), &address);
  std::memcpy(made.data() + 2, &address, sizeof address);
  return made;
}

std::string text_of(const hardware_address& a) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4],
                a[5]);
  return text;
}

fault make_bridge(const std::string& name, const hardware_address& address) {
  link_request request(RTM_NEWLINK, NLM_F_CREATE);
  request.up(IFF_NOARP);
  request.name(name);
  request.put(IFLA_ADDRESS, address.data(), address.size());
  auto* link = request.open(IFLA_LINKINFO);
  request.put(IFLA_INFO_KIND, "bridge", 6);
  request.close(link);
  return request.send("make bridge " + name);
}

fault make_veth(const std::string& host_end, const std::string& bridge, int pid,
                const hardware_address& inside) {
  const auto master = ::if_nametoindex(bridge.c_str());
  if (master == 0) return errno_fault("find bridge " + bridge);
  link_request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.up();
  request.name(host_end);
  request.put(IFLA_MASTER, &master, sizeof master);
  auto* link = request.open(IFLA_LINKINFO);
  request.put(IFLA_INFO_KIND, "veth", 4);
  auto* data = request.open(IFLA_INFO_DATA);
  const ifinfomsg empty{};
  auto* peer = request.put(VETH_INFO_PEER, &empty, sizeof empty);
  request.put(IFLA_IFNAME, "eth0", 5);
  request.put(IFLA_ADDRESS, inside.data(), inside.size());
  const auto target = static_cast<std::uint32_t>(pid);
  request.put(IFLA_NET_NS_PID, &target, sizeof target);
  request.close(peer);
  request.close(data);
  request.close(link);
  if (auto failed = request.send("make veth " + host_end)) return failed;
  if (auto failed = set_port(host_end, {{IFLA_BRPORT_ISOLATED, 1}, {IFLA_BRPORT_LEARNING, 0}}))
    return failed;
  if (auto failed = allow_sender(host_end, inside)) return failed;
  // Since Linux 5.18; before, the rules check the pair of addresses of what is forwarded.
  (void)set_port(host_end, {{IFLA_BRPORT_LOCKED, 1}});
  return no_fault();
}

fault add_neighbour(const std::string& interface, const std::string& ipv4,
                    const hardware_address& address) {
  link_request entry(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(ndmsg));
  entry.neighbour()->ndm_family = AF_INET;
  entry.neighbour()->ndm_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  entry.neighbour()->ndm_state = NUD_PERMANENT;
  in_addr destination{};
  ::inet_pton(AF_INET, ipv4.c_str(), &destination);
  entry.put(NDA_DST, &destination, sizeof destination);
  entry.put(NDA_LLADDR, address.data(), address.size());
  return entry.send("neighbour " + ipv4 + " of " + interface);
}

fault remove_link(const std::string& name) {
  link_request request(RTM_DELLINK, 0);
  request.name(name);
  return request.send("remove " + name);
}

fault set_address(const std::string& interface, const std::string& address,
                  const std::string& netmask) {
  const auto socket = inet_socket();
  auto request = request_for(interface);
  put_address(&request.ifr_addr, address);
  if (::ioctl(socket.get(), SIOCSIFADDR, &request) != 0)
    return errno_fault("address of " + interface);
  put_address(&request.ifr_netmask, netmask);
  if (::ioctl(socket.get(), SIOCSIFNETMASK, &request) != 0)
    return errno_fault("netmask of " + interface);
  return no_fault();
}

fault set_up(const std::string& interface) {
  const auto socket = inet_socket();
  auto request = request_for(interface);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
    return errno_fault("bring up " + interface);
  return no_fault();
}

fault add_default_route(const std::string& gateway) {
  const auto socket = inet_socket();
  rtentry route{};
  put_address(&route.rt_gateway, gateway);
  put_address(&route.rt_dst, "0.0.0.0");
  put_address(&route.rt_genmask, "0.0.0.0");
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  if (::ioctl(socket.get(), SIOCADDRT, &route) != 0) return errno_fault("default route");
  return no_fault();
}

}  // namespace berth::launcher
