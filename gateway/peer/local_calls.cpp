#include "gateway/peer/local_calls.hpp"

#include <boost/asio/post.hpp>

#include "gateway/descriptor.hpp"
#include "gateway/peer/answers.hpp"
#include "gateway/peer/byte_pipe.hpp"
#include "gateway/peer/sending_viewer.hpp"

namespace berth::gateway::peer {

namespace net = boost::asio;

void local_calls::called(std::uint64_t id, std::string_view body) {
  if (!serve(id, body)) link_->close("a call that cannot be read");
}

bool local_calls::serve(std::uint64_t id, std::string_view body) {
  operation what{};
  unpacker in{body};
  if (!in.take(what)) return false;
  const auto arguments = in.rest();
  switch (what) {
    case operation::ask:
      return serve_ask(id, arguments);
    case operation::read:
      return serve_read(id, arguments);
    case operation::watch:
      return watch(id, arguments);
    case operation::create_environment:
      return create_environment(id, arguments);
    case operation::exec:
      return exec(id, arguments);
    case operation::attach:
      return attach(id, arguments);
    case operation::bulk_extent:
      return bulk_extent_of(id, arguments);
    case operation::bulk_read:
      return read_bulk(id, arguments);
    case operation::bulk_marks:
      return bulk_marks(id, arguments);
    case operation::dial:
      return dial(id, arguments);
  }
  return false;
}

// --- commands and reads ---

bool local_calls::serve_ask(std::uint64_t id, std::string_view body) {
  aggregate_kind kind{};
  unpacker in{body};
  if (!in.take(kind)) return false;
  switch (kind) {
    case aggregate_kind::account:
      return ask<account::aggregate, account_id>(id, in.rest());
    case aggregate_kind::session:
      return ask<session::aggregate, session_id>(id, in.rest());
    case aggregate_kind::environment:
      return ask<environment::aggregate, environment_id>(id, in.rest());
    case aggregate_kind::terminal:
      return ask<terminal::aggregate, terminal_id>(id, in.rest());
    case aggregate_kind::host:
      return ask<host::aggregate, host_id>(id, in.rest());
  }
  return false;
}

template <class A, class Id>
bool local_calls::ask(std::uint64_t id, std::string_view body) {
  Id of;
  typename A::command what;
  command_meta meta;
  unpacker in{body};
  if (!in.take(of, what, meta) || !in.done()) return false;
  with_.kernel.ask(of, std::move(what), std::move(meta),
                   [self = shared_from_this(), id](const outcome<berth::answer<A>>& got) {
                     self->answer(id, pack_outcome(got));
                   });
  return true;
}

bool local_calls::serve_read(std::uint64_t id, std::string_view body) {
  aggregate_kind kind{};
  unpacker in{body};
  if (!in.take(kind)) return false;
  switch (kind) {
    case aggregate_kind::account:
      return read<account::aggregate, account_id>(id, in.rest());
    case aggregate_kind::session:
      return read<session::aggregate, session_id>(id, in.rest());
    case aggregate_kind::environment:
      return read<environment::aggregate, environment_id>(id, in.rest());
    case aggregate_kind::terminal:
      return read<terminal::aggregate, terminal_id>(id, in.rest());
    case aggregate_kind::host:
      break;
  }
  return false;
}

template <class A, class Id>
bool local_calls::read(std::uint64_t id, std::string_view body) {
  Id of;
  principal by;
  unpacker in{body};
  if (!in.take(of, by) || !in.done()) return false;
  with_.kernel.read(of, by, [self = shared_from_this(), id](const outcome<berth::answer<A>>& got) {
    self->answer(id, pack_outcome(got));
  });
  return true;
}

bool local_calls::create_environment(std::uint64_t id, std::string_view body) {
  account_id account;
  environment::create what;
  command_meta meta;
  unpacker in{body};
  if (!in.take(account, what, meta) || !in.done()) return false;
  with_.kernel.create_environment(
      account, std::move(what), std::move(meta),
      [self = shared_from_this(), id](const outcome<created_environment>& made) {
        if (!made) return self->answer(id, pack_bad(made.error()));
        self->answer(id, pack_good(made->id) + pack_values<environment::aggregate>(*made));
      });
  return true;
}

bool local_calls::exec(std::uint64_t id, std::string_view body) {
  environment_id of;
  environment::exec what;
  command_meta meta;
  unpacker in{body};
  if (!in.take(of, what, meta) || !in.done()) return false;
  with_.kernel.exec(of, std::move(what), std::move(meta),
                    [self = shared_from_this(), id](const outcome<exec_answer>& got) {
                      self->answer(id, got ? pack_good(*got) : pack_bad(got.error()));
                    });
  return true;
}

// --- calls that go on ---

void local_calls::begin(std::uint64_t id) {
  const std::lock_guard lock{mutex_};
  ongoing_.emplace(id, ongoing{});
}

bool local_calls::keep(std::uint64_t id, ongoing what) {
  const std::lock_guard lock{mutex_};
  const auto at = ongoing_.find(id);
  if (at == ongoing_.end()) return false;
  at->second = std::move(what);
  return true;
}

void local_calls::ended(std::uint64_t id) {
  ongoing gone;  // ends outside the lock: a pipe's end comes back here
  {
    const std::lock_guard lock{mutex_};
    const auto at = ongoing_.find(id);
    if (at == ongoing_.end()) return;
    gone = std::move(at->second);
    ongoing_.erase(at);
  }
  if (gone.pipe) gone.pipe->close();
}

void local_calls::lost() {
  decltype(ongoing_) gone;
  {
    const std::lock_guard lock{mutex_};
    gone.swap(ongoing_);
  }
  for (const auto& [id, each] : gone)
    if (each.pipe) each.pipe->close();
}

bool local_calls::watch(std::uint64_t id, std::string_view body) {
  environment_id of;
  principal by;
  unpacker in{body};
  if (!in.take(of, by) || !in.done()) return false;
  begin(id);
  answer(id, pack_good());
  auto handle = with_.kernel.watch(of, by, [self = shared_from_this(), id](const auto& now) {
    self->link_->send(frame_kind::event, id, pack_outcome(now));
  });
  keep(id, {std::move(handle), {}, {}});
  return true;
}

bool local_calls::attach(std::uint64_t id, std::string_view body) {
  attach_request asked;
  unpacker in{body};
  if (!in.take(asked) || !in.done()) return false;
  begin(id);
  with_.kernel.attach(std::move(asked), std::make_shared<sending_viewer>(link_, id),
                      [self = shared_from_this(), id](const outcome<attached_terminal>& made) {
                        if (!made) {
                          self->ended(id);
                          return self->answer(id, pack_bad(made.error()));
                        }
                        if (!self->keep(id, {{}, made->attachment, {}})) return;
                        self->answer(
                            id, pack_good(attached_place{made->from, made->end, made->cols,
                                                         made->rows, made->driver, made->status}));
                      });
  return true;
}

void local_calls::noted(std::uint64_t id, std::string_view body) {
  ongoing of;
  {
    const std::lock_guard lock{mutex_};
    const auto at = ongoing_.find(id);
    if (at == ongoing_.end()) return;
    of = at->second;
  }
  if (of.pipe) return of.pipe->received(body);
  if (!of.attachment) return;
  unpacker in{body};
  viewer_note what{};
  in.take(what);
  std::uint64_t first = 0, second = 0;
  std::uint16_t cols = 0, rows = 0;
  if (what == viewer_note::credit && in.take(first, second))
    return of.attachment->credit(first, second);
  if (what == viewer_note::input && in.take(first))
    return of.attachment->input(first, std::string{in.rest()});
  if (what == viewer_note::resize && in.take(cols, rows)) return of.attachment->resize(cols, rows);
  link_->close("a note that cannot be read");
}

// --- recordings and ports ---

bool local_calls::bulk_extent_of(std::uint64_t id, std::string_view body) {
  terminal_id of;
  unpacker in{body};
  if (!in.take(of) || !in.done()) return false;
  answer(id, pack_good(with_.bulk.extent(of)));
  return true;
}

bool local_calls::read_bulk(std::uint64_t id, std::string_view body) {
  terminal_id of;
  std::uint64_t from = 0, bytes_max = 0;
  unpacker in{body};
  if (!in.take(of, from, bytes_max) || !in.done()) return false;
  net::post(with_.work, [self = shared_from_this(), id, of, from, bytes_max] {
    auto bytes = self->with_.bulk.read(of, from, std::min<std::uint64_t>(bytes_max, 8 << 20));
    if (!bytes)
      return self->answer(id, pack_bad(reject(rejection_code::unavailable, bytes.error().message)));
    self->answer(id, pack_good() + *bytes);
  });
  return true;
}

bool local_calls::bulk_marks(std::uint64_t id, std::string_view body) {
  terminal_id of;
  std::uint64_t from = 0, to = 0;
  unpacker in{body};
  if (!in.take(of, from, to) || !in.done()) return false;
  net::post(with_.work, [self = shared_from_this(), id, of, from, to] {
    const auto marks = self->with_.bulk.marks(of, from, to);
    self->answer(id, marks ? pack_good(*marks)
                           : pack_bad(reject(rejection_code::unavailable, marks.error().message)));
  });
  return true;
}

bool local_calls::dial(std::uint64_t id, std::string_view body) {
  environment_id of;
  std::uint16_t port = 0;
  unpacker in{body};
  if (!in.take(of, port) || !in.done()) return false;
  begin(id);
  with_.host.dial(of, port, [self = shared_from_this(), id](const host_result<int>& dialled) {
    if (!dialled) {
      self->ended(id);
      return self->answer(id,
                          pack_bad(reject(rejection_code::unavailable, dialled.error().message)));
    }
    net::post(self->with_.io, [self, id, descriptor = *dialled] {
      const auto pipe = std::make_shared<byte_pipe>(self->with_.io);
      const auto owned = own_descriptor(descriptor);
      if (!self->keep(id, {{}, {}, pipe})) return;
      self->answer(id, pack_good());
      pipe->send_by([link = self->link_,
                     id](std::string_view frame) { link->send(frame_kind::event, id, frame); },
                    [self, id] { self->ended(id); });
      pipe->adopt(owned);
    });
  });
  return true;
}

}  // namespace berth::gateway::peer
