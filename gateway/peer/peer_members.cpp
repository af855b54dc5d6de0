// Of a peer_network: who is there, and so who should lead what.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "events/core/partition.hpp"
#include "gateway/peer/peer_network.hpp"
#include "gateway/peer/peer_session.hpp"

namespace berth::gateway::peer {

namespace {
constexpr std::chrono::seconds leaving_max{10};
}  // namespace

void peer_network::told(std::uint32_t ordinal, const node_load& load) {
  {
    const std::lock_guard lock{mutex_};
    loads_[ordinal] = load;
    const bool is_back = load.has_joined && gone_.erase(ordinal) > 0;
    // Of who has left already it is no news, and would be held against it when it is back.
    const bool leaves =
        load.is_leaving && std::binary_search(present_.begin(), present_.end(), ordinal);
    if (leaves) leaving_[ordinal] = std::chrono::steady_clock::now() + leaving_max;
    if (!is_back && !leaves) return;
    find_present();
  }
  changed_();
}

void peer_network::leave() {
  is_leaving_ = true;
  {
    const std::lock_guard lock{mutex_};
    leaving_[options_.ordinal] = std::chrono::steady_clock::time_point::max();
    find_present();
    for (const auto& [ordinal, session] : sessions_)
      session->link().send(frame_kind::load, 0, load_frame());
  }
  changed_();
}

// Under the lock.
void peer_network::find_present() {
  present_.clear();
  for (const auto& each : members_)
    if (!leaving_.contains(each.ordinal) && !gone_.contains(each.ordinal))
      present_.push_back(each.ordinal);
  present_.erase(std::unique(present_.begin(), present_.end()), present_.end());
}

void peer_network::members(std::vector<cluster_member> now) {
  std::vector<std::shared_ptr<peer_session>> left;
  {
    const std::lock_guard lock{mutex_};
    std::sort(now.begin(), now.end(),
              [](const auto& a, const auto& b) { return a.ordinal < b.ordinal; });
    members_ = std::move(now);
    const auto is_member = [&](std::uint32_t ordinal) {
      return std::any_of(members_.begin(), members_.end(),
                         [&](const auto& each) { return each.ordinal == ordinal; });
    };
    has_joined_ = is_member(options_.ordinal);
    // Who left counts again when it is back, reached or not: all must agree on who is present.
    std::erase_if(leaving_, [&](const auto& each) {
      return each.first != options_.ordinal && !is_member(each.first);
    });
    find_present();
    for (const auto& [ordinal, session] : sessions_)
      if (!members_.empty() && !is_member(ordinal)) left.push_back(session);
  }
  changed_();
  // Nobody waits for a node that the others hold to be gone.
  for (const auto& each : left) each->link().close("it left");
}

std::shared_ptr<remote_kernel> peer_network::kernel_of(std::uint32_t ordinal) const {
  const auto at = sessions_.find(ordinal);
  return ordinal == options_.ordinal || at == sessions_.end() ? nullptr : at->second->kernel();
}

std::shared_ptr<kernel> peer_network::leader_of(const stream_id& stream, std::size_t tried) {
  const std::lock_guard lock{mutex_};
  const auto leader =
      leader_among(present_, partition_of(stream, options_.partitions), options_.partitions);
  std::vector<std::shared_ptr<kernel>> reached;
  if (leader)
    if (auto first = kernel_of(*leader)) reached.push_back(std::move(first));
  for (const auto& [ordinal, session] : sessions_)
    if (ordinal != leader && session->kernel()) reached.push_back(session->kernel());
  return reached.empty() ? nullptr : reached[tried % reached.size()];
}

std::shared_ptr<remote_kernel> peer_network::at_home_of(const stream_id& stream) {
  const std::lock_guard lock{mutex_};
  return kernel_of(home_of(stream, options_.partitions));
}

std::vector<bool> peer_network::wanted() const {
  const std::lock_guard lock{mutex_};
  std::vector<bool> mine(options_.partitions);
  for (std::uint32_t p = 0; p < options_.partitions; ++p)
    mine[p] = leader_among(present_, p, options_.partitions) == options_.ordinal;
  return mine;
}

std::vector<node_status> peer_network::status() const {
  const auto mine = load_ ? load_() : node_load{};
  const std::lock_guard lock{mutex_};
  std::vector<node_status> all;
  for (const auto& each : members_) {
    const bool here = each.ordinal == options_.ordinal;
    const auto load = loads_.find(each.ordinal);
    const auto known = load == loads_.end() ? node_load{} : load->second;
    all.push_back({each, here, here || sessions_.contains(each.ordinal), here ? mine : known});
  }
  return all;
}

// Whoever was connected a moment ago and now refuses is gone: its partitions need not wait for the
// session timeout. A node that was never reached is no reason to take what it leads.
void peer_network::note_refused(std::uint32_t ordinal) {
  {
    const std::lock_guard lock{mutex_};
    if (!loads_.contains(ordinal)) return;
    loads_.erase(ordinal);
    gone_[ordinal] = std::chrono::steady_clock::now() + 2 * options_.silence_max;
    find_present();
  }
  spdlog::warn("cluster: node {} is gone: its address refuses connections", ordinal);
  changed_();
}

void peer_network::forget_refused() {
  {
    const std::lock_guard lock{mutex_};
    const auto now = std::chrono::steady_clock::now();
    const auto is_over = [&](const auto& each) { return each.second < now; };
    if (std::erase_if(gone_, is_over) + std::erase_if(leaving_, is_over) == 0) return;
    find_present();
  }
  changed_();
}

}  // namespace berth::gateway::peer
