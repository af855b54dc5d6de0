#include "gateway/routes/status_name.hpp"

#include <array>

namespace berth::gateway {

std::optional<environment::status> status_named(std::string_view name) {
  using environment::status;
  static constexpr std::array all{status::creating, status::starting, status::running,
                                  status::stopping, status::stopped,  status::error,
                                  status::deleting, status::deleted};
  for (const auto one : all)
    if (environment::name_of(one) == name) return one;
  return {};
}

}  // namespace berth::gateway
