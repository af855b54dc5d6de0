// What the gateway may ask of the views. Read only; any thread; no answer is newer than the views'
// checkpoints.
//
// Lists are pages: at most `limit` (1 to page_items_max) items after the cursor `after` (empty =
// from the start), and the cursor of the next page (empty = the end). Cursors are opaque to
// clients. A question about one account never shows another's things; the `…_of_all` variants are
// for administrators.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "events/account/aggregate.hpp"
#include "events/core/journal.hpp"
#include "events/core/journal_cursor.hpp"
#include "events/environment/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "events/terminal/aggregate.hpp"
#include "projections/activity.hpp"
#include "projections/audit.hpp"
#include "projections/billing.hpp"
#include "projections/usage.hpp"
#include "projections/view_store.hpp"

namespace berth::queries {

inline constexpr std::size_t page_items_max = 1000;

template <class Item>
struct page {
  std::vector<Item> items;
  std::string next;
};

// Catalog. States lack what the catalog leaves out (catalog.hpp): pending execs; tokens and
// environments of accounts.
struct environment_row {
  environment_id id;
  stream_version version;
  environment::state state;  // last_activity included
};
struct terminal_row {
  terminal_id id;
  stream_version version;
  terminal::state state;
};
struct session_row {
  session_id id;
  stream_version version;
  session::state state;
};
struct account_row {
  account_id id;
  stream_version version;
  account::state state;
};
struct token_row {
  token_id id;
  account_id account;
  account::token token;
};

// Without a status: all that are not DELETED.
page<environment_row> list_environments(const view_store& views, const account_id& account,
                                        std::optional<environment::status> only,
                                        const std::string& after, std::size_t limit);
page<environment_row> list_environments_of_all(const view_store& views, const std::string& after,
                                               std::size_t limit);
// By id (DELETED ones too) or by name.
std::optional<environment_row> find_environment(const view_store& views, const account_id& account,
                                                const std::string& id_or_name);
// Without an environment: all of the account. Removed ones are gone.
page<terminal_row> list_terminals(const view_store& views, const account_id& account,
                                  const std::optional<environment_id>& environment,
                                  const std::string& after, std::size_t limit);
std::optional<terminal_row> find_terminal(const view_store& views, const account_id& account,
                                          const terminal_id& id);
page<session_row> list_sessions(const view_store& views, const account_id& account,
                                const std::string& after,
                                std::size_t limit);  // open ones
page<token_row> list_tokens(const view_store& views, const account_id& account,
                            const std::string& after,
                            std::size_t limit);  // revoked ones too
std::optional<token_row> find_token(const view_store& views, const token_id& id);
page<account_row> list_accounts_of_all(const view_store& views, const std::string& after,
                                       std::size_t limit);
std::optional<account_row> find_account(const view_store& views, const std::string& id_or_name);

// Usage within [from, to), open intervals counted up to `now`.
struct environment_usage {
  environment_id id;
  std::string name;
  std::string instance_type;
  std::map<environment::status, microseconds> by_status;
  std::int64_t amount_micro_usd{};  // of RUNNING: the sum of its intervals' rounded amounts
  std::uint64_t execs{};            // asked in hours (UTC) that began within the period
  std::uint64_t terminals{};        // opened, likewise
};
struct usage_report {
  timestamp from;
  timestamp to;
  std::vector<environment_usage> environments;  // by id
  std::map<std::string, std::map<environment::status, microseconds>> by_instance_type;
  std::int64_t amount_micro_usd{};
  bool overflowed{};  // an amount does not fit and is left out
};
usage_report usage(const view_store& views, const account_id& account, timestamp from, timestamp to,
                   timestamp now);

// Bill lines by end. `accruing` are RUNNING intervals that have not ended, as they would read if
// they ended `now`.
page<bill_line> list_bill_lines(const view_store& views, const account_id& account,
                                const std::string& after, std::size_t limit);
std::vector<bill_line> accruing_lines(const view_store& views, const account_id& account,
                                      timestamp now);

// Newest first.
page<audit_row> audit(const view_store& views, const account_id& account, const std::string& after,
                      std::size_t limit);
page<audit_row> audit_of_all(const view_store& views, const std::string& after, std::size_t limit);

// The commits with events of one account's streams behind a cursor, at most `limit`. Those of a
// partition come in their order and none is left out; those of several are merged by commit time,
// as far as they are folded. The cursor behind a commit is the one before it, set to its position.
// An empty answer: none yet.
journal_result<std::vector<commit>> feed(const view_store& views, const journal& from,
                                         const account_id& account, const journal_cursor& after,
                                         std::size_t limit);
// Of all accounts, hosts included; straight from the journal, so never behind it.
journal_result<std::vector<commit>> feed_of_all(const journal& from, const journal_cursor& after,
                                                std::size_t limit);

}  // namespace berth::queries
