// The rules of actors/ports/bulk_log.hpp over every implementation, and what is special to segment
// files.
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "infra/bulk/segment_bulk_log.hpp"
#include "infra/memory/memory_bulk_log.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/journal_engines.hpp"

namespace berth::testing {
namespace {

const terminal_id one{"term_one"};
const terminal_id two{"term_two"};

timestamp at_ms(std::int64_t ms) {
  return from_us(1'800'000'000'000'000 + ms * 1'000);
}

class memory_bulk {
 public:
  bulk_log& log() { return log_; }
  void settle(const terminal_id&) { log_.sync(); }
  void reopen() { log_.crash(); }

 private:
  memory_bulk_log log_;
};

class segment_bulk {
 public:
  segment_bulk() {
    options_.dir = folder_.path() / "bulk";
    options_.sync_interval_ms = std::chrono::milliseconds{2};
    options_.segment_bytes_max = 256 << 10;
    options_.on_fatal = [](const journal_error& why) { FAIL("fatal: " << why.message); };
    open();
  }
  bulk_log& log() { return *log_; }
  // Until everything appended is durable; 20 s.
  void settle(const terminal_id& terminal) {
    for (int i = 0; i < 20'000; ++i) {
      const auto extent = log_->extent(terminal);
      if (extent.durable == extent.next) return;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    FAIL("not durable within 20 s");
  }
  void reopen() {
    log_.reset();
    open();
  }
  bulk_options& options() { return options_; }
  std::filesystem::path folder(const terminal_id& terminal) const {
    return options_.dir / terminal.value;
  }

 private:
  void open() {
    auto opened = open_bulk_log(options_);
    if (opened.has_error()) FAIL("open: " << opened.error().message);
    log_ = std::move(*opened);
  }
  temporary_folder folder_;
  bulk_options options_;
  std::unique_ptr<bulk_log> log_;
};

std::string random_text(std::size_t size, unsigned seed) {
  std::mt19937 random{seed};
  std::string text(size, '\0');
  for (auto& c : text) c = static_cast<char>("abcdefgh \r\n\x1b"[random() % 12]);
  return text;
}

#define BULK_LOGS memory_bulk, segment_bulk

}  // namespace

TEMPLATE_TEST_CASE("bulk: an unknown terminal is empty", "[infra]", BULK_LOGS) {
  TestType bulk;
  CHECK(bulk.log().extent(one).next == 0);
  CHECK(bulk.log().read(one, 0, 10).value().empty());
  CHECK(bulk.log().read(one, 1, 10).error().code == journal_errc::not_found);
  CHECK(bulk.log().marks(one, 0, 10).value().empty());
  bulk.log().remove(one);
}

TEMPLATE_TEST_CASE("bulk: bytes are read before and after they are durable, and after a restart",
                   "[infra]", BULK_LOGS) {
  TestType bulk;
  CHECK(bulk.log().append(one, 0, share("hello "), at_ms(1)) == 6);
  CHECK(bulk.log().append(one, 6, share("world"), at_ms(2)) == 11);
  CHECK(bulk.log().read(one, 0, 100).value() == "hello world");
  bulk.settle(one);
  CHECK(bulk.log().extent(one).durable == 11);
  CHECK(bulk.log().read(one, 4, 4).value() == "o wo");
  CHECK(bulk.log().read(one, 11, 4).value().empty());
  CHECK(bulk.log().read(one, 12, 4).error().code == journal_errc::not_found);
  bulk.reopen();
  CHECK(bulk.log().extent(one).durable == 11);
  CHECK(bulk.log().extent(one).next == 11);
  CHECK(bulk.log().read(one, 0, 100).value() == "hello world");
  CHECK(bulk.log().append(one, 11, share("!"), at_ms(3)) == 12);
  CHECK(bulk.log().read(one, 5, 100).value() == " world!");
}

TEMPLATE_TEST_CASE("bulk: a repeated range is cut, a hole is answered with the next offset",
                   "[infra]", BULK_LOGS) {
  TestType bulk;
  bulk.log().append(one, 0, share("0123456789"), at_ms(1));
  CHECK(bulk.log().append(one, 5, share("56789abc"), at_ms(2)) == 13);
  CHECK(bulk.log().append(one, 0, share("0123"), at_ms(3)) == 13);
  CHECK(bulk.log().append(one, 14, share("x"), at_ms(4)) == 13);
  CHECK(bulk.log().append(one, 13, share(""), at_ms(5)) == 13);
  CHECK(bulk.log().read(one, 0, 100).value() == "0123456789abc");
}

TEMPLATE_TEST_CASE("bulk: durable is told for what was appended, a terminal at a time", "[infra]",
                   BULK_LOGS) {
  TestType bulk;
  std::mutex mutex;
  std::map<terminal_id, std::uint64_t> told;
  bulk.log().on_durable([&](const terminal_id& terminal, std::uint64_t durable) {
    const std::lock_guard lock{mutex};
    CHECK(told[terminal] < durable);
    told[terminal] = durable;
  });
  for (std::uint64_t i = 0; i < 50; ++i) {
    bulk.log().append(one, i * 3, share("abc"), at_ms(1));
    bulk.log().append(two, i * 2, share("de"), at_ms(1));
  }
  bulk.settle(one);
  bulk.settle(two);
  const auto all = [&] {
    const std::lock_guard lock{mutex};
    return told[one] == 150 && told[two] == 100;
  };
  for (int i = 0; i < 5'000 && !all(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  CHECK(all());
}

TEMPLATE_TEST_CASE(
    "bulk: a source that is faster than the disk is refused, not buffered without bound", "[infra]",
    BULK_LOGS) {
  TestType bulk;
  const auto piece = share(std::string(1 << 20, 'x'));
  std::uint64_t next = 0;
  bool refused = false;
  for (int i = 0; i < 2'000 && !refused; ++i) {
    const auto after = bulk.log().append(one, next, piece, at_ms(i));
    const auto extent = bulk.log().extent(one);
    CHECK(extent.next - extent.durable <= memory_bulk_log::unwritten_bytes_max);
    refused = after == next;
    next = after;
  }
  CHECK(refused);
  bulk.settle(one);
  CHECK(bulk.log().append(one, next, piece, at_ms(0)) == next + piece->size());
}

TEMPLATE_TEST_CASE("bulk: marks say when the bytes of a range arrived", "[infra]", BULK_LOGS) {
  TestType bulk;
  for (std::uint64_t i = 0; i < 10; ++i)
    bulk.log().append(one, i * 10, share("0123456789"), at_ms(100 * (1 + i)));
  for (int round = 0; round < 2; ++round) {
    const auto marks = bulk.log().marks(one, 15, 40).value();
    REQUIRE(marks.size() == 3);
    CHECK(marks[0].offset == 15);
    CHECK(marks[0].time == at_ms(200));
    CHECK(marks[1].offset == 20);
    CHECK(marks[2].offset == 30);
    CHECK(marks[2].time == at_ms(400));
    CHECK(bulk.log().marks(one, 0, 1'000).value().size() == 10);
    bulk.settle(one);
    bulk.reopen();
  }
}

TEMPLATE_TEST_CASE("bulk: retention drops from the front and never past durable", "[infra]",
                   BULK_LOGS) {
  TestType bulk;
  const auto text = random_text(1 << 20, 1);
  bulk.log().retain(one, 200'000);
  for (std::size_t at = 0; at < text.size(); at += 8'192) {
    REQUIRE(bulk.log().append(one, at, share(text.substr(at, 8'192)), at_ms(1)) == at + 8'192);
    if (at % 65'536 == 0) bulk.settle(one);
  }
  bulk.settle(one);
  bulk.log().retain(one, 200'000);
  for (int i = 0; i < 5'000 && bulk.log().extent(one).first < text.size() - 200'000; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  const auto extent = bulk.log().extent(one);
  CHECK(extent.next - extent.first <= 200'000);
  CHECK(extent.next - extent.first >= 100'000);
  CHECK(extent.durable == text.size());
  CHECK(bulk.log().read(one, extent.first, text.size()).value() == text.substr(extent.first));
  CHECK(bulk.log().read(one, extent.first - 1, 1).error().code == journal_errc::not_found);
  bulk.log().retain(one, 0);
  for (int i = 0; i < 5'000 && bulk.log().extent(one).first < text.size(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  CHECK(bulk.log().extent(one).first == text.size());
  bulk.reopen();
  CHECK(bulk.log().extent(one).next == text.size());
  CHECK(bulk.log().append(one, text.size(), share("more"), at_ms(2)) == text.size() + 4);
}

TEMPLATE_TEST_CASE("bulk: a removed terminal is gone for good", "[infra]", BULK_LOGS) {
  TestType bulk;
  bulk.log().append(one, 0, share("abc"), at_ms(1));
  bulk.settle(one);
  bulk.log().append(one, 3, share("def"), at_ms(1));
  bulk.log().remove(one);
  CHECK(bulk.log().extent(one).next == 0);
  bulk.reopen();
  CHECK(bulk.log().extent(one).next == 0);
}

TEMPLATE_TEST_CASE(
    "bulk: any range reads as it was written, while it is written, closed and compressed",
    "[infra]", BULK_LOGS) {
  TestType bulk;
  const auto text = random_text(3 << 20, 2);
  std::atomic<std::size_t> written{0};
  std::thread writer{[&] {
    std::mt19937 random{3};
    while (written < text.size()) {
      const auto size = std::min<std::size_t>(1 + random() % 20'000, text.size() - written);
      const auto next = bulk.log().append(one, written, share(text.substr(written, size)),
                                          at_ms(written / 1'000));
      written = next;
    }
  }};
  std::mt19937 random{4};
  bool right = true;
  for (int i = 0; i < 3'000 || written < text.size(); ++i) {
    const std::size_t known = written;
    const auto from = random() % (known + 1);
    const auto size = random() % 100'000;
    const auto read = bulk.log().read(one, from, size);
    if (read.has_error()) FAIL("read: " << read.error().message);
    right = right && read->size() >= std::min(size, known - from) &&
            text.compare(from, read->size(), *read) == 0;
  }
  writer.join();
  CHECK(right);
  bulk.settle(one);
  bulk.reopen();
  CHECK(bulk.log().read(one, 0, text.size()).value() == text);
}

TEST_CASE(
    "bulk: closed segments are compressed, and a reader beside the server sees what is durable",
    "[infra]") {
  segment_bulk bulk;
  const auto text = random_text(2 << 20, 5);
  for (std::size_t at = 0; at < text.size(); at += 16'384) {
    bulk.log().append(one, at, share(text.substr(at, 16'384)),
                      at_ms(static_cast<std::int64_t>(at)));
    if (at % 262'144 == 0) bulk.settle(one);
  }
  bulk.settle(one);
  const auto count = [&](const char* kind) {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator{bulk.folder(one)})
      files += entry.path().extension() == kind;
    return files;
  };
  const auto wait_for_raw = [&](std::size_t left) {
    for (int i = 0; i < 10'000 && count(".raw") > left; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    CHECK(count(".raw") <= left);
  };
  wait_for_raw(1);
  CHECK(count(".zst") >= 4);
  const auto reader = open_bulk_reader(bulk.options()).value();
  CHECK(reader->extent(one).next == text.size());
  CHECK(reader->read(one, 0, text.size()).value() == text);
  CHECK(reader->marks(one, 0, text.size()).value().size() == 128);
  CHECK(reader->append(one, text.size(), share("x"), at_ms(0)) == text.size());
  CHECK(reader->read({"../etc"}, 0, 1).error().code == journal_errc::not_found);
  bulk.log().finish(one);
  wait_for_raw(0);
  bulk.reopen();
  CHECK(bulk.log().read(one, 777, 1'000'000).value() == text.substr(777, 1'000'000));
}

TEST_CASE("bulk: more terminals than open files", "[infra]") {
  segment_bulk bulk;
  bulk.options().open_files_max = 4;
  bulk.reopen();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) {
      const terminal_id terminal{"term_" + std::to_string(i)};
      bulk.log().append(terminal, static_cast<std::uint64_t>(round) * 5, share("abcde"), at_ms(1));
    }
    for (int i = 0; i < 20; ++i) bulk.settle({"term_" + std::to_string(i)});
  }
  bulk.reopen();
  for (int i = 0; i < 20; ++i)
    CHECK(bulk.log().read({"term_" + std::to_string(i)}, 0, 100).value() == "abcdeabcdeabcde");
}

}  // namespace berth::testing
