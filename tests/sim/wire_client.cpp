#include "tests/sim/wire_client.hpp"

#include "gateway/ws/binary_codec.hpp"
#include "gateway/ws/json_codec.hpp"
#include "tests/sim/wire_views.hpp"

namespace berth::sim {

namespace {

constexpr std::uint64_t reconnect_ms_max = 500;
}  // namespace

// What its user does.

void wire_client::look_at(std::unique_ptr<wire_view> what) {
  const auto number = ++next_channel_;
  auto& made = channels_[number];
  made.view = std::move(what);
  std::vector<wire::frame> out;
  if (welcome_) open(number, out);
  say(out);
}

void wire_client::stop_looking() {
  if (channels_.empty() || !welcome_) return;
  auto at =
      std::next(channels_.begin(), static_cast<std::ptrdiff_t>(world_.pick(channels_.size())));
  if (at->second.at != place::open) return;
  at->second.at = place::closing;
  say({{at->first, wire::close{}}});
}

bool wire_client::looks_at_feed() const {
  return std::any_of(channels_.begin(), channels_.end(), [](const auto& each) {
    return dynamic_cast<feed_view*>(each.second.view.get()) != nullptr;
  });
}

wire_terminal* wire_client::looks_at_terminal() const {
  for (const auto& [number, each] : channels_)
    if (auto* view = dynamic_cast<terminal_view*>(each.view.get())) return &view->terminal();
  return nullptr;
}

bool wire_client::drives(const wire_terminal& terminal) const {
  return std::any_of(channels_.begin(), channels_.end(), [&](const auto& each) {
    auto* view = dynamic_cast<terminal_view*>(each.second.view.get());
    return view && view->drives() && &view->terminal() == &terminal;
  });
}

std::shared_ptr<wire_typist> wire_client::typist_for(const wire_terminal& terminal) {
  auto& typist = typists_[terminal.id.value];
  if (!typist) {
    typist = std::make_shared<wire_typist>();
    typist->name = "t" + std::to_string(++world_.typists);
  }
  return typist;
}

bool wire_client::type() {
  bool drives = false;
  for (auto& [number, each] : channels_) {
    auto* view = dynamic_cast<terminal_view*>(each.view.get());
    if (!view || !view->drives() || !view->wanted()) continue;
    drives = true;
    if (world_.pick(2) == 0) continue;
    auto frame = view->type();
    if (session_.empty()) view->typist()->withheld = true;
    if (view->typist()->withheld) continue;
    if (each.at == place::asked || each.at == place::open) say({{number, std::move(frame)}});
  }
  return drives;
}

void wire_client::ask(std::string method, std::string path, std::string body, answered then) {
  const auto id = ++next_request_;
  auto& made = requests_[id];
  made.method = std::move(method);
  made.path = std::move(path);
  made.body = std::move(body);
  made.key = world_.server.fresh_command().text();
  made.then = std::move(then);
  ++world_.stats.requests;
  std::vector<wire::frame> out;
  if (welcome_) send(id, made, out);
  say(out);
}

void wire_client::ask_after(std::string path, std::string position, answered then) {
  auto& made = requests_[++next_request_];
  made.method = "GET";
  made.path = std::move(path);
  made.after = std::move(position);
  made.then = std::move(then);
  ++world_.stats.requests;
}

void wire_client::ask_again() {
  if (answered_.empty()) return;
  auto& made = requests_[++next_request_];
  made = answered_[world_.pick(answered_.size())];
  made.sent = false;
  ++world_.stats.requests;
}

void wire_client::log_out() {
  if (session_.empty()) return;
  const auto session = session_;
  ask("DELETE", "/api/v1/sessions/" + session, {}, [this, session](const wire::response& given) {
    if (given.status == 200) over_sessions_.insert(session);
  });
}

void wire_client::ping() {
  if (!welcome_) return;
  ++pings_;
  say({{0, wire::ping{pings_, "wire"}}});
}

// What happens to it.

void wire_client::cut(bool silently) {
  if (!link_) return;
  link_->cut(silently);
}

void wire_client::hang_up() {
  if (!link_) return;
  link_->hang_up();
  lost();
}

void wire_client::server_died() {
  if (link_) link_->kill();
}

void wire_client::lost() {
  const auto code = link_ ? link_->close_code() : std::nullopt;
  link_.reset();
  welcome_ = false;
  connect_after_ =
      world_.server.clock.now() + std::chrono::milliseconds{world_.pick(reconnect_ms_max)};
  for (auto& [number, each] : channels_) each.at = place::none;
  std::erase_if(channels_, [](const auto& each) { return !each.second.view->wanted(); });
  for (auto& [id, each] : requests_) each.sent = false, each.partial.reset();
  if (code == gateway::ws_close_code::session_over) {
    ++world_.stats.checks;
    if (!may_be_over(session_)) fail("session " + session_ + " is not over, and was called so");
    const auto over = session_;
    forget_session();
    // It may come back with it all the same, and must be refused again.
    if (over_sessions_.contains(over) && world_.pick(2) == 0) session_ = over;
  }
  if (code == gateway::ws_close_code::framing || code == gateway::ws_close_code::wrong_type ||
      code == gateway::ws_close_code::unauthenticated || code == gateway::ws_close_code::too_big)
    fail("closed with " + std::to_string(static_cast<unsigned>(*code)));
}

bool wire_client::may_be_over(const std::string& session) const {
  return over_sessions_.contains(session) ||
         std::any_of(requests_.begin(), requests_.end(), [&](const auto& each) {
           return each.second.method == "DELETE" && each.second.path.ends_with(session);
         });
}

// Another session has another input stream: what was typed and not applied is given up.
void wire_client::forget_session() {
  session_.clear();
  input_stream_.clear();
  typists_.clear();
  for (auto& [number, each] : channels_) {
    auto* view = dynamic_cast<terminal_view*>(each.view.get());
    if (view && view->drives()) view->new_typist(typist_for(view->terminal()));
  }
}

// One thing.

bool wire_client::step(wire_gateway* gateway) {
  if (!link_) {
    if (!gateway || connect_after_ > world_.server.clock.now()) return false;
    return connect(*gateway), true;
  }
  if (!stalled_) {
    if (const auto message = link_->hear()) return receive(*message), true;
  }
  if (link_->over()) {
    link_->hang_up();
    return lost(), true;
  }
  return work_that_waited();
}

std::optional<timestamp> wire_client::next() const {
  std::optional<timestamp> least;
  const auto now = world_.server.clock.now();
  const auto look = [&](std::optional<timestamp> at) {
    if (at && *at > now && (!least || *at < *least)) least = at;
  };
  if (!link_) return look(connect_after_), least;
  look(link_->next());
  for (const auto& [number, each] : channels_)
    if (each.at == place::none) look(each.open_after);
  for (const auto& [id, each] : requests_)
    if (!each.sent) look(each.send_after);
  return least;
}

// Channels to be opened again, requests and input to be sent again.
bool wire_client::work_that_waited() {
  if (!welcome_) return false;
  const auto now = world_.server.clock.now();
  std::vector<wire::frame> out;
  for (auto& [number, each] : channels_)
    if (each.at == place::none && each.open_after <= now) open(number, out);
  for (auto& [id, each] : requests_)
    if (!each.sent && each.send_after <= now) send(id, each, out);
  for (auto& [number, each] : channels_) {
    auto* view = dynamic_cast<terminal_view*>(each.view.get());
    if (each.at != place::open || !view || !view->typist()) continue;
    if (!view->typist()->refused && !view->typist()->withheld) continue;
    if (each.open_after > now) continue;
    each.open_after = now + wire_retry_after;
    std::vector<wire::payload> again;
    view->type_again(again);
    for (auto& what : again) out.push_back({number, std::move(what)});
  }
  if (out.empty()) return false;
  return say(out), true;
}

void wire_client::connect(wire_gateway& gateway) {
  ++world_.stats.connections;
  if (!session_.empty()) ++world_.stats.resumes;
  link_ = gateway.connect(habits_.json, habits_.weather);
  greet();
}

// One message: who it is, what it looks at, what it typed.
void wire_client::greet() {
  std::vector<wire::frame> out;
  wire::hello hello;
  hello.token = world_.accounts[account_].token;
  hello.session = session_;
  hello.client = "wire";
  hello.zstd = habits_.zstd;
  out.push_back({0, std::move(hello)});
  for (auto& [number, each] : channels_) open(number, out);
  for (auto& [id, each] : requests_) send(id, each, out);
  say(out);
}

void wire_client::open(std::uint32_t number, std::vector<wire::frame>& out) {
  auto& what = channels_.at(number);
  what.at = place::asked;
  out.push_back({number, what.view->how_to_open()});
  auto* view = dynamic_cast<terminal_view*>(what.view.get());
  if (!view || !view->typist()) return;
  // Until the session is known a cut would make its input another session's, applied again.
  if (session_.empty()) return void(view->typist()->withheld = true);
  std::vector<wire::payload> again;
  view->type_again(again);
  for (auto& each : again) out.push_back({number, std::move(each)});
}

void wire_client::send(std::uint32_t id, request& what, std::vector<wire::frame>& out) {
  what.sent = true;
  what.partial.reset();
  wire::request asked;
  asked.id = id;
  asked.method = what.method;
  asked.path = what.path;
  if (!what.key.empty()) asked.headers["idempotency-key"] = what.key;
  if (!what.after.empty()) asked.headers["berth-after"] = what.after;
  if (!what.body.empty()) asked.headers["content-type"] = "application/json";
  asked.body.bytes = what.body;
  out.push_back({0, std::move(asked)});
}

void wire_client::say(const std::vector<wire::frame>& frames) {
  if (frames.empty() || !link_) return;
  if (habits_.json) {
    for (const auto& each : frames) link_->say(wire::encode_json(each), true);
    return;
  }
  std::string message;
  for (const auto& each : frames) {
    auto bytes = wire::encode_message(each);
    if (message.size() + bytes.size() > wire::message_bytes_max)
      link_->say(std::exchange(message, {}), false);
    message += bytes;
  }
  link_->say(std::move(message), false);
}

std::optional<std::string> wire_client::missing() {
  world_.stats.checks += 2;
  if (!welcome_) return "a client is not connected at the end";
  if (!requests_.empty())
    return requests_.begin()->second.method + " " + requests_.begin()->second.path +
           " was never answered";
  if (pongs_ > pings_) return "more pongs than pings";
  if (over_sessions_.contains(session_)) return "session " + session_ + " is over and goes on";
  for (auto& [number, each] : channels_)
    if (auto what = each.view->missing()) return what;
  return {};
}

}  // namespace berth::sim
