#include "gateway/routes/page_answer.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

namespace berth::gateway {
namespace {
constexpr std::size_t account_bytes_max = 64;
constexpr std::chrono::milliseconds off_the_kernel{0};
}  // namespace

page_choice read_page(query_fields& query) {
  page_choice choice;
  choice.after = query.text("page_token", cursor_bytes_max);
  const auto visible = [](char c) { return c > ' ' && c <= '~'; };
  if (!std::all_of(choice.after.begin(), choice.after.end(), visible))
    query.refuse("page_token", "must be a next_token this server gave");
  choice.limit = query.number_or("limit", {1, page_limit_max}, page_limit_default);
  return choice;
}

void answer_from_views(const api& with, const request& asked, const respond& done,
                       std::function<response()> make) {
  when_views_ready(with, asked, done, [&with, done, id = asked.request_id, make = std::move(make)] {
    with.timers(off_the_kernel, [done, id, make] {
      try {
        done(make());
      } catch (const std::exception& thrown) {
        spdlog::error("request {} ended by an exception: {}", id, thrown.what());
        done(problem_response(kind_named("internal"), "the server failed on this request", id));
      }
    });
  });
}

bool wants_all_or_refuse(const request& asked, query_fields& query, bool& all,
                         const respond& done) {
  const auto account = query.text("account", account_bytes_max);
  if (!account.empty() && account != "all" && account != "me")
    query.refuse("account", "must be me or all");
  if (query.problem()) return refuse(asked, done, *query.problem()), false;
  all = account == "all";
  if (!all || asked.is_admin) return true;
  refuse(
      asked, done,
      reject(rejection_code::forbidden, "only administrators may ask for all accounts", "account"));
  return false;
}

}  // namespace berth::gateway
