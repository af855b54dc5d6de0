// The journal on disk: sealed records, commit bodies, events and states of every aggregate, and the
// rows and files beside them. The first byte chooses which.
#include <boost/json/parse.hpp>

#include "events/account/aggregate.hpp"
#include "events/environment/aggregate.hpp"
#include "events/event_json.hpp"
#include "events/host/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "events/terminal/aggregate.hpp"
#include "infra/memory/commit_record.hpp"
#include "infra/rocksdb/head_file.hpp"
#include "infra/rocksdb/index_rows.hpp"
#include "infra/rocksdb/wal_scan.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/support/random_commands.hpp"
#include "tests/support/temporary_folder.hpp"

namespace berth::fuzz {
namespace {

enum kind : std::uint8_t { record, body, event, state, index_block, log_file, head, kinds };
constexpr position where{0, 7};

template <class Use>
void with_aggregate(std::uint8_t choice, Use use) {
  switch (choice % 5) {
    case 0:
      return use(account::aggregate{});
    case 1:
      return use(session::aggregate{});
    case 2:
      return use(environment::aggregate{});
    case 3:
      return use(terminal::aggregate{});
    default:
      return use(host::aggregate{});
  }
}

bool is_json(const std::string& text) {
  boost::system::error_code failed;
  boost::json::parse(text, failed);
  return !failed;
}

void check_record(std::string_view bytes) {
  const auto read = read_commit(bytes, where);
  if (!read) return require(!read.error().message.empty(), "a bad record says what");
  require(read->happened.at() == where, "a record is of the place it is read from");
}

// Any readable body can be sealed and read again, and no flipped bit is ever served.
void check_body(input_reader input) {
  const auto flip = input.number(4);
  const auto body = decode_body(input.rest());
  if (!body) return require(!body.error().message.empty(), "a bad body says what");
  if (body->first.value == 0 || body->events.size() >= 65'000) return;
  const auto bytes = encode_body(*body);
  const auto again = decode_body(bytes);
  require(again.has_value() && *again == *body, "decode(encode(body)) is the body");
  const chain_hash before{1};
  auto sealed = seal({where.partition, 1, 2, where.offset, from_us(3), before}, bytes);
  const auto read = read_commit(sealed.bytes, where, &before);
  require(read.has_value() && read->happened.body == *body && read->hash == sealed.hash,
          "a sealed record is read as it was written");
  auto& byte = sealed.bytes[flip / 8 % sealed.bytes.size()];
  byte = static_cast<char>(byte ^ 1 << flip % 8);
  require(read_commit(sealed.bytes, where, &before).has_error(), "a flipped bit never passes");
}

template <class A>
void check_state(const typename A::state& now) {
  const auto bytes = A::encode_state(now);
  const auto again = A::decode_state(bytes);
  require(again.has_value() && A::encode_state(*again) == bytes,
          "decode_state(encode_state(state)) is the state");
  require(is_json(state_to_json(A::kind, bytes)), "a state is shown as JSON");
  (void)A::deadline(now);
}

template <class A>
void check_event(A, input_reader input) {
  const auto type = static_cast<std::uint16_t>(input.byte());
  const event_record stored{type, std::string(input.rest())};
  require(is_json(event_to_json(A::kind, stored)), "an event is shown as JSON, readable or not");
  const auto happened = A::decode(stored);
  if (!happened) return require(!happened.error().message.empty(), "an unreadable event says why");
  const auto encoded = A::encode(*happened);
  const auto again = A::decode(encoded);
  require(again.has_value() && A::encode(*again).payload == encoded.payload,
          "decode(encode(event)) is the event");
  check_state<A>(A::apply({}, *happened));
}

template <class A>
void check_stored_state(A, std::string_view bytes) {
  require(is_json(state_to_json(A::kind, bytes)), "a state is shown as JSON, readable or not");
  const auto now = A::decode_state(bytes);
  if (now) check_state<A>(*now);
}

void check_index_block(std::string_view bytes) {
  std::vector<stream_place> places;
  if (!index_rows::read_block(bytes, places)) return;
  std::vector<stream_place> again;
  require(index_rows::read_block(index_rows::block_of(places), again) && again == places,
          "read_block(block_of(places)) are the places");
  if (const auto mark = index_rows::read_mark(bytes))
    require(index_rows::mark_row(*mark) == bytes, "mark_row(read_mark(row)) is the row");
}

void check_log_file(std::string_view bytes) {
  static const testing::temporary_folder folder;
  folder.write("000001.log", bytes);
  if (const auto damage = find_wal_damage(folder.path()))
    require(damage->byte < bytes.size(), "damage is inside the file");
}

void check_head(std::string_view bytes) {
  static const testing::temporary_folder folder;
  const auto path = folder.write("head", bytes);
  const auto mark = head_file::read(path);
  if (!mark) return require(mark.error().code == journal_errc::corrupt, "a bad head is corrupt");
  require(mark->has_value(), "a head file that can be read has a mark");
}

// A few events and states of each aggregate, as random commands make them.
template <class A>
void add_history(std::uint8_t choice, std::vector<std::string>& all) {
  test::chance any{choice + 1u};
  auto now = from_us(1'700'000'000'000'000);
  typename A::state present;
  std::uint64_t version = 1;
  for (int commands = 0; commands < 60 && all.size() < 40u * (choice + 1u); ++commands) {
    now += test::random_step(any);
    const auto decided = A::decide(present, test::random_command(any, present, now), {now});
    if (!decided) continue;
    commit_body made;
    made.stream = {A::kind, "some_1"};
    made.first = {version};
    made.command = any.id(9);
    made.by = {{"acct_1"}, "tok_1", false};
    made.because = cause{{A::kind, "some_2"}, {4}};
    made.answer = "answer";
    for (const auto& happened : *decided) {
      made.events.push_back(A::encode(happened));
      present = A::apply(std::move(present), happened);
      const auto& stored = made.events.back();
      all.push_back(
          std::string{kind::event, static_cast<char>(choice), static_cast<char>(stored.type)} +
          stored.payload);
    }
    version += decided->size();
    const auto bytes = encode_body(made);
    if (commands % 8 == 0) {
      all.push_back(std::string{kind::body, 0, 0, 1, 9} + bytes);
      all.push_back(std::string{kind::state, static_cast<char>(choice)} + A::encode_state(present));
    }
    if (commands % 20 == 0)
      all.push_back(std::string{kind::record} +
                    seal({where.partition, 1, 2, where.offset, now, {}}, bytes).bytes);
  }
}

}  // namespace

void run(std::string_view input) {
  input_reader reader{input};
  switch (reader.byte() % kinds) {
    case kind::record:
      return check_record(reader.rest());
    case kind::body:
      return check_body(reader);
    case kind::event: {
      const auto choice = reader.byte();
      return with_aggregate(choice, [&](auto of) { check_event(of, reader); });
    }
    case kind::state: {
      const auto choice = reader.byte();
      return with_aggregate(choice, [&](auto of) { check_stored_state(of, reader.rest()); });
    }
    case kind::index_block:
      return check_index_block(reader.rest());
    case kind::log_file:
      return check_log_file(reader.rest());
    default:
      return check_head(reader.rest());
  }
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (std::uint8_t choice = 0; choice < 5; ++choice)
    with_aggregate(choice, [&]<class A>(A) { add_history<A>(choice, all); });
  all.push_back(std::string{kind::index_block} +
                index_rows::block_of({{{1}, 5}, {{3}, 900}, {{3}, 70'000}}));
  all.push_back(std::string{kind::index_block} + index_rows::mark_row({9, {1, 2, 3}}));
  const testing::temporary_folder folder;
  const auto path = folder.path() / "head";
  require(head_file::open(path, {12, {4}}).has_value(), "a head file can be made");
  std::ifstream in{path, std::ios::binary};
  all.push_back(std::string{kind::head} + std::string{std::istreambuf_iterator<char>{in}, {}});
  all.push_back(std::string{kind::log_file} + std::string(64, '\0'));
  return all;
}

}  // namespace berth::fuzz
