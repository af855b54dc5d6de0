// The [kafka] table of berthd's configuration file.
#pragma once

#include <string>
#include <vector>

#include <toml++/toml.h>

#include "tools/berthd/kafka_settings.hpp"

namespace berth::berthd {

// Every mistake is added to `errors`, naming file and line.
void read_kafka(const toml::table& from, const std::string& file, kafka_settings& to,
                std::vector<std::string>& errors);
// The settings in force; the password itself is never shown.
toml::table describe_kafka(const kafka_settings& of);

}  // namespace berth::berthd
