#include "actors/stream_history.hpp"

namespace berth::actors {

rejection to_rejection(const journal_error& error) {
  switch (error.code) {
    case journal_errc::overloaded:
      return reject(rejection_code::overloaded, error.message);
    case journal_errc::too_large:
      return reject(rejection_code::limit_exceeded, error.message);
    case journal_errc::unknown_outcome:
      return reject(rejection_code::unknown_outcome,
                    error.message + "; retry with the same command id");
    case journal_errc::closed:  // nothing was written; leadership may have ended under the command
      return not_led("closed: " + error.message);
    default:
      return reject(rejection_code::unavailable,
                    std::string{name_of(error.code)} + ": " + error.message);
  }
}

rejection unknown_stream(const stream_id& stream) {
  return reject(rejection_code::not_found, "there is no " + stream.text());
}

rejection quarantine(const stream_id& stream, stream_version at, const decode_error& why) {
  return reject(rejection_code::quarantined, stream.text() + " is set aside: version " +
                                                 std::to_string(at.value) +
                                                 " cannot be read by this build (" + why.message +
                                                 "); upgrade the server, nothing is lost");
}

bool too_old(const command_id& id, timestamp now, std::chrono::hours window) {
  const auto made_ms = id.v7_time_ms();
  return made_ms && from_us(*made_ms * 1000) + window < now;
}

}  // namespace berth::actors
