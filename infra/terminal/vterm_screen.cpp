#include "infra/terminal/vterm_screen.hpp"

#include <vterm.h>

#include <algorithm>

#include "events/core/utf8.hpp"
#include "infra/terminal/csi_guard.hpp"

namespace berth {

namespace {

// RFC 3629. libvterm gives code points, also such as are no characters: of sequences of five and
// six bytes, and controls, which a client's terminal would obey.
void append_character(std::string& to, std::uint32_t code) {
  constexpr std::uint32_t replacement = 0xFFFD;
  const bool is_control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  if (is_control || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = replacement;
  char bytes[4];
  if (code < 0x80) {
    to.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    bytes[0] = static_cast<char>(0xC0 | (code >> 6));
    bytes[1] = static_cast<char>(0x80 | (code & 0x3F));
    to.append(bytes, 2);
  } else if (code < 0x10000) {
    bytes[0] = static_cast<char>(0xE0 | (code >> 12));
    bytes[1] = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    bytes[2] = static_cast<char>(0x80 | (code & 0x3F));
    to.append(bytes, 3);
  } else {
    bytes[0] = static_cast<char>(0xF0 | (code >> 18));
    bytes[1] = static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    bytes[2] = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    bytes[3] = static_cast<char>(0x80 | (code & 0x3F));
    to.append(bytes, 4);
  }
}

// SGR parameters of a colour; `base` is 38 (text) or 48 (background).
void append_colour(std::string& sgr, const VTermColor& colour, int base) {
  if (VTERM_COLOR_IS_DEFAULT_FG(&colour) || VTERM_COLOR_IS_DEFAULT_BG(&colour)) return;
  if (VTERM_COLOR_IS_INDEXED(&colour))
    sgr += ";" + std::to_string(base) + ";5;" + std::to_string(colour.indexed.idx);
  else
    sgr += ";" + std::to_string(base) + ";2;" + std::to_string(colour.rgb.red) + ";" +
           std::to_string(colour.rgb.green) + ";" + std::to_string(colour.rgb.blue);
}

std::string sgr_of(const VTermScreenCell& cell) {
  std::string sgr = "\x1b[0";
  if (cell.attrs.bold) sgr += ";1";
  if (cell.attrs.italic) sgr += ";3";
  if (cell.attrs.underline) sgr += ";4";
  if (cell.attrs.blink) sgr += ";5";
  if (cell.attrs.reverse) sgr += ";7";
  if (cell.attrs.strike) sgr += ";9";
  append_colour(sgr, cell.fg, 38);
  append_colour(sgr, cell.bg, 48);
  return sgr + "m";
}

// What a cell holds behind a wide character.
constexpr auto second_half = static_cast<std::uint32_t>(-1);

// In cells, as libvterm sees it: 0, 1 or 2. A cell does not say: what is behind it may have
// changed.
int width_of(std::uint32_t code) {
  if (code < 0x80) return 1;
  struct ruler {
    VTerm* terminal{vterm_new(1, 4)};
    VTermState* state{vterm_obtain_state(terminal)};
    ruler() {
      vterm_set_utf8(terminal, 1);
      vterm_state_reset(state, 1);
    }
    ruler(const ruler&) = delete;
    ~ruler() { vterm_free(terminal); }
  };
  static thread_local const ruler measuring;
  std::string text = "\rx";
  append_character(text, code);
  vterm_input_write(measuring.terminal, text.data(), text.size());
  VTermPos cursor{};
  vterm_state_get_cursorpos(measuring.state, &cursor);
  return cursor.col - 1;
}

// libvterm writes beyond its memory when a wide character does not fit a row.
constexpr std::uint16_t cols_min = 2;
constexpr std::uint16_t rows_min = 1;

class vterm_screen : public screen, private csi_guard::emulator {
 public:
  vterm_screen(std::uint16_t cols, std::uint16_t rows) : terminal_{vterm_new(rows, cols)} {
    vterm_set_utf8(terminal_, 1);
    screen_ = vterm_obtain_screen(terminal_);
    static const VTermScreenCallbacks callbacks = make_callbacks();
    vterm_screen_set_callbacks(screen_, &callbacks, this);
    vterm_screen_enable_altscreen(screen_, 1);
    vterm_screen_reset(screen_, 1);
  }
  ~vterm_screen() override { vterm_free(terminal_); }
  vterm_screen(const vterm_screen&) = delete;
  vterm_screen& operator=(const vterm_screen&) = delete;

  void feed(std::string_view output) override { guard_.pass(output, *this); }
  void resize(std::uint16_t cols, std::uint16_t rows) override {
    forget_margins();
    vterm_set_size(terminal_, std::max(rows, rows_min), std::max(cols, cols_min));
    // libvterm leaves the cursor outside when its row is gone, and reads beyond its memory there.
    VTermPos cursor{};
    vterm_state_get_cursorpos(vterm_obtain_state(terminal_), &cursor);
    if (cursor.row < 0 || cursor.col < 0) write(move_to(cursor));
  }

  std::string snapshot() const override {
    std::string out =
        "\x1b"
        "c";  // RIS: from nothing
    if (alternate_) out += "\x1b[?1049h";
    int rows = 0, cols = 0;
    vterm_get_size(terminal_, &rows, &cols);
    std::string pen;
    for (int row = 0; row < rows; ++row) append_row(out, row, cols, pen);
    out += "\x1b[0m";
    if (!title_.empty()) out += "\x1b]2;" + title_ + "\x1b\\";
    if (mouse_ != VTERM_PROP_MOUSE_NONE) out += mouse_mode();
    VTermPos cursor{};
    vterm_state_get_cursorpos(vterm_obtain_state(terminal_), &cursor);
    out += move_to({std::min(cursor.row, rows - 1), std::min(cursor.col, cols - 1)});
    if (!cursor_visible_) out += "\x1b[?25l";
    return out;
  }

 private:
  // libvterm takes four bytes of stack for each byte of text it is given at once, and prints what
  // is cut inside a character twice.
  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const auto piece = piece_of(bytes);
      vterm_input_write(terminal_, bytes.data(), piece);
      bytes.remove_prefix(piece);
    }
  }

  // Ends between characters, and in no control sequence (csi_guard: they are shorter).
  static std::size_t piece_of(std::string_view bytes) {
    constexpr std::size_t at_once = 4'096, sequence_bytes_max = 512;
    if (bytes.size() <= at_once) return bytes.size();
    auto end = at_once;
    while (end > 1 && (static_cast<unsigned char>(bytes[end]) & 0xC0) == 0x80) --end;
    const auto sequence = bytes.rfind('\x1b', end - 1);
    const bool is_near = sequence != std::string_view::npos && end - sequence < sequence_bytes_max;
    return is_near && sequence > 0 ? sequence : end;
  }

  // DECSTBM, DECSLRM. libvterm keeps margins that a resize puts outside, and moves memory by a
  // negative number of bytes.
  void forget_margins() {
    VTermPos cursor{};
    vterm_state_get_cursorpos(vterm_obtain_state(terminal_), &cursor);
    write("\x1b[r\x1b[s" + move_to(cursor));
  }

  // REP: the character left of the cursor, as often as the row has room for it.
  void repeat_last(std::size_t times) override {
    int rows = 0, cols = 0;
    vterm_get_size(terminal_, &rows, &cols);
    VTermPos cursor{};
    vterm_state_get_cursorpos(vterm_obtain_state(terminal_), &cursor);
    VTermScreenCell cell{};
    for (int back = 1; back <= 2; ++back) {
      if (cursor.col < back) return;
      vterm_screen_get_cell(screen_, {cursor.row, cursor.col - back}, &cell);
      if (cell.chars[0] != second_half) break;
    }
    const auto text = text_of(cell);
    const auto width = cell.chars[0] == 0 ? 1 : width_of(cell.chars[0]);
    const auto room = static_cast<std::size_t>(std::max(cols - cursor.col, 0));
    if (width < 1) return;
    times = std::min(times, room / static_cast<std::size_t>(width));
    for (; times > 0; --times) write(text);
  }

  static std::string text_of(const VTermScreenCell& cell) {
    if (cell.chars[0] == 0 || cell.chars[0] == second_half) return " ";
    std::string text;
    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] != 0; ++i)
      append_character(text, cell.chars[i]);
    return text;
  }

  static std::string move_to(const VTermPos& place) {
    return "\x1b[" + std::to_string(std::max(place.row, 0) + 1) + ";" +
           std::to_string(std::max(place.col, 0) + 1) + "H";
  }

  static VTermScreenCallbacks make_callbacks() {
    VTermScreenCallbacks callbacks{};
    callbacks.settermprop = [](VTermProp property, VTermValue* value, void* user) {
      return static_cast<vterm_screen*>(user)->set_property(property, *value);
    };
    return callbacks;
  }

  int set_property(VTermProp property, const VTermValue& value) {
    if (property == VTERM_PROP_ALTSCREEN) alternate_ = value.boolean != 0;
    if (property == VTERM_PROP_CURSORVISIBLE) cursor_visible_ = value.boolean != 0;
    if (property == VTERM_PROP_MOUSE) mouse_ = value.number;
    if (property == VTERM_PROP_TITLE) set_title(value.string);
    return 1;
  }

  // Titles come from the environment: control characters would end the sequence they are repeated
  // in.
  void set_title(std::string_view title) {
    constexpr std::size_t title_bytes_max = 256;
    std::string kept;
    for (const char c : title.substr(0, title_bytes_max))
      if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) kept.push_back(c);
    title_.clear();
    bool replaced = false;
    append_utf8(title_, kept, replaced);  // without a last character that was cut
  }

  std::string mouse_mode() const {
    const auto mode = mouse_ == VTERM_PROP_MOUSE_CLICK  ? "1000"
                      : mouse_ == VTERM_PROP_MOUSE_DRAG ? "1002"
                                                        : "1003";
    return std::string{"\x1b[?"} + mode + "h\x1b[?1006h";
  }

  void append_row(std::string& out, int row, int cols, std::string& pen) const {
    VTermScreenCell cell{};
    int last = cols - 1;
    for (; last >= 0; --last) {
      vterm_screen_get_cell(screen_, {row, last}, &cell);
      if (cell.chars[0] != 0 || cell.attrs.reverse || !VTERM_COLOR_IS_DEFAULT_BG(&cell.bg)) break;
    }
    if (last < 0) return;
    out += "\x1b[" + std::to_string(row + 1) + ";1H";
    for (int col = 0; col <= last; ++col) {
      vterm_screen_get_cell(screen_, {row, col}, &cell);
      auto wanted = sgr_of(cell);
      if (wanted != pen) out += pen = std::move(wanted);
      const bool is_blank = cell.chars[0] == 0 || cell.chars[0] == second_half;
      const int width = is_blank ? 1 : width_of(cell.chars[0]);
      // A resize may have cut a wide character; it would wrap to the next row.
      if (is_blank || col + width > cols) {
        out.push_back(' ');
        continue;
      }
      if (width == 0) out.push_back(' ');  // a combining character without one to combine with
      out += text_of(cell);
      if (width == 2 && col < last) {
        vterm_screen_get_cell(screen_, {row, col + 1}, &cell);
        if (cell.chars[0] == second_half)
          ++col;
        else  // something else was written over its second half
          out += "\x1b[" + std::to_string(col + 2) + "G";
      }
    }
  }

  VTerm* terminal_;
  VTermScreen* screen_{};
  csi_guard guard_;
  bool alternate_{};
  bool cursor_visible_{true};
  int mouse_{VTERM_PROP_MOUSE_NONE};
  std::string title_;
};

}  // namespace

std::unique_ptr<screen> make_vterm_screen(std::uint16_t cols, std::uint16_t rows) {
  return std::make_unique<vterm_screen>(std::max(cols, cols_min), std::max(rows, rows_min));
}

}  // namespace berth
