#include "gateway/ws/ws_channel.hpp"

#include "gateway/render/json_of.hpp"
#include "gateway/ws/frame_fields.hpp"

namespace berth::gateway {
namespace {

wire::pairs details_of(const rejection& why) {
  if (why.field.empty()) return {};
  return {{"field", why.field}};
}

}  // namespace

wire::error error_frame(const rejection& why) {
  return {name_of(why.code), utf8_of(why.message), details_of(why), {}};
}

wire::closed closed_frame(const rejection& why) {
  return {name_of(why.code), utf8_of(why.message), details_of(why)};
}

wire::error not_for_this_channel(const wire::payload& what) {
  return {"unsupported",
          std::string("a frame of kind ") + std::string(wire::frame_names[what.index()]) +
              " has no meaning here",
          {},
          {}};
}

}  // namespace berth::gateway
