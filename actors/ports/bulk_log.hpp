// Bulk logs: the bytes of terminals, addressed by (terminal, offset), off the commit path (DESIGN
// §5, §7).
//
//   term_…:   0 ........ first ......... durable ....... next
//             expired    |<- fetchable, compressed ->|<- written, not synced yet ->|
//
// Rules
//  B1  append expects offset == next. A repeated range is dropped (the overlap is cut); a hole is
//  answered by `next`,
//      so that the caller refetches from there. Appends never block: at most `unwritten_bytes_max`
//      are queued, beyond it the append is refused and the caller stops reading its source.
//  B2  Synced every 50 ms or 4 MiB, whichever first; then `durable` is told. Only then may a source
//  drop its copy. B3  read gives any byte in [first, next), synced or not, verified by checksum. B4
//  Retention drops whole segments from the front: `first` grows, never past durable. B5  After a
//  crash every byte below a `durable` that was told is there; a torn tail beyond it is cut
//  silently; a
//      file that ends before its mark is data_loss.
// Threads: any. The durable callback runs on the log's own thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "actors/ports/bytes.hpp"
#include "events/core/ids.hpp"
#include "events/core/journal_error.hpp"
#include "events/core/time.hpp"

namespace berth {

struct bulk_extent {
  std::uint64_t first{};    // lowest fetchable offset
  std::uint64_t durable{};  // everything below is on stable storage
  std::uint64_t next{};     // one past the last byte written
};

// When the bytes from `offset` on arrived; recordings are built from these.
struct bulk_mark {
  std::uint64_t offset{};
  timestamp time;
};

// What may be read of it, by whoever shows recordings; in a cluster, of any node's terminals. May
// block.
class output_reader {
 public:
  virtual ~output_reader() = default;
  virtual journal_result<std::string> read(const terminal_id& terminal, std::uint64_t from,
                                           std::size_t bytes_max) = 0;
  virtual journal_result<bulk_extent> find_extent(const terminal_id& terminal) = 0;
  virtual journal_result<std::vector<bulk_mark>> marks(const terminal_id& terminal,
                                                       std::uint64_t from, std::uint64_t to) = 0;
};

class bulk_log : public output_reader {
 public:
  // Returns the log's `next` after the call: offset + data.size() if all was taken (B1).
  virtual std::uint64_t append(const terminal_id& terminal, std::uint64_t offset,
                               const shared_bytes& data, timestamp arrived) = 0;
  virtual bulk_extent extent(const terminal_id& terminal) = 0;  // all zero if unknown
  journal_result<bulk_extent> find_extent(const terminal_id& terminal) override {
    return extent(terminal);
  }
  // Keep at most this many bytes of the terminal from now on (journal = tail(n)); 0 keeps nothing.
  virtual void retain(const terminal_id& terminal, std::uint64_t bytes_max) = 0;
  // No more comes: what was written last need not wait for more to be packed. A hint, repeatable.
  virtual void finish(const terminal_id&) {}
  virtual void remove(const terminal_id& terminal) = 0;
  virtual void on_durable(std::function<void(const terminal_id&, std::uint64_t durable)> told) = 0;
};

}  // namespace berth
