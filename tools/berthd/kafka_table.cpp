#include "tools/berthd/kafka_table.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>

namespace berth::berthd {
namespace {

// Where a key's value goes. One list serves reading and describing, so that the two cannot drift.
struct keys {
  std::function<void(const char*, std::string&)> text;
  std::function<void(const char*, bool&)> yes_no;
  std::function<void(const char*, std::int64_t, std::function<void(std::int64_t)>)> number;
};

void each_key(kafka_settings& of, const keys& use) {
  auto& to = of.options;
  use.text("bootstrap", to.bootstrap);
  use.yes_no("mirror", of.mirror);
  use.text("node", to.node);
  use.text("topic_prefix", to.topic_prefix);
  use.number("partitions", to.partitions,
             [&](auto n) { to.partitions = static_cast<std::uint32_t>(n); });
  use.number("replication_factor", to.replication_factor,
             [&](auto n) { to.replication_factor = static_cast<int>(n); });
  use.number("min_insync_replicas", to.min_insync_replicas,
             [&](auto n) { to.min_insync_replicas = static_cast<int>(n); });
  use.yes_no("create_topics", to.create_topics);
  use.text("security_protocol", to.security_protocol);
  use.text("sasl_mechanism", to.sasl_mechanism);
  use.text("sasl_username", to.sasl_username);
  use.text("sasl_password_file", of.sasl_password_file);
  use.text("ca_file", to.ca_file);
  use.text("certificate_file", to.certificate_file);
  use.text("key_file", to.key_file);
  use.number("delivery_timeout_ms", to.delivery_timeout_ms.count(),
             [&](auto n) { to.delivery_timeout_ms = std::chrono::milliseconds{n}; });
  use.number("session_timeout_ms", to.session_timeout_ms.count(),
             [&](auto n) { to.session_timeout_ms = std::chrono::milliseconds{n}; });
  use.number("request_timeout_ms", to.request_timeout_ms.count(),
             [&](auto n) { to.request_timeout_ms = std::chrono::milliseconds{n}; });
}

std::string place(const std::string& file, const toml::node& node) {
  std::ostringstream text;
  text << file << ":" << node.source().begin.line << ": ";
  return text.str();
}

}  // namespace

void read_kafka(const toml::table& from, const std::string& file, kafka_settings& to,
                std::vector<std::string>& errors) {
  std::vector<std::string_view> known;
  const auto take = [&]<class T>(const char* key, std::function<void(T)> set) {
    known.push_back(key);
    const auto* node = from.get(key);
    if (!node) return;
    if (const auto value = node->value_exact<T>())
      set(*value);
    else
      errors.push_back(place(file, *node) + "kafka." + key + " has the wrong type");
  };
  each_key(to, {[&](const char* key, std::string& into) {
                  take.operator()<std::string>(key, [&](std::string v) { into = std::move(v); });
                },
                [&](const char* key, bool& into) {
                  take.operator()<bool>(key, [&](bool v) { into = v; });
                },
                [&](const char* key, std::int64_t, std::function<void(std::int64_t)> set) {
                  take.operator()<std::int64_t>(key, [&, set](std::int64_t v) {
                    if (v >= 1 && v <= 86'400'000) return set(v);
                    errors.push_back(place(file, *from.get(key)) + "kafka." + key + " = " +
                                     std::to_string(v) + " is not between 1 and 86400000");
                  });
                }});
  for (const auto& [key, node] : from)
    if (std::find(known.begin(), known.end(), key.str()) == known.end())
      errors.push_back(place(file, node) + "unknown key kafka." + std::string{key.str()});
  if (to.sasl_password_file.empty()) return;
  std::ifstream secret{to.sasl_password_file};
  if (!std::getline(secret, to.options.sasl_password))
    errors.push_back(file + ": kafka.sasl_password_file " + to.sasl_password_file +
                     " cannot be read, or is empty");
}

kafka_settings read_kafka_file(const std::string& file, std::vector<std::string>& errors) {
  kafka_settings read;
  try {
    const auto all = toml::parse_file(file);
    const auto* table = all["kafka"].as_table();
    if (table)
      read_kafka(*table, file, read, errors);
    else
      errors.push_back(file + ": has no table [kafka]");
  } catch (const toml::parse_error& error) {
    errors.push_back(file + ":" + std::to_string(error.source().begin.line) + ": " +
                     std::string{error.description()});
  }
  if (const auto mistake = mistake_in(read); errors.empty() && !mistake.empty())
    errors.push_back(file + ": " + mistake);
  return read;
}

toml::table describe_kafka(const kafka_settings& of) {
  auto copy = of;
  toml::table text;
  each_key(copy,
           {[&](const char* key, std::string& value) { text.insert(key, value); },
            [&](const char* key, bool& value) { text.insert(key, value); },
            [&](const char* key, std::int64_t value, const auto&) { text.insert(key, value); }});
  return text;
}

}  // namespace berth::berthd
