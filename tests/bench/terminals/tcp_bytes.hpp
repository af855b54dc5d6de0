// What came over a TCP socket so far, of payload, as the kernel counts it (tcpi_bytes_received).
#pragma once

#include <cstdint>

namespace berth::bench {

std::uint64_t tcp_bytes_received(int socket);

}  // namespace berth::bench
