// What is Kafka's own in the Kafka journal: several nodes, lost disks, topics that are not as they
// should be. On real brokers.
#include <thread>

#include "events/core/partition.hpp"
#include "tests/support/journal_sample.hpp"
#include "tests/support/kafka_engines.hpp"

namespace berth::testing {
namespace {

// Appends and waits; the results in order.
std::vector<append_result> append_to(journal& to, const std::vector<commit_body>& bodies) {
  const auto listener = std::make_shared<recording_listener>();
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const auto refused = to.append(bodies[i], i, listener);
    if (refused) FAIL("append " << i << ": " << refused->message);
  }
  REQUIRE(listener->wait_for(bodies.size()));
  return listener->results();
}

std::vector<commit_body> one_each(std::size_t streams, std::uint64_t version) {
  std::vector<commit_body> bodies;
  for (std::size_t s = 0; s < streams; ++s)
    bodies.push_back(sample_body(stream_named(std::to_string(s)), version, version * 1'000 + s));
  return bodies;
}

std::vector<commit> all_of(const journal& from, std::uint32_t partition) {
  return from.read({partition, 1}, 100'000).value();
}

void check_same(const journal& one, const journal& other) {
  for (std::uint32_t p = 0; p < one.partitions(); ++p) {
    const auto a = all_of(one, p), b = all_of(other, p);
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      REQUIRE(a[i].body == b[i].body);
      REQUIRE(a[i].at() == b[i].at());
      REQUIRE(a[i].envelope.previous_hash == b[i].envelope.previous_hash);
    }
  }
}

TEST_CASE("kafka: streams are spread over partitions, each with offsets from 1 without a gap",
          "[.kafka]") {
  kafka_node node{kafka_on_test_brokers(8)};
  node.open();
  node.lead();
  for (std::uint64_t version = 1; version <= 5; ++version)
    for (const auto& result : append_to(node.journal(), one_each(50, version)))
      REQUIRE_FALSE(result.error);
  std::size_t commits = 0, used = 0;
  for (std::uint32_t p = 0; p < 8; ++p) {
    const auto read = all_of(node.journal(), p);
    used += read.empty() ? 0 : 1;
    commits += read.size();
    for (std::size_t i = 0; i < read.size(); ++i) {
      REQUIRE(read[i].at() == position{p, i + 1});
      REQUIRE(partition_of(read[i].body.stream, 8) == p);
    }
  }
  CHECK(commits == 250);
  CHECK(used == 8);
  CHECK(node.journal().list_streams({}, 1'000).value().size() == 50);
  CHECK(node.fatal().empty());
}

TEST_CASE("kafka: a node without its disk reads all of it again, and a restart only what is new",
          "[.kafka]") {
  kafka_node node{kafka_on_test_brokers(4)};
  node.open();
  node.lead();
  append_to(node.journal(), one_each(40, 1));
  std::uint64_t read_before = 0;
  for (std::uint32_t p = 0; p < 4; ++p) read_before += node.engine().log().stats(p).next_offset;
  node.close();
  node.open();
  std::uint64_t kept = 0;
  for (std::uint32_t p = 0; p < 4; ++p) kept += node.engine().log().stats(p).next_offset;
  CHECK(kept >= read_before);
  node.lose_disk();
  node.open();
  node.lead();
  std::size_t commits = 0;
  for (std::uint32_t p = 0; p < 4; ++p) commits += all_of(node.journal(), p).size();
  CHECK(commits == 40);
  for (const auto& result : append_to(node.journal(), one_each(40, 2))) REQUIRE_FALSE(result.error);
  CHECK(node.fatal().empty());
}

TEST_CASE("kafka: of two nodes that lead one after the other the first changes nothing any more",
          "[.kafka]") {
  kafka_node one{kafka_on_test_brokers(2)};
  one.options().node = "one";
  kafka_node two{one.options()};
  two.options().node = "two";
  one.open();
  two.open();
  one.lead();
  for (const auto& result : append_to(one.journal(), one_each(20, 1))) REQUIRE_FALSE(result.error);
  two.lead();  // nobody asked the first to stop
  const auto listener = std::make_shared<recording_listener>();
  std::size_t taken = 0;
  for (const auto& body : one_each(20, 2))
    taken += !one.journal().append(body, body.command.bytes[0], listener);
  REQUIRE(listener->wait_for(taken));
  for (const auto& result : listener->results()) CHECK(result.error.has_value());
  CHECK(one.engine().log().stats(0).sequence + one.engine().log().stats(1).sequence == 20);
  for (std::uint32_t p = 0; p < 2; ++p) one.engine().log().want(p, false);
  two.lead();
  for (const auto& result : append_to(two.journal(), one_each(20, 2))) REQUIRE_FALSE(result.error);
  for (std::uint32_t p = 0; p < 2; ++p) REQUIRE(one.reaches(two.journal().head(p)));
  check_same(one.journal(), two.journal());
  CHECK(one.fatal() + two.fatal() == "");
}

// Answers under a lock that is held around append.
class locking_listener : public append_listener {
 public:
  void appended(std::span<const append_result> results) override {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    while (!mutex.try_lock()) {
      deadlocked = std::chrono::steady_clock::now() > until;
      if (deadlocked) return;
      std::this_thread::yield();
    }
    answered += results.size();
    mutex.unlock();
  }
  std::mutex mutex;
  std::atomic<std::size_t> answered{};
  std::atomic<bool> deadlocked{};
};

TEST_CASE("kafka: nobody is answered inside append", "[.kafka]") {
  kafka_node node{kafka_on_test_brokers(1)};
  node.open();
  node.lead();
  const auto listener = std::make_shared<locking_listener>();
  constexpr std::uint64_t commits = 3'000;
  for (std::uint64_t n = 1; n <= commits; ++n) {
    const std::lock_guard lock{listener->mutex};
    REQUIRE_FALSE(node.journal().append(sample_body(stream_named("a"), n, n), n, listener));
  }
  for (int i = 0; i < 20'000 && listener->answered < commits && !listener->deadlocked; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  CHECK(listener->answered == commits);
  CHECK_FALSE(listener->deadlocked);
}

TEST_CASE("kafka: what is wrong with the topic is said, and where to look", "[.kafka]") {
  kafka_node node{kafka_on_test_brokers(3)};
  SECTION("it is missing and not to be made") {
    node.options().create_topics = false;
    const auto opened = open_kafka(node.options(), node.storage());
    REQUIRE(opened.has_error());
    CHECK(opened.error().code == journal_errc::not_found);
    CHECK(opened.error().message.find(node.options().commits_topic()) != std::string::npos);
  }
  SECTION("it has another number of partitions") {
    node.open();
    node.close();
    node.options().partitions = 4;
    const auto opened = open_kafka(node.options(), node.storage());
    REQUIRE(opened.has_error());
    CHECK(opened.error().code == journal_errc::conflict);
  }
  SECTION("more replicas are wanted than there are brokers") {
    node.options().replication_factor = 30;
    const auto opened = open_kafka(node.options(), node.storage());
    REQUIRE(opened.has_error());
    CHECK(opened.error().message.find("replicated 30 times") != std::string::npos);
  }
  SECTION("no broker answers") {
    node.options().bootstrap = "127.0.0.1:1";
    node.options().request_timeout_ms = std::chrono::milliseconds{500};
    const auto opened = open_kafka(node.options(), node.storage());
    REQUIRE(opened.has_error());
    CHECK(opened.error().code == journal_errc::io);
    CHECK(opened.error().message.find("127.0.0.1:1") != std::string::npos);
  }
  SECTION("the data directory is a replica of another one") {
    node.open();
    node.close();
    node.options().topic_prefix += "-other";
    const auto opened = open_kafka(node.options(), node.storage());
    REQUIRE(opened.has_error());
    CHECK(opened.error().code == journal_errc::conflict);
  }
}

}  // namespace
}  // namespace berth::testing
