// A kernel whose terminals have bytes: attach works as the real one's rules say (credit, order,
// input applied once), everything else is asked of the kernel it wraps. Callbacks run inside the
// call that causes them. Any thread.
#pragma once

#include <map>
#include <mutex>

#include "actors/kernel.hpp"

namespace berth::testing {

class terminal_kernel final : public kernel {
 public:
  explicit terminal_kernel(kernel& below) : below_(below) {}

  struct viewer {
    std::shared_ptr<terminal_viewer> out;
    attach_request asked;
    std::uint64_t cursor{};
    std::uint64_t until{};
    std::uint64_t consumed{};
  };
  struct screen_terminal {
    account_id owner;
    std::string bytes;
    std::uint64_t kept_from{};
    std::optional<terminal::ended> end;
    std::map<std::uint64_t, viewer> viewers;
    std::map<input_stream_id, std::uint64_t> applied;
    std::string typed;
    std::uint16_t cols{80}, rows{24};
    std::optional<rejection>
        refuse_input;  // the next input is refused so, and so is the gap after it
    bool away{};       // all input is refused `unavailable`
    bool silent{};     // input is not answered
  };

  // Adds a terminal; `print` writes output, as the program in it would.
  void add(const terminal_id& id, const account_id& owner) {
    const std::scoped_lock held(mutex_);
    terminals_[id].owner = owner;
  }
  void print(const terminal_id& id, std::string_view bytes) {
    const std::scoped_lock held(mutex_);
    terminals_[id].bytes += bytes;
    pump(terminals_[id]);
  }
  // So much that nobody gets it but as a screen; what follows needs new credit.
  void overtake(const terminal_id& id, std::size_t bytes) {
    const std::scoped_lock held(mutex_);
    auto& t = terminals_[id];
    t.bytes += std::string(bytes, '.');
    for (auto& [number, v] : t.viewers) {
      v.out->gap(v.cursor, t.bytes.size());
      v.out->snapshot(t.bytes.size(), 80, 24, share("a screen"));
      v.cursor = t.bytes.size();
      v.until = std::max<std::uint64_t>(v.until, v.cursor);
    }
  }
  void end(const terminal_id& id, int exit_code) {
    const std::scoped_lock held(mutex_);
    auto& t = terminals_[id];
    t.end = terminal::ended{t.bytes.size(), exit_code, 0, "exited", "", {}};
    pump(t);
  }
  template <class F>
  auto with(const terminal_id& id, F look) {
    const std::scoped_lock held(mutex_);
    return look(terminals_[id]);
  }
  std::string typed(const terminal_id& id) {
    return with(id, [](auto& t) { return t.typed; });
  }
  std::size_t viewers(const terminal_id& id) {
    return with(id, [](auto& t) { return t.viewers.size(); });
  }

  void attach(attach_request asked, std::shared_ptr<terminal_viewer> out,
              std::function<void(outcome<attached_terminal>)> done) override {
    const std::scoped_lock held(mutex_);
    const auto found = terminals_.find(asked.terminal);
    if (found == terminals_.end() || found->second.owner != asked.by.account)
      return done(reject(rejection_code::not_found, "no such terminal"));
    auto& t = found->second;
    if (asked.from == ~std::uint64_t{0}) asked.from = t.bytes.size();
    if (asked.from < t.kept_from)
      return done(reject(rejection_code::limit_exceeded, "expired", "from"));
    if (t.end && asked.from > t.end->final_offset)
      return done(reject(rejection_code::limit_exceeded, "truncated", "from"));
    const auto number = ++next_;
    t.viewers[number] = {std::move(out), asked, asked.from, asked.credit_until, asked.from};
    done(attached_terminal{std::make_shared<handle>(*this, asked.terminal, number),
                           asked.from,
                           t.bytes.size(),
                           t.cols,
                           t.rows,
                           {},
                           t.end ? terminal::status::ended : terminal::status::running});
    pump(t);
  }

  void ask(const account_id& id, account::command c, command_meta m,
           answer_completion<account::aggregate> d) override {
    below_.ask(id, std::move(c), std::move(m), std::move(d));
  }
  void ask(const session_id& id, session::command c, command_meta m,
           answer_completion<session::aggregate> d) override {
    below_.ask(id, std::move(c), std::move(m), std::move(d));
  }
  void ask(const environment_id& id, environment::command c, command_meta m,
           answer_completion<environment::aggregate> d) override {
    below_.ask(id, std::move(c), std::move(m), std::move(d));
  }
  void ask(const terminal_id& id, terminal::command c, command_meta m,
           answer_completion<terminal::aggregate> d) override {
    below_.ask(id, std::move(c), std::move(m), std::move(d));
  }
  void ask(const host_id& id, host::command c, command_meta m,
           answer_completion<host::aggregate> d) override {
    below_.ask(id, std::move(c), std::move(m), std::move(d));
  }
  void read(const account_id& id, const principal& by,
            answer_completion<account::aggregate> d) override {
    below_.read(id, by, std::move(d));
  }
  void read(const session_id& id, const principal& by,
            answer_completion<session::aggregate> d) override {
    below_.read(id, by, std::move(d));
  }
  void read(const environment_id& id, const principal& by,
            answer_completion<environment::aggregate> d) override {
    below_.read(id, by, std::move(d));
  }
  void read(const terminal_id& id, const principal& by,
            answer_completion<terminal::aggregate> d) override {
    below_.read(id, by, std::move(d));
  }
  std::shared_ptr<void> watch(const environment_id& id, const principal& by,
                              environment_watcher w) override {
    return below_.watch(id, by, std::move(w));
  }
  void create_environment(const account_id& a, environment::create c, command_meta m,
                          creation_completion d) override {
    below_.create_environment(a, std::move(c), std::move(m), std::move(d));
  }
  void exec(const environment_id& id, environment::exec c, command_meta m,
            std::function<void(outcome<exec_answer>)> d) override {
    below_.exec(id, std::move(c), std::move(m), std::move(d));
  }
  kernel_stats stats() const override { return below_.stats(); }

 private:
  class handle : public terminal_attachment {
   public:
    handle(terminal_kernel& of, terminal_id id, std::uint64_t number)
        : of_(of), id_(std::move(id)), number_(number) {}
    ~handle() override {
      of_.with(id_, [&](auto& t) { return t.viewers.erase(number_); });
    }
    void credit(std::uint64_t consumed, std::uint64_t until) override {
      of_.with(id_, [&](auto& t) {
        auto& v = t.viewers[number_];
        v.consumed = std::max(v.consumed, consumed);
        v.until = std::max(v.until, until);
        of_.pump(t);
      });
    }
    void input(std::uint64_t sequence, std::string bytes) override {
      of_.with(id_, [&](auto& t) {
        const auto& v = t.viewers[number_];
        auto& last = t.applied[v.asked.input_stream];
        const auto out = v.out;
        if (t.away)
          return out->input_refused(sequence,
                                    reject(rejection_code::unavailable, "the agent is away"));
        if (t.refuse_input) return out->input_refused(sequence, *std::exchange(t.refuse_input, {}));
        if (sequence > last + 1)
          return out->input_refused(sequence, reject(rejection_code::wrong_state, "gap"));
        if (sequence == last + 1) t.typed += bytes, last = sequence;
        if (!t.silent) out->input_applied(last);
      });
    }
    void resize(std::uint16_t cols, std::uint16_t rows) override {
      of_.with(id_, [&](auto& t) {
        t.cols = cols, t.rows = rows;
        for (auto& [number, v] : t.viewers) v.out->resized(t.bytes.size(), cols, rows);
      });
    }

   private:
    terminal_kernel& of_;
    terminal_id id_;
    std::uint64_t number_;
  };

  static void pump(screen_terminal& t) {
    shared_bytes all;
    for (auto& [number, v] : t.viewers) {
      if (!v.out) continue;
      const auto until = std::min<std::uint64_t>(v.until, t.bytes.size());
      if (v.cursor < until && !all) all = share(t.bytes);
      while (v.cursor < until) {
        const auto size = std::min<std::uint64_t>(until - v.cursor, 65'536);
        v.out->output(v.cursor, all, v.cursor, size);
        v.cursor += size;
      }
      if (t.end && v.cursor == t.end->final_offset) {
        v.out->durable(v.cursor);
        v.out->ended(*t.end);
        v.out = nullptr;
      }
    }
  }

  kernel& below_;
  std::recursive_mutex mutex_;
  std::uint64_t next_{};
  std::map<terminal_id, screen_terminal> terminals_;
};

}  // namespace berth::testing
