#include "gateway/ws/zstd_stream.hpp"

#include <utility>

#include <zstd.h>

#include "events/core/invariant.hpp"

namespace berth::wire {
namespace {
constexpr int level = 1;
constexpr int window_log = 15;
}  // namespace

struct zstd_writer::context {
  ZSTD_CCtx* raw{ZSTD_createCCtx()};
  context() {
    BERTH_ASSERT(raw);
    ZSTD_CCtx_setParameter(raw, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(raw, ZSTD_c_windowLog, window_log);
  }
  context(const context&) = delete;
  ~context() { ZSTD_freeCCtx(raw); }
};

zstd_writer::zstd_writer() = default;
zstd_writer::~zstd_writer() = default;

std::optional<zstd_writer::compressed> zstd_writer::compress(std::string_view plain) {
  if (!context_) context_ = std::make_unique<context>();
  if (fresh_) ZSTD_CCtx_reset(context_->raw, ZSTD_reset_session_only);
  std::string bytes(ZSTD_compressBound(plain.size()) + 64, '\0');
  ZSTD_outBuffer out{bytes.data(), bytes.size(), 0};
  ZSTD_inBuffer in{plain.data(), plain.size(), 0};
  const auto left = ZSTD_compressStream2(context_->raw, &out, &in, ZSTD_e_flush);
  // What is not sent must not stay in the stream's history.
  if (ZSTD_isError(left) || left != 0 || in.pos != in.size || out.pos >= plain.size()) {
    fresh_ = true;
    return std::nullopt;
  }
  bytes.resize(out.pos);
  return compressed{std::move(bytes), std::exchange(fresh_, false)};
}

void zstd_writer::forget() {
  context_.reset();
  fresh_ = true;
}

struct zstd_reader::context {
  ZSTD_DCtx* raw{ZSTD_createDCtx()};
  context() {
    BERTH_ASSERT(raw);
    ZSTD_DCtx_setParameter(raw, ZSTD_d_windowLogMax, window_log);
  }
  context(const context&) = delete;
  ~context() { ZSTD_freeDCtx(raw); }
};

zstd_reader::zstd_reader() = default;
zstd_reader::~zstd_reader() = default;

std::optional<std::string> zstd_reader::decompress(std::string_view bytes, bool fresh,
                                                   std::size_t bytes_max) {
  if (!context_) context_ = std::make_unique<context>();
  if (fresh) ZSTD_DCtx_reset(context_->raw, ZSTD_reset_session_only);
  std::string plain(bytes_max + 1, '\0');
  ZSTD_outBuffer out{plain.data(), plain.size(), 0};
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  while (in.pos < in.size) {
    const auto before = out.pos + in.pos;
    if (ZSTD_isError(ZSTD_decompressStream(context_->raw, &out, &in))) return std::nullopt;
    if (out.pos > bytes_max || (out.pos + in.pos == before && in.pos < in.size))
      return std::nullopt;
  }
  // Output may wait inside the decoder although all input was taken.
  for (;;) {
    const auto before = out.pos;
    if (ZSTD_isError(ZSTD_decompressStream(context_->raw, &out, &in))) return std::nullopt;
    if (out.pos > bytes_max) return std::nullopt;
    if (out.pos == before) break;
  }
  plain.resize(out.pos);
  return plain;
}

}  // namespace berth::wire
