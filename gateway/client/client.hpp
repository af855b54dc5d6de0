// A client of Berth's WebSocket (docs/protocol.md) for C++ programs: devctl, load tests.
//
// It speaks berth.v1 on one connection, keeps one session, and reconnects by itself (0, 250, 500,
// 1000, 2000, then every 5000 ms, ± 20 %): terminals go on at their cursors, input not yet applied
// is sent again with its numbers, requests without an answer are sent again (give commands an
// Idempotency-Key; `request` adds one if it is missing).
//
// Threads: methods may be called from any thread and never block, except where the comment says so.
// Callbacks run on the client's own thread, one at a time; a callback may call any method but must
// not destroy the client.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "events/core/rejection.hpp"

namespace berth::client {

// Why the client gave up, or a channel or call failed. `code` as in docs/protocol.md §12 (also
// close reasons), or "connect_failed", "tls_failed", "timeout", "cancelled".
struct client_error {
  std::string code;
  std::string message;
  std::map<std::string, std::string> details;
};
template <class T>
using client_result = boost::system::result<T, client_error>;
[[noreturn]] void throw_exception_from_error(const client_error& error,
                                             const boost::source_location& where);

struct client_options {
  std::string host{"127.0.0.1"};
  std::uint16_t port{};
  bool tls{};
  std::string ca_file;  // PEM; empty = the system's store
  bool verify_peer{true};
  std::string token;
  std::string session;         // resume this one; empty = a new one
  std::string name{"devctl"};  // shown in the audit view
  std::optional<bool> zstd;    // compressed output; unset = unless the server is on this machine
  bool reconnect{true};
  std::chrono::milliseconds connect_max{10'000};  // one attempt
};

enum class connection_state : std::uint8_t { connecting, ready, waiting, closed };

struct http_answer {
  int status{};
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// What a terminal tells. Calls are in stream order.
class terminal_listener {
 public:
  virtual ~terminal_listener() = default;
  // Bytes [offset, offset + size): contiguous, each once, also over reconnects. Call
  // terminal::consumed once they were shown or written; otherwise output stops after a window.
  virtual void output(std::uint64_t offset, std::string_view bytes) = 0;
  virtual void opened(std::uint64_t from, std::uint64_t end, std::uint16_t cols,
                      std::uint16_t rows) {
    (void)from, (void)end, (void)cols, (void)rows;
  }
  virtual void gap(std::uint64_t from, std::uint64_t to) { (void)from, (void)to; }  // screen mode
  virtual void snapshot(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows,
                        std::string_view bytes) {
    (void)offset, (void)cols, (void)rows, (void)bytes;
  }
  virtual void resized(std::uint16_t cols, std::uint16_t rows) { (void)cols, (void)rows; }
  virtual void driver(const std::string& session) { (void)session; }
  virtual void durable(std::uint64_t offset) { (void)offset; }
  virtual void input_applied(std::uint64_t sequence) { (void)sequence; }
  virtual void input_refused(const client_error& why) {
    (void)why;
  }  // that input is dropped; later input goes on
  // The program is over; `exit_code` empty if it was ended by `signal` or lost.
  virtual void ended(std::optional<int> exit_code, int signal, const std::string& reason) = 0;
  // The channel is over (code "ended" or "closed" included); no more calls.
  virtual void closed(const client_error& why) = 0;
};

struct terminal_options {
  std::string id;
  bool exact{true};
  bool drive{true};
  std::uint64_t from{};  // from_end = only what comes next
  std::uint64_t window_bytes{256 * 1024};
  bool consume_on_return{};  // bytes count as consumed when the listener's output() returns
};
inline constexpr std::uint64_t from_end = ~std::uint64_t{0};
inline constexpr std::size_t input_unacknowledged_bytes_max = 64 * 1024;

// An open terminal channel. Destroying it closes the channel; a call of the listener may be under
// way meanwhile, so listeners do not keep a pointer to it (consume_on_return is for them).
class terminal {
 public:
  virtual ~terminal() = default;
  // Queues typed bytes. False if 64 KiB are waiting for acknowledgement: nothing was taken, try
  // again later.
  virtual bool input(std::string_view bytes) = 0;
  virtual void consumed(std::uint64_t upto) = 0;  // everything below was shown
  virtual void resize(std::uint16_t cols,
                      std::uint16_t rows) = 0;  // also remembered for reconnects
  virtual void take_drive() = 0;
  virtual std::uint64_t cursor() const = 0;  // offset of the next byte wanted
};

// A channel that delivers JSON texts: an environment's states or the account's feed. Destroying it
// closes it.
class subscription {
 public:
  virtual ~subscription() = default;
};
// `cursor`: version of the state, or the feed's resume token. `why` set = over, no more calls.
struct notice {
  std::string cursor;
  std::string body;
};
using notice_listener = std::function<void(client_result<notice>)>;

class client {
 public:
  using state_listener = std::function<void(connection_state, const std::string& why)>;

  // Starts connecting. `changed` is told of every change of the connection's state.
  static std::unique_ptr<client> start(client_options options, state_listener changed = {});
  virtual ~client() = default;  // closes the connection, waits for running callbacks

  // Blocks until welcome, or the error that ended the attempt (with reconnect, only errors that
  // will not go away).
  virtual client_result<std::string> wait_ready(
      std::chrono::milliseconds at_most) = 0;  // the session's id
  virtual std::string session() const = 0;

  virtual std::unique_ptr<terminal> open_terminal(terminal_options options,
                                                  std::shared_ptr<terminal_listener> listener) = 0;
  virtual std::unique_ptr<subscription> watch_environment(std::string id,
                                                          notice_listener listener) = 0;
  virtual std::unique_ptr<subscription> follow_feed(std::string after,
                                                    notice_listener listener) = 0;

  // A REST request over the socket; `path` with query. Completes exactly once; "cancelled" when the
  // client ends.
  using answer_listener = std::function<void(client_result<http_answer>)>;
  virtual void request(std::string method, std::string path,
                       std::map<std::string, std::string> headers, std::string body,
                       answer_listener done) = 0;
  // The same, blocking; not from a callback.
  virtual client_result<http_answer> request_wait(std::string method, std::string path,
                                                  std::map<std::string, std::string> headers,
                                                  std::string body,
                                                  std::chrono::milliseconds at_most) = 0;
};

}  // namespace berth::client
