// Outcomes and answers as frames' bodies: one byte (1: it went well), then the value or the
// rejection. Included by remote_kernel.cpp and local_calls.cpp, which are each other's ends.
#pragma once

#include "gateway/peer/pack.hpp"
#include "gateway/peer/peer_messages.hpp"

namespace berth::gateway::peer {

inline rejection malformed(const std::string& what) {
  return reject(rejection_code::unavailable, what + " of another node cannot be read");
}

template <class... Ts>
std::string pack_good(const Ts&... values) {
  return packer{}.put(true, values...).take();
}
inline std::string pack_bad(const rejection& why) {
  return packer{}.put(false, why).take();
}

template <class A>
std::string pack_values(const answer<A>& of) {
  return packer{}.put(of.version, of.at, of.replayed, A::encode_state(*of.state)).take();
}
template <class A>
std::string pack_outcome(const outcome<answer<A>>& of) {
  return of ? pack_good() + pack_values(*of) : pack_bad(of.error());
}

// The bytes behind the first, or the rejection.
inline outcome<std::string_view> open_outcome(std::string_view body) {
  bool good = false;
  unpacker in{body};
  if (!in.take(good)) return malformed("an answer");
  if (good) return in.rest();
  rejection why;
  if (!in.take(why) || !in.done()) return malformed("a rejection");
  return why;
}

// A value that is all of a body.
template <class T>
outcome<T> open_value(const outcome<std::string_view>& body, const std::string& what) {
  if (!body) return body.error();
  T value{};
  unpacker in{*body};
  if (!in.take(value) || !in.done()) return malformed(what);
  return value;
}

template <class A>
outcome<answer<A>> open_answer(std::string_view body) {
  answer<A> got;
  std::string state;
  unpacker in{body};
  if (!in.take(got.version, got.at, got.replayed, state) || !in.done())
    return malformed("an answer");
  auto decoded = A::decode_state(state);
  if (!decoded) return malformed("a state");
  got.state = std::make_shared<const typename A::state>(std::move(*decoded));
  return got;
}

}  // namespace berth::gateway::peer
