// Outbound network for environments: one bridge, one nftables table, one veth pair an environment,
// in the net namespace the launcher was started in.
//
//   environment eth0 10.X.a.b ── veth ── bridge 10.X.0.1 ── forward ── masquerade ── uplink
//
// What an environment may reach: what lies behind the uplink. What it may not: this machine (input
// is dropped), other environments (isolated ports, forward rule), link-local and metadata
// addresses, other networks of this machine.
#pragma once

#include <string>
#include <vector>

#include "infra/agent/program/launcher/os.hpp"

namespace berth::launcher {

class network {
 public:
  // `tag`: up to 8 hexadecimal digits that name bridge, table and veth pairs of one data directory.
  explicit network(std::string tag) : tag_(std::move(tag)) {}
  // Makes bridge and rules; repeatable. On failure `works()` is false and the fault says what to
  // do.
  fault prepare();
  void remove();  // bridge and rules; no environment may be running
  bool works() const { return works_; }
  // The namespace of `pid` gets eth0; `index` (0..4095) chooses its address. The child configures
  // it by itself.
  fault attach(int pid, unsigned index);
  std::string address(unsigned index) const;
  std::string gateway() const { return prefix_ + ".0.1"; }

 private:
  std::string rules(const std::string& uplink) const;
  std::string tag_;
  std::string prefix_;  // "10.201"
  std::string uplink_;
  bool works_{};
  unsigned generation_{};  // a name is not reused: the kernel takes old pairs down in its own time
};

}  // namespace berth::launcher
