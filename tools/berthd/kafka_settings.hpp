// What berthd is told of Kafka.
#pragma once

#include <string>
#include <vector>

#include "infra/kafka/kafka_options.hpp"

namespace berth::berthd {

struct kafka_settings {
  kafka_options options;
  bool mirror{};
  std::string sasl_password_file;  // its first line is the password
};

// The [kafka] table of a configuration file (kafka_table.cpp); nothing else in it is looked at.
// Every mistake is added to `errors`, naming file and line.
kafka_settings read_kafka_file(const std::string& file, std::vector<std::string>& errors);

// What is wrong with them if Kafka is used at all; empty: nothing.
std::string mistake_in(const kafka_settings& of);

}  // namespace berth::berthd
