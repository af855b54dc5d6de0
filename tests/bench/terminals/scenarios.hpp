// What is measured of terminals, each on a client of its own. A scenario reports one row or
// several: a name and figures.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "tests/bench/terminals/bench_client.hpp"
#include "tests/bench/terminals/server_process.hpp"

namespace berth::bench {

struct settings {
  client::client_options server;
  server_process process{0};
  std::string data_dir;  // of the server, to look at what it stored
  bool quick{};
  int of(int full, int quick_count) const { return quick ? quick_count : full; }
};

using report = std::function<void(std::string_view name, const boost::json::object& figures)>;
using scenario = void (*)(const settings& with, const report& row);

// echo.cpp
void echo(const settings& with, const report& row);
void echo_beside_flood(const settings& with, const report& row);
void interrupt(const settings& with, const report& row);
// bulk.cpp
void bulk(const settings& with, const report& row);
void bulk_zstd(const settings& with, const report& row);
void seek(const settings& with, const report& row);
// viewers.cpp
void many_viewers(const settings& with, const report& row);
void stalled_reader(const settings& with, const report& row);
// away.cpp
void dropped_socket(const settings& with, const report& row);
void output_while_away(const settings& with, const report& row);
void through_sigkill(const settings& with, const report& row);
// idle.cpp
void idle_sockets(const settings& with, const report& row);
void idle_terminals(const settings& with, const report& row);
void fleet(const settings& with, const report& row);
// commands.cpp
void commands(const settings& with, const report& row);

}  // namespace berth::bench
