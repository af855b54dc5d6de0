// Streaming compression of output for native clients (docs/protocol.md §10): one stream a
// connection and direction, level 1, window 32 KiB, flushed at every frame. A writer weighs about
// 300 KiB, so it is given back when idle. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace berth::wire {

inline constexpr std::size_t compressed_payload_bytes_min = 512;  // smaller ones go as they are

class zstd_writer {
 public:
  zstd_writer();
  ~zstd_writer();
  struct compressed {
    std::string bytes;
    bool fresh{};  // the stream began anew with this payload
  };
  // Nothing if it would not pay: the payload then goes plain and the stream begins anew with the
  // next one.
  std::optional<compressed> compress(std::string_view plain);
  void forget();  // gives the memory back

 private:
  struct context;
  std::unique_ptr<context> context_;
  bool fresh_{true};
};

class zstd_reader {
 public:
  zstd_reader();
  ~zstd_reader();
  // Nothing if the bytes are not a continuation of the stream, or decode to more than `bytes_max`.
  std::optional<std::string> decompress(std::string_view bytes, bool fresh, std::size_t bytes_max);

 private:
  struct context;
  std::unique_ptr<context> context_;
};

}  // namespace berth::wire
