// Frames to bytes and back, in both forms; and what no client should send.
#include <fstream>
#include <random>
#include <sstream>

#include "gateway/ws/binary_codec.hpp"
#include "gateway/ws/frame_fields.hpp"
#include "gateway/ws/json_codec.hpp"
#include "schemas/wire_generated.h"
#include "tests/support/catch.hpp"
#include "tests/support/random_frames.hpp"

using namespace berth;
using namespace berth::wire;

namespace {

frame binary_round_trip(const frame& what) {
  const auto bytes = encode_message(what);
  const auto raw = split_message(bytes);
  REQUIRE(raw);
  REQUIRE(raw->size() == 1);
  auto back = parse_frame(raw->front().header, raw->front().payload);
  REQUIRE(back);
  return *back;
}

frame json_round_trip(const frame& what) {
  const auto text = encode_json(what);
  INFO(text);
  const auto objects = split_json(text);
  REQUIRE(objects);
  auto back = parse_json(objects->front());
  REQUIRE(back);
  return *back;
}

std::string from_hex(std::string_view text) {
  std::string out;
  int high = -1;
  for (const char c : text) {
    const auto digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) continue;
    if (high < 0)
      high = static_cast<int>(digit);
    else
      out.push_back(static_cast<char>(high * 16 + static_cast<int>(digit))), high = -1;
  }
  return out;
}

}  // namespace

TEST_CASE("wire: every frame comes back as it was, in binary and in JSON", "[gateway]") {
  random_frames random{20261121};
  for (int i = 0; i < 4000; ++i) {
    const auto what = random.next();
    CHECK(binary_round_trip(what) == what);
    INFO(encode_json(what));
    CHECK(json_round_trip(what) == what);
  }
}

TEST_CASE("wire: the codec writes what the generated code reads, field by field", "[gateway]") {
  welcome said{"sess_1", "uuid", "berth", true, true, 1, 2, 3, 4, 5, 6, 7, 8};
  const auto bytes = encode_message({0, said}).substr(header_bytes);
  std::vector<std::uint64_t> aligned((bytes.size() + 7) / 8);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  const auto* table = fb::wire::GetControl(aligned.data())->message_as_Welcome();
  REQUIRE(table);
  CHECK(table->session()->str() == "sess_1");
  CHECK(table->input_stream()->str() == "uuid");
  CHECK(table->server()->str() == "berth");
  CHECK(table->resumed());
  CHECK(table->zstd());
  CHECK(table->heartbeat_ms() == 1);
  CHECK(table->frame_payload_max() == 2);
  CHECK(table->message_bytes_max() == 3);
  CHECK(table->channels_max() == 4);
  CHECK(table->channel_window_bytes_max() == 5);
  CHECK(table->input_unacknowledged_bytes_max() == 6);
  CHECK(table->requests_in_flight_max() == 7);
  CHECK(table->request_body_bytes_max() == 8);
}

TEST_CASE("wire: every message's fields are as many as the schema's", "[gateway]") {
  const auto* types = fb::wire::MessageTypeTable();
  std::size_t checked = 0;
  for (std::size_t i = data_kinds; i < std::variant_size_v<payload>; ++i) {
    with_alternative(i, [&](auto message) {
      std::vector<std::string> names;
      const auto note = [&](std::string_view name, const auto&) { names.emplace_back(name); };
      if constexpr (requires { each_field(message, note); }) {
        each_field(message, note);
        const auto tag = i - data_kinds + 1;
        const auto* table = types->type_refs[types->type_codes[tag].sequence_ref]();
        INFO(frame_names[i]);
        REQUIRE(names.size() == table->num_elems);
        for (std::size_t n = 0; n < names.size(); ++n) CHECK(names[n] == table->names[n]);
        ++checked;
      }
      return true;
    });
  }
  CHECK(checked == 20);
}

TEST_CASE(
    "wire: mutated binary messages give frames or typed errors, never more bytes than there are",
    "[gateway]") {
  random_frames random{7};
  std::mt19937_64 dice{7};
  std::size_t framing = 0, problems = 0, frames = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = encode_message(random.next()) + encode_message(random.next());
    for (auto n = dice() % 4; n > 0; --n) bytes[dice() % bytes.size()] = static_cast<char>(dice());
    if (dice() % 4 == 0) bytes.resize(dice() % bytes.size());
    const auto raw = split_message(bytes);
    if (!raw) {
      CHECK_FALSE(raw.error().message.empty());
      ++framing;
      continue;
    }
    for (const auto& one : *raw) {
      const auto parsed = parse_frame(one.header, one.payload);
      ++(parsed ? frames : problems);
      if (!parsed)
        CHECK((parsed.error().code == "malformed" || parsed.error().code == "unsupported"));
    }
  }
  CHECK(framing > 1000);
  CHECK(problems > 1000);
  CHECK(frames > 1000);
}

TEST_CASE("wire: headers that share their bytes cannot make a frame grow", "[gateway]") {
  flatbuffers::FlatBufferBuilder builder;
  const auto value = builder.CreateString(std::string(60'000, 'v'));
  std::vector<flatbuffers::Offset<berth::fb::wire::Pair>> headers;
  for (int i = 0; i < 200; ++i)
    headers.push_back(
        berth::fb::wire::CreatePair(builder, builder.CreateString(std::to_string(i)), value));
  const auto list = builder.CreateVector(headers);
  berth::fb::wire::RequestBuilder request{builder};
  request.add_headers(list);
  const auto table = request.Finish();
  builder.Finish(
      berth::fb::wire::CreateControl(builder, berth::fb::wire::Message::Request, table.Union()));
  const std::string_view payload{reinterpret_cast<const char*>(builder.GetBufferPointer()),
                                 builder.GetSize()};
  REQUIRE(payload.size() <= payload_bytes_max);
  const auto parsed =
      parse_frame({1, 0, 0, static_cast<std::uint16_t>(payload.size()), 0}, payload);
  REQUIRE(parsed.has_error());
  CHECK(parsed.error().code == "malformed");
  CHECK(parse_frame({1, 0, 0, 0, 0}, {}).has_error());
}

TEST_CASE("wire: names of headers that are not UTF-8 are replaced in JSON", "[gateway]") {
  response answer;
  answer.headers["\xff"] = "value";
  const auto objects = split_json(encode_json({0, answer}));
  REQUIRE(objects);
  CHECK(objects->front().at("headers").as_object().contains("\xEF\xBF\xBD"));
}

TEST_CASE("wire: mutated JSON messages give frames or typed errors", "[gateway]") {
  random_frames random{8};
  std::mt19937_64 dice{8};
  std::size_t framing = 0, problems = 0, frames = 0;
  for (int i = 0; i < 10'000; ++i) {
    auto text = encode_json(random.next());
    for (auto n = dice() % 3; n > 0; --n)
      text[dice() % text.size()] = "0123456789abc\"{}[]:,\\x"[dice() % 22];
    const auto objects = split_json(text);
    if (!objects) {
      ++framing;
      continue;
    }
    for (const auto& object : *objects) {
      const auto parsed = parse_json(object);
      ++(parsed ? frames : problems);
      if (!parsed) CHECK_FALSE(parsed.error().message.empty());
    }
  }
  CHECK(framing > 500);
  CHECK(problems > 500);
  CHECK(frames > 500);
}

TEST_CASE(
    "wire: a frame cut short, a length beyond the message and an empty message are framing errors",
    "[gateway]") {
  const auto whole_frame = encode_message({1, input{1, "ls\r"}});
  for (std::size_t size = 0; size < whole_frame.size(); ++size)
    CHECK_FALSE(split_message(whole_frame.substr(0, size)));
  CHECK(split_message(whole_frame + whole_frame)->size() == 2);
  for (const auto* text :
       {"", "12", "\"kind\"", "[]", "[1]", "{}", "{\"kind\":1}", "{\"kind\":\"ping\"", "nul"})
    CHECK_FALSE(split_json(text));
}

TEST_CASE("wire: problems name the member and keep the channel", "[gateway]") {
  const auto problem = [](std::string_view text) {
    return parse_json(split_json(text)->front()).error();
  };
  const auto cols = problem(R"({"kind":"resize","channel":3,"cols":"80"})");
  CHECK(cols.code == "malformed");
  CHECK(cols.channel == 3);
  CHECK(cols.message.find("cols") == 0);
  CHECK(problem(R"({"kind":"resize","channel":3,"cols":65536})").code == "malformed");
  CHECK(problem(R"({"kind":"open","channel":3,"target":"sofa"})").message.find("target") == 0);
  CHECK(problem(R"({"kind":"input","channel":3,"data":"?"})").message.find("data") == 0);
  CHECK(problem(R"({"kind":"sofa","channel":3})").code == "unsupported");
  frame_header header{5, 4, 0, 3, 0};
  CHECK(parse_frame(header, "abc").error().code == "malformed");
  header.kind = 77;
  CHECK(parse_frame(header, "abc").error().code == "unsupported");
  CHECK(parse_frame(header, "abc").error().channel == 5);
}

TEST_CASE("wire: JSON knows the end by name and typed text as it is", "[gateway]") {
  const auto parsed = [](std::string_view text) { return *parse_json(split_json(text)->front()); };
  const auto at_end = parsed(R"({"kind":"open","channel":1,"from":"end"})");
  CHECK(std::get<open>(at_end.what).from == from_end);
  CHECK(encode_json(at_end).find(R"("from":"end")") != std::string::npos);
  CHECK(std::get<input>(parsed(R"({"kind":"input","channel":1,"sequence":1,"text":"ls\r"})").what)
            .bytes == "ls\r");
}

TEST_CASE("wire: the hex of docs/protocol.md is the JSON of docs/protocol.md", "[gateway]") {
  std::ifstream file{std::string(BERTH_SOURCE_DIR) + "/docs/protocol.md"};
  std::stringstream text;
  text << file.rdbuf();
  const auto page = text.str();
  const auto begin = page.find("C hello          ");
  REQUIRE(begin != std::string::npos);
  std::istringstream lines{page.substr(begin, page.find("```", begin) - begin)};
  std::string line, joined;
  std::vector<frame> found;
  const auto finish = [&] {
    if (joined.empty()) return;
    const auto bytes = from_hex(joined);
    const auto raw = split_message(bytes);
    INFO(joined);
    REQUIRE(raw);
    REQUIRE(raw->size() == 1);
    found.push_back(*parse_frame(raw->front().header, raw->front().payload));
    joined.clear();
  };
  while (std::getline(lines, line)) {
    if (line.size() > 17 && line[0] != ' ') finish();
    if (line.size() > 17) joined += line.substr(17);
  }
  finish();
  REQUIRE(found.size() == 9);
  for (const auto* want :
       {R"({"kind":"hello","token":"brt_secret","client":"doc/1"})",
        R"({"kind":"open","channel":1,"target":"terminal","id":"term_01","right":"drive",)"
        R"("credit_until":262144})",
        R"({"kind":"opened","channel":1,"end":5,"cols":80,"rows":24,"status":"RUNNING"})",
        R"({"kind":"output","channel":1,"offset":0,"data":"JCAtPiA="})",
        R"({"kind":"input","channel":1,"sequence":1,"data":"bHMN"})",
        R"({"kind":"input_applied","channel":1,"sequence":1})",
        R"({"kind":"output","channel":1,"offset":5,"data":"bHMNCg=="})",
        R"({"kind":"credit","channel":1,"consumed":9,"until":262153})",
        R"({"kind":"durable","channel":1,"offset":9})"}) {
    CHECK(page.find(want) != std::string::npos);
    CHECK(found.front() == *parse_json(split_json(want)->front()));
    found.erase(found.begin());
  }
}
