// POST /api/v1/environments/{environment}/start, /stop and /activity, DELETE
// /api/v1/environments/{environment}
#include "gateway/routes/environment_answer.hpp"
#include "gateway/routes/routes.hpp"

namespace berth::gateway::routes {
namespace {
using environment::status;
constexpr std::size_t kind_bytes_max = 64;
}  // namespace

void start_environment(const api& with, request asked, respond done) {
  ask_environment(with, std::move(asked), std::move(done), environment::start{}, {status::running});
}

void stop_environment(const api& with, request asked, respond done) {
  ask_environment(with, std::move(asked), std::move(done),
                  environment::stop{environment::stop_reason::asked}, {status::stopped});
}

void delete_environment(const api& with, request asked, respond done) {
  ask_environment(with, std::move(asked), std::move(done), environment::remove{},
                  {status::deleted});
}

void record_activity(const api& with, request asked, respond done) {
  auto fields = fields_or_refuse(asked, done);
  if (!fields) return;
  auto kind = fields->text("kind", need::optional, kind_bytes_max);
  if (fields->problem()) return refuse(asked, done, *fields->problem());
  if (kind.empty()) kind = "api";
  ask_environment(with, std::move(asked), std::move(done),
                  environment::record_activity{std::move(kind)}, {});
}

}  // namespace berth::gateway::routes
