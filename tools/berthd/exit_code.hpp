// How berthd ends; docs/operations.md lists them for operators.
#pragma once

namespace berth::berthd {

enum exit_code : int {
  exit_ok = 0,
  exit_error = 1,  // what is on stderr
  exit_usage = 2,  // arguments or configuration
  exit_data_loss =
      3,  // the log ends before a place something else proves; see `berth-inspect accept-loss`
  exit_in_use = 4,   // another server has the data directory
  exit_storage = 5,  // the disk failed while serving; nothing acknowledged is lost, start again
  exit_corrupt = 6,  // bytes on disk do not match their checksum
};

}  // namespace berth::berthd
