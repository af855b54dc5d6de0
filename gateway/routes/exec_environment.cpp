// POST /api/v1/environments/{environment}/exec
#include "gateway/render/json_of.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/support.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::size_t arguments_max = 1024;
constexpr std::size_t env_entries_max = 256;
constexpr std::size_t path_bytes_max = 4096;
constexpr std::size_t encoding_bytes_max = 16;

struct asked_exec {
  environment::exec command;
  bool as_base64{};
};

asked_exec read_exec(body_fields& fields) {
  asked_exec read;
  read.command.command =
      fields.texts("command", need::required, arguments_max, environment::exec_command_bytes_max);
  if (!fields.problem() && read.command.command.front().empty())
    fields.refuse("command", "must begin with a program");
  read.command.env = fields.text_map("env", env_entries_max, environment::exec_command_bytes_max);
  read.command.stdin_bytes = fields.bytes("stdin", environment::exec_stdin_bytes_max);
  read.command.working_directory = fields.text("working_directory", need::optional, path_bytes_max);
  if (const auto ms =
          fields.number("timeout_ms", need::optional, {1, environment::exec_timeout_ms_max}))
    read.command.timeout_ms = static_cast<std::uint32_t>(*ms);
  const auto encoding = fields.text("encoding", need::optional, encoding_bytes_max);
  if (!encoding.empty() && encoding != "text" && encoding != "base64")
    fields.refuse("encoding", "must be text or base64");
  read.as_base64 = encoding == "base64";
  return read;
}

}  // namespace

void exec_environment(const api& with, request asked, respond done) {
  auto fields = fields_or_refuse(asked, done);
  if (!fields) return;
  auto read = read_exec(*fields);
  if (fields->problem()) return refuse(asked, done, *fields->problem());
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  // A retry names the same exec and the same effect, so it can be told apart from a second one.
  read.command.id = {derived_id("exec", asked.by->account.value, meta->id)};
  read.command.effect = uuid::derived("exec", asked.by->account.value, meta->id.text());
  with_environment(with, asked, done, [&with, asked, done, read, meta = *meta](environment_id id) {
    with.given.kernel.exec(id, read.command, meta,
                           [asked, done, as_base64 = read.as_base64](auto finished) {
                             if (!finished) return refuse(asked, done, finished.error());
                             auto given = json_response(200, json_of(finished->result, as_base64));
                             if (finished->at.offset > 0)
                               given.headers["Berth-Position"] = position_text(finished->at);
                             if (finished->replayed) given.headers["Idempotency-Replayed"] = "true";
                             done(std::move(given));
                           });
  });
}

}  // namespace berth::gateway::routes
