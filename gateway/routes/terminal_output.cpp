// GET /api/v1/terminals/{terminal}/output?from=&limit= and
// …/recording?format=asciicast-v2|asciicast-v3
#include <fmt/format.h>

#include "gateway/recording/recording.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/support.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::uint64_t output_bytes_max = 4 * 1024 * 1024;
constexpr std::uint64_t output_bytes_default = 1024 * 1024;
constexpr std::size_t format_bytes_max = 32;
constexpr std::chrono::milliseconds off_the_kernel{
    0};  // bulk reads block, completions of the kernel must not

problem_detail number(std::string name, std::uint64_t value) {
  return {std::move(name), std::to_string(value), true};
}

response output_response(output_reader& bulk, const terminal_id& id, const terminal::state& now,
                         std::uint64_t from, std::uint64_t limit, const std::string& request_id) {
  const auto found = bulk.find_extent(id);
  if (!found) return problem_response(found.error(), request_id);
  const auto& extent = *found;
  const auto end = now.end ? std::max(now.end->final_offset, extent.next) : extent.next;
  if (from < extent.first)
    return problem_response(
        kind_named("expired"),
        fmt::format("output before offset {} is outside retention", extent.first), request_id,
        {number("first_offset", extent.first)});
  if (from > end)
    return problem_response(
        kind_named("truncated"),
        fmt::format("the output {} at offset {}", now.end ? "ended" : "is", end), request_id,
        {number("final_offset", end)});
  response given;
  given.content_type = "application/octet-stream";
  if (from < extent.next) {
    auto bytes = bulk.read(id, from, limit);
    if (!bytes) return problem_response(bytes.error(), request_id);
    given.body = std::move(*bytes);
  }
  given.headers["Berth-Offset"] = std::to_string(from);
  given.headers["Berth-Next-Offset"] = std::to_string(from + given.body.size());
  given.headers["Berth-First-Offset"] = std::to_string(extent.first);
  given.headers["Berth-Durable-Offset"] = std::to_string(extent.durable);
  if (now.end) given.headers["Berth-Final-Offset"] = std::to_string(now.end->final_offset);
  return given;
}

// Reads the terminal's state, which checks the tenant, and goes on where blocking is allowed.
void with_terminal(const api& with, const request& asked, const respond& done,
                   std::function<response(const terminal_id&, const terminal::state&)> make) {
  if (!id_or_refuse(asked, "terminal", "term", done)) return;
  const terminal_id id{asked.parameters.at("terminal")};
  with.given.kernel.read(
      id, *asked.by, [&with, asked, done, id, make = std::move(make)](auto read) {
        if (!read) return refuse(asked, done, read.error());
        if (read->state->status == terminal::status::removed)
          return refuse(asked, done,
                        reject(rejection_code::not_found, "the recording was deleted", "terminal"));
        with.timers(off_the_kernel,
                    [done, id, make, state = read->state] { done(make(id, *state)); });
      });
}

}  // namespace

void read_terminal_output(const api& with, request asked, respond done) {
  query_fields query(asked);
  const auto from = query.number_or("from", {}, 0);
  const auto limit = query.number_or("limit", {1, output_bytes_max}, output_bytes_default);
  if (query.problem()) return refuse(asked, done, *query.problem());
  with_terminal(
      with, asked, done,
      [&with, from, limit, request_id = asked.request_id](const auto& id, const auto& now) {
        return output_response(with.given.bulk, id, now, from, limit, request_id);
      });
}

void export_recording(const api& with, request asked, respond done) {
  query_fields query(asked);
  const auto name = query.text("format", format_bytes_max);
  const auto format = name == "asciicast-v3" ? asciicast_format::v3 : asciicast_format::v2;
  if (!name.empty() && name != "asciicast-v2" && name != "asciicast-v3")
    query.refuse("format", "must be asciicast-v2 or asciicast-v3");
  if (query.problem()) return refuse(asked, done, *query.problem());
  with_terminal(with, asked, done,
                [&with, format, request_id = asked.request_id](const auto& id, const auto&) {
                  auto story = read_story(with.given.journal, id);
                  if (!story) return problem_response(story.error(), request_id);
                  response given;
                  given.content_type = "application/x-asciicast";
                  given.headers["Content-Disposition"] =
                      fmt::format("attachment; filename=\"{}.cast\"", id.value);
                  auto stream = record(std::move(*story), with.given.bulk, format);
                  if (!stream) return problem_response(stream.error(), request_id);
                  given.stream = std::move(*stream);
                  return given;
                });
}

}  // namespace berth::gateway::routes
