// Between Beast's messages and ours.
#pragma once

#include <string>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/result.hpp>

#include "gateway/http_message.hpp"

namespace berth::gateway {

using http_request = boost::beast::http::request<boost::beast::http::string_body>;

struct not_a_request {
  std::string why;
};
[[noreturn]] void throw_exception_from_error(const not_a_request& error,
                                             const boost::source_location& where);

std::string fresh_request_id();
// X-Request-Id: a UUID as it is, other text hashed into one; fresh if absent.
std::string request_id_of(const http_request& head);

// Header names in lower case, repeated headers joined by ", " (cookies by "; "). Errors say what is
// wrong with the request: its target, more than one Host or Authorization, no Host in HTTP/1.1.
boost::system::result<request, not_a_request> to_request(http_request message, std::string remote,
                                                         std::string request_id);

// Status line and headers of an answer, with the empty line. Without `chunked` the body's size is
// told, unless the body is streamed (HTTP/1.0) or the status has none.
struct framing {
  unsigned version{11};
  bool keep_alive{};
  bool chunked{};
};
std::string header_text(const response& given, const framing& how);
std::string chunk_header(std::size_t bytes);  // 0: the last one

}  // namespace berth::gateway
