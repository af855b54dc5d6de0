// A viewer's handle: what it says becomes messages to the terminal's actor; typed input goes
// straight to the host, the shortest way a keystroke can take.
#pragma once

#include <atomic>

#include "actors/runtime.hpp"

namespace berth::actors {

class viewer_handle : public terminal_attachment,
                      public std::enable_shared_from_this<viewer_handle> {
 public:
  viewer_handle(runtime& shared, const attach_request& request, environment_id environment,
                std::uint64_t number, std::shared_ptr<terminal_viewer> viewer, bool driving);
  ~viewer_handle() override;
  void credit(std::uint64_t consumed, std::uint64_t until) override;
  void input(std::uint64_t sequence, std::string bytes) override;
  void resize(std::uint16_t cols, std::uint16_t rows) override;

 private:
  stream_id stream() const { return {aggregate_kind::terminal, terminal_.value}; }

  runtime& shared_;
  const std::weak_ptr<void> kernel_;
  terminal_id terminal_;
  environment_id environment_;
  attach_right right_;
  input_stream_id input_stream_;
  std::uint64_t number_;
  std::weak_ptr<terminal_viewer> viewer_;  // a viewer may own its handle
  std::atomic<bool> driving_;
};

}  // namespace berth::actors
