#include "gateway/tunnel.hpp"

#include <array>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>

namespace berth::gateway {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
// The protocol is only a label here: the descriptor is connected already, TCP or not.
using inside_socket = net::local::stream_protocol::socket;

class tunnel : public live_connection, public std::enable_shared_from_this<tunnel> {
 public:
  tunnel(std::unique_ptr<byte_stream> client, std::shared_ptr<const int> inside, std::string early,
         std::shared_ptr<const void> keep)
      : keep_(std::move(keep)),
        descriptor_(std::move(inside)),
        client_(std::move(client)),
        inside_(client_->executor(), net::local::stream_protocol(), *descriptor_),
        early_(std::move(early)) {}
  ~tunnel() override {
    error_code ignored;
    inside_.release(ignored);  // descriptor_ closes it
  }

  void begin(std::shared_ptr<void> entry) {
    entry_ = std::move(entry);
    client_->expires_never();  // A connection may be quiet for as long as its program likes; TCP
                               // keep-alive finds the dead.
    net::async_write(inside_, net::buffer(early_),
                     [self = shared_from_this()](error_code failed, std::size_t) {
                       if (failed) return self->close();
                       self->read_client();
                     });
    read_inside();
  }

  void close_soon() override {
    net::dispatch(client_->executor(), [self = shared_from_this()] { self->close(); });
  }

 private:
  void read_client() {
    client_->read_some(net::buffer(from_client_),
                       [self = shared_from_this()](error_code failed, std::size_t size) {
                         if (failed) return self->client_ended(failed);
                         net::async_write(self->inside_, net::buffer(self->from_client_, size),
                                          [self](error_code broken, std::size_t) {
                                            if (broken) return self->close();
                                            self->read_client();
                                          });
                       });
  }
  void read_inside() {
    inside_.async_read_some(net::buffer(from_inside_), [self = shared_from_this()](
                                                           error_code failed, std::size_t size) {
      if (failed) return self->inside_ended(failed);
      self->client_->expires_after(tunnel_write_max);
      self->client_->write({net::buffer(self->from_inside_, size), {}}, [self](error_code broken) {
        if (broken) return self->close();
        self->read_inside();
      });
    });
  }
  void client_ended(error_code why) {
    error_code ignored;
    inside_.shutdown(net::socket_base::shutdown_send, ignored);
    end_of_side(why != net::error::eof && why != net::ssl::error::stream_truncated);
  }
  void inside_ended(error_code why) {
    client_->end_sending();
    end_of_side(why != net::error::eof);
  }
  void end_of_side(bool broken) {
    if (broken || ++sides_ended_ == 2) close();
  }
  void close() {
    error_code ignored;
    client_->close();
    inside_.shutdown(net::socket_base::shutdown_both, ignored);
  }

  std::shared_ptr<const void> keep_;
  std::shared_ptr<const int> descriptor_;
  std::unique_ptr<byte_stream> client_;
  inside_socket inside_;
  std::string early_;
  std::array<char, tunnel_buffer_bytes> from_client_;
  std::array<char, tunnel_buffer_bytes> from_inside_;
  int sides_ended_{};
  std::shared_ptr<void> entry_;
};

}  // namespace

void join_tunnel(std::unique_ptr<byte_stream> client, std::shared_ptr<const int> inside,
                 std::string early, const std::shared_ptr<connection_table>& connections,
                 std::shared_ptr<const void> keep) {
  auto joined = std::make_shared<tunnel>(std::move(client), std::move(inside), std::move(early),
                                         std::move(keep));
  joined->begin(connections->enter(joined));
}

}  // namespace berth::gateway
