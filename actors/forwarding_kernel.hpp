// The kernel of a cluster: every call goes to whoever leads its stream, this node's own kernel or
// another node's, and is asked again while leadership moves.
//
//   call ─> led here? ─> this node's kernel
//              └ no ──> peers.leader_of ─> that node's
//              └ nobody to be reached, refused not_led, outcome unknown ─> again, with the same id,
//                until `forward_max`
//
// A command may be asked twice (K2: it has one effect). A watch and an attachment outlive the
// leader they began at: a watch begins anew, an attachment goes on behind the last byte it
// delivered and sends again the input that was not applied yet (each sequence number is applied
// once).
//
// Threads: any.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "actors/kernel.hpp"
#include "actors/ports/nodes.hpp"
#include "events/core/journal.hpp"

namespace berth {

struct forwarding {
  berth::kernel& here;
  const berth::journal& journal;  // says what is led here
  berth::peers& peers;
  // Runs the function once after the delay; what waits when it ends may be dropped.
  std::function<void(std::chrono::milliseconds, std::function<void()>)> after;
  std::chrono::milliseconds forward_max{15'000};  // then the last refusal is the answer
  std::chrono::milliseconds attach_max{60'000};   // an attachment waits so long for its terminal
};

std::unique_ptr<kernel> make_forwarding_kernel(forwarding with);

}  // namespace berth
