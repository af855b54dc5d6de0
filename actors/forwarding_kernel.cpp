#include "actors/forwarding_kernel.hpp"

#include <atomic>
#include <mutex>

#include "actors/aggregate_id.hpp"
#include "actors/lasting_attachment.hpp"

namespace berth {
namespace {

constexpr std::chrono::milliseconds first_pause{10};
constexpr std::chrono::milliseconds pause_max{200};
// A call that was open for so long was being done, or its node fell silent under it: it has all of
// its time from then on.
constexpr std::chrono::milliseconds under_way{1'000};

using clock_type = std::chrono::steady_clock;

// Whether another try, with the same command id, may be answered otherwise. Not what is recorded
// as unknown (an exec's outcome): that names its field.
bool passes(const rejection& why) {
  return is_not_led(why) || (why.code == rejection_code::unknown_outcome && why.field.empty());
}

// One call until it is answered.
template <class T>
struct attempt : std::enable_shared_from_this<attempt<T>> {
  using completion = std::function<void(outcome<T>)>;
  attempt(const forwarding& how, stream_id of, std::function<void(kernel&, completion)> call,
          completion then)
      : with{how}, stream{std::move(of)}, ask{std::move(call)}, done{std::move(then)} {}

  void run() {
    asked_at = clock_type::now();
    if (with.journal.leadership_of(stream) != 0) return ask(with.here, answered());
    if (const auto leader = with.peers.leader_of(stream, tried++)) return ask(*leader, answered());
    again(not_led(stream.text() + ": the node that leads its partition cannot be reached; retry"));
  }

  completion answered() {
    return [self = this->shared_from_this()](outcome<T> result) {
      if (!result && passes(result.error())) return self->again(result.error());
      self->done(std::move(result));
    };
  }

  void again(const rejection& why) {
    const auto now = clock_type::now();
    if (now - asked_at > under_way) until = now + with.forward_max;
    if (now + pause >= until) return done(why);
    with.after(pause, [self = this->shared_from_this()] { self->run(); });
    pause = std::min(2 * pause, pause_max);
  }

  const forwarding& with;
  const stream_id stream;
  const std::function<void(kernel&, completion)> ask;
  const completion done;
  clock_type::time_point until = clock_type::now() + with.forward_max;
  clock_type::time_point asked_at{};
  std::size_t tried{};
  std::chrono::milliseconds pause{first_pause};
};

// A watch that begins anew where the stream is led now.
class lasting_watch : public std::enable_shared_from_this<lasting_watch> {
 public:
  lasting_watch(const forwarding& how, environment_id of, principal by,
                kernel::environment_watcher seen)
      : with_{how}, id_{std::move(of)}, by_{std::move(by)}, seen_{std::move(seen)} {}

  void begin() {
    const stream_id stream{aggregate_kind::environment, id_.value};
    auto leader = with_.peers.leader_of(stream, tried_++);
    const bool here = with_.journal.leadership_of(stream) != 0;
    if (!here && !leader) return again();
    auto& at = here ? with_.here : *leader;
    auto handle = at.watch(id_, by_, [weak = weak_from_this()](const auto& now) {
      const auto self = weak.lock();
      if (!self) return;
      if (!now && passes(now.error())) return self->again();
      self->seen_(now);
    });
    const std::lock_guard lock{mutex_};
    handle_.swap(handle);
  }

 private:
  void again() {
    with_.after(pause_max, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->begin();
    });
  }

  const forwarding& with_;
  const environment_id id_;
  const principal by_;
  const kernel::environment_watcher seen_;
  std::atomic<std::size_t> tried_{};
  std::mutex mutex_;
  std::shared_ptr<void> handle_;
};

class forwarding_kernel : public kernel {
 public:
  explicit forwarding_kernel(forwarding with) : with_{std::move(with)} {}

  void ask(const account_id& id, account::command what, command_meta meta,
           answer_completion<account::aggregate> done) override {
    forward_ask<account::aggregate>(id, std::move(what), std::move(meta), std::move(done));
  }
  void ask(const session_id& id, session::command what, command_meta meta,
           answer_completion<session::aggregate> done) override {
    forward_ask<session::aggregate>(id, std::move(what), std::move(meta), std::move(done));
  }
  void ask(const environment_id& id, environment::command what, command_meta meta,
           answer_completion<environment::aggregate> done) override {
    forward_ask<environment::aggregate>(id, std::move(what), std::move(meta), std::move(done));
  }
  void ask(const terminal_id& id, terminal::command what, command_meta meta,
           answer_completion<terminal::aggregate> done) override {
    forward_ask<terminal::aggregate>(id, std::move(what), std::move(meta), std::move(done));
  }
  void ask(const host_id& id, host::command what, command_meta meta,
           answer_completion<host::aggregate> done) override {
    forward_ask<host::aggregate>(id, std::move(what), std::move(meta), std::move(done));
  }

  void read(const account_id& id, const principal& by,
            answer_completion<account::aggregate> done) override {
    forward_read<account::aggregate>(id, by, std::move(done));
  }
  void read(const session_id& id, const principal& by,
            answer_completion<session::aggregate> done) override {
    forward_read<session::aggregate>(id, by, std::move(done));
  }
  void read(const environment_id& id, const principal& by,
            answer_completion<environment::aggregate> done) override {
    forward_read<environment::aggregate>(id, by, std::move(done));
  }
  void read(const terminal_id& id, const principal& by,
            answer_completion<terminal::aggregate> done) override {
    forward_read<terminal::aggregate>(id, by, std::move(done));
  }

  std::shared_ptr<void> watch(const environment_id& id, const principal& by,
                              environment_watcher seen) override {
    auto begun = std::make_shared<lasting_watch>(with_, id, by, std::move(seen));
    begun->begin();
    return begun;
  }

  void create_environment(const account_id& account, environment::create what, command_meta meta,
                          creation_completion done) override {
    forward<created_environment>(
        {aggregate_kind::account, account.value},
        [account, what = std::move(what), meta = std::move(meta)](kernel& at, auto then) {
          at.create_environment(account, what, meta, std::move(then));
        },
        std::move(done));
  }

  void exec(const environment_id& id, environment::exec what, command_meta meta,
            std::function<void(outcome<exec_answer>)> done) override {
    forward<exec_answer>(
        {aggregate_kind::environment, id.value},
        [id, what = std::move(what), meta = std::move(meta)](kernel& at, auto then) {
          at.exec(id, what, meta, std::move(then));
        },
        std::move(done));
  }

  void attach(attach_request request, std::shared_ptr<terminal_viewer> viewer,
              std::function<void(outcome<attached_terminal>)> done) override {
    const stream_id stream{aggregate_kind::terminal, request.terminal.value};
    auto again = actors::attach_again{
        [this, stream](attach_request wanted, std::shared_ptr<terminal_viewer> to,
                       std::function<void(outcome<attached_terminal>)> then) {
          forward<attached_terminal>(
              stream,
              [wanted = std::move(wanted), to = std::move(to)](kernel& at, auto answered) {
                at.attach(wanted, to, std::move(answered));
              },
              std::move(then));
        },
        with_.after, with_.attach_max};
    actors::attach_lasting(std::move(again), std::move(request), std::move(viewer),
                           std::move(done));
  }

  kernel_stats stats() const override { return with_.here.stats(); }

 private:
  template <class T>
  void forward(stream_id stream, std::function<void(kernel&, std::function<void(outcome<T>)>)> call,
               std::function<void(outcome<T>)> done) {
    std::make_shared<attempt<T>>(with_, std::move(stream), std::move(call), std::move(done))->run();
  }

  template <class A, class Id>
  void forward_ask(const Id& id, typename A::command what, command_meta meta,
                   answer_completion<A> done) {
    forward<answer<A>>(
        {A::kind, id.value},
        [id, what = std::move(what), meta = std::move(meta)](kernel& at, auto then) {
          at.ask(id, what, meta, std::move(then));
        },
        std::move(done));
  }

  template <class A, class Id>
  void forward_read(const Id& id, const principal& by, answer_completion<A> done) {
    forward<answer<A>>(
        {A::kind, id.value}, [id, by](kernel& at, auto then) { at.read(id, by, std::move(then)); },
        std::move(done));
  }

  const forwarding with_;
};

}  // namespace

std::unique_ptr<kernel> make_forwarding_kernel(forwarding with) {
  return std::make_unique<forwarding_kernel>(std::move(with));
}

}  // namespace berth
