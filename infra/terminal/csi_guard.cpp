#include "infra/terminal/csi_guard.hpp"

#include <algorithm>
#include <utility>

#include "events/core/utf8.hpp"

namespace berth {

namespace {
constexpr char bell = 0x07, cancel = 0x18, substitute = 0x1a, escape = 0x1b, rubout = 0x7f;
constexpr std::string_view replacement = "\xEF\xBF\xBD";
constexpr std::size_t held_bytes_max = 256;
constexpr std::size_t string_bytes_max = 4'000;
constexpr std::size_t repeat_max = 10'000;  // more than any row has columns

bool is_control(char byte) {
  return (byte >= 0 && byte < 0x20) || byte == rubout;
}

bool is_high(char byte) {
  return static_cast<unsigned char>(byte) >= 0x80;
}

// U+0080 to U+009F, of well-formed text from `from` on.
void drop_c1(std::string& text, std::size_t from) {
  auto to = from;
  for (auto at = from; at < text.size(); ++at) {
    const bool is_c1 = text[at] == '\xC2' && at + 1 < text.size() &&
                       static_cast<unsigned char>(text[at + 1]) < 0xA0;
    if (is_c1)
      ++at;
    else
      text[to++] = text[at];
  }
  text.resize(to);
}

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}
}  // namespace

void csi_guard::pass(std::string_view output, emulator& to) {
  const bool is_plain = place_ == place::text && cut_.empty() &&
                        output.find(escape) == std::string_view::npos &&
                        std::none_of(output.begin(), output.end(), is_high);
  if (is_plain) return to.write(output);
  while (!output.empty()) {
    if (place_ != place::text) {
      take(output.front(), to);
      output.remove_prefix(1);
      continue;
    }
    const auto text = output.substr(0, output.find(escape));
    take_text(text);
    output.remove_prefix(text.size());
    if (output.empty()) break;
    begin_sequence();
    output.remove_prefix(1);
  }
  flush(to);
}

void csi_guard::take_text(std::string_view text) {
  if (cut_.empty() && std::none_of(text.begin(), text.end(), is_high)) {
    whole_ += text;
    return;
  }
  const auto all = std::exchange(cut_, {}).append(text);
  const auto from = whole_.size();
  bool replaced = false;
  const auto left = append_utf8(whole_, all, replaced);
  cut_ = all.substr(all.size() - left);
  drop_c1(whole_, from);
}

void csi_guard::begin_sequence() {
  if (!cut_.empty()) whole_ += replacement;
  cut_.clear();
  held_ = escape;
  place_ = place::after_escape;
}

void csi_guard::flush(emulator& to) {
  if (!whole_.empty()) to.write(whole_);
  whole_.clear();
}

// The sequence ends here, with what it was.
void csi_guard::leave(char last) {
  place_ = place::text;
  whole_ += held_ += last;
}

void csi_guard::take(char byte, emulator& to) {
  if (place_ == place::string) {
    take_string(byte, to);
  } else if (byte == escape) {
    begin_sequence();
  } else if (byte == cancel || byte == substitute) {
    leave(byte);
  } else if (is_control(byte)) {
    whole_ += byte;  // executed in the middle of a sequence
  } else if (is_high(byte)) {
    place_ = place::text;  // in no sequence: what was held is nothing
    take_text({&byte, 1});
  } else if (place_ == place::arguments) {
    const bool is_last = byte >= 0x40;
    is_last ? finish(byte, to) : take_argument(byte);
  } else if (byte == '[') {
    held_ += byte;
    arguments_at_ = held_.size();
    separators_ = 0;
    place_ = place::arguments;
  } else if ((byte == ']' || byte == 'P') && held_.size() == 1) {
    held_ += byte;
    place_ = place::string;
  } else if (byte >= '0') {
    leave(byte);
  } else if (held_.size() < held_bytes_max) {
    held_ += byte;  // libvterm passes over what it does not know, and takes a [ after it for CSI
  }
}

void csi_guard::take_string(char byte, emulator& to) {
  const bool was_escape = held_.back() == escape;
  if (was_escape && byte != '\\') {  // another sequence ends it
    held_.pop_back();
    give_string(to);
    begin_sequence();
    return take(byte, to);
  }
  held_ += byte;
  const bool is_end = was_escape || byte == bell || byte == cancel || byte == substitute;
  if (is_end || held_.size() == string_bytes_max) give_string(to);
}

void csi_guard::give_string(emulator& to) {
  place_ = place::text;
  flush(to);
  take_text(held_);
  flush(to);
}

void csi_guard::take_argument(char byte) {
  if (byte == ';' || byte == ':') ++separators_;
  const bool fits = byte < '0' || separators_ < arguments_max;
  if (fits && held_.size() < held_bytes_max) held_ += byte;
}

void csi_guard::finish(char last, emulator& to) {
  const auto arguments = std::string_view{held_}.substr(arguments_at_);
  const bool is_repeat = last == 'b' && std::all_of(arguments.begin(), arguments.end(), [](char c) {
                           return is_digit(c) || c == ';' || c == ':';
                         });
  if (!is_repeat) return leave(last);
  place_ = place::text;
  std::size_t times = 0;
  for (const char digit : arguments) {
    if (!is_digit(digit)) break;
    times = std::min(times * 10 + static_cast<std::size_t>(digit - '0'), repeat_max);
  }
  flush(to);
  to.repeat_last(std::max<std::size_t>(times, 1));
}

}  // namespace berth
