// Another node's kernel, bulk log and host, asked over a peer_link. A call whose connection ends is
// answered: a command `unknown_outcome` (its id may be asked again, anywhere), everything else
// not_led (events/core/rejection.hpp). Any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "actors/kernel.hpp"
#include "actors/ports/bulk_log.hpp"
#include "actors/ports/environment_host.hpp"
#include "gateway/peer/peer_link.hpp"
#include "gateway/peer/peer_messages.hpp"

namespace berth::gateway::peer {

class remote_kernel : public kernel, public std::enable_shared_from_this<remote_kernel> {
 public:
  // `name` of the node, for messages.
  remote_kernel(std::shared_ptr<peer_link> over, std::string name)
      : link_{std::move(over)}, name_{std::move(name)} {}

  void ask(const account_id&, account::command, command_meta,
           answer_completion<account::aggregate>) override;
  void ask(const session_id&, session::command, command_meta,
           answer_completion<session::aggregate>) override;
  void ask(const environment_id&, environment::command, command_meta,
           answer_completion<environment::aggregate>) override;
  void ask(const terminal_id&, terminal::command, command_meta,
           answer_completion<terminal::aggregate>) override;
  void ask(const host_id&, host::command, command_meta,
           answer_completion<host::aggregate>) override;
  void read(const account_id&, const principal&, answer_completion<account::aggregate>) override;
  void read(const session_id&, const principal&, answer_completion<session::aggregate>) override;
  void read(const environment_id&, const principal&,
            answer_completion<environment::aggregate>) override;
  void read(const terminal_id&, const principal&, answer_completion<terminal::aggregate>) override;
  std::shared_ptr<void> watch(const environment_id&, const principal&,
                              environment_watcher) override;
  void create_environment(const account_id&, environment::create, command_meta,
                          creation_completion) override;
  void exec(const environment_id&, environment::exec, command_meta,
            std::function<void(outcome<exec_answer>)>) override;
  void attach(attach_request, std::shared_ptr<terminal_viewer>,
              std::function<void(outcome<attached_terminal>)>) override;
  kernel_stats stats() const override { return {}; }

  // Of terminals whose environment is on the other node's machine.
  void bulk_extent_of(const terminal_id&, std::function<void(outcome<bulk_extent>)>);
  void bulk_read(const terminal_id&, std::uint64_t from, std::size_t bytes_max,
                 std::function<void(outcome<std::string>)>);
  void bulk_marks(const terminal_id&, std::uint64_t from, std::uint64_t to,
                  std::function<void(outcome<std::vector<bulk_mark>>)>);
  // As environment_host::dial; runs on `io`.
  void dial(boost::asio::any_io_executor io, const environment_id&, std::uint16_t port,
            host_completion<int> done);

  // What came over the link. On its thread.
  void answered(std::uint64_t id, std::string_view body);
  void happened(std::uint64_t id, std::string_view body);
  void lost();

  // Of a call that goes on.
  void note(std::uint64_t id, std::string_view body) { link_->send(frame_kind::note, id, body); }
  void end(std::uint64_t id);

 private:
  struct waiting {
    std::function<void(std::uint64_t id, const outcome<std::string_view>&)> answered;
    std::function<void(std::string_view)> event;  // with it the call goes on after its answer
    std::function<void(const rejection&)> lost;   // after the answer
    bool is_command{};
  };
  // Returns the call's id.
  std::uint64_t call(operation what, std::string arguments, waiting then);
  rejection lost_call(bool is_command) const;

  template <class A, class Id>
  void call_ask(const Id& id, const typename A::command& what, const command_meta& meta,
                answer_completion<A> done);
  template <class A, class Id>
  void call_read(const Id& id, const principal& by, answer_completion<A> done);

  const std::shared_ptr<peer_link> link_;
  const std::string name_;
  std::mutex mutex_;  // guards all below
  std::uint64_t last_id_{};
  std::unordered_map<std::uint64_t, std::shared_ptr<waiting>> waiting_;
  bool is_lost_{};
};

}  // namespace berth::gateway::peer
