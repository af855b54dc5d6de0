#include "infra/telemetry/logging.hpp"

#include <unistd.h>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

namespace berth {

namespace {

// %* in the JSON pattern: the message as a JSON string.
class json_message : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& into) override {
    const auto text = boost::json::serialize(boost::json::value(
        boost::json::string_view{message.payload.data(), message.payload.size()}));
    into.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<json_message>();
  }
};

}  // namespace

bool set_up_logging(const std::string& level, log_format format) {
  const auto wanted = spdlog::level::from_str(level == "warn" ? "warning" : level);
  if (wanted == spdlog::level::off && level != "off") return false;
  auto logger = std::make_shared<spdlog::logger>(
      "berthd", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  const bool human = format == log_format::human ||
                     (format == log_format::automatic && isatty(STDERR_FILENO) == 1);
  if (human) {
    logger->set_pattern("%H:%M:%S.%e %^%-5l%$ %v");
  } else {
    auto json = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    json->add_flag<json_message>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l","thread":%t,"message":%*})");
    logger->set_formatter(std::move(json));
  }
  logger->set_level(wanted);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return true;
}

}  // namespace berth
