// What nodes say to each other over a peer_link, beside kernel's own types (pack.hpp).
#pragma once

#include <cstdint>
#include <string>

#include "actors/kernel.hpp"
#include "actors/ports/bulk_log.hpp"

namespace berth::gateway::peer {

struct greeting {
  std::uint64_t layout{};   // layout_hash()
  std::uint32_t ordinal{};  // of the node that greets
  std::string host;         // its host's id
  std::string topic;        // whose partitions it shares
};

// Told a few times a second.
struct node_load {
  std::uint32_t environments{};  // that run on its machine
  std::uint32_t leads{};         // partitions
  bool takes_environments{};     // its provider works
  bool is_cordoned{};
  bool is_leaving{};  // it stops: the others should lead what it leads
  bool has_joined{};  // it knows from the group who is there, and leads what it should
};

// The first byte of a call's body; the arguments follow. After an `ask` and a `read` the
// aggregate's kind comes first.
enum class operation : std::uint8_t {
  ask = 1,             // key, command, meta -> answer
  read,                // key, principal -> answer
  watch,               // id, principal -> nothing; events: outcome of an answer
  create_environment,  // account, create, meta -> id, answer
  exec,                // id, exec, meta -> exec_answer
  attach,              // attach_request -> attached_place; events: viewer_event; notes: viewer_note
  bulk_extent,         // terminal -> bulk_extent
  bulk_read,           // terminal, from, bytes_max -> bytes
  bulk_marks,          // terminal, from, to -> marks
  dial,                // environment, port -> nothing; then bytes both ways (byte_pipe.hpp)
};

struct attached_place {
  std::uint64_t from{};
  std::uint64_t end{};
  std::uint16_t cols{};
  std::uint16_t rows{};
  session_id driver;
  terminal::status status{};
};

// The first byte of an event of an attachment.
enum class viewer_event : std::uint8_t {
  output = 1,     // offset, then the bytes to the frame's end
  gap,            // from, to
  snapshot,       // offset, cols, rows, then the bytes
  resized,        // offset, cols, rows
  driver,         // session
  durable,        // offset
  input_applied,  // sequence
  input_refused,  // sequence, rejection
  ended,          // terminal::ended
  failed,         // rejection
};

enum class viewer_note : std::uint8_t {
  credit = 1,  // consumed, until
  input,       // sequence, then the bytes to the frame's end
  resize,      // cols, rows
};

// Of everything above and all that kernel takes: nodes understand each other if it is the same.
std::uint64_t layout_hash();

}  // namespace berth::gateway::peer
