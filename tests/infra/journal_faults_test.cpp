// The embedded engine when things go wrong or come late: failing and slow disks, power cuts, a
// second opener, readers beside the server, full queues.
#include <atomic>
#include <fstream>
#include <thread>

#include "infra/rocksdb/head_file.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/damage.hpp"
#include "tests/support/journal_engines.hpp"
#include "tests/support/journal_sample.hpp"
#include "tests/support/simulated_disk.hpp"

namespace berth::testing {
namespace {

struct disk_engine {
  disk_engine() {
    disk = std::make_shared<simulated_disk>();
    env = rocksdb::NewCompositeEnv(disk);
    options.data_dir = folder.path() / "data";
    options.time = &time;
    options.env = env.get();
    options.on_fatal = [this](const journal_error& why) {
      fatal.push_back(why);
      has_ended = true;
    };
  }
  void open() { engine = open_embedded(options).value(); }
  journal& log() { return engine->journal(); }

  temporary_folder folder;
  shared_clock time;
  std::shared_ptr<simulated_disk> disk;
  std::unique_ptr<rocksdb::Env> env;
  embedded_options options;
  std::vector<journal_error> fatal;  // read when the engine is gone
  std::atomic<bool> has_ended{};
  std::unique_ptr<embedded_engine> engine;
};

commit_body nth(std::uint64_t n, std::size_t streams = 5) {
  return sample_body(stream_named(std::to_string(n % streams)), n / streams + 1, n + 1);
}

}  // namespace

TEST_CASE("faults: a failed sync completes everything unknown_outcome and ends the journal, once",
          "[infra]") {
  disk_engine on;
  on.open();
  const auto before = std::make_shared<recording_listener>();
  REQUIRE_FALSE(on.log().append(nth(0), 0, before));
  REQUIRE(before->wait_for(1));
  on.disk->hold();
  on.disk->fail_syncs_below("log");
  const auto listener = std::make_shared<recording_listener>();
  for (std::uint64_t n = 1; n <= 50; ++n) REQUIRE_FALSE(on.log().append(nth(n), n, listener));
  on.disk->release();
  REQUIRE(listener->wait_for(50));
  for (const auto& result : listener->results()) {
    REQUIRE(result.error);
    CHECK(result.error->code == journal_errc::unknown_outcome);
  }
  for (int i = 0; i < 5'000 && !on.has_ended; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  CHECK(on.log().append(nth(51), 51, listener)->code == journal_errc::closed);
  CHECK(on.log().head().offset == 1);
  CHECK(on.log().read({0, 1}, 100).value().size() == 1);
  on.engine.reset();
  REQUIRE(on.fatal.size() == 1);
  CHECK(on.fatal[0].code == journal_errc::io);
  on.options.env = nullptr;
  on.open();
  CHECK(on.log().read({0, 1}, 100).value().at(0).body == nth(0));
}

TEST_CASE("faults: what queues during one sync is one group, and each listener is told once",
          "[infra]") {
  disk_engine on;
  on.open();
  on.disk->hold();
  const auto listener = std::make_shared<recording_listener>();
  for (std::uint64_t n = 0; n < 400; ++n) REQUIRE_FALSE(on.log().append(nth(n), n, listener));
  CHECK(on.log().head().offset == 0);
  CHECK(on.log().read({0, 1}, 10).value().empty());
  CHECK(listener->results().empty());
  on.disk->release();
  REQUIRE(listener->wait_for(400));
  CHECK(listener->calls() <= 3);
  CHECK(on.engine->stats().groups_total <= 3);
  CHECK(on.engine->stats().commits_total == 400);
}

TEST_CASE("faults: a full queue refuses early and takes appends again later", "[infra]") {
  disk_engine on;
  on.options.limits.queue_commits_max = 10;
  on.open();
  on.disk->hold();
  const auto listener = std::make_shared<recording_listener>();
  std::uint64_t accepted = 0;
  std::optional<journal_error> refused;
  for (std::uint64_t n = 0; n < 10'000 && !refused; ++n) {
    refused = on.log().append(nth(accepted), n, listener);
    accepted += !refused;
  }
  REQUIRE(refused);
  CHECK(refused->code == journal_errc::overloaded);
  CHECK(refused->retryable());
  on.disk->release();
  REQUIRE(listener->wait_for(accepted));
  CHECK_FALSE(on.log().append(nth(accepted), 0, listener));
}

TEST_CASE("faults: an index that lags too far refuses appends until it has caught up", "[infra]") {
  disk_engine on;
  on.options.index_lag_commits_max = 50;
  on.options.index_group_commits_max = 100'000;
  on.options.index_interval_ms = std::chrono::minutes{10};
  on.open();
  const auto listener = std::make_shared<recording_listener>();
  std::uint64_t accepted = 0;
  std::optional<journal_error> refused;
  while (!refused && accepted < 10'000) {
    refused = on.log().append(nth(accepted), 0, listener);
    accepted += !refused;
    if (accepted % 10 == 0) listener->wait_for(accepted);
  }
  REQUIRE(refused);
  CHECK(refused->code == journal_errc::overloaded);
  CHECK(on.engine->stats().index_lag_commits >= 50);
  on.engine.reset();  // catches up
  on.open();
  CHECK_FALSE(on.log().append(nth(accepted), 0, listener));
}

TEST_CASE("faults: a second opener of a directory is refused and told who has it", "[infra]") {
  disk_engine on;
  CHECK_FALSE(is_served(on.options));
  on.open();
  const auto second = open_embedded(on.options);
  REQUIRE(second.has_error());
  CHECK(second.error().code == journal_errc::io);
  CHECK(second.error().message.find("in use by process " + std::to_string(::getpid())) !=
        std::string::npos);
  std::string holder;
  CHECK(is_served(on.options, &holder));
  CHECK(holder == std::to_string(::getpid()));
  CHECK(accept_loss(on.options).has_error());
  on.engine.reset();
  CHECK_FALSE(is_served(on.options));
}

TEST_CASE("faults: a reader beside the server sees what is durable, and more after a refresh",
          "[infra]") {
  disk_engine on;
  on.options.env = nullptr;
  on.options.index_interval_ms = std::chrono::milliseconds{1};
  on.open();
  const auto listener = std::make_shared<recording_listener>();
  const auto append_until = [&](std::uint64_t from, std::uint64_t to) {
    for (auto n = from; n < to; ++n) REQUIRE_FALSE(on.log().append(nth(n), n, listener));
    REQUIRE(listener->wait_for(to));
  };
  append_until(0, 100);
  auto batch = on.engine->views().write({"catalog", 1});
  batch->put("k", "v");
  REQUIRE(batch->commit({0, 100}).has_value());
  const auto reader = open_reader(on.options).value();
  CHECK(reader->journal().head().offset == 100);
  CHECK(reader->journal().read({0, 1}, 1'000).value().size() == 100);
  CHECK(reader->views().read({"catalog", 1})->get("k") == "v");
  std::uint64_t total = 100;
  for (std::uint64_t more : {1, 50, 700, 3}) {
    append_until(total, total + more);
    total += more;
    const auto failed = reader->refresh();
    if (failed) FAIL(failed->message);
    CHECK(reader->journal().head().offset == total);
    CHECK(reader->journal().read({0, total}, 10).value().at(0).body == nth(total - 1));
    CHECK(reader->journal().find_command({"acct_sample"}, command_number(total))->at.offset ==
          total);
    std::size_t in_streams = 0;
    for (std::size_t s = 0; s < 5; ++s)
      in_streams += reader->journal()
                        .read_stream(stream_named(std::to_string(s)), {0}, 10'000)
                        .value()
                        .size();
    CHECK(in_streams == total);
    CHECK(reader->journal().list_streams({}, 100).value().size() == 5);
  }
  auto& as_journal = const_cast<journal&>(reader->journal());
  CHECK(as_journal.append(nth(total), 0, listener)->code == journal_errc::closed);
  const auto report = verify(on.options).value();
  CHECK(report.problems.empty());
  CHECK(report.commits == total);
  CHECK(report.streams == 5);
}

TEST_CASE("faults: a log that was put back from an older copy is data_loss, both positions named",
          "[infra]") {
  disk_engine on;
  on.options.env = nullptr;
  on.open();
  const auto listener = std::make_shared<recording_listener>();
  for (std::uint64_t n = 0; n < 10; ++n) REQUIRE_FALSE(on.log().append(nth(n), n, listener));
  REQUIRE(listener->wait_for(10));
  on.engine.reset();
  std::filesystem::copy(on.options.log_dir(), on.folder.path() / "old",
                        std::filesystem::copy_options::recursive);
  on.open();
  for (std::uint64_t n = 10; n < 25; ++n) REQUIRE_FALSE(on.log().append(nth(n), n, listener));
  REQUIRE(listener->wait_for(25));
  on.engine.reset();
  std::filesystem::remove_all(on.options.log_dir());
  std::filesystem::copy(on.folder.path() / "old", on.options.log_dir(),
                        std::filesystem::copy_options::recursive);
  for (const bool has_head : {true, false}) {
    INFO("head file: " << has_head);
    // Without the head file's word, what state/ has seen is proof enough.
    if (!has_head) {
      const auto last = (std::filesystem::remove(on.options.head_path()), durable_mark{});
      REQUIRE(head_file::open(on.options.head_path(), last).has_value());
    }
    const auto opened = open_embedded(on.options);
    REQUIRE(opened.has_error());
    CHECK(opened.error().code == journal_errc::data_loss);
    CHECK(opened.error().where == position{0, 10});
    CHECK(opened.error().message.find("offset 10") != std::string::npos);
    CHECK(opened.error().message.find("offset 25") != std::string::npos);
  }
  std::filesystem::remove_all(on.options.log_dir());
  CHECK(open_embedded(on.options).error().code == journal_errc::data_loss);
  const auto loss = accept_loss(on.options).value();
  CHECK(loss.kept.offset == 0);
  on.open();
  CHECK(on.log().head().offset == 0);
}

TEST_CASE("faults: state/ that is gone, damaged or of another log is rebuilt", "[infra]") {
  disk_engine on;
  on.options.env = nullptr;
  on.open();
  const auto listener = std::make_shared<recording_listener>();
  for (std::uint64_t n = 0; n < 100; ++n) REQUIRE_FALSE(on.log().append(nth(n), n, listener));
  REQUIRE(listener->wait_for(100));
  on.engine.reset();
  const auto check = [&] {
    on.open();
    CHECK(on.log().read_stream(stream_named("3"), {0}, 100).value().size() == 20);
    CHECK(on.log().find_command({"acct_sample"}, command_number(50))->at.offset == 50);
    on.engine.reset();
  };
  std::filesystem::remove_all(on.options.state_dir());
  check();
  for (const auto& path :
       files_below(on.options.state_dir(), [](const auto& p) { return p.filename() == "CURRENT"; }))
    write_whole(path, "nonsense");
  check();
  std::ofstream{on.options.state_damaged_path()} << "said a reader";
  check();
  CHECK_FALSE(std::filesystem::exists(on.options.state_damaged_path()));
  disk_engine other;
  other.options.env = nullptr;
  other.open();
  for (std::uint64_t n = 0; n < 90; ++n) REQUIRE_FALSE(other.log().append(nth(n, 3), n, listener));
  REQUIRE(listener->wait_for(190));
  other.engine.reset();
  std::filesystem::remove_all(on.options.state_dir());
  std::filesystem::copy(other.options.state_dir(), on.options.state_dir(),
                        std::filesystem::copy_options::recursive);
  check();
}

TEST_CASE("head file: either slot may be torn, both may not", "[infra]") {
  temporary_folder folder;
  const auto path = folder.path() / "head";
  CHECK_FALSE(head_file::read(path).value());
  auto head = head_file::open(path, {5, {}}).value();
  for (std::uint64_t offset = 6; offset < 10; ++offset) {
    CHECK_FALSE(head.write({offset, {}}));
    CHECK(head_file::read(path).value()->offset == offset);
    const auto whole = read_whole(path);
    std::size_t survived = 0;
    for (const std::size_t slot : {0, 512}) {
      auto torn = whole;
      torn[slot + 20] ^= 1;
      write_whole(path, torn);
      const auto read = head_file::read(path).value()->offset;
      CHECK((read == offset || read == offset - 1));
      survived += read == offset;
    }
    CHECK(survived == 1);
    write_whole(path, std::string(whole.size(), '\0'));
    CHECK(head_file::read(path).error().code == journal_errc::corrupt);
    write_whole(path, whole);
  }
}

}  // namespace berth::testing
