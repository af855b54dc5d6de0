// Lists: ?limit= and ?page_token=, answered {"items": […], "next_token": "…"} (no next_token: the
// end), from views that have folded what the asker has seen.
#pragma once

#include <boost/json.hpp>

#include "gateway/routes/support.hpp"
#include "projections/queries.hpp"

namespace berth::gateway {

struct page_choice {
  std::string after;
  std::size_t limit{};
};
page_choice read_page(query_fields& query);

template <class Item, class Render>
response page_response(const queries::page<Item>& page, Render render) {
  boost::json::array items;
  for (const auto& item : page.items) items.push_back(render(item));
  boost::json::object body{{"items", std::move(items)}};
  if (!page.next.empty()) body.emplace("next_token", page.next);
  return json_response(200, std::move(body));
}

// `make` reads the views; it runs where blocking is allowed, once they are ready.
void answer_from_views(const api& with, const request& asked, const respond& done,
                       std::function<response()> make);

// ?account=all, for administrators: forbidden otherwise. False after having answered.
bool wants_all_or_refuse(const request& asked, query_fields& query, bool& all, const respond& done);

}  // namespace berth::gateway
