#include "tests/sim/terminals.hpp"

#include <algorithm>

namespace berth::sim {

namespace {

constexpr std::size_t people = 2;  // who may drive one terminal
constexpr std::size_t printed_bytes_max = 6'000;
constexpr std::uint64_t window_bytes_max = 8'192;
constexpr std::uint64_t all_bytes = ~std::uint64_t{0} >> 1;

// Bytes that no program would print by accident: one block for all, made once.
const std::string& noise() {
  static const std::string block = [] {
    testing::seeded_random random{1};
    std::string bytes(1 << 17, '\0');
    for (auto& each : bytes) each = static_cast<char>(random());
    return bytes;
  }();
  return block;
}

// The nth key of a person: their keys can be told apart in what was applied.
char key_of(std::size_t person, std::uint64_t sequence) {
  return static_cast<char>((person == 0 ? 'a' : 'A') + static_cast<char>(sequence % 26));
}

}  // namespace

// A client of one terminal: it outlives its attachments.
struct terminals::screen_client {
  screen_client(terminals& all, watched& at, attach_mode how, attach_right may, std::size_t who)
      : owner{all}, terminal{at}, mode{how}, right{may}, person{who} {}

  void fail(std::string_view what);
  void output(std::uint64_t offset, const shared_bytes& data, std::size_t skip, std::size_t size);
  void gap(std::uint64_t from, std::uint64_t to);
  void snapshot(std::uint64_t offset, const shared_bytes& painted);
  void durable(std::uint64_t offset);
  void input_applied(std::uint64_t sequence);
  void ended(const terminal::ended& end);

  terminals& owner;
  watched& terminal;
  attach_mode mode;
  attach_right right;
  std::size_t person;
  std::uint64_t cursor{};
  std::uint64_t credit_until{};
  std::uint64_t life{};  // of the attachment; late news of an earlier one is not for this one
  bool gap_open{};       // a snapshot must follow
  std::optional<std::uint64_t> ended_at;
  std::optional<rejection_code> refused;
  std::shared_ptr<terminal_attachment> attachment;
};

// One attachment of a client: what a cut connection had under way is heard by nobody.
class terminals::line : public terminal_viewer {
 public:
  explicit line(std::shared_ptr<screen_client> to) : to_{std::move(to)}, life_{to_->life} {}
  bool is_up() const { return life_ == to_->life; }
  screen_client& client() const { return *to_; }

  void output(std::uint64_t offset, const shared_bytes& data, std::size_t skip,
              std::size_t size) override {
    if (is_up()) to_->output(offset, data, skip, size);
  }
  void gap(std::uint64_t from, std::uint64_t to) override {
    if (is_up()) to_->gap(from, to);
  }
  void snapshot(std::uint64_t offset, std::uint16_t, std::uint16_t,
                const shared_bytes& painted) override {
    if (is_up()) to_->snapshot(offset, painted);
  }
  void resized(std::uint64_t, std::uint16_t, std::uint16_t) override {}
  void driver_changed(const session_id&) override {}
  void durable(std::uint64_t offset) override {
    if (is_up()) to_->durable(offset);
  }
  void input_applied(std::uint64_t sequence) override { to_->input_applied(sequence); }
  void input_refused(std::uint64_t, const rejection&) override {}
  void ended(const terminal::ended& end) override {
    if (is_up()) to_->ended(end);
  }
  void failed(const rejection& why) override {
    if (!is_up()) return;
    to_->refused = why.code;
    to_->attachment.reset();  // it is over
  }

 private:
  std::shared_ptr<screen_client> to_;
  std::uint64_t life_;
};

struct terminals::watched {
  terminal_id id;
  environment_id environment;
  account_id account;
  terminal::journal_mode mode{};
  std::string printed;
  std::array<std::uint64_t, people> typed{};    // keys sent, ever
  std::array<std::uint64_t, people> applied{};  // keys acknowledged
  std::vector<std::shared_ptr<screen_client>> clients;
};

void terminals::screen_client::fail(std::string_view what) {
  owner.world_.check.fail("terminal " + terminal.id.value + ", " +
                          (mode == attach_mode::exact ? "exact" : "screen") + " client at offset " +
                          std::to_string(cursor) + ": " + std::string{what});
}

void terminals::screen_client::output(std::uint64_t offset, const shared_bytes& data,
                                      std::size_t skip, std::size_t size) {
  ++owner.checks_;
  owner.bytes_ += size;
  if (offset != cursor) return fail("bytes come from offset " + std::to_string(offset));
  if (gap_open) return fail("bytes come before the snapshot of a gap");
  if (offset + size > credit_until) return fail("bytes come without credit");
  if (terminal.printed.compare(offset, size, *data, skip, size) != 0)
    return fail("bytes come that were not printed there");
  cursor += size;
}

void terminals::screen_client::gap(std::uint64_t from, std::uint64_t to) {
  if (mode == attach_mode::exact) return fail("a gap for an exact client");
  if (from != cursor || to <= from) return fail("a gap that does not begin where it should");
  cursor = to;
  gap_open = true;
}

void terminals::screen_client::snapshot(std::uint64_t offset, const shared_bytes& painted) {
  ++owner.checks_;
  if (mode == attach_mode::exact) return fail("a snapshot for an exact client");
  if (offset != cursor)
    return fail("a snapshot of offset " + std::to_string(offset) + " without its gap");
  gap_open = false;
  credit_until = std::max(credit_until, offset);
  // The simulated screen shows the last bytes it was fed.
  const auto shown = painted->size();
  if (shown > offset || terminal.printed.compare(offset - shown, shown, *painted) != 0)
    fail("a snapshot of other bytes than were printed");
}

void terminals::screen_client::durable(std::uint64_t offset) {
  ++owner.checks_;
  if (offset > owner.world_.server.bulk.extent(terminal.id).durable)
    fail("bytes are called durable before they are");
}

void terminals::screen_client::input_applied(std::uint64_t sequence) {
  terminal.applied[person] = std::max(terminal.applied[person], sequence);
  if (sequence > terminal.typed[person]) fail("a key was applied that was not typed");
}

void terminals::screen_client::ended(const terminal::ended& end) {
  if (end.final_offset != cursor) fail("the end came before the last byte");
  ended_at = end.final_offset;
}

terminals::terminals(world& with) : world_{with} {}

terminals::~terminals() {
  cut_all();
}

void terminals::watch(const terminal_id& id, const environment_id& environment,
                      const account_id& account, terminal::journal_mode mode) {
  auto fresh = std::make_unique<watched>();
  fresh->id = id;
  fresh->environment = environment;
  fresh->account = account;
  fresh->mode = mode;
  const auto add = [&](attach_mode how, attach_right may, std::size_t who) {
    fresh->clients.push_back(std::make_shared<screen_client>(*this, *fresh, how, may, who));
  };
  add(attach_mode::exact, attach_right::drive, 0);
  add(attach_mode::exact, attach_right::drive, 1);
  add(attach_mode::screen, attach_right::view, 0);
  all_.push_back(std::move(fresh));
}

const terminal_id* terminals::any(testing::seeded_random& random) const {
  return all_.empty() ? nullptr : &all_[random.below(all_.size())]->id;
}

const account_id& terminals::owner(const terminal_id& id) const {
  return (*std::find_if(all_.begin(), all_.end(), [&](auto& each) { return each->id == id; }))
      ->account;
}

session_id terminals::session_of(std::size_t person) const {
  return {"sess_person" + std::to_string(person)};
}

void terminals::print(watched& at, testing::seeded_random& random) {
  if (!world_.server.host.terminal_alive(at.id)) return;
  const auto size = random.below(random.one_in(4) ? printed_bytes_max : 600);
  const auto from = random.below(noise().size() - printed_bytes_max);
  at.printed.append(noise(), from, size);
  world_.server.host.feed(at.id, std::string_view{noise()}.substr(from, size));
}

// A key, or again what was typed and never acknowledged.
void terminals::type(watched& at, testing::seeded_random& random) {
  auto& client = *at.clients[random.below(people)];
  if (!client.attachment || !world_.server.host.terminal_alive(at.id)) return;
  auto& typed = at.typed[client.person];
  const auto& applied = at.applied[client.person];
  const auto first = random.one_in(3) ? applied + 1 : typed + 1;
  for (auto next = first; next <= typed; ++next)
    client.attachment->input(next, {key_of(client.person, next)});
  ++typed;
  client.attachment->input(typed, {key_of(client.person, typed)});
}

void terminals::attach(watched& at, screen_client& client, std::uint64_t window) {
  client.attachment.reset();
  client.refused.reset();
  client.gap_open = false;
  client.credit_until = client.cursor + window;
  const attach_request wanted{at.id,
                              {at.account, "tok_person", false},
                              session_of(client.person),
                              uuid::derived("input", std::to_string(client.person)),
                              client.mode,
                              client.right,
                              client.cursor,
                              client.credit_until};
  ++client.life;
  const auto self = std::find_if(at.clients.begin(), at.clients.end(),
                                 [&](auto& each) { return each.get() == &client; });
  const auto viewer = std::make_shared<line>(*self);
  world_.note("attach to {} from {}", at.id.value, client.cursor);
  world_.server.ask().attach(wanted, viewer, [viewer](outcome<attached_terminal> got) {
    if (!viewer->is_up()) return;
    auto& to = viewer->client();
    if (!got) {
      to.refused = got.error().code;
      return;
    }
    if (to.mode == attach_mode::exact && got->from != to.cursor)
      to.fail("attached at offset " + std::to_string(got->from));
    to.attachment = got->attachment;
  });
}

bool terminals::act(testing::seeded_random& random) {
  if (all_.empty()) return false;
  auto& at = *all_[random.below(all_.size())];
  auto& client = *at.clients[random.below(at.clients.size())];
  switch (random.below(6)) {
    case 0:
    case 1:
      print(at, random);
      return true;
    case 2:
      type(at, random);
      return true;
    case 3:
      if (client.attachment) {
        client.credit_until =
            std::max(client.credit_until, client.cursor + random.below(window_bytes_max));
        client.attachment->credit(client.cursor, client.credit_until);
        return true;
      }
      [[fallthrough]];
    case 4:
      if (!client.attachment) attach(at, client, random.below(window_bytes_max));
      return true;
    default:
      if (!client.attachment) return false;
      if (random.one_in(2))
        client.attachment->resize(static_cast<std::uint16_t>(60 + random.below(4)), 24);
      else if (random.one_in(3) && world_.server.host.terminal_alive(at.id))
        world_.server.host.end(at.id, 0);
      return true;
  }
}

void terminals::cut_all() {
  for (auto& each : all_)
    for (auto& client : each->clients) {
      client->attachment.reset();
      ++client->life;
    }
}

bool terminals::cut_one() {
  if (all_.empty()) return false;
  auto& random = world_.faults.random();
  auto& client = *all_[random.below(all_.size())]->clients[random.below(3)];
  if (!client.attachment) return false;
  client.attachment.reset();
  // What was on its way is lost: the client takes up where it was, or a little before.
  ++client.life;
  if (client.mode == attach_mode::exact) client.cursor -= random.below(client.cursor + 1) / 4;
  return true;
}

void terminals::stumble() {
  if (all_.empty()) return;
  auto& random = world_.faults.random();
  const auto& id = all_[random.below(all_.size())]->id;
  auto& host = world_.server.host;
  if (world_.faults.strikes(fault::output_repeated, 2)) host.repeat_output(id, random.below(2'000));
  if (world_.faults.strikes(fault::output_skipped, 2)) host.skip_output(id, random.below(2'000));
}

// Each person's applied keys are a prefix of what was typed, without a gap or a repeat.
void terminals::check_typed(watched& at) {
  auto& host = world_.server.host;
  if (!host.has_terminal(at.id)) return;
  std::array<std::uint64_t, people> applied{};
  for (const char key : host.typed(at.id)) {
    const std::size_t person = key >= 'a' ? 0 : 1;
    ++checks_;
    if (key != key_of(person, ++applied[person]))
      return world_.check.fail("terminal " + at.id.value +
                               ": what was applied is not what was typed");
  }
  for (std::size_t person = 0; person < people; ++person)
    if (applied[person] < at.applied[person] || applied[person] > at.typed[person])
      return world_.check.fail("terminal " + at.id.value + ": keys acknowledged and not applied");
}

void terminals::check_end(watched& at) {
  check_typed(at);
  const auto* model = world_.check.terminal(at.id);
  auto& client = *at.clients[0];
  attach(at, client, all_bytes);
  world_.server.pass(std::chrono::seconds{7});
  ++checks_;
  const auto seen = std::exchange(client.attachment, nullptr) ? "attached" : "not attached";
  if (!model || model->status == terminal::status::absent ||
      model->status == terminal::status::removed) {
    if (client.refused != rejection_code::not_found)
      client.fail("a terminal that does not exist was not refused");
    return;
  }
  const bool over = model->status == terminal::status::ended;
  if (over && world_.server.host.terminal_alive(at.id))
    client.fail("it has ended, and its program lives on");
  const auto end = over ? model->final_offset : at.printed.size();
  if (end > at.printed.size()) return client.fail("more was recorded than was printed");
  if (client.cursor > end || (client.refused && at.mode == terminal::journal_mode::tail)) {
    if (client.refused != rejection_code::limit_exceeded)
      client.fail("beyond the end, or expired, and not refused");
    return;
  }
  const bool gone = !over && !world_.server.host.terminal_alive(at.id);
  if (client.cursor != end || client.refused || gone)
    client.fail(fmt::format("{} bytes of {} can be had, {}, {}, {}", client.cursor, end,
                            terminal::name_of(model->status), seen,
                            client.refused ? berth::name_of(*client.refused) : "not refused"));
}

void terminals::check_ends() {
  cut_all();
  for (auto& each : all_) check_end(*each);
}

}  // namespace berth::sim
