// The other nodes of a cluster: who is there, a connection to each (mutual TLS, the lower ordinal
// dials), their kernels, and what there is to do on them.
//
//   kafka_group ─ members ─> peer_network ─ one peer_session a pair ─> remote_kernel, local_calls
//
// Which node should lead a stream is decided from the members alone (events/core/partition.hpp), so
// that all nodes decide alike; whoever is asked wrongly says not_led. Threads: any; its own are one
// for the connections and one for reading recordings.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "actors/ports/nodes.hpp"
#include "gateway/core.hpp"
#include "gateway/peer/local_calls.hpp"
#include "gateway/peer/peer_messages.hpp"
#include "gateway/peer/remote_kernel.hpp"

namespace berth::gateway::peer {

class peer_session;

struct peer_options {
  std::uint32_t ordinal{};
  std::string host;       // id of this node's host
  std::string topic;      // whose partitions are shared
  std::string listen;     // ADDRESS:PORT
  std::string advertise;  // HOST:PORT, as the others reach it
  std::string certificate_file;
  std::string key_file;
  std::string ca_file;
  std::uint32_t partitions{};
  std::chrono::milliseconds silence_max{1'500};  // then a connection is given up
};

struct cluster_member {
  std::uint32_t ordinal{};
  std::string address;
  std::string host;
  bool operator==(const cluster_member&) const = default;
};

struct node_status {
  cluster_member who;
  bool here{};
  bool is_linked{};
  node_load load;
};

class peer_network : public peers {
 public:
  // Listens; serves nobody yet. invalid_argument names the setting that is wrong.
  static outcome<std::unique_ptr<peer_network>> open(peer_options options);
  ~peer_network() override;

  // What the others may ask, and what they are told of this node.
  void serve(berth::kernel& kernel, berth::bulk_log& bulk, berth::environment_host& host,
             std::function<node_load()> load);
  // Who is there, this node among them; nobody, if this node is cut off.
  void members(std::vector<cluster_member> now);
  // Runs whenever what this node should lead may be another set; on any thread.
  void on_change(std::function<void()> changed) { changed_ = std::move(changed); }
  // This node stops: the others are told, and nothing is led here any more.
  void leave();
  void stop();

  const peer_options& options() const { return options_; }
  std::shared_ptr<kernel> leader_of(const stream_id& stream, std::size_t tried) override;
  // The node on whose machine the stream's environment is; nothing if that is this one, or away.
  std::shared_ptr<remote_kernel> at_home_of(const stream_id& stream);
  // Partitions this node should lead.
  std::vector<bool> wanted() const;
  // Every node that is there, in ascending order.
  std::vector<node_status> status() const;
  void after(std::chrono::milliseconds delay, std::function<void()> run);
  boost::asio::any_io_executor io() { return io_.get_executor(); }

  // For its sessions, on the connections' thread.
  bool greeted(const std::shared_ptr<peer_session>& by, const greeting& said);
  void gone(const std::shared_ptr<peer_session>& session, const std::string& why);
  void told(std::uint32_t ordinal, const node_load& load);
  greeting my_greeting() const;

 private:
  explicit peer_network(peer_options options);
  std::optional<rejection> load_tls();
  std::optional<rejection> listen();
  void accept();
  void tick();
  void dial_missing();
  void probe(const cluster_member& of);
  void note_refused(std::uint32_t ordinal);
  void forget_refused();
  void dial(const cluster_member& to);
  void tried(std::uint32_t ordinal) {
    const std::lock_guard lock{mutex_};
    dialling_[ordinal] = false;
  }
  void begin(std::unique_ptr<byte_stream> over, std::optional<std::uint32_t> expected);
  std::shared_ptr<remote_kernel> kernel_of(std::uint32_t ordinal) const;
  void find_present();
  std::string load_frame() const;

  const peer_options options_;
  droppable_io io_{1};
  droppable_io work_{1};
  boost::asio::ssl::context tls_{boost::asio::ssl::context::tls};
  boost::asio::ip::tcp::acceptor acceptor_{io_};
  boost::asio::steady_timer ticking_{io_};
  std::optional<local_services> services_;
  std::function<node_load()> load_;
  std::function<void()> changed_;
  std::atomic<bool> is_leaving_{};
  std::atomic<bool> has_joined_{};
  std::set<std::shared_ptr<peer_session>> open_;  // greeted or not; on the connections' thread
  std::vector<std::thread> threads_;

  mutable std::mutex mutex_;  // guards all below
  std::vector<cluster_member> members_;
  std::vector<std::uint32_t> present_;  // their ordinals, ascending
  std::map<std::uint32_t, std::shared_ptr<peer_session>> sessions_;
  std::map<std::uint32_t, node_load> loads_;
  std::map<std::uint32_t, std::string> refused_;  // what was told of a node already
  std::map<std::uint32_t, bool> dialling_;
  // Who said that it stops, and until when that is believed without hearing it again.
  std::map<std::uint32_t, std::chrono::steady_clock::time_point> leaving_;
  // Whose address refuses connections: their process is gone, before the group knows. Until then
  // they do not count as present; the group is believed again after that time.
  std::map<std::uint32_t, std::chrono::steady_clock::time_point> gone_;
};

}  // namespace berth::gateway::peer
