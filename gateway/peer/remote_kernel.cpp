#include "gateway/peer/remote_kernel.hpp"

#include "gateway/peer/answers.hpp"
#include "gateway/peer/byte_pipe.hpp"

namespace berth::gateway::peer {

// --- calls and what comes back ---

std::uint64_t remote_kernel::call(operation what, std::string arguments, waiting then) {
  auto kept = std::make_shared<waiting>(std::move(then));
  std::uint64_t id = 0;
  bool is_lost = false;
  {
    const std::lock_guard lock{mutex_};
    id = ++last_id_;
    is_lost = is_lost_;
    if (!is_lost) waiting_.emplace(id, kept);
  }
  if (is_lost) {
    kept->answered(id, not_led(name_ + " cannot be reached; retry"));
    return id;
  }
  link_->send(frame_kind::call, id, packer{}.put(what).take() + arguments);
  return id;
}

rejection remote_kernel::lost_call(bool is_command) const {
  const auto what = "the connection to " + name_ + " ended before it answered";
  return is_command ? reject(rejection_code::unknown_outcome, what + "; retry with the same id")
                    : not_led(what + "; retry");
}

void remote_kernel::answered(std::uint64_t id, std::string_view body) {
  std::shared_ptr<waiting> found;
  const auto result = open_outcome(body);
  {
    const std::lock_guard lock{mutex_};
    const auto at = waiting_.find(id);
    if (at == waiting_.end()) return;
    found = at->second;
    if (!found->event || !result) waiting_.erase(at);
  }
  if (const auto then = std::exchange(found->answered, nullptr)) then(id, result);
}

void remote_kernel::happened(std::uint64_t id, std::string_view body) {
  std::shared_ptr<waiting> found;
  {
    const std::lock_guard lock{mutex_};
    if (const auto at = waiting_.find(id); at != waiting_.end()) found = at->second;
  }
  if (found && found->event) found->event(body);
}

void remote_kernel::lost() {
  decltype(waiting_) all;
  {
    const std::lock_guard lock{mutex_};
    is_lost_ = true;
    all.swap(waiting_);
  }
  for (const auto& [id, each] : all) {
    const auto why = lost_call(each->is_command);
    if (const auto then = std::exchange(each->answered, nullptr))
      then(id, why);
    else if (each->lost)
      each->lost(why);
  }
}

void remote_kernel::end(std::uint64_t id) {
  std::shared_ptr<waiting> gone;  // ends outside the lock: what it holds may end calls too
  {
    const std::lock_guard lock{mutex_};
    const auto at = waiting_.find(id);
    if (at != waiting_.end()) gone = std::move(at->second), waiting_.erase(at);
  }
  link_->send(frame_kind::end, id, {});
}

// --- the kernel ---

template <class A, class Id>
void remote_kernel::call_ask(const Id& id, const typename A::command& what,
                             const command_meta& meta, answer_completion<A> done) {
  call(operation::ask, packer{}.put(A::kind, id, what, meta).take(),
       {[done = std::move(done)](auto, const auto& got) {
          done(got ? open_answer<A>(*got) : got.error());
        },
        {},
        {},
        true});
}

template <class A, class Id>
void remote_kernel::call_read(const Id& id, const principal& by, answer_completion<A> done) {
  call(operation::read, packer{}.put(A::kind, id, by).take(),
       {[done = std::move(done)](auto, const auto& got) {
          done(got ? open_answer<A>(*got) : got.error());
        },
        {},
        {}});
}

void remote_kernel::ask(const account_id& id, account::command what, command_meta meta,
                        answer_completion<account::aggregate> done) {
  call_ask<account::aggregate>(id, what, meta, std::move(done));
}
void remote_kernel::ask(const session_id& id, session::command what, command_meta meta,
                        answer_completion<session::aggregate> done) {
  call_ask<session::aggregate>(id, what, meta, std::move(done));
}
void remote_kernel::ask(const environment_id& id, environment::command what, command_meta meta,
                        answer_completion<environment::aggregate> done) {
  call_ask<environment::aggregate>(id, what, meta, std::move(done));
}
void remote_kernel::ask(const terminal_id& id, terminal::command what, command_meta meta,
                        answer_completion<terminal::aggregate> done) {
  call_ask<terminal::aggregate>(id, what, meta, std::move(done));
}
void remote_kernel::ask(const host_id& id, host::command what, command_meta meta,
                        answer_completion<host::aggregate> done) {
  call_ask<host::aggregate>(id, what, meta, std::move(done));
}

void remote_kernel::read(const account_id& id, const principal& by,
                         answer_completion<account::aggregate> done) {
  call_read<account::aggregate>(id, by, std::move(done));
}
void remote_kernel::read(const session_id& id, const principal& by,
                         answer_completion<session::aggregate> done) {
  call_read<session::aggregate>(id, by, std::move(done));
}
void remote_kernel::read(const environment_id& id, const principal& by,
                         answer_completion<environment::aggregate> done) {
  call_read<environment::aggregate>(id, by, std::move(done));
}
void remote_kernel::read(const terminal_id& id, const principal& by,
                         answer_completion<terminal::aggregate> done) {
  call_read<terminal::aggregate>(id, by, std::move(done));
}

std::shared_ptr<void> remote_kernel::watch(const environment_id& id, const principal& by,
                                           environment_watcher seen) {
  const auto told = [seen](std::string_view body) {
    const auto got = open_outcome(body);
    seen(got ? open_answer<environment::aggregate>(*got) : got.error());
  };
  const auto number = call(operation::watch, packer{}.put(id, by).take(),
                           {[seen](auto, const auto& got) {
                              if (!got) seen(got.error());
                            },
                            told, [seen](const rejection& why) { seen(why); }});
  return {nullptr, [self = shared_from_this(), number](std::nullptr_t) { self->end(number); }};
}

void remote_kernel::create_environment(const account_id& account, environment::create what,
                                       command_meta meta, creation_completion done) {
  call(operation::create_environment, packer{}.put(account, what, meta).take(),
       {[done = std::move(done)](auto, const auto& got) {
          if (!got) return done(got.error());
          created_environment made;
          unpacker in{*got};
          if (!in.take(made.id)) return done(malformed("a creation"));
          auto now = open_answer<environment::aggregate>(in.rest());
          if (!now) return done(now.error());
          static_cast<answer<environment::aggregate>&>(made) = std::move(*now);
          done(std::move(made));
        },
        {},
        {},
        true});
}

void remote_kernel::exec(const environment_id& id, environment::exec what, command_meta meta,
                         std::function<void(outcome<exec_answer>)> done) {
  call(operation::exec, packer{}.put(id, what, meta).take(),
       {[done = std::move(done)](auto, const auto& got) {
          done(open_value<exec_answer>(got, "an exec's end"));
        },
        {},
        {},
        true});
}

// --- terminals ---

namespace {

class remote_attachment : public terminal_attachment {
 public:
  remote_attachment(std::shared_ptr<remote_kernel> of, std::uint64_t id)
      : of_{std::move(of)}, id_{id} {}
  ~remote_attachment() override { of_->end(id_); }
  void credit(std::uint64_t consumed, std::uint64_t until) override {
    of_->note(id_, packer{}.put(viewer_note::credit, consumed, until).take());
  }
  void input(std::uint64_t sequence, std::string bytes) override {
    of_->note(id_, packer{}.put(viewer_note::input, sequence).take() + bytes);
  }
  void resize(std::uint16_t cols, std::uint16_t rows) override {
    of_->note(id_, packer{}.put(viewer_note::resize, cols, rows).take());
  }

 private:
  const std::shared_ptr<remote_kernel> of_;
  const std::uint64_t id_;
};

void tell(terminal_viewer& to, std::string_view body) {
  unpacker in{body};
  viewer_event what{};
  in.take(what);
  std::uint64_t at = 0, until = 0;
  std::uint16_t cols = 0, rows = 0;
  rejection why;
  switch (what) {
    case viewer_event::output: {
      if (!in.take(at)) break;
      auto bytes = share(std::string{in.rest()});
      return to.output(at, bytes, 0, bytes->size());
    }
    case viewer_event::gap:
      if (in.take(at, until)) return to.gap(at, until);
      break;
    case viewer_event::snapshot:
      if (in.take(at, cols, rows))
        return to.snapshot(at, cols, rows, share(std::string{in.rest()}));
      break;
    case viewer_event::resized:
      if (in.take(at, cols, rows)) return to.resized(at, cols, rows);
      break;
    case viewer_event::driver: {
      session_id driver;
      if (in.take(driver)) return to.driver_changed(driver);
      break;
    }
    case viewer_event::durable:
      if (in.take(at)) return to.durable(at);
      break;
    case viewer_event::input_applied:
      if (in.take(at)) return to.input_applied(at);
      break;
    case viewer_event::input_refused:
      if (in.take(at, why)) return to.input_refused(at, why);
      break;
    case viewer_event::ended: {
      terminal::ended end;
      if (in.take(end)) return to.ended(end);
      break;
    }
    case viewer_event::failed:
      if (in.take(why)) return to.failed(why);
      break;
  }
  to.failed(malformed("news of a terminal"));
}

}  // namespace

void remote_kernel::attach(attach_request request, std::shared_ptr<terminal_viewer> viewer,
                           std::function<void(outcome<attached_terminal>)> done) {
  waiting then;
  then.answered = [self = shared_from_this(), done = std::move(done)](auto id, const auto& got) {
    const auto at = open_value<attached_place>(got, "an attachment");
    if (!at) return done(at.error());
    done(attached_terminal{std::make_shared<remote_attachment>(self, id), at->from, at->end,
                           at->cols, at->rows, at->driver, at->status});
  };
  then.event = [viewer](std::string_view body) { tell(*viewer, body); };
  then.lost = [viewer](const rejection& why) { viewer->failed(why); };
  call(operation::attach, packer{}.put(request).take(), std::move(then));
}

// --- recordings and ports ---

void remote_kernel::bulk_extent_of(const terminal_id& id,
                                   std::function<void(outcome<bulk_extent>)> done) {
  call(operation::bulk_extent, packer{}.put(id).take(),
       {[done = std::move(done)](auto, const auto& got) {
          done(open_value<bulk_extent>(got, "an extent"));
        },
        {},
        {}});
}

void remote_kernel::bulk_read(const terminal_id& id, std::uint64_t from, std::size_t bytes_max,
                              std::function<void(outcome<std::string>)> done) {
  call(operation::bulk_read, packer{}.put(id, from, std::uint64_t{bytes_max}).take(),
       {[done = std::move(done)](auto, const auto& got) {
          got ? done(std::string{*got}) : done(got.error());
        },
        {},
        {}});
}

void remote_kernel::bulk_marks(const terminal_id& id, std::uint64_t from, std::uint64_t to,
                               std::function<void(outcome<std::vector<bulk_mark>>)> done) {
  call(operation::bulk_marks, packer{}.put(id, from, to).take(),
       {[done = std::move(done)](auto, const auto& got) {
          done(open_value<std::vector<bulk_mark>>(got, "marks"));
        },
        {},
        {}});
}

void remote_kernel::dial(boost::asio::any_io_executor io, const environment_id& id,
                         std::uint16_t port, host_completion<int> done) {
  const auto pipe = std::make_shared<byte_pipe>(io);
  waiting then;
  then.answered = [self = shared_from_this(), pipe, done = std::move(done)](auto id,
                                                                            const auto& got) {
    if (!got) return done(host_error{host_errc::unavailable, got.error().message, "try again"});
    pipe->send_by([self, id](std::string_view body) { self->note(id, body); },
                  [self, id] { self->end(id); });
    done(pipe->open_pair());
  };
  then.event = [pipe](std::string_view body) { pipe->received(body); };
  then.lost = [pipe](const rejection&) { pipe->close(); };
  call(operation::dial, packer{}.put(id, port).take(), std::move(then));
}

}  // namespace berth::gateway::peer
