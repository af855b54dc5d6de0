// Overload set for std::visit.
#pragma once

namespace berth {
template <class... Fs>
struct match : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
match(Fs...) -> match<Fs...>;
}  // namespace berth
