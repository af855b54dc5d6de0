// A server that is there to be killed: the real kernel, journal, views and bulk log over an instant
// host, under load, telling on a pipe what it acknowledged. A line each, written at once:
//   ready                the checks of what the last one left were made; no promise was broken
//   A env number version command `number` of an environment was answered with that version
//   B terminal offset    told durable
//   X text               a promise was broken
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace berth::testing {

constexpr std::size_t killed_environments = 4;
constexpr std::size_t killed_terminals = 2;
constexpr std::uint64_t retried_commands = 8;  // acknowledged ones, sent again after every start

// What servers before were heard to acknowledge.
struct heard {
  std::array<std::map<std::uint64_t, std::uint64_t>, killed_environments> versions;  // the last few
  std::array<std::uint64_t, killed_terminals> durable{};
  std::uint64_t acknowledged{};

  void take(const std::string& line);
  void write(const std::filesystem::path& to) const;
  static heard read(const std::filesystem::path& from);
};

// Runs until it is killed. `id_time_ms` is of all command ids, so that a retry has the same one.
// With `last`, ends after the checks, having compared every view with a rebuilt one.
int run_killed_server(const std::filesystem::path& data, const heard& before,
                      std::uint64_t id_time_ms, bool last);

}  // namespace berth::testing
