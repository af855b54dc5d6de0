// From a hello to a caller: the token checked, the session opened or resumed, this connection
// attached to it; and detached at the end. Lives on the connection's strand.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gateway/auth/authenticator.hpp"
#include "gateway/ws/ws_channel.hpp"
#include "gateway/ws/ws_hub.hpp"

namespace berth::gateway {

class ws_greeting : public std::enable_shared_from_this<ws_greeting> {
 public:
  struct greeted {
    ws_caller who;
    bool resumed{};
  };
  using completion = std::function<void(outcome<greeted>)>;  // on the strand, once

  ws_greeting(const services& given, const authenticator& auth, std::shared_ptr<ws_hub> hub,
              ws_strand strand, std::string remote)
      : given_{given},
        auth_{auth},
        hub_{std::move(hub)},
        strand_{std::move(strand)},
        remote_{std::move(remote)} {}

  // `shown` is whom the upgrade's header or cookie stood for. `over` is called once, on the strand,
  // if the session ends while the connection lives. Errors: unauthenticated; not_found: no such
  // session; whatever the kernel says.
  void begin(wire::hello said, std::optional<identity> shown, completion done,
             ws_hub::session_over over);
  void end();  // detaches from the session

 private:
  void identified(outcome<identity> who);
  void open_session();
  void resume_session();
  void enter(bool resumed);
  void watch();
  command_meta meta() const;

  const services& given_;
  const authenticator& auth_;
  std::shared_ptr<ws_hub> hub_;
  ws_strand strand_;
  const std::string remote_;
  std::string connection_;  // name of this connection in the session
  journal_cursor since_;    // the journal's heads when it began
  wire::hello said_;
  ws_caller who_;
  completion done_;
  ws_hub::session_over over_;
  std::shared_ptr<void> watched_;
  bool attached_{};
  bool ended_{};
};

}  // namespace berth::gateway
