// Questions the catalog answers.
#include "projections/catalog.hpp"
#include "projections/keys.hpp"
#include "projections/paging.hpp"
#include "projections/queries.hpp"
#include "projections/state_rows.hpp"

namespace berth::queries {
namespace {

stream_version version_of(const view& catalog, aggregate_kind kind, const std::string& id) {
  const auto row = catalog.get(keys::join("version", stream_id{kind, id}.text()));
  return {row ? std::stoull(*row) : 0};
}

// A catalog row by id; nothing if there is none.
template <class Row, class A>
std::optional<Row> row_of(const view& catalog, const std::string& id) {
  const auto key = keys::join(name_of(A::kind), id);
  const auto row = catalog.get(key);
  if (!row) return std::nullopt;
  auto state = A::decode_state(*row);
  if (!state) return std::nullopt;
  return Row{{id}, version_of(catalog, A::kind, id), std::move(*state)};
}

std::optional<environment_row> environment_of(const view& catalog, const view& activity,
                                              const std::string& id) {
  auto row = row_of<environment_row, environment::aggregate>(catalog, id);
  if (!row) return row;
  const auto used = activity.get(keys::join("environment", id));
  const auto last = used ? decode_activity(*used) : std::nullopt;
  if (last) row->state.last_activity = std::max(row->state.last_activity, last->at);
  return row;
}

// The newest that has the name: its predecessor's end may be folded later than its own beginning.
std::optional<environment_row> named_environment(const view& catalog, const view& activity,
                                                 const account_id& account,
                                                 const std::string& name) {
  constexpr std::size_t namesakes_max = 100;
  std::optional<environment_row> newest;
  const auto prefix = keys::below("environment-name", account.value, name);
  for (const auto& [key, present] : catalog.scan(prefix, "", namesakes_max)) {
    auto row = environment_of(catalog, activity, key.substr(prefix.size()));
    if (row && (!newest || newest->state.created_at < row->state.created_at))
      newest = std::move(row);
  }
  return newest;
}

}  // namespace

page<environment_row> list_environments(const view_store& views, const account_id& account,
                                        std::optional<environment::status> only,
                                        const std::string& after, std::size_t limit) {
  const auto catalog = live(views, catalog_name);
  const auto activity = live(views, activity_name);
  const bool gone = only == environment::status::deleted;
  const auto prefix = keys::below(gone ? "deleted" : "environments", account.value);
  return page_of<environment_row>(
      *catalog, prefix, after, limit,
      [&](const std::string& id, const std::string&) -> std::optional<environment_row> {
        auto row = environment_of(*catalog, *activity, id);
        if (row && only && row->state.status != *only) return std::nullopt;
        return row;
      });
}

page<environment_row> list_environments_of_all(const view_store& views, const std::string& after,
                                               std::size_t limit) {
  const auto catalog = live(views, catalog_name);
  const auto activity = live(views, activity_name);
  return page_of<environment_row>(
      *catalog, "environment/", after, limit,
      [&](const std::string& id, const std::string&) -> std::optional<environment_row> {
        auto row = environment_of(*catalog, *activity, id);
        if (row && row->state.status == environment::status::deleted) return std::nullopt;
        return row;
      });
}

std::optional<environment_row> find_environment(const view_store& views, const account_id& account,
                                                const std::string& id_or_name) {
  const auto catalog = live(views, catalog_name);
  const auto activity = live(views, activity_name);
  // Ids hold a '_', names cannot.
  if (id_or_name.find('_') == std::string::npos)
    return named_environment(*catalog, *activity, account, id_or_name);
  auto row = environment_of(*catalog, *activity, id_or_name);
  if (!row || row->state.account != account) return std::nullopt;
  return row;
}

page<terminal_row> list_terminals(const view_store& views, const account_id& account,
                                  const std::optional<environment_id>& environment,
                                  const std::string& after, std::size_t limit) {
  const auto catalog = live(views, catalog_name);
  const auto prefix = environment ? keys::below("terminals", environment->value)
                                  : keys::below("account-terminals", account.value);
  return page_of<terminal_row>(
      *catalog, prefix, after, limit,
      [&](const std::string& id, const std::string&) -> std::optional<terminal_row> {
        auto row = row_of<terminal_row, terminal::aggregate>(*catalog, id);
        if (!row || row->state.account != account) return std::nullopt;
        return row;
      });
}

std::optional<terminal_row> find_terminal(const view_store& views, const account_id& account,
                                          const terminal_id& id) {
  auto row = row_of<terminal_row, terminal::aggregate>(*live(views, catalog_name), id.value);
  if (!row || row->state.account != account || row->state.status == terminal::status::removed)
    return std::nullopt;
  return row;
}

page<session_row> list_sessions(const view_store& views, const account_id& account,
                                const std::string& after, std::size_t limit) {
  const auto catalog = live(views, catalog_name);
  return page_of<session_row>(*catalog, keys::below("sessions", account.value), after, limit,
                              [&](const std::string& id, const std::string&) {
                                return row_of<session_row, session::aggregate>(*catalog, id);
                              });
}

namespace {

std::optional<token_row> token_of(const account_id& account, const std::string& id,
                                  const std::string& row) {
  const auto state = account::aggregate::decode_state(row);
  if (!state) return std::nullopt;
  const auto token = state->tokens.find(token_id{id});
  if (token == state->tokens.end()) return std::nullopt;
  return token_row{{id}, account, token->second};
}

}  // namespace

page<token_row> list_tokens(const view_store& views, const account_id& account,
                            const std::string& after, std::size_t limit) {
  const auto catalog = live(views, catalog_name);
  return page_of<token_row>(
      *catalog, keys::below("token", account.value), after, limit,
      [&](const std::string& id, const std::string& row) { return token_of(account, id, row); });
}

std::optional<token_row> find_token(const view_store& views, const token_id& id) {
  const auto catalog = live(views, catalog_name);
  const auto account = catalog->get(keys::join("token-account", id.value));
  if (!account) return std::nullopt;
  const auto row = catalog->get(keys::join("token", *account, id.value));
  return row ? token_of({*account}, id.value, *row) : std::nullopt;
}

page<account_row> list_accounts_of_all(const view_store& views, const std::string& after,
                                       std::size_t limit) {
  const auto catalog = live(views, catalog_name);
  return page_of<account_row>(*catalog, "account/", after, limit,
                              [&](const std::string& id, const std::string&) {
                                return row_of<account_row, account::aggregate>(*catalog, id);
                              });
}

std::optional<account_row> find_account(const view_store& views, const std::string& id_or_name) {
  const auto catalog = live(views, catalog_name);
  auto id = id_or_name;
  if (id.find('_') == std::string::npos) {
    const auto named = catalog->get(keys::join("account-name", id_or_name));
    if (!named) return std::nullopt;
    id = *named;
  }
  return row_of<account_row, account::aggregate>(*catalog, id);
}

}  // namespace berth::queries
