// GET /api/v1/environments/{environment}
#include "gateway/render/json_of.hpp"
#include "gateway/routes/environment_answer.hpp"
#include "gateway/routes/routes.hpp"

namespace berth::gateway::routes {

void show_environment(const api& with, request asked, respond done) {
  with_environment(with, asked, done, [&with, asked, done](environment_id id) {
    with.given.kernel.read(id, *asked.by, [id, asked, done](auto read) {
      if (!read) return refuse(asked, done, read.error());
      done(environment_response(200, id, *read, sentence_of(*read->state)));
    });
  });
}

}  // namespace berth::gateway::routes
