// A plain HTTP/1.1 client for tests: what is sent is up to the test, what comes back is parsed
// strictly. Blocking, with a deadline on everything.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>

namespace berth::testing {

struct http_answer {
  int status{};
  std::map<std::string, std::string> headers;  // names as received
  std::string body;
};

class http_client {
 public:
  explicit http_client(std::uint16_t port,
                       std::chrono::milliseconds deadline = std::chrono::seconds{5}) {
    stream_.expires_after(deadline);
    stream_.connect(
        boost::asio::ip::tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), port));
  }
  bool connected() const { return static_cast<bool>(stream_); }
  void send(const std::string& bytes) { stream_ << bytes << std::flush; }

  // Nothing if the connection ended (or the deadline passed) before a whole answer was there.
  std::optional<http_answer> read(bool head = false) {
    http_answer answer;
    std::string line;
    if (!next_line(line) || line.size() < 12) return {};
    answer.status = std::stoi(line.substr(9, 3));
    while (next_line(line) && !line.empty()) {
      const auto colon = line.find(':');
      answer.headers[line.substr(0, colon)] = line.substr(line.find_first_not_of(' ', colon + 1));
    }
    if (!stream_) return {};
    if (head || answer.status == 100 || answer.status == 101) return answer;
    if (answer.headers.contains("Transfer-Encoding")) return read_chunks(std::move(answer));
    if (!answer.headers.contains("Content-Length")) {
      answer.body.assign(std::istreambuf_iterator<char>(stream_), {});
      return answer;
    }
    answer.body.resize(std::stoul(answer.headers.at("Content-Length")));
    stream_.read(answer.body.data(), static_cast<std::streamsize>(answer.body.size()));
    return stream_ ? std::optional(answer) : std::nullopt;
  }

  // True if the server closed: nothing more comes.
  bool closed() {
    return stream_.peek() == std::char_traits<char>::eof() &&
           stream_.error() != boost::asio::error::timed_out;
  }
  std::iostream& raw() { return stream_; }

 private:
  bool next_line(std::string& line) {
    if (!std::getline(stream_, line) || line.empty() || line.back() != '\r') return false;
    line.pop_back();
    return true;
  }
  std::optional<http_answer> read_chunks(http_answer answer) {
    std::string line;
    while (next_line(line)) {
      const auto size = std::stoul(line, nullptr, 16);
      std::string chunk(size, '\0');
      stream_.read(chunk.data(), static_cast<std::streamsize>(size));
      if (!next_line(line) || !line.empty()) return {};
      if (size == 0) return answer;
      answer.body += chunk;
    }
    return {};
  }
  boost::asio::ip::tcp::iostream stream_;
};

}  // namespace berth::testing
