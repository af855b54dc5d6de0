// GET of environments, terminals, sessions and accounts.
#include "gateway/render/json_of.hpp"
#include "gateway/routes/page_answer.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/status_name.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::size_t status_bytes_max = 16;

template <class Row>
boost::json::object render_row(const Row& row) {
  return json_of(row.id, row.state, row.version);
}

void answer_terminals(const api& with, const request& asked, const respond& done,
                      std::optional<environment_id> in) {
  query_fields query(asked);
  const auto page = read_page(query);
  if (query.problem()) return refuse(asked, done, *query.problem());
  answer_from_views(
      with, asked, done, [&with, account = asked.by->account, in = std::move(in), page] {
        return page_response(
            queries::list_terminals(with.given.views, account, in, page.after, page.limit),
            render_row<queries::terminal_row>);
      });
}

}  // namespace

void list_environments(const api& with, request asked, respond done) {
  query_fields query(asked);
  const auto page = read_page(query);
  const auto name = query.text("status", status_bytes_max);
  const auto status = status_named(name);
  if (!name.empty() && !status)
    query.refuse("status", "must be a status such as RUNNING or STOPPED");
  if (query.problem()) return refuse(asked, done, *query.problem());
  answer_from_views(with, asked, done, [&with, account = asked.by->account, status, page] {
    return page_response(
        queries::list_environments(with.given.views, account, status, page.after, page.limit),
        render_row<queries::environment_row>);
  });
}

void list_terminals(const api& with, request asked, respond done) {
  answer_terminals(with, asked, done, {});
}

void list_environment_terminals(const api& with, request asked, respond done) {
  with_environment(with, asked, done, [&with, asked, done](environment_id id) {
    with.given.kernel.read(id, *asked.by, [&with, asked, done, id](auto read) {
      if (!read) return refuse(asked, done, read.error());
      answer_terminals(with, asked, done, id);
    });
  });
}

void list_sessions(const api& with, request asked, respond done) {
  query_fields query(asked);
  const auto page = read_page(query);
  if (query.problem()) return refuse(asked, done, *query.problem());
  answer_from_views(with, asked, done, [&with, account = asked.by->account, page] {
    return page_response(queries::list_sessions(with.given.views, account, page.after, page.limit),
                         render_row<queries::session_row>);
  });
}

void list_accounts(const api& with, request asked, respond done) {
  query_fields query(asked);
  const auto page = read_page(query);
  if (query.problem()) return refuse(asked, done, *query.problem());
  answer_from_views(with, asked, done, [&with, page] {
    return page_response(queries::list_accounts_of_all(with.given.views, page.after, page.limit),
                         [](const auto& row) {
                           auto shown = render_row(row);
                           shown.erase("environments");  // The catalog does not count them.
                           return shown;
                         });
  });
}

}  // namespace berth::gateway::routes
