// The two digests of stored bytes: CRC-32C finds damage, SHA-256 proves content and order. Pure;
// any thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace berth {

// CRC-32C (Castagnoli, RFC 3720 B.4). Continues from `before`: crc32c(b, crc32c(a)) == crc32c(a +
// b).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);
// The same without the processor's instruction, for machines that lack it.
std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t before = 0);

// SHA-256 (FIPS 180-4) of the parts, one after the other.
std::array<std::uint8_t, 32> sha256(std::initializer_list<std::string_view> parts);

}  // namespace berth
