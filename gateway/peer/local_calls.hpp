// The calls of another node, answered by this node's own kernel, bulk log and host: nothing is
// forwarded from here, so what is not led here is refused not_led and the caller looks again.
// Frames come on the link's thread; answers go from any.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include <boost/asio/any_io_executor.hpp>

#include "actors/kernel.hpp"
#include "actors/ports/bulk_log.hpp"
#include "actors/ports/environment_host.hpp"
#include "gateway/peer/peer_link.hpp"

namespace berth::gateway::peer {

class byte_pipe;

// What a node lets the others use. All of it outlives every link.
struct local_services {
  berth::kernel& kernel;
  berth::bulk_log& bulk;
  berth::environment_host& host;
  boost::asio::any_io_executor io;    // of the links
  boost::asio::any_io_executor work;  // where reading a recording may block
};

class local_calls : public std::enable_shared_from_this<local_calls> {
 public:
  local_calls(local_services with, std::shared_ptr<peer_link> over)
      : with_{with}, link_{std::move(over)} {}

  void called(std::uint64_t id, std::string_view body);
  void noted(std::uint64_t id, std::string_view body);
  void ended(std::uint64_t id);
  void lost();  // the link is over: so is every call that went on

 private:
  // A call that goes on: a watch, an attachment or a connection into an environment.
  struct ongoing {
    std::shared_ptr<void> watch;
    std::shared_ptr<terminal_attachment> attachment;
    std::shared_ptr<byte_pipe> pipe;
  };

  bool serve(std::uint64_t id, std::string_view body);
  bool serve_ask(std::uint64_t id, std::string_view body);
  bool serve_read(std::uint64_t id, std::string_view body);
  template <class A, class Id>
  bool ask(std::uint64_t id, std::string_view body);
  template <class A, class Id>
  bool read(std::uint64_t id, std::string_view body);
  bool watch(std::uint64_t id, std::string_view body);
  bool create_environment(std::uint64_t id, std::string_view body);
  bool exec(std::uint64_t id, std::string_view body);
  bool attach(std::uint64_t id, std::string_view body);
  bool read_bulk(std::uint64_t id, std::string_view body);
  bool bulk_extent_of(std::uint64_t id, std::string_view body);
  bool bulk_marks(std::uint64_t id, std::string_view body);
  bool dial(std::uint64_t id, std::string_view body);

  void answer(std::uint64_t id, const std::string& body) {
    link_->send(frame_kind::answer, id, body);
  }
  void begin(std::uint64_t id);
  // False: the caller has ended it meanwhile.
  bool keep(std::uint64_t id, ongoing what);

  const local_services with_;
  const std::shared_ptr<peer_link> link_;
  std::mutex mutex_;  // guards all below
  std::unordered_map<std::uint64_t, ongoing> ongoing_;
};

}  // namespace berth::gateway::peer
