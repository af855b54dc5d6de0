// The server-side terminal emulator on libvterm (actors/ports/screen.hpp). Keeps the visible
// screen, no scrollback.
#pragma once

#include "actors/ports/screen.hpp"

namespace berth {

std::unique_ptr<screen> make_vterm_screen(std::uint16_t cols, std::uint16_t rows);

}  // namespace berth
