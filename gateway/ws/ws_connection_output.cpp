// What leaves a connection: queued by lane, encoded when its turn comes, one message at a time.
#include <utility>

#include <boost/asio/post.hpp>

#include "gateway/ws/json_codec.hpp"
#include "gateway/ws/ws_connection.hpp"

namespace berth::gateway {
namespace {

constexpr wire::frame_scheduler::key answer_queue(std::uint32_t request) {
  return (std::uint64_t{1} << 32) | request;
}

}  // namespace

void ws_connection::send(std::uint32_t channel, wire::payload what, bool interactive) {
  if (stage_ >= stage::closing || !channels_.contains(channel)) return;
  if (queue_.frames_of(channel) >= ws_channel_frames_max) {
    queue_.drop(channel);
    return end_channel(
        channel, {"overloaded", "4096 frames wait in this channel: resume at your cursor", {}});
  }
  queue_.push(channel, {channel, std::move(what)}, interactive);
  flush_soon();
}

void ws_connection::send_now(std::uint32_t channel, wire::payload what) {
  if (stage_ >= stage::closing) return;
  queue_.push_control({channel, std::move(what)});
  if (queue_.control_bytes() > ws_answers_bytes_max)
    return finish(ws_close_code::not_reading, "4 MiB of answers were not read");
  flush_soon();
}

void ws_connection::send_answer(std::uint32_t request, wire::frame what) {
  if (stage_ >= stage::closing) return;
  queue_.push(answer_queue(request), std::move(what), false);
  flush_soon();
}

void ws_connection::end_channel(std::uint32_t channel, wire::closed why) {
  // Kept to the end of this function: ending a channel may end what called.
  const auto ended = channels_.extract(channel);
  if (ended.empty() || stage_ >= stage::closing) return;
  queue_.push(channel, {channel, std::move(why)}, false);
  flush_soon();
}

// Posted, so that what one event causes leaves in one message.
void ws_connection::flush_soon() {
  if (flush_posted_ || writing_) return;
  flush_posted_ = true;
  boost::asio::post(executor_, [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void ws_connection::flush() {
  if (writing_ || stage_ == stage::over) return;
  if (next_text_ < texts_.size()) return write_text(texts_[next_text_++]);
  texts_.clear();
  next_text_ = 0;
  auto frames = queue_.next();
  if (frames.empty()) return close_if_flushed();
  if (json_) {
    texts_ = std::move(frames);
    write_text(texts_[next_text_++]);
  } else {
    write_frames(frames);
  }
  wake_drained();
}

void ws_connection::write_text(const wire::frame& what) {
  text_ = wire::encode_json(what);
  buffers_.assign(1, boost::asio::buffer(text_));
  writing_ = true;
  transport_->write(buffers_, true);
}

void ws_connection::write_frames(const std::vector<wire::frame>& frames) {
  encoded_.clear();
  headers_.clear();
  buffers_.clear();
  headers_.reserve(frames.size());
  for (const auto& what : frames) {
    auto& out = encoded_.emplace_back(wire::encode_frame(what));
    if (zstd_) compress(out);
  }
  for (const auto& out : encoded_) {
    headers_.push_back(wire::bytes_of(out.header));
    buffers_.push_back(boost::asio::buffer(headers_.back()));
    if (out.payload.size > 0)
      buffers_.push_back(boost::asio::buffer(out.payload.view().data(), out.payload.size));
  }
  writing_ = true;
  transport_->write(buffers_, false);
}

// Only bytes of programs and answers: they are large, and hold no token.
void ws_connection::compress(wire::encoded_frame& out) {
  const bool eligible = out.header.kind == 1 || out.header.kind == 3 || out.header.kind == 9;
  if (!eligible || out.payload.size < wire::compressed_payload_bytes_min) return;
  compressed_lately_ = true;
  if (!std::exchange(compressor_watched_, true) && stage_ == stage::open)
    limit_time(ws_compressor_kept, &ws_connection::rest_compressor);
  auto smaller = zstd_->compress(out.payload.view());
  if (!smaller) return;
  out.header.flags =
      static_cast<std::uint8_t>(wire::flag_zstd | (smaller->fresh ? wire::flag_fresh : 0));
  out.header.length = static_cast<std::uint16_t>(smaller->bytes.size());
  out.payload = wire::whole(std::move(smaller->bytes));
}

void ws_connection::wake_drained() {
  for (const auto channel : std::exchange(drain_asked_, {})) {
    const auto found = channels_.find(channel);
    if (found == channels_.end()) continue;
    const auto keep = found->second;
    keep->drained();
  }
}

void ws_connection::written() {
  writing_ = false;
  encoded_.clear();
  flush();
  work_on_message();
}

}  // namespace berth::gateway
