// An attachment that outlives the node it was made at (forwarding_kernel.hpp): it is made again
// behind the last byte delivered, and input that was not applied yet is sent again.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "actors/kernel.hpp"

namespace berth::actors {

struct attach_again {
  // As kernel::attach, wherever the terminal is now.
  std::function<void(attach_request, std::shared_ptr<terminal_viewer>,
                     std::function<void(outcome<attached_terminal>)>)>
      attach;
  std::function<void(std::chrono::milliseconds, std::function<void()>)> after;
  std::chrono::milliseconds give_up_after;  // without an attachment
};

void attach_lasting(attach_again how, attach_request request,
                    std::shared_ptr<terminal_viewer> viewer,
                    std::function<void(outcome<attached_terminal>)> done);

}  // namespace berth::actors
