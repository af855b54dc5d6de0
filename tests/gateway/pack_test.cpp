#include "gateway/peer/pack.hpp"

#include "gateway/peer/answers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/random_commands.hpp"

using namespace berth;
using namespace berth::gateway::peer;

namespace {

// Every command comes back as it was, and no shorter bytes are taken for one.
template <class A>
void check_commands(std::uint64_t seed) {
  test::chance any{seed};
  typename A::state state{};
  for (int i = 0; i < 300; ++i) {
    const typename A::command sent = test::random_command(any, state, from_us(i));
    const auto bytes = packer{}.put(sent).take();
    typename A::command got;
    unpacker in{bytes};
    REQUIRE(in.take(got));
    REQUIRE(in.done());
    REQUIRE(A::canonical(got) == A::canonical(sent));
    const auto cut = any.below(bytes.size());
    typename A::command part;
    unpacker shorter{std::string_view{bytes}.substr(0, cut)};
    CHECK_FALSE((shorter.take(part) && shorter.done()));
  }
}

}  // namespace

TEST_CASE("pack: commands of every aggregate come back as they were", "[gateway][peer]") {
  check_commands<account::aggregate>(1);
  check_commands<environment::aggregate>(2);
  check_commands<terminal::aggregate>(3);
  check_commands<session::aggregate>(4);
  check_commands<host::aggregate>(5);
}

TEST_CASE("pack: a command's circumstances and an answer come back as they were",
          "[gateway][peer]") {
  const command_meta sent{uuid::derived("a", "b"),
                          {{"acct_1"}, "tok_1", false},
                          uuid::derived("c", "d"),
                          cause{{aggregate_kind::host, "host_1"}, {7}},
                          stream_version{3}};
  command_meta got;
  const auto bytes = packer{}.put(sent).take();
  unpacker in{bytes};
  REQUIRE(in.take(got));
  CHECK(in.done());
  CHECK(got.id == sent.id);
  CHECK(got.by == sent.by);
  CHECK(got.correlation == sent.correlation);
  CHECK(got.because == sent.because);
  CHECK(got.if_match == sent.if_match);

  host::state host{"boot", "sandbox", from_us(5), from_us(9), true};
  const answer<host::aggregate> answer{
      {4}, {2, 17}, true, std::make_shared<const host::state>(host)};
  const auto body = pack_outcome(outcome<berth::answer<host::aggregate>>{answer});
  const auto opened = open_outcome(body);
  REQUIRE(opened);
  const auto read = open_answer<host::aggregate>(*opened);
  REQUIRE(read);
  CHECK(read->version == answer.version);
  CHECK(read->at == answer.at);
  CHECK(read->replayed);
  CHECK(*read->state == host);
}

TEST_CASE("pack: a rejection keeps its code, its message and its field", "[gateway][peer]") {
  const auto body = pack_bad(reject(rejection_code::name_taken, "it is taken", "name"));
  const auto got = open_outcome(body);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == rejection_code::name_taken);
  CHECK(got.error().message == "it is taken");
  CHECK(got.error().field == "name");
  CHECK(is_not_led(open_outcome(pack_bad(not_led("elsewhere"))).error()));
}

TEST_CASE("pack: random bytes are refused or read, never more", "[gateway][peer]") {
  test::chance any{6};
  for (int i = 0; i < 5'000; ++i) {
    const auto bytes = any.bytes(64);
    environment::command command;
    command_meta meta;
    attach_request attach;
    unpacker{bytes}.take(command);
    unpacker{bytes}.take(meta);
    unpacker{bytes}.take(attach);
    (void)open_outcome(bytes);
  }
}

TEST_CASE("pack: another struct has another layout", "[gateway][peer]") {
  struct one {
    std::uint32_t a{};
    std::string b;
  };
  struct wider {
    std::uint64_t a{};
    std::string b;
  };
  const auto text = []<class T>(T) {
    std::string out;
    describe_layout<T>(out);
    return out;
  };
  CHECK(text(one{}) != text(wider{}));
  CHECK(text(one{}) == text(one{}));
  CHECK(layout_hash() == layout_hash());
}
