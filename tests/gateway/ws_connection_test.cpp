// A connection from hello to goodbye: sessions, terminals, credit, errors.
#include "tests/support/random_frames.hpp"
#include "tests/support/ws_world.hpp"

using namespace berth;
using namespace berth::testing;

namespace {

constexpr std::uint64_t window = 262'144;

std::string noise(std::size_t size, std::uint64_t seed = 1) {
  std::string out(size, '\0');
  for (auto& c : out)
    c = static_cast<char>((seed = seed * 6364136223846793005 + 1442695040888963407) >> 56);
  return out;
}

template <class M>
const M* find(const std::vector<wire::frame>& frames) {
  for (const auto& one : frames)
    if (const auto* what = std::get_if<M>(&one.what)) return what;
  return nullptr;
}

}  // namespace

TEST_CASE("connection: hello and the frames after it may come in one message, in either form",
          "[gateway]") {
  for (const bool json : {false, true}) {
    ws_world world;
    const auto terminal = world.make_terminal();
    world.kernel.print(terminal, "$ ");
    ws_peer peer(world, json);
    peer.say({{0, wire::hello{world.token, "", "test/1", false}},
              {1, open_terminal(terminal, 0, window)},
              {1, wire::input{1, "ls\r"}}});
    const auto heard = peer.heard();
    REQUIRE(find<wire::welcome>(heard));
    CHECK(find<wire::welcome>(heard)->session.starts_with("sess_"));
    CHECK_FALSE(find<wire::welcome>(heard)->resumed);
    REQUIRE(find<wire::opened>(heard));
    CHECK(find<wire::opened>(heard)->end == 2);
    CHECK(output_of(heard, 1, 0) == "$ ");
    REQUIRE(find<wire::input_applied>(heard));
    CHECK(find<wire::input_applied>(heard)->sequence == 1);
    CHECK(world.kernel.typed(terminal) == "ls\r");
    CHECK_FALSE(peer.transport->closed);
  }
}

TEST_CASE(
    "connection: without a valid token there is an error and the end, and nothing else works "
    "before hello",
    "[gateway]") {
  ws_world world;
  const auto refused = [&](wire::payload first) {
    ws_peer peer(world, false);
    peer.say(0, std::move(first));
    CHECK(peer.hear<wire::error>().code == "unauthenticated");
    CHECK(peer.transport->closed == gateway::ws_close_code::unauthenticated);
  };
  refused(wire::hello{"", "", "", false});
  refused(wire::hello{"berth_wrong", "", "", false});
  refused(wire::ping{1, ""});
  refused(wire::request{});
}

TEST_CASE(
    "connection: a session is resumed by its id, keeps its input stream, and is nobody else's",
    "[gateway]") {
  ws_world world;
  ws_peer first(world, false);
  first.hello();
  const auto opened = first.hear<wire::welcome>();
  ws_peer second(world, false);
  second.hello(opened.session);
  const auto resumed = second.hear<wire::welcome>();
  CHECK(resumed.resumed);
  CHECK(resumed.session == opened.session);
  CHECK(resumed.input_stream == opened.input_stream);

  const auto other = world.below.make_account("eve");
  ws_peer thief(world, false);
  thief.say(0, wire::hello{other, opened.session, "", false});
  CHECK(thief.hear<wire::error>().code == "not_found");
  CHECK(thief.transport->closed == gateway::ws_close_code::session_over);
  ws_peer stranger(world, false);
  stranger.hello("sess_nonsense");
  CHECK(stranger.hear<wire::error>().code == "not_found");
}

TEST_CASE("connection: a device that was away during a hand-over cannot type as the other device",
          "[gateway]") {
  ws_world world;
  ws_peer old(world, false);
  old.hello();
  const auto before = old.hear<wire::welcome>();
  old.transport->end();
  world.run();
  const auto next = uuid::derived("input-stream", before.session, "next");
  world.below.kernel.system_ask<session::aggregate>(before.session,
                                                    session::hand_over{"other device", next});
  const auto resume = [&](const std::string& input_stream) {
    auto peer = std::make_unique<ws_peer>(world, false);
    peer->say(0, wire::hello{world.token, before.session, "test/1", false, input_stream});
    return peer;
  };
  const auto late = resume(before.input_stream);
  CHECK(late->hear<wire::error>().code == "not_found");
  CHECK(late->transport->closed == gateway::ws_close_code::session_over);
  CHECK(resume(next.text())->hear<wire::welcome>().input_stream == next.text());
  CHECK(resume("")->hear<wire::welcome>().input_stream == next.text());
}

TEST_CASE(
    "connection: a session that is closed, or whose token is revoked, ends its connections with "
    "goaway",
    "[gateway]") {
  ws_world world;
  ws_peer peer(world, false), other(world, false);
  peer.hello();
  other.hello();
  const auto session = peer.hear<wire::welcome>().session;
  (void)other.heard();
  world.below.kernel.system_ask<session::aggregate>(session,
                                                    session::close{session::close_reason::logout});
  const auto over = peer.hear<wire::goaway>();
  CHECK(over.code == "session_closed");
  CHECK_FALSE(over.reconnect);
  CHECK(peer.transport->closed == gateway::ws_close_code::session_over);
  CHECK(other.heard().empty());
  const auto token = gateway::parse_api_token(world.token)->token;
  world.below.kernel.system_ask<account::aggregate>(world.account.value,
                                                    account::revoke_token{token});
  CHECK(other.hear<wire::goaway>().code == "revoked");
}

TEST_CASE(
    "connection: exact output goes on at the cursor, without gap or repetition, over reconnects",
    "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  const auto all = noise(300'000);
  std::string received;
  std::string session;
  for (int life = 0; life < 12; ++life) {
    ws_peer peer(world, life % 2 == 0);
    peer.hello(session);
    session = peer.hear<wire::welcome>().session;
    peer.say(1, open_terminal(terminal, received.size(), received.size() + 20'000 + 1000 * life));
    world.kernel.print(terminal, all.substr(life * 25'000, 25'000));
    received += output_of(peer.heard(), 1, received.size());
  }
  ws_peer last(world, false);
  last.hello(session);
  (void)last.heard();
  last.say(1, open_terminal(terminal, received.size(), received.size() + window));
  received += output_of(last.heard(), 1, received.size());
  last.say(1, wire::credit{received.size(), received.size() + window});
  received += output_of(last.heard(), 1, received.size());
  CHECK(received == all);
}

TEST_CASE("connection: a native client may have output compressed, and gets the same bytes",
          "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  std::string all;
  for (int i = 0; i < 5000; ++i)
    all += "line " + std::to_string(i) + " of a build\r\n" + (i % 100 == 0 ? noise(900) : "");
  world.kernel.print(terminal, all);
  ws_peer peer(world, false);
  peer.say(0, wire::hello{world.token, "", "test/1", true});
  CHECK(peer.hear<wire::welcome>().zstd);
  peer.say(1, open_terminal(terminal, 0, all.size()));
  CHECK(output_of(peer.heard(), 1, 0) == all);
  CHECK(peer.compressed > 0);
  ws_peer plain(world, true);
  plain.say(0, wire::hello{world.token, "", "test/1", true});
  CHECK_FALSE(plain.hear<wire::welcome>().zstd);
}

TEST_CASE("connection: no byte at or above the credit is sent, and a window is cut to 1 MiB",
          "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  const auto all = noise(3'000'000);
  world.kernel.print(terminal, all);
  ws_peer peer(world, false);
  peer.hello();
  (void)peer.heard();
  peer.say(1, open_terminal(terminal, 0, 1000));
  CHECK(output_of(peer.heard(), 1, 0).size() == 1000);
  peer.say(1, wire::credit{500, 1500});
  CHECK(output_of(peer.heard(), 1, 1000).size() == 500);
  peer.say(1, wire::credit{1500, ~std::uint64_t{0}});
  CHECK(output_of(peer.heard(), 1, 1500).size() == 1'048'576);
  peer.say(1, wire::credit{5'000'000, ~std::uint64_t{0}});
  CHECK(peer.hear<wire::error>().code == "invalid_argument");
  peer.say(1, wire::credit{1'050'076, ~std::uint64_t{0}});
  CHECK(output_of(peer.heard(), 1, 1'050'076) == all.substr(1'050'076, 1'048'576));
}

TEST_CASE("connection: a client that does not read holds a bounded queue, and loses nothing",
          "[gateway]") {
  ws_world world;
  std::vector<terminal_id> terminals;
  for (int i = 0; i < 40; ++i) {
    terminals.push_back(world.make_terminal());
    world.kernel.print(terminals.back(), noise(600'000, 100 + i));
  }
  ws_peer peer(world, false);
  peer.hello();
  (void)peer.heard();
  peer.transport->stuck = true;
  for (std::uint32_t i = 0; i < 40; ++i) peer.say(i + 1, open_terminal(terminals[i], 0, 600'000));
  std::uint64_t granted = 0;
  for (const auto& id : terminals)
    granted += world.kernel.with(id, [](auto& t) { return t.viewers.begin()->second.cursor; });
  CHECK(granted < 4u * 1024 * 1024 * 4);
  peer.transport->stuck = false;
  peer.transport->finish_write();
  const auto heard = peer.heard();
  for (std::uint32_t i = 0; i < 40; ++i)
    CHECK(output_of(heard, i + 1, 0) == noise(600'000, 100 + i));
}

TEST_CASE("connection: a viewer that stumbles over many short lines keeps its channel",
          "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  ws_peer peer(world, false);
  peer.hello();
  peer.say(1, open_terminal(terminal, 0, 1'000'000));
  (void)peer.heard();
  peer.transport->stuck = true;
  std::string printed;
  for (int i = 0; i < 6'000; ++i) {
    const auto line = "line " + std::to_string(i) + "\r\n";
    world.kernel.print(terminal, line);
    printed += line;
  }
  peer.transport->stuck = false;
  peer.transport->finish_write();
  CHECK(output_of(peer.heard(), 1, 0) == printed);
}

TEST_CASE("connection: what is not there is not found, and the connection goes on", "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  ws_peer peer(world, true);
  peer.hello();
  (void)peer.heard();
  const auto closed_code = [&](wire::open asked) {
    peer.say(7, std::move(asked));
    return peer.hear<wire::closed>().code;
  };
  CHECK(closed_code(open_terminal({"term_nonsense"}, 0, 0)) == "not_found");
  CHECK(closed_code(open_terminal({derived_id("term", "x", uuid{})}, 0, 0)) == "not_found");
  wire::open asked;
  asked.target = wire::target::environment;
  asked.id = derived_id("env", "x", uuid{});
  CHECK(closed_code(asked) == "not_found");
  asked.target = wire::target::room;
  CHECK(closed_code(asked) == "unsupported");
  asked.target = wire::target::feed;
  asked.after = "nonsense";
  CHECK(closed_code(asked) == "cursor_expired");

  const auto error_code = [&](std::uint32_t channel, wire::payload what) {
    peer.say(channel, std::move(what));
    return peer.hear<wire::error>().code;
  };
  CHECK(error_code(9, wire::input{1, "x"}) == "not_found");
  CHECK(error_code(9, wire::close{}) == "not_found");
  CHECK(error_code(0, open_terminal(terminal, 0, 0)) == "invalid_argument");
  CHECK(error_code(0, wire::hello{}) == "wrong_state");
  CHECK(error_code(0, wire::welcome{}) == "unsupported");
  peer.say(3, open_terminal(terminal, 0, 0));
  (void)peer.heard();
  CHECK(error_code(3, open_terminal(terminal, 0, 0)) == "channel_in_use");
  CHECK(error_code(3, wire::resize{0, 10}) == "invalid_argument");
  CHECK(error_code(3, wire::snapshot{}) == "unsupported");
  peer.say(3, wire::close{});
  CHECK(peer.hear<wire::closed>().code == "closed");
  CHECK(world.kernel.viewers(terminal) == 0);
  peer.say(0, wire::ping{9, "hi"});
  const auto pong = peer.hear<wire::pong>();
  CHECK(pong.offset == 9);
  CHECK(pong.bytes == "hi");
  CHECK_FALSE(peer.transport->closed);
}

TEST_CASE("connection: a terminal that ended is read to its last byte, then closed", "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  world.kernel.print(terminal, "bye\r\n");
  world.kernel.end(terminal, 3);
  ws_peer peer(world, false);
  peer.hello();
  (void)peer.heard();
  peer.say(1, open_terminal(terminal, 0, window));
  const auto heard = peer.heard();
  CHECK(output_of(heard, 1, 0) == "bye\r\n");
  REQUIRE(find<wire::ended>(heard));
  CHECK(find<wire::ended>(heard)->final_offset == 5);
  CHECK(find<wire::ended>(heard)->exit_code == 3);
  REQUIRE(std::holds_alternative<wire::closed>(heard.back().what));
  CHECK(std::get<wire::closed>(heard.back().what).code == "ended");
  peer.say(1, open_terminal(terminal, 6, window));
  CHECK(peer.hear<wire::closed>().code == "truncated");
}

TEST_CASE("connection: only framing errors and wrong message types close it", "[gateway]") {
  ws_world world;
  const auto ends_with = [&](bool json, std::string message, bool text,
                             gateway::ws_close_code code) {
    ws_peer peer(world, json);
    peer.hello();
    (void)peer.heard();
    peer.transport->arrive(std::move(message), text);
    world.run();
    CHECK(peer.transport->closed == code);
    CHECK_FALSE(peer.transport->reason.empty());
  };
  ends_with(false, "short", false, gateway::ws_close_code::framing);
  ends_with(false, "{}", true, gateway::ws_close_code::wrong_type);
  ends_with(true, "{}", true, gateway::ws_close_code::framing);
  ends_with(true, "xx", false, gateway::ws_close_code::wrong_type);
}

TEST_CASE("connection: the same script over JSON and binary is answered by the same frames",
          "[gateway]") {
  std::vector<std::vector<wire::frame>> answers;
  for (const bool json : {false, true}) {
    ws_world world;
    const auto terminal = world.make_terminal();
    world.kernel.print(terminal, noise(100'000));
    ws_peer peer(world, json);
    peer.hello();
    (void)peer.heard();
    auto& heard = answers.emplace_back();
    random_frames random{5};
    const auto note = [&](std::uint32_t channel, wire::payload what) {
      peer.say(channel, std::move(what));
      for (auto& one : peer.heard()) heard.push_back(std::move(one));
    };
    note(1, open_terminal(terminal, 0, 70'000));
    note(1, wire::input{1, "ls\r"});
    note(1, wire::resize{100, 40});
    note(1, wire::credit{70'000, 100'000});
    note(2, wire::open{wire::target::files, "", {}, {}, 0, 0, ""});
    note(0, wire::request{1, "GET", "/api/v1/environments", {}, {}, 0});
    note(1, wire::close{});
    for (int i = 0; i < 50; ++i)
      note(5, random.next(wire::data_kinds + 5 + static_cast<std::size_t>(i % 9)).what);
  }
  REQUIRE(answers[0].size() == answers[1].size());
  for (std::size_t i = 0; i < answers[0].size(); ++i) {
    INFO(wire::encode_json(answers[0][i]) << "\n" << wire::encode_json(answers[1][i]));
    CHECK(answers[0][i].channel == answers[1][i].channel);
    CHECK(answers[0][i].what.index() == answers[1][i].what.index());
    if (!std::holds_alternative<wire::response>(answers[0][i].what))
      CHECK(answers[0][i] == answers[1][i]);
  }
}
