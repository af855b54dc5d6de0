#include "gateway/auth/hmac.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "events/core/invariant.hpp"

namespace berth::gateway {
namespace {
const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
}  // namespace

digest hmac_sha256(std::span<const std::uint8_t> key, std::string_view message) {
  digest out{};
  unsigned int size = 0;
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(message),
                          message.size(), out.data(), &size);
  BERTH_ASSERT(done != nullptr && size == out.size());
  return out;
}

digest sha256(std::string_view message) {
  digest out{};
  unsigned int size = 0;
  const int done =
      EVP_Digest(message.data(), message.size(), out.data(), &size, EVP_sha256(), nullptr);
  BERTH_ASSERT(done == 1 && size == out.size());
  return out;
}

bool equal_in_constant_time(const digest& a, const digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void fill_random(std::span<std::uint8_t> out) {
  BERTH_ASSERT(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1);
}

}  // namespace berth::gateway
