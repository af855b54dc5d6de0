// HMAC-SHA256 and SHA-256 over OpenSSL, and random bytes. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace berth::gateway {

using digest = std::array<std::uint8_t, 32>;

digest hmac_sha256(std::span<const std::uint8_t> key, std::string_view message);
digest sha256(std::string_view message);
bool equal_in_constant_time(const digest& a, const digest& b);
void fill_random(std::span<std::uint8_t> out);  // aborts if the system has no randomness

}  // namespace berth::gateway
