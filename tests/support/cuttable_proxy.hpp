// A TCP relay on loopback whose connections a test can reset at any moment. Runs its own thread.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

namespace berth::testing {

class cuttable_proxy {
  using tcp = boost::asio::ip::tcp;
  struct pair : std::enable_shared_from_this<pair> {
    pair(tcp::socket a, boost::asio::io_context& io) : client(std::move(a)), server(io) {}
    void relay(tcp::socket& from, tcp::socket& to, std::vector<char>& buffer) {
      from.async_read_some(boost::asio::buffer(buffer), [self = shared_from_this(), &from, &to,
                                                         &buffer](auto failed, std::size_t size) {
        if (failed) return self->reset();
        boost::asio::async_write(to, boost::asio::buffer(buffer.data(), size),
                                 [self, &from, &to, &buffer](auto broken, std::size_t) {
                                   if (broken) return self->reset();
                                   self->relay(from, to, buffer);
                                 });
      });
    }
    void reset() {
      boost::system::error_code ignored;
      for (auto* socket : {&client, &server}) {
        socket->set_option(boost::asio::socket_base::linger(true, 0), ignored);
        socket->close(ignored);
      }
    }
    tcp::socket client, server;
    std::vector<char> up = std::vector<char>(4096), down = std::vector<char>(4096);
  };

 public:
  explicit cuttable_proxy(std::uint16_t to)
      : to_(to), acceptor_(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~cuttable_proxy() {
    io_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::size_t accepted() const { return accepted_; }
  void cut() {
    boost::asio::post(io_, [this] {
      for (auto& weak : pairs_)
        if (const auto live = weak.lock()) live->reset();
      pairs_.clear();
    });
  }

 private:
  void accept() {
    acceptor_.async_accept([this](auto failed, tcp::socket socket) {
      if (failed) return;
      ++accepted_;
      const auto made = std::make_shared<pair>(std::move(socket), io_);
      pairs_.push_back(made);
      made->server.async_connect({boost::asio::ip::address_v4::loopback(), to_},
                                 [made](auto refused) {
                                   if (refused) return made->reset();
                                   made->relay(made->client, made->server, made->up);
                                   made->relay(made->server, made->client, made->down);
                                 });
      accept();
    });
  }

  const std::uint16_t to_;
  boost::asio::io_context io_{1};
  tcp::acceptor acceptor_;
  std::vector<std::weak_ptr<pair>> pairs_;
  std::atomic<std::size_t> accepted_{};
  std::thread thread_;
};

}  // namespace berth::testing
