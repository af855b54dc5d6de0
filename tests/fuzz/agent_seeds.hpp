// What servers and agents say to each other, as seeds for the targets of the agent protocol. Each
// text is a run of whole frames.
#pragma once

#include <string>
#include <vector>

#include "infra/agent/protocol/frame.hpp"
#include "infra/agent/protocol/message.hpp"

namespace berth::fuzz {

inline constexpr const char* seed_environment = "env_1";
inline constexpr const char* seed_incarnation = "inc_1";
inline constexpr const char* seed_terminal = "term_1";
inline constexpr std::uint16_t seed_channel = 1;
inline constexpr agent::id_bytes seed_id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

std::string frame_bytes(agent::frame_header header, std::string_view payload = {});
std::string control(std::string packet);
std::string hello();
std::string welcome(const std::string& terminal = seed_terminal);

std::vector<std::string> server_says();
std::vector<std::string> agent_says();

}  // namespace berth::fuzz
