// berth.v1.json: the same frames as JSON objects, one a text message (docs/protocol.md §3). Pure;
// any thread.
#pragma once

#include <vector>

#include <boost/json/value.hpp>
#include <boost/system/result.hpp>

#include "gateway/ws/binary_codec.hpp"

namespace berth::wire {

// The objects of a message: itself, or the elements of its array. Each has a string `kind`.
boost::system::result<std::vector<boost::json::object>, framing_error> split_json(
    std::string_view message);

boost::system::result<frame, frame_problem> parse_json(const boost::json::object& object);

// Members with their default value are left out, except offsets of data frames.
std::string encode_json(const frame& what);

}  // namespace berth::wire
