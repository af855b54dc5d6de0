#include "events/core/aggregate.hpp"

#include <stdexcept>

#include <boost/throw_exception.hpp>

namespace berth {

void throw_exception_from_error(const decode_error& error, const boost::source_location& where) {
  boost::throw_exception(std::logic_error("value() of a decode error: " + error.message), where);
}

}  // namespace berth
