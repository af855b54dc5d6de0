// Recordings: whatever a terminal printed, however it was cut into chunks, becomes lines of JSON
// whose texts are the output with ill-formed bytes replaced, and whose times never go back.
#include <boost/json.hpp>
#include <cmath>

#include "gateway/recording/asciicast.hpp"
#include "events/core/utf8.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace berth::fuzz {
namespace {

using gateway::asciicast_format;
constexpr auto began = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21};

std::string well_formed(const std::string& bytes) {
  std::string text;
  bool replaced = false;
  if (append_utf8(text, bytes, replaced) > 0) text += "\xEF\xBF\xBD";
  return text;
}

struct played {
  std::string text;
  std::string resizes;
  double last{};
  int exits{};
};

void play(std::string_view line, asciicast_format format, played& so_far) {
  boost::system::error_code failed;
  const auto parsed = boost::json::parse(line, failed);
  require(!failed && parsed.is_array() && parsed.get_array().size() == 3, "a line is an event");
  const auto& event = parsed.get_array();
  const auto time = event[0].to_number<double>();
  require(time >= 0, "a time is not negative");
  if (format == asciicast_format::v2) {
    require(time >= so_far.last, "times do not go back");
    so_far.last = time;
  }
  const auto& text = event[2].get_string();
  if (event[1] == "o") so_far.text += std::string_view(text);
  if (event[1] == "r") so_far.resizes.append(text.data(), text.size()) += ' ';
  if (event[1] == "x") ++so_far.exits;
}

}  // namespace

void run(std::string_view bytes) {
  input_reader input{bytes};
  const auto format = input.byte() % 2 ? asciicast_format::v3 : asciicast_format::v2;
  std::string lines, printed, resizes;
  gateway::asciicast_writer writer{format, 80, 24, began, lines};
  auto now = timestamp{began};
  while (!input.empty()) {
    const auto what = input.byte();
    // Clocks step back too.
    now += microseconds{static_cast<std::int32_t>(input.number(3) << 8) >> 4};
    if (what % 4 == 0) {
      const auto cols = static_cast<std::uint16_t>(input.number(2));
      const auto rows = static_cast<std::uint16_t>(input.number(2));
      writer.resize(now, cols, rows, lines);
      resizes += std::to_string(cols) + "x" + std::to_string(rows) + " ";
    } else {
      const auto chunk = input.bytes(what / 4);
      writer.output(now, chunk, lines);
      printed += chunk;
    }
  }
  writer.end(now, 3, lines);
  played all;
  std::string_view left{lines};
  for (bool head = true; !left.empty(); head = false) {
    const auto end = left.find('\n');
    require(end != std::string_view::npos, "every line ends");
    if (!head) play(left.substr(0, end), format, all);
    left.remove_prefix(end + 1);
  }
  require(all.text == well_formed(printed), "the texts are the output, however it was cut");
  require(all.resizes == resizes, "every resize is there");
  require(all.exits == (format == asciicast_format::v3 ? 1 : 0), "the exit is told in v3");
}

std::vector<std::string> seeds() {
  const auto chunk = [](std::string_view text) {
    return std::string{static_cast<char>(text.size() * 4 + 1), 0, 1, 2}.append(text);
  };
  std::vector<std::string> all;
  for (const char format : {0, 1}) {
    const std::string head(1, format);
    all.push_back(head + chunk("hello\r\n") + chunk("\x1b[31mred\x1b[0m"));
    all.push_back(head + chunk("\xE2\x82") + chunk("\xAC \xF0\x9F\x98") + chunk("\x80"));
    all.push_back(head + chunk("\xff\xfe\xE2\x82") + std::string{0, 0, 0, 9, 0, 100, 0, 40} +
                  chunk("\"\\\t\x7f"));
    all.push_back(head + chunk("\xED\xA0\x80\xC0\xAF\xF4\x90\x80\x80"));
  }
  return all;
}

}  // namespace berth::fuzz
