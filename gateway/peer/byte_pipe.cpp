#include "gateway/peer/byte_pipe.hpp"

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/write.hpp>

#include "gateway/peer/pack.hpp"

namespace berth::gateway::peer {

namespace net = boost::asio;

host_result<int> byte_pipe::open_pair() {
  net::local::stream_protocol::socket theirs{socket_.get_executor()};
  boost::system::error_code failed;
  net::local::connect_pair(socket_, theirs, failed);
  if (failed) return host_error{host_errc::io, "a pair of sockets: " + failed.message(), ""};
  read();
  write();
  return theirs.release();
}

void byte_pipe::adopt(std::shared_ptr<const int> descriptor) {
  adopted_ = std::move(descriptor);
  boost::system::error_code failed;
  socket_.assign(net::local::stream_protocol{}, *adopted_, failed);
  if (failed) return close();
  read();
  write();
}

void byte_pipe::read() {
  if (is_reading_ || has_read_all_ || !socket_.is_open() || unacknowledged_ >= window_bytes) return;
  is_reading_ = true;
  socket_.async_read_some(
      net::buffer(buffer_),
      [self = shared_from_this()](boost::system::error_code failed, std::size_t got) {
        self->is_reading_ = false;
        if (failed == net::error::operation_aborted) return;
        if (failed) {
          self->has_read_all_ = true;
          self->send_(packer{}.put(kind::ended).take());
          return self->finish_if_over();
        }
        self->unacknowledged_ += got;
        self->send_(packer{}.put(kind::data).take().append(self->buffer_.data(), got));
        self->read();
      });
}

void byte_pipe::received(std::string_view frame) {
  unpacker in{frame};
  kind what{};
  in.take(what);
  switch (what) {
    case kind::data:
      queued_ += in.rest();
      return write();
    case kind::acknowledged: {
      std::uint64_t count = 0;
      in.take(count);
      unacknowledged_ -= std::min<std::size_t>(count, unacknowledged_);
      return read();
    }
    case kind::ended:
      has_heard_all_ = true;
      return write();
  }
  close();
}

void byte_pipe::write() {
  if (!writing_.empty() || !socket_.is_open()) return;
  if (queued_.empty()) {
    if (!has_heard_all_ || std::exchange(has_written_all_, true)) return;
    boost::system::error_code ignored;
    socket_.shutdown(net::socket_base::shutdown_send, ignored);
    return finish_if_over();
  }
  writing_.swap(queued_);
  net::async_write(
      socket_, net::buffer(writing_),
      [self = shared_from_this()](boost::system::error_code failed, std::size_t) {
        if (failed) return self->close();
        self->send_(packer{}.put(kind::acknowledged, std::uint64_t{self->writing_.size()}).take());
        self->writing_.clear();
        self->write();
      });
}

void byte_pipe::finish_if_over() {
  if (has_read_all_ && has_written_all_) close();
}

void byte_pipe::close() {
  boost::system::error_code ignored;
  if (adopted_ && socket_.is_open())
    socket_.release(ignored);
  else
    socket_.close(ignored);
  adopted_.reset();
  const auto over = std::exchange(end_, nullptr);
  if (!over) return;
  // What broke is told too, or the other side would wait for ever.
  if (!std::exchange(has_read_all_, true)) send_(packer{}.put(kind::ended).take());
  over();
}

}  // namespace berth::gateway::peer
