#include "infra/rocksdb/storage_errors.hpp"

#include <array>
#include <cstdio>

namespace berth {
namespace {

constexpr std::size_t text_bytes_max = 2048;

class forwarder : public rocksdb::Logger {
 public:
  explicit forwarder(const embedded_options& options)
      : Logger{rocksdb::ERROR_LEVEL}, told_{options.on_storage_error} {}

  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    const bool is_one = level >= rocksdb::ERROR_LEVEL && level <= rocksdb::FATAL_LEVEL;
    if (is_one) Logv(format, arguments);
  }
  void Logv(const char* format, va_list arguments) override {
    if (!told_) return;
    std::array<char, text_bytes_max> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    told_(text.data());
  }

 private:
  const std::function<void(const std::string&)> told_;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> storage_errors(const embedded_options& options) {
  return std::make_shared<forwarder>(options);
}

}  // namespace berth
