// UTF-8 as terminals and JSON need it. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace berth {

// Appends `bytes` to `out` with every ill-formed sequence replaced by U+FFFD (one per maximal
// subpart, Unicode §3.9). Returns how many bytes at the end begin a sequence that more bytes could
// complete; those are not appended.
std::size_t append_utf8(std::string& out, std::string_view bytes, bool& replaced);

}  // namespace berth
