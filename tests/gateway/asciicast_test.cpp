#include "tests/support/catch.hpp"

#include <boost/json.hpp>

#include "gateway/recording/asciicast.hpp"
#include "events/core/utf8.hpp"
#include "tests/support/gateway_world.hpp"

using namespace berth;
using namespace berth::gateway;
using std::chrono::milliseconds;

namespace {

const auto began = from_us(1'800'000'000'500'000);

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

TEST_CASE("asciicast: v2 has absolute times and a header with width and height", "[gateway]") {
  std::string out;
  asciicast_writer cast(asciicast_format::v2, 80, 24, began, out);
  cast.output(began + milliseconds{250}, "a\r\n\x1b[1m\"", out);
  cast.resize(began + milliseconds{1'500}, 100, 40, out);
  cast.output(began + milliseconds{2'000}, "b", out);
  cast.end(began + milliseconds{3'000}, 0, out);
  const auto lines = lines_of(out);
  REQUIRE(lines.size() == 4);
  const auto header = boost::json::parse(lines[0]).as_object();
  CHECK(header.at("version") == 2);
  CHECK(header.at("width") == 80);
  CHECK(header.at("height") == 24);
  CHECK(header.at("timestamp") == 1'800'000'000);
  CHECK(lines[1] == R"([0.250000, "o", "a\r\n\u001b[1m\""])");
  CHECK(lines[2] == R"([1.500000, "r", "100x40"])");
  CHECK(lines[3] == R"([2.000000, "o", "b"])");
}

TEST_CASE("asciicast: v3 has intervals and the exit status", "[gateway]") {
  std::string out;
  asciicast_writer cast(asciicast_format::v3, 80, 24, began, out);
  cast.output(began + milliseconds{250}, "a", out);
  cast.output(began + milliseconds{300}, "b", out);
  cast.end(began + milliseconds{1'300}, 7, out);
  const auto lines = lines_of(out);
  REQUIRE(lines.size() == 4);
  const auto header = boost::json::parse(lines[0]).as_object();
  CHECK(header.at("version") == 3);
  CHECK(header.at("term").at("cols") == 80);
  CHECK(lines[1] == R"([0.250000, "o", "a"])");
  CHECK(lines[2] == R"([0.050000, "o", "b"])");
  CHECK(lines[3] == R"([1.000000, "x", "7"])");
}

TEST_CASE("asciicast: a character cut by a chunk is written whole, ill-formed bytes are replaced",
          "[gateway]") {
  std::string out;
  asciicast_writer cast(asciicast_format::v2, 80, 24, began, out);
  const std::string euro = "\xE2\x82\xAC";
  cast.output(began, "x" + euro.substr(0, 1), out);
  cast.output(began, euro.substr(1, 1), out);
  cast.output(began, euro.substr(2) + "\xff\xC0y", out);
  cast.output(began, euro.substr(0, 2), out);
  cast.end(began, {}, out);
  const auto lines = lines_of(out);
  REQUIRE(lines.size() == 4);
  CHECK(lines[1] == R"([0.000000, "o", "x"])");
  CHECK(lines[2] == "[0.000000, \"o\", \"" + euro + "\xEF\xBF\xBD\xEF\xBF\xBDy\"]");
  CHECK(lines[3] == "[0.000000, \"o\", \"\xEF\xBF\xBD\"]");
}

TEST_CASE("asciicast: time never goes back", "[gateway]") {
  std::string out;
  asciicast_writer cast(asciicast_format::v2, 80, 24, began, out);
  cast.output(began + milliseconds{500}, "a", out);
  cast.output(began + milliseconds{400}, "b", out);
  cast.output(began - milliseconds{400}, "c", out);
  for (const auto& line : lines_of(out))
    CHECK((line.front() == '{' || line.starts_with("[0.500000")));
}

TEST_CASE("utf8: every split of a text gives the same characters", "[gateway]") {
  const std::string text =
      "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xA0\x80\xF4\x90\x80\x80\xC3(\xE2\x82";
  std::string whole;
  bool replaced = false;
  const auto left = append_utf8(whole, text, replaced);
  CHECK(left == 2);
  CHECK(replaced);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    std::string out;
    const auto first = append_utf8(out, std::string_view(text).substr(0, cut), replaced);
    CHECK(append_utf8(out, std::string_view(text).substr(cut - first), replaced) == left);
    CHECK(out == whole);
  }
}

TEST_CASE("terminals: a recording holds what the terminal wrote, with sizes and end at their times",
          "[gateway]") {
  testing::gateway_world world;
  world.make_environment("web");
  const auto opened =
      world.call("POST", "/api/v1/environments/web/terminals", R"({"cols":90,"rows":30})");
  REQUIRE(opened->status() == 201);
  const terminal_id id{std::string(opened->json().at("terminal").at("id").as_string())};
  const auto start = world.clock.now();
  const auto write = [&](const std::string& text) {
    world.clock.advance(milliseconds{100});
    world.bulk.append(id, world.bulk.extent(id).next, share(text), world.clock.now());
  };
  write("one ");
  write("two ");
  world.clock.advance(milliseconds{50});
  REQUIRE(
      world.call("POST", "/api/v1/terminals/" + id.value + "/resize", R"({"cols":100,"rows":40})")
          ->status() == 200);
  write("three");
  world.clock.advance(milliseconds{100});
  REQUIRE(world.call("DELETE", "/api/v1/terminals/" + id.value)->status() == 200);
  const auto recording =
      world.call("GET", "/api/v1/terminals/" + id.value + "/recording?format=asciicast-v3");
  REQUIRE(recording->status() == 200);
  REQUIRE(drain(*recording->given, 1 << 20));
  const auto lines = lines_of(recording->given->body);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].find("\"cols\":90") != std::string::npos);
  CHECK(lines[1] == R"([0.100000, "o", "one "])");
  CHECK(lines[2] == R"([0.100000, "o", "two "])");
  CHECK(lines[3] == R"([0.050000, "r", "100x40"])");
  CHECK(lines[4] == R"([0.100000, "o", "three"])");
  CHECK(start < world.clock.now());
  CHECK(world.call("GET", "/api/v1/terminals/" + id.value + "/recording?format=gif")->status() ==
        422);
}

TEST_CASE("terminals: output is any range of the exact bytes; outside it the error says where",
          "[gateway]") {
  testing::gateway_world world;
  world.make_environment("web");
  const auto opened = world.call("POST", "/api/v1/environments/web/terminals");
  const terminal_id id{std::string(opened->json().at("terminal").at("id").as_string())};
  const std::string path = "/api/v1/terminals/" + id.value + "/output";
  std::string bytes(10'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  world.bulk.append(id, 0, share(bytes), world.clock.now());
  world.bulk.sync();
  const auto part = world.call("GET", path + "?from=100&limit=50");
  REQUIRE(part->status() == 200);
  CHECK(part->given->body == bytes.substr(100, 50));
  CHECK(part->given->content_type == "application/octet-stream");
  CHECK(part->given->headers.at("Berth-Next-Offset") == "150");
  CHECK(part->given->headers.at("Berth-Durable-Offset") == "10000");
  CHECK(world.call("GET", path + "?from=10000")->given->body.empty());
  const auto beyond = world.call("GET", path + "?from=10001");
  CHECK(beyond->status() == 416);
  CHECK(beyond->json().at("details").at("final_offset") == 10'000);
  world.bulk.retain(id, 4'000);
  const auto expired = world.call("GET", path + "?from=0");
  CHECK(expired->status() == 410);
  CHECK(expired->code() == "expired");
  CHECK(expired->json().at("details").at("first_offset") == 6'000);
  CHECK(world.call("GET", path + "?from=-1")->status() == 422);
  CHECK(world.call("GET", path + "?limit=0")->status() == 422);
}
