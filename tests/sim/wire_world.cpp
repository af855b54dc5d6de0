#include "tests/sim/wire_world.hpp"

#include "gateway/auth/api_token.hpp"
#include "gateway/ws/frame_fields.hpp"
#include "tests/sim/wire_gateway.hpp"

namespace berth::sim {

namespace {

constexpr std::size_t commits_a_read = 500;

template <class A, class First>
account_id account_of_first(const commit& happened) {
  const auto first = A::decode(happened.body.events.front());
  if (!first) return {};
  const auto* event = std::get_if<First>(&*first);
  return event ? event->account : account_id{};
}

}  // namespace

std::string_view name_of(const wire::payload& what) {
  return wire::frame_names[what.index()];
}

void wire_world::make_account(const std::string& name) {
  wire_account made;
  made.id = gateway::account_id_of(name);
  const auto token = gateway::make_api_token(
      wire_server_key, made.id, gateway::token_id_of(made.id, uuid::derived("wire", name)));
  made.token = token.text;
  (void)server.call<account::aggregate>(made.id, account::create{name, account::role::member},
                                        server.meta_for(made.id));
  const auto issued = server.call<account::aggregate>(
      made.id, account::issue_token{token.token, "wire", token.hash, {}}, server.meta_for(made.id));
  if (!issued) return fail("account " + name + " got no token: " + issued.error().message);
  accounts.push_back(std::move(made));
}

account_id wire_world::owner_of(const commit& happened) {
  const auto& stream = happened.body.stream;
  if (stream.kind == aggregate_kind::account) return {stream.key};
  if (stream.kind == aggregate_kind::host) return {};
  auto& owner = owners_[stream.text()];
  if (happened.body.first.value > 1) return owner;
  switch (stream.kind) {
    case aggregate_kind::environment:
      return owner = account_of_first<environment::aggregate, environment::created>(happened);
    case aggregate_kind::terminal:
      return owner = account_of_first<terminal::aggregate, terminal::opened>(happened);
    default:
      return owner = account_of_first<session::aggregate, session::opened>(happened);
  }
}

bool wire_world::read_journal() {
  while (server.journal.head().offset >= next_offset_) {
    const auto some = server.journal.read({0, next_offset_}, commits_a_read);
    if (!some || some->empty()) return false;
    for (const auto& each : *some) {
      next_offset_ = each.at().offset + 1;
      if (each.body.events.empty()) continue;
      const auto owner = owner_of(each);
      for (auto& account : accounts) {
        if (account.id != owner) continue;
        auto version = each.body.first.value;
        for (std::size_t i = 0; i < each.body.events.size(); ++i)
          account.facts.push_back({each.at(), each.body.stream.text(), version++});
      }
    }
  }
  return true;
}

// Lines that compress, with a few bytes that do not.
void wire_world::print(wire_terminal& on, std::size_t bytes) {
  if (!server.host.terminal_alive(on.id)) return;
  std::string text;
  text.reserve(bytes + 64);
  while (text.size() < bytes) {
    auto noise = server.random();
    text += "\x1b[32mmake\x1b[0m: step " + std::to_string(on.printed.size() + text.size()) + ' ';
    for (; noise > 255; noise >>= 16) text += static_cast<char>(noise);
    text += "\r\n";
  }
  text.resize(bytes);
  on.printed += text;
  server.host.feed(on.id, text);
}

wire_terminal* wire_world::terminal_of(const std::string& id) {
  for (auto& each : terminals)
    if (each.id.value == id) return &each;
  return nullptr;
}

// Typists write `<name>:<number>;`, numbers from 1.
void wire_world::check_typed(wire_terminal& on) {
  if (!server.host.has_terminal(on.id)) return;
  const auto typed = server.host.typed(on.id);
  while (on.typed_seen < typed.size()) {
    const auto colon = typed.find(':', on.typed_seen), end = typed.find(';', on.typed_seen);
    if (colon == std::string::npos || end == std::string::npos || end < colon)
      return fail("terminal " + on.id.value + " was given a part of an input frame");
    const auto name = typed.substr(on.typed_seen, colon - on.typed_seen);
    const auto number = std::stoull(typed.substr(colon + 1, end - colon - 1));
    auto& last = on.typed_last[name];
    ++stats.checks;
    if (number != last + 1)
      return fail("terminal " + on.id.value + ": input " + std::to_string(number) + " of typist " +
                  name + " was applied after " + std::to_string(last));
    last = number;
    on.typed_seen = end + 1;
  }
}

}  // namespace berth::sim
