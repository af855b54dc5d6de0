#include "actors/terminal_attachment.hpp"

namespace berth::actors {

viewer_handle::viewer_handle(runtime& shared, const attach_request& request,
                             environment_id environment, std::uint64_t number,
                             std::shared_ptr<terminal_viewer> viewer, bool driving)
    : shared_{shared},
      kernel_{shared.alive},
      terminal_{request.terminal},
      environment_{std::move(environment)},
      right_{request.right},
      input_stream_{request.input_stream},
      number_{number},
      viewer_{std::move(viewer)},
      driving_{driving} {
  ++shared_.viewers;
}

viewer_handle::~viewer_handle() {
  if (kernel_.expired()) return;
  --shared_.viewers;
  shared_.registry.deliver_if_resident(stream(), detach_message{number_});
}

void viewer_handle::credit(std::uint64_t consumed, std::uint64_t until) {
  shared_.registry.deliver_if_resident(stream(), credit_message{number_, consumed, until});
}

void viewer_handle::resize(std::uint16_t cols, std::uint16_t rows) {
  if (right_ == attach_right::drive)
    shared_.registry.deliver_if_resident(stream(), resize_message{number_, cols, rows});
}

void viewer_handle::input(std::uint64_t sequence, std::string bytes) {
  auto viewer = viewer_.lock();
  if (!viewer) return;  // the attachment is over
  if (right_ != attach_right::drive)
    return viewer->input_refused(
        sequence, reject(rejection_code::forbidden, "attached to view, not to drive", "right"));
  // Driving moves on the first keystroke (term.md §5.14).
  if (!driving_.exchange(true))
    shared_.registry.deliver_if_resident(stream(), drive_message{number_});
  shared_.options.host.terminal_input(
      environment_, terminal_, input_stream_, sequence, std::move(bytes),
      [viewer = std::move(viewer), sequence](const host_result<input_outcome>& result) {
        if (!result)
          return viewer->input_refused(sequence,
                                       reject(rejection_code::unavailable, result.error().message));
        if (result->refused_unknown_stream)
          return viewer->input_refused(
              sequence, reject(rejection_code::wrong_state,
                               "unknown_input_stream: hand the session over for a new one"));
        if (result->refused_gap)
          return viewer->input_refused(sequence, reject(rejection_code::wrong_state,
                                                        "gap: the last applied sequence is " +
                                                            std::to_string(result->last_applied)));
        viewer->input_applied(result->last_applied);
      });
}

}  // namespace berth::actors
