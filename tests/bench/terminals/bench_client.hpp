// A client of a running berthd with an environment of its own if it needs one, and what its
// terminals showed. Whatever goes wrong ends the program with its reason: a benchmark has no other
// answer to it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "gateway/client/client.hpp"
#include "tests/bench/measure.hpp"

namespace berth::bench {

// count, p50_us, p99_us and max_us of times in microseconds.
boost::json::object figures_of(std::vector<double> us);

// What a terminal's viewer got. Counts and, if asked, keeps it; can read at a pace.
class shown : public client::terminal_listener {
 public:
  explicit shown(bool keeps = false) : keeps_{keeps} {}

  void output(std::uint64_t offset, std::string_view bytes) override;
  void gap(std::uint64_t from, std::uint64_t to) override;
  void snapshot(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows,
                std::string_view bytes) override;
  void ended(std::optional<int> exit_code, int signal, const std::string& reason) override;
  void closed(const client::client_error& why) override;

  // Waits for `ready`, called with the lock held; nothing for two minutes is a failure.
  void wait(const std::function<bool(const shown&)>& ready);

  std::uint64_t end() const { return end_; }
  const std::string& tail() const { return tail_; }  // at least the last 4 KiB
  bool shows(std::string_view text) const;           // near the end
  bool over() const { return !over_.empty(); }
  bool holes() const { return holes_; }  // bytes that were neither given nor marked as a gap
  std::uint64_t gaps() const { return gaps_; }
  steady::time_point last_output() const { return last_output_; }
  const std::string& kept() const { return kept_; }  // output and snapshots, for an emulator
  void pace(double bytes_per_second) { pace_bytes_per_second_ = bytes_per_second; }
  // Called on the client's thread for every output, before anybody who waits.
  void on_output(std::function<void()> told);

 private:
  void take(std::string_view bytes);
  void linger(std::size_t size);

  const bool keeps_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t end_{};
  bool first_{true};
  bool holes_{};
  std::uint64_t gaps_{};
  std::string tail_, kept_, over_;
  steady::time_point last_output_{};
  std::function<void()> told_;
  std::atomic<double> pace_bytes_per_second_{};
};

struct open_terminal {
  std::string id;
  std::shared_ptr<shown> screen;
  std::unique_ptr<client::terminal> handle;
};

struct view_options {
  std::uint64_t window_bytes{256 * 1024};
  bool exact{true}, drive{true}, keeps{};
  std::uint64_t from{};
};

class bench_client {
 public:
  explicit bench_client(client::client_options options);
  ~bench_client();  // its environment goes with it

  const client::client_options& options() const { return options_; }
  const std::string& environment();  // made when first needed

  std::string make_terminal(const std::string& script);
  open_terminal view(const std::string& terminal, view_options how = {});
  open_terminal open(const std::string& script, view_options how = {}) {
    return view(make_terminal(script), how);
  }
  open_terminal raw_cat();  // whatever is typed comes back as it is
  // A file in the environment with text as people have it on their screens: C headers, over and
  // over. Its path.
  std::string make_text(std::uint64_t bytes);

  // A request whose answer is good; its JSON.
  boost::json::object ask(const std::string& method, const std::string& path,
                          const boost::json::object& body = {});
  client::http_answer get(const std::string& path);

 private:
  client::client_options options_;
  std::unique_ptr<client::client> client_;
  std::string environment_;
};

// Types one key after the other; each waits for its echo. All on the client's thread: a person's
// client has no second one to wake.
boost::json::object echo_times(open_terminal& on, int keys);

}  // namespace berth::bench
