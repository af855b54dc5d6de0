// POST /api/v1/environments/{environment}/terminals; GET, DELETE /api/v1/terminals/{terminal} and
// POST …/resize
#include <fmt/format.h>

#include "events/core/partition.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/support.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::size_t arguments_max = 1024;
constexpr std::size_t command_bytes_max = 64 * 1024;
constexpr std::size_t path_bytes_max = 4096;
constexpr std::size_t mode_bytes_max = 16;
constexpr std::uint64_t tail_bytes_max = 1ULL << 40;

response terminal_response(int status, const terminal_id& id,
                           const answer<terminal::aggregate>& now) {
  const auto message = fmt::format("terminal is {}", terminal::name_of(now.state->status));
  auto given = json_response(
      status, {{"terminal", json_of(id, *now.state, now.version)}, {"message", message}});
  stamp(given, now);
  return given;
}

answer_completion<terminal::aggregate> answering_terminal(const request& asked, const respond& done,
                                                          int status, const terminal_id& id) {
  return [asked, done, status, id](auto now) {
    if (!now) return refuse(asked, done, now.error());
    done(terminal_response(status, id, *now));
  };
}

void read_size(body_fields& fields, need is, std::uint16_t& cols, std::uint16_t& rows) {
  if (const auto value = fields.number("cols", is, {1, terminal::cells_max}))
    cols = static_cast<std::uint16_t>(*value);
  if (const auto value = fields.number("rows", is, {1, terminal::cells_max}))
    rows = static_cast<std::uint16_t>(*value);
}

terminal::journal_mode read_mode(body_fields& fields) {
  const auto mode = fields.text("journal", need::optional, mode_bytes_max);
  if (mode == "tail") return terminal::journal_mode::tail;
  if (mode == "none") return terminal::journal_mode::none;
  if (!mode.empty() && mode != "full") fields.refuse("journal", "must be full, tail or none");
  return terminal::journal_mode::full;
}

terminal::open read_open(body_fields& fields) {
  terminal::open command;
  read_size(fields, need::optional, command.cols, command.rows);
  command.command = fields.texts("command", need::optional, arguments_max, command_bytes_max);
  command.working_directory = fields.text("working_directory", need::optional, path_bytes_max);
  command.journal = read_mode(fields);
  const bool tail = command.journal == terminal::journal_mode::tail;
  const auto bytes = fields.number("journal_tail_bytes", tail ? need::required : need::optional,
                                   {1, tail_bytes_max});
  if (tail) command.journal_tail_bytes = bytes.value_or(0);
  return command;
}

// A terminal's stream is at home where its environment's is.
terminal_id terminal_id_beside(const api& with, const environment_id& in, const account_id& account,
                               const command_id& command) {
  const auto partitions = with.given.journal.partitions();
  const auto home = home_of({aggregate_kind::environment, in.value}, partitions);
  return {
      derived_id_at(home, partitions, aggregate_kind::terminal, "term", account.value, command)};
}

}  // namespace

void open_terminal(const api& with, request asked, respond done) {
  auto fields = fields_or_refuse(asked, done);
  if (!fields) return;
  auto command = read_open(*fields);
  if (fields->problem()) return refuse(asked, done, *fields->problem());
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  command.account = asked.by->account;
  with_environment(
      with, asked, done, [&with, asked, done, command, meta = *meta](environment_id in) mutable {
        command.environment = in;
        const auto id = terminal_id_beside(with, in, asked.by->account, meta.id);
        with.given.kernel.read(
            in, *asked.by, [&with, asked, done, command, meta, id](auto environment) {
              if (!environment) return refuse(asked, done, environment.error());
              const auto open = [&with, asked, done, command, meta, id] {
                with.given.kernel.ask(id, command, meta, answering_terminal(asked, done, 201, id));
              };
              if (environment->state->status == environment::status::running) return open();
              // A retry gets its recorded answer whatever became of the environment since.
              const auto now = std::string(environment::name_of(environment->state->status));
              with.given.kernel.read(id, *asked.by, [asked, done, open, now](auto earlier) {
                if (earlier) return open();
                refuse(asked, done,
                       reject(rejection_code::wrong_state,
                              "the environment is " + now + ", not RUNNING; start it first"));
              });
            });
      });
}

void show_terminal(const api& with, request asked, respond done) {
  if (!id_or_refuse(asked, "terminal", "term", done)) return;
  const terminal_id id{asked.parameters.at("terminal")};
  with.given.kernel.read(id, *asked.by, answering_terminal(asked, done, 200, id));
}

// ?recording=delete forgets the output too; legal once the terminal ended.
void close_terminal(const api& with, request asked, respond done) {
  if (!id_or_refuse(asked, "terminal", "term", done)) return;
  query_fields query(asked);
  const auto recording = query.text("recording", mode_bytes_max);
  if (!recording.empty() && recording != "keep" && recording != "delete")
    query.refuse("recording", "must be keep or delete");
  if (query.problem()) return refuse(asked, done, *query.problem());
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  const terminal_id id{asked.parameters.at("terminal")};
  terminal::command command = terminal::close{};
  if (recording == "delete") command = terminal::remove{};
  with.given.kernel.ask(id, command, *meta, answering_terminal(asked, done, 200, id));
}

void resize_terminal(const api& with, request asked, respond done) {
  if (!id_or_refuse(asked, "terminal", "term", done)) return;
  auto fields = fields_or_refuse(asked, done);
  if (!fields) return;
  const terminal_id id{asked.parameters.at("terminal")};
  terminal::resize command;
  read_size(*fields, need::required, command.cols, command.rows);
  if (fields->problem()) return refuse(asked, done, *fields->problem());
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  // No offset: it would make a retry another command. Recordings place the change by its time.
  with.given.kernel.ask(id, command, *meta, answering_terminal(asked, done, 200, id));
}

}  // namespace berth::gateway::routes
