// This server as one of several on a Kafka journal: who the others are, what this one should lead,
// where new environments go, and the kernel of all of them.
//
//   kafka_group (who is there) ─> peer_network (links, what to lead) ─> kafka_log.want
//   kernel here + peer_network ─> forwarding_kernel (everywhere) ─> gateway, effects
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "actors/kernel_options.hpp"
#include "gateway/peer/peer_network.hpp"
#include "gateway/services.hpp"
#include "infra/kafka/kafka_engine.hpp"
#include "infra/kafka/kafka_group.hpp"
#include "tools/berthd/own_host.hpp"
#include "tools/berthd/settings.hpp"

namespace berth::berthd {

class cluster : public nodes, private output_reader {
 public:
  struct parts {
    kafka_engine& engine;
    berth::bulk_log& bulk;
    berth::environment_host& host;
    host_id this_host;
  };
  // Listens for the others. invalid_argument names the setting that is wrong.
  static outcome<std::unique_ptr<cluster>> open(const settings& of, parts with);
  ~cluster() override;

  // Serves the others' calls from this node's kernel, and joins them.
  std::optional<std::string> join(running_kernel& here, const settings& of);
  // Hands over what is led here, waits a little until others lead it, and leaves.
  void leave();
  void end();  // answers the others no longer

  bool at_home(const stream_id& stream) const override;
  outcome<std::uint32_t> place() override;
  kernel& everywhere() override { return *everywhere_; }

  // For the gateway: recordings and ports of every node's environments, and the nodes.
  output_reader& recordings() { return *this; }
  void dial(const environment_id& id, std::uint16_t port, host_completion<int> done);
  gateway::cluster_services services();

 private:
  cluster(parts with, std::unique_ptr<gateway::peer::peer_network> network);

  journal_result<std::string> read(const terminal_id& terminal, std::uint64_t from,
                                   std::size_t bytes_max) override;
  journal_result<bulk_extent> find_extent(const terminal_id& terminal) override;
  journal_result<std::vector<bulk_mark>> marks(const terminal_id& terminal, std::uint64_t from,
                                               std::uint64_t to) override;

  template <class T, class Ask>
  journal_result<T> ask_far(const stream_id& stream, Ask ask);
  void joined(const group_view& now);
  void lead_what_is_wanted();
  gateway::peer::node_load load();
  std::uint32_t leads() const;

  const parts with_;
  own_host own_;
  const std::unique_ptr<gateway::peer::peer_network> network_;
  running_kernel* here_{};
  std::unique_ptr<kernel> everywhere_;
  std::unique_ptr<kafka_group> group_;

  std::mutex placing_;  // guards the two below
  // What was placed and may not count among what runs yet.
  std::deque<std::pair<std::chrono::steady_clock::time_point, std::uint32_t>> placed_;
  std::mutex wanting_;
};

}  // namespace berth::berthd
