// The mirror: what the embedded journal has is in the topic, each commit once for who reads by the
// rule, whatever stops in between. On real brokers.
#include "infra/kafka/kafka_mirror.hpp"
#include "events/core/partition.hpp"
#include "tests/support/journal_sample.hpp"
#include "tests/support/kafka_engines.hpp"

namespace berth::testing {
namespace {

void append_commits(journal& to, std::uint64_t from, std::uint64_t upto, std::size_t streams = 30) {
  const auto listener = std::make_shared<recording_listener>();
  std::size_t count = 0;
  for (std::uint64_t version = from; version <= upto; ++version)
    for (std::size_t s = 0; s < streams; ++s)
      REQUIRE_FALSE(
          to.append(sample_body(stream_named(std::to_string(s)), version, version * 1'000 + s),
                    count++, listener));
  REQUIRE(listener->wait_for(count));
}

bool caught_up(const kafka_mirror& mirror, const journal& from) {
  for (int i = 0; i < 30'000; ++i) {
    const auto now = mirror.now();
    if (now.connected && now.lag_commits == 0 && now.copied_upto == from.head().offset) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return false;
}

// The commits of each stream, in order, and with the time they have here.
void check_copied(journal& here, const kafka_options& options) {
  kafka_node reader{options};
  reader.open();
  std::vector<std::uint64_t> expected(options.partitions);
  for (const auto& each : here.read({0, 1}, 1'000'000).value())
    ++expected[partition_of(each.body.stream, options.partitions)];
  for (std::uint32_t p = 0; p < options.partitions; ++p) REQUIRE(reader.reaches({p, expected[p]}));
  for (const auto& stream : here.list_streams({}, 10'000).value()) {
    const auto ours = here.read_stream(stream, {0}, 100'000).value();
    const auto copy = reader.journal().read_stream(stream, {0}, 100'000).value();
    REQUIRE(ours.size() == copy.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
      REQUIRE(ours[i].body == copy[i].body);
      REQUIRE(ours[i].envelope.time == copy[i].envelope.time);
    }
  }
  for (std::uint32_t p = 0; p < options.partitions; ++p)
    CHECK(reader.engine().journal().head(p).offset == expected[p]);
}

TEST_CASE("mirror: all commits are copied, over restarts and with a lost note", "[.kafka]") {
  rocksdb_engine engine;
  const auto options = kafka_on_test_brokers(5);
  append_commits(engine.journal(), 1, 20);
  {
    const auto mirror = start_mirror(options, "server-a", *engine.engine(), engine.time());
    REQUIRE(caught_up(*mirror, engine.journal()));
    append_commits(engine.journal(), 21, 40);
    REQUIRE(caught_up(*mirror, engine.journal()));
    append_commits(engine.journal(), 41, 60);  // some of them are on their way when it ends
  }
  engine.reopen();
  append_commits(engine.journal(), 61, 80);
  {
    const auto mirror = start_mirror(options, "server-a", *engine.engine(), engine.time());
    REQUIRE(caught_up(*mirror, engine.journal()));
  }
  engine.engine()->notes().set_note("mirror/source", "another");
  append_commits(engine.journal(), 81, 90);
  {
    const auto mirror = start_mirror(options, "server-a", *engine.engine(), engine.time());
    REQUIRE(caught_up(*mirror, engine.journal()));
  }
  check_copied(engine.journal(), options);
}

TEST_CASE("mirror: it does not write into the mirror of another server", "[.kafka]") {
  rocksdb_engine engine, other;
  const auto options = kafka_on_test_brokers(2);
  append_commits(engine.journal(), 1, 2);
  append_commits(other.journal(), 1, 3);
  {
    const auto mirror = start_mirror(options, "server-a", *engine.engine(), engine.time());
    REQUIRE(caught_up(*mirror, engine.journal()));
  }
  const auto mirror = start_mirror(options, "server-b", *other.engine(), other.time());
  for (int i = 0; i < 20'000 && mirror->now().trouble.empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  CHECK(mirror->now().trouble.find("not this server's") != std::string::npos);
  check_copied(engine.journal(), options);
}

TEST_CASE("mirror: a journal that was cut and written on is not taken for what was copied",
          "[.kafka]") {
  rocksdb_engine engine, restored;
  const auto options = kafka_on_test_brokers(2);
  append_commits(engine.journal(), 1, 10);
  {
    const auto mirror = start_mirror(options, "server-a", *engine.engine(), engine.time());
    REQUIRE(caught_up(*mirror, engine.journal()));
  }
  append_commits(restored.journal(), 1, 20, 17);  // as many, and others
  const auto mirror = start_mirror(options, "server-a", *restored.engine(), restored.time());
  for (int i = 0; i < 20'000 && mirror->now().trouble.empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  CHECK(mirror->now().trouble.find("another commit than this journal") != std::string::npos);
}

}  // namespace
}  // namespace berth::testing
