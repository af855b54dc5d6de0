// What WebSocket connections share: one reader of the tail of every partition. It tells connections
// whose session ended, and feeds that there is something new. It reads only while somebody listens.
//
// Threads: any; callbacks run on the hub's strand, one at a time, and must not block.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/strand.hpp>

#include "gateway/services.hpp"
#include "gateway/ws/ws_channel.hpp"

namespace berth::gateway {

class ws_hub : public std::enable_shared_from_this<ws_hub> {
 public:
  using session_over = std::function<void(std::string code, std::string message)>;
  using heads_moved = std::function<void(const journal_cursor& heads)>;

  ws_hub(const services& given, boost::asio::any_io_executor executor);
  void begin();
  void stop();

  // `over` is called once if the session is closed or handed over, its token revoked or its account
  // disabled after `since` (the journal's heads before the caller looked at them). The registration
  // ends with the handle.
  std::shared_ptr<void> watch_session(const ws_caller& who, const journal_cursor& since,
                                      session_over over);
  // Called after commits became durable.
  std::shared_ptr<void> watch_heads(heads_moved moved);

 private:
  struct watched_session {
    ws_caller who;
    journal_cursor since;  // only what comes later counts
    session_over over;
  };
  void read_tail();
  // False: the journal cannot be read in all partitions.
  bool read_some(const journal_cursor& heads);
  void look_at(const commit& happened);
  template <class Chosen>
  void end_sessions(position at, Chosen chosen, const std::string& code,
                    const std::string& message);
  std::shared_ptr<void> handle_for(std::function<void(ws_hub&)> remove);

  const services& given_;
  boost::asio::strand<boost::asio::any_io_executor> strand_;
  std::atomic<bool> awake_{};
  std::atomic<std::size_t>
      watchers_{};  // counted before they are in sessions_, so that no commit is passed over
  std::shared_ptr<void> following_;
  // Strand only.
  std::uint64_t next_number_{};
  std::map<std::uint64_t, watched_session> sessions_;
  std::map<std::uint64_t, heads_moved> heads_;
  journal_cursor read_;
};

}  // namespace berth::gateway
