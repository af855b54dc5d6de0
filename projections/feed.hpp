// What happened in an account, in journal order. Rows:
//   account/<account>/<position>    stream; the events are read from the journal, which has them
//                                   anyway
//   owner/<stream>                  owners.hpp
#pragma once

#include <memory>

#include "projections/projection.hpp"

namespace berth {

inline constexpr std::string_view feed_name = "feed";
std::unique_ptr<projection> make_feed();

}  // namespace berth
