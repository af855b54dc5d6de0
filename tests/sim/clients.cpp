#include "tests/sim/clients.hpp"

namespace berth::sim {

namespace {

constexpr std::size_t accounts_made = 3;
constexpr unsigned exec_sends_max = 5;  // then a client gives an outcome up as unknown
constexpr std::size_t watches_max = 6;

bool is_load(rejection_code code) {
  return code == rejection_code::overloaded || code == rejection_code::unknown_outcome ||
         code == rejection_code::unavailable;
}

}  // namespace

void clients::begin() {
  for (std::size_t i = 0; i < accounts_made; ++i) {
    const auto name = "account-" + std::to_string(i);
    accounts_.push_back({derived_id("acct", name, uuid{})});
    const auto& id = accounts_.back();
    operation op;
    op.by = id;
    op.id = world_.server.fresh_command();
    op.stream = {aggregate_kind::account, id.value};
    op.what = account::command{account::create{name, account::role::member}};
    ask(world_.check.add(std::move(op)));
  }
  world_.server.settle();
}

const account_id& clients::somebody(random_type& random, const owned_stream& of) const {
  return random.one_in(24) ? any_account(random) : of.owner;
}

operation& clients::begin_operation(random_type& random, const account_id& by, stream_id stream,
                                    client_command what, operation::way how) {
  operation op;
  op.how = how;
  op.by = by;
  op.id = world_.server.fresh_command();
  op.stream = std::move(stream);
  op.what = std::move(what);
  const auto seen = world_.check.acknowledged(op.stream);
  if (how == operation::way::plain && random.one_in(16))
    op.if_match = stream_version{seen.value + (random.one_in(3) ? 1 : 0)};
  return world_.check.add(std::move(op));
}

void clients::ask(operation& op) {
  ++stats_.commands;
  open_.push_back(&op);
  send(op);
  if (world_.faults.strikes(fault::commands_repeated, 6)) send(op);
}

void clients::send(operation& op) {
  ++op.sends;
  ++stats_.sends;
  if (world_.traced)
    world_.note("{} command {} {} {}", op.sends == 1 ? "send" : "again", op.number,
                op.stream.text(), op.id.text());
  switch (op.how) {
    case operation::way::creates_environment:
      return send_creation(op);
    case operation::way::exec:
      return send_exec(op);
    case operation::way::plain:
      break;
  }
  const auto& key = op.stream.key;
  switch (op.stream.kind) {
    case aggregate_kind::account:
      return send_to<account::aggregate>(op, account_id{key});
    case aggregate_kind::session:
      return send_to<session::aggregate>(op, session_id{key});
    case aggregate_kind::environment:
      return send_to<environment::aggregate>(op, environment_id{key});
    default:
      return send_to<terminal::aggregate>(op, terminal_id{key});
  }
}

namespace {
command_meta meta_of(const operation& op) {
  return {op.id, principal{op.by, "tok_client", false}, {}, {}, op.if_match};
}
}  // namespace

template <class A, class Id>
void clients::send_to(operation& op, const Id& id) {
  world_.server.ask().ask(id, std::get<typename A::command>(op.what), meta_of(op),
                          [this, &op, in = world_.check.begin_attempt(op)](
                              const outcome<answer<A>>& got) { heard(op, in, got); });
}

void clients::send_creation(operation& op) {
  const auto& asked = std::get<account::request_environment>(std::get<account::command>(op.what));
  world_.server.ask().create_environment(
      op.by, {op.by, asked.name, asked.instance_type, asked.template_name, asked.price_list},
      meta_of(op),
      [this, &op, in = world_.check.begin_attempt(op)](const auto& got) { heard(op, in, got); });
}

void clients::send_exec(operation& op) {
  world_.server.ask().exec(
      {op.stream.key}, std::get<environment::exec>(std::get<environment::command>(op.what)),
      meta_of(op),
      [this, &op, in = world_.check.begin_attempt(op)](const auto& got) { heard(op, in, got); });
}

template <class Answer>
void clients::heard(operation& op, const attempt& in, const outcome<Answer>& got) {
  if (got) {
    ++stats_.accepted;
    world_.note("command {} accepted at version {}{}", op.number, got->version.value,
                got->replayed ? " (before)" : "");
    world_.check.accepted(op, *got);
  } else {
    ++stats_.refused;
    world_.note("command {} refused: {}", op.number, name_of(got.error().code));
    world_.check.refused(op, in, got.error());
    const bool given_up = op.how == operation::way::exec && op.sends >= exec_sends_max;
    if (is_load(got.error().code) && !given_up) return;
  }
  if (!world_.faults.strikes(fault::answers_dropped, 4)) op.done = true;
}

void clients::ask_again(bool all) {
  std::erase_if(open_, [](const operation* op) { return op->done; });
  auto& random = world_.faults.random();
  const auto waiting = open_;
  for (auto* op : waiting)
    if (!op->done && (all || random.one_in(8))) send(*op);
}

// A known id with other content is a conflict, whoever is asked.
void clients::ask_with_other_content(random_type& random) {
  auto& all = world_.check.operations();
  auto& op = all[random.below(all.size())];
  if (!op.done || !op.accepted_at || op.how != operation::way::plain || op.if_match) return;
  if (op.stream.kind != aggregate_kind::environment) return;
  auto meta = meta_of(op);
  world_.server.ask().ask(
      environment_id{op.stream.key}, environment::record_activity{"other content"}, meta,
      [this, &op](const auto& got) {
        const auto code = got ? std::optional<rejection_code>{} : got.error().code;
        if (code == rejection_code::idempotency_conflict ||
            code == rejection_code::command_too_old || (code && is_load(*code)))
          return;
        world_.check.fail("command " + std::to_string(op.number) +
                          " was repeated with other content and got " +
                          (code ? name_of(*code) : "accepted"));
      });
}

void clients::act(random_type& random) {
  switch (random.below(16)) {
    case 0:
    case 1:
      return use_account(random);
    case 2:
    case 3:
      return use_session(random);
    case 4:
    case 5:
    case 6:
    case 7:
      return use_environment(random);
    case 8:
    case 9:
      return use_terminal(random);
    case 10:
      return random.one_in(4) ? ask_with_other_content(random) : look(random);
    default:
      if (!terminals_.act(random)) use_environment(random);
  }
}

template <class A, class Id>
void clients::read(const Id& id, const account_id& by, bool is_foreign) {
  const stream_id stream{A::kind, id.value};
  const auto seen = world_.check.acknowledged(stream);
  world_.server.ask().read(
      id, principal{by, "tok_client", false},
      [this, stream, seen, is_foreign](const outcome<answer<A>>& got) {
        if (got && !is_foreign) return world_.check.told<A>(stream, seen, *got);
        if (got) return world_.check.fail(stream.text() + " was read by another tenant");
        const auto code = got.error().code;
        const bool may_be_unknown = is_foreign || seen.value == 0;
        if (is_load(code) || (may_be_unknown && code == rejection_code::not_found)) return;
        world_.check.fail(stream.text() + " cannot be read: " + name_of(code));
      });
}

void clients::watch(const environment_id& id, const account_id& by) {
  const stream_id stream{aggregate_kind::environment, id.value};
  const auto seen = world_.check.acknowledged(stream);
  const auto last = std::make_shared<stream_version>();  // nothing as long as it is refused
  auto handle = world_.server.ask().watch(
      id, principal{by, "tok_client", false}, [this, stream, seen, last](const auto& got) {
        if (!got) return;
        if (got->version < *last)
          world_.check.fail(stream.text() + ": a watch went back to an older version");
        world_.check.told<environment::aggregate>(stream, std::max(seen, *last), *got);
        *last = got->version;
      });
  watches_.push_back({stream, last, std::move(handle)});
}

void clients::look(random_type& random) {
  if (environments_.empty()) return;
  const auto& [owner, environment] = environments_[random.below(environments_.size())];
  const auto& by = random.one_in(6) ? any_account(random) : owner;
  const bool is_foreign = by != owner;
  if (!is_foreign && watches_.size() < watches_max && random.one_in(3))
    return watch(environment, by);
  const auto* terminal = terminals_.any(random);
  switch (random.below(4)) {
    case 0:
      return read<account::aggregate>(by, by, false);
    case 1:
      if (terminal) return read<terminal::aggregate>(*terminal, terminals_.owner(*terminal), false);
      [[fallthrough]];
    case 2:
      if (!sessions_.empty()) {
        const auto& at = sessions_[random.below(sessions_.size())];
        return read<session::aggregate>(session_id{at.stream.key}, at.owner, false);
      }
      [[fallthrough]];
    default:
      return read<environment::aggregate>(environment, by, is_foreign);
  }
}

void clients::check_watches() {
  for (const auto& each : watches_)
    if (each.last->value > 0 && *each.last < world_.check.acknowledged(each.stream))
      world_.check.fail(each.stream.text() + ": a watch was not told of a new version");
}

void clients::read_everything() {
  for (const auto& id : accounts_) read<account::aggregate>(id, id, false);
  for (const auto& [owner, id] : environments_) read<environment::aggregate>(id, owner, false);
  for (const auto& [owner, stream] : sessions_)
    read<session::aggregate>(session_id{stream.key}, owner, false);
}

}  // namespace berth::sim
