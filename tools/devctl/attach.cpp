#include "tools/devctl/attach.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "tools/devctl/escape_keys.hpp"
#include "tools/devctl/failure.hpp"
#include "tools/devctl/local_terminal.hpp"
#include "tools/devctl/paths.hpp"

namespace berth::devctl {
namespace {

constexpr std::size_t keys_bytes_max = 4096;  // read from the keyboard at once
constexpr int refused_input_retry_ms = 20;    // 64 KiB of input wait for acknowledgement
constexpr std::chrono::milliseconds ready_max{20'000};

void write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // the local terminal is gone; SIGHUP ends us
    bytes.remove_prefix(std::size_t(written));
  }
}

// Shows bytes in order on its own thread, so that a slow local screen never delays a key. What it
// holds is bounded by the terminal's credit window: credit is returned only for what was shown.
class screen : public client::terminal_listener {
 public:
  explicit screen(signal_pipe& wake) : wake_(wake), writer_([this] { write_loop(); }) {}
  ~screen() override { stop(); }

  void output(std::uint64_t offset, std::string_view bytes) override {
    push({std::string(bytes), offset + bytes.size(), true});
  }
  void snapshot(std::uint64_t offset, std::uint16_t, std::uint16_t,
                std::string_view bytes) override {
    push({std::string(bytes), offset, true});
  }
  void input_refused(const client::client_error& why) override {
    notice("input refused: " + why.message);
  }
  void ended(std::optional<int> exit_code, int signal, const std::string& reason) override {
    const std::lock_guard lock(mutex_);
    result_.ended = true;
    result_.exit_code = exit_code;
    result_.signal = signal;
    result_.reason = reason;
  }
  void closed(const client::client_error& why) override {
    {
      const std::lock_guard lock(mutex_);
      why_ = why;
    }
    wake_.wake();
  }

  // One line for the person: on the bottom row inside a full-screen program, a line of its own
  // otherwise.
  void notice(const std::string& text) {
    if (!::isatty(STDOUT_FILENO)) return fmt::print(stderr, "devctl: {}\n", text);
    push({alternate_ ? "\x1b"
                       "7\x1b[999;1H\x1b[7m berth: " +
                           text +
                           " \x1b[0m\x1b[K\x1b"
                           "8"
                     : "\r\n\x1b[7m berth: " + text + " \x1b[0m\r\n",
          0, false});
  }
  void use(client::terminal* channel) {
    const std::lock_guard lock(mutex_);
    channel_ = channel;
    // What came before the channel was known was shown, and nobody told the server.
    if (channel_ && shown_ > 0) channel_->consumed(shown_);
  }
  std::optional<client::client_error> over() {
    const std::lock_guard lock(mutex_);
    return why_;
  }
  // Everything received is shown, then the thread ends.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      stopping_ = true;
    }
    changed_.notify_one();
    writer_.join();
    if (alternate_) write_all(STDOUT_FILENO, "\x1b[?1049l");
    if (::isatty(STDOUT_FILENO))
      write_all(STDOUT_FILENO,
                "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m");
  }
  attach_outcome result() {
    const std::lock_guard lock(mutex_);
    auto result = result_;
    result.cursor = shown_;
    return result;
  }

 private:
  struct piece {
    std::string bytes;
    std::uint64_t end{};  // offset after it
    bool counts{};        // output, not a notice
  };

  void push(piece next) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(next));
    }
    changed_.notify_one();
  }

  void write_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const auto next = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      write_all(STDOUT_FILENO, next.bytes);
      if (next.counts) follow_modes(next.bytes);
      lock.lock();
      if (!next.counts) continue;
      shown_ = next.end;
      if (channel_) channel_->consumed(next.end);
    }
  }

  // Whether the program shows the alternate screen, to leave it when we detach.
  void follow_modes(const std::string& bytes) {
    static constexpr std::string_view mark = "\x1b[?1049";
    const auto text = tail_ + bytes;
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1))
      if (at + mark.size() < text.size()) alternate_ = text[at + mark.size()] == 'h';
    tail_ = text.substr(text.size() - std::min(text.size(), mark.size()));
  }

  signal_pipe& wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<piece> queue_;
  client::terminal* channel_{};
  std::optional<client::client_error> why_;
  attach_outcome result_;
  std::uint64_t shown_{};
  std::string tail_;
  std::atomic<bool> alternate_{};
  bool stopping_{};
  std::thread writer_;
};

class attachment {
 public:
  attachment(const config& used, const attach_options& asked) : asked_(asked) {
    shown_ = std::make_shared<screen>(signals_);
    client_ = client::client::start(
        socket_options(used),
        [shown = shown_](client::connection_state state, const std::string& why) {
          static std::atomic<bool> lost{false};
          if (state == client::connection_state::waiting && !lost.exchange(true))
            shown->notice("connection lost, reconnecting (" + why + ")");
          if (state == client::connection_state::ready && lost.exchange(false))
            shown->notice("connected again");
        });
    if (const auto ready = client_->wait_ready(ready_max); !ready) throw failure_of(ready.error());
    channel_ = client_->open_terminal(
        {.id = asked.terminal, .exact = asked.exact, .drive = !asked.view, .from = asked.from},
        shown_);
    shown_->use(channel_.get());
  }
  ~attachment() { release(); }

  void run() {
    raw_mode raw;
    resize();
    bool detached = false;
    while (!detached) {
      const bool may_read = !asked_.view && waiting_.empty() && !end_of_keys_;
      pollfd watched[2] = {{signals_.read_fd(), POLLIN, 0},
                           {may_read ? STDIN_FILENO : -1, POLLIN, 0}};
      ::poll(watched, 2, waiting_.empty() ? -1 : refused_input_retry_ms);
      send_waiting();
      if (watched[0].revents && !take_signals(raw)) break;
      if (shown_->over()) break;
      if (watched[1].revents) detached = read_keys();
    }
    release();
  }

  // After run(), with the local terminal restored.
  attach_outcome finish() {
    if (died_of_) {
      ::signal(died_of_, SIG_DFL);
      ::raise(died_of_);
    }
    auto result = shown_->result();
    const auto why = shown_->over();
    if (why && !result.ended && why->code != "closed") throw failure_of(*why);
    return result;
  }

 private:
  // False if a signal ends devctl; it is raised again once the terminal is restored.
  bool take_signals(raw_mode& raw) {
    while (const int number = signals_.take()) {
      if (number == SIGWINCH) {
        resize();
      } else if (number == SIGTSTP) {
        raw.suspend();
        ::raise(SIGSTOP);
      } else if (number == SIGCONT) {
        raw.resume();
        resize();
      } else {
        died_of_ = number;
        return false;
      }
    }
    return true;
  }

  void resize() {
    if (asked_.view) return;
    if (const auto size = local_size()) channel_->resize(size->cols, size->rows);
  }

  bool read_keys() {
    char bytes[keys_bytes_max];
    const auto count = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return false;
    if (count <= 0) {
      end_of_keys_ = true;
      return ::isatty(STDIN_FILENO);  // a pipe that ends leaves the program running to its end
    }
    const std::string_view typed(bytes, std::size_t(count));
    const auto found = ::isatty(STDIN_FILENO)
                           ? keys_.feed(typed)
                           : escape_keys::result{std::string(typed), false, false};
    if (found.take_drive) channel_->take_drive();
    waiting_ += found.send;
    send_waiting();
    return found.detach;
  }

  void send_waiting() {
    if (!waiting_.empty() && channel_->input(waiting_)) waiting_.clear();
  }

  void release() {
    shown_->use(nullptr);
    channel_.reset();
    client_.reset();
    shown_->stop();
  }

  attach_options asked_;
  signal_pipe signals_;
  std::shared_ptr<screen> shown_;
  std::unique_ptr<client::client> client_;
  std::unique_ptr<client::terminal> channel_;
  escape_keys keys_;
  std::string waiting_;
  bool end_of_keys_{};
  int died_of_{};
};

}  // namespace

attach_outcome attach(const config& used, const attach_options& asked) {
  attachment one(used, asked);
  one.run();
  return one.finish();
}

}  // namespace berth::devctl
