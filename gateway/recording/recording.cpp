#include "gateway/recording/recording.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "events/terminal/aggregate.hpp"

namespace berth::gateway {
namespace {

constexpr std::size_t commits_per_read = 256;

void take(terminal_story& story, const terminal::event& happened) {
  if (const auto* opened = std::get_if<terminal::opened>(&happened)) {
    story.cols = opened->cols;
    story.rows = opened->rows;
    story.began = opened->at;
  } else if (const auto* resized = std::get_if<terminal::resized>(&happened)) {
    story.resizes.push_back(*resized);
  } else if (const auto* ended = std::get_if<terminal::ended>(&happened)) {
    story.end = *ended;
  }
}

class recorder {
 public:
  recorder(terminal_story story, output_reader& bulk, const bulk_extent& extent,
           asciicast_format format)
      : story_(std::move(story)),
        bulk_(bulk),
        format_(format),
        at_{extent.first},
        until_{extent.next},
        last_time_{story_.began} {}

  bool next(std::string& chunk) {
    chunk.clear();
    if (ended_) return false;
    if (!writer_) writer_.emplace(format_, story_.cols, story_.rows, story_.began, chunk);
    if (at_ < until_ && window(chunk)) return true;
    finish(chunk);
    return true;
  }

 private:
  // One window of output, cut where the log's marks say that later bytes arrived later.
  bool window(std::string& chunk) {
    const auto size = std::min<std::uint64_t>(recording_window_bytes, until_ - at_);
    const auto bytes = bulk_.read(story_.terminal, at_, size);
    const auto marks = bulk_.marks(story_.terminal, at_, at_ + size);
    if (!bytes || !marks || bytes->empty()) {
      spdlog::warn("recording of {} ends at offset {}: {}", story_.terminal.value, at_,
                   !bytes   ? bytes.error().message
                   : !marks ? marks.error().message
                            : "no more bytes");
      return false;
    }
    const auto end = at_ + bytes->size();
    for (std::size_t i = 0; i <= marks->size(); ++i) {
      const auto upto = i < marks->size() ? std::clamp((*marks)[i].offset, at_, end) : end;
      const auto piece = std::string_view(*bytes).substr(bytes->size() - (end - at_), upto - at_);
      if (!piece.empty()) write(piece, chunk);
      at_ = upto;
      if (i < marks->size()) last_time_ = (*marks)[i].time;
    }
    return true;
  }

  void write(std::string_view piece, std::string& chunk) {
    resize_until(last_time_, chunk);
    writer_->output(last_time_, piece, chunk);
  }

  // By time, not by offset: a size asked for through the API names no offset.
  void resize_until(timestamp time, std::string& chunk) {
    for (; resized_ < story_.resizes.size() && story_.resizes[resized_].at <= time; ++resized_) {
      const auto& change = story_.resizes[resized_];
      writer_->resize(change.at, change.cols, change.rows, chunk);
    }
  }

  void finish(std::string& chunk) {
    ended_ = true;
    resize_until(timestamp::max(), chunk);
    const auto at = story_.end ? story_.end->at : last_time_;
    writer_->end(at, story_.end ? story_.end->exit_code : std::nullopt, chunk);
  }

  terminal_story story_;
  output_reader& bulk_;
  asciicast_format format_;
  std::optional<asciicast_writer> writer_;
  std::uint64_t at_{};
  std::uint64_t until_{};
  timestamp last_time_;
  std::size_t resized_{};
  bool ended_{};
};

}  // namespace

journal_result<terminal_story> read_story(const journal& from, const terminal_id& terminal) {
  terminal_story story;
  story.terminal = terminal;
  const stream_id stream{aggregate_kind::terminal, terminal.value};
  for (stream_version after{};;) {
    const auto commits = from.read_stream(stream, after, commits_per_read);
    if (!commits) return commits.error();
    for (const auto& one : *commits) {
      for (const auto& record : one.body.events)
        if (const auto event = terminal::aggregate::decode(record)) take(story, *event);
      after = std::max(after, one.body.last());
    }
    if (commits->size() < commits_per_read) return story;
  }
}

journal_result<body_stream> record(terminal_story story, output_reader& bulk,
                                   asciicast_format format) {
  const auto extent = bulk.find_extent(story.terminal);
  if (!extent) return extent.error();
  auto made = std::make_shared<recorder>(std::move(story), bulk, *extent, format);
  return body_stream{[made](std::string& chunk) { return made->next(chunk); }};
}

}  // namespace berth::gateway
