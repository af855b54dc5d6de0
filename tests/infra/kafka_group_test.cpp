#include "infra/kafka/kafka_group.hpp"

#include <algorithm>
#include <mutex>

#include "tests/support/kafka_engines.hpp"

using namespace berth;
using namespace berth::testing;

namespace {

// A member of the group, and what it was told last.
class member {
 public:
  member(const kafka_options& options, const std::string& name) {
    auto joined = join_group(options, name, [this](const group_view& now) {
      const std::lock_guard lock{mutex_};
      now_ = now;
    });
    if (joined.has_error()) FAIL(joined.error().message);
    group_ = std::move(*joined);
  }
  ~member() { group_.reset(); }  // nothing is told after it
  group_view now() {
    const std::lock_guard lock{mutex_};
    return now_;
  }
  bool sees(const std::vector<std::string>& members) {
    for (int i = 0; i < 3'000; ++i) {
      if (now().members == members) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
  }

 private:
  std::mutex mutex_;
  group_view now_;
  std::unique_ptr<kafka_group> group_;
};

}  // namespace

TEST_CASE("kafka: the members of a group know each other, and share the partitions", "[.kafka]") {
  kafka_node topic{kafka_on_test_brokers(4)};
  topic.open();  // makes the topic
  member a{topic.options(), "node a"};
  REQUIRE(a.sees({"node a"}));
  CHECK(a.now().assigned == std::vector<std::uint32_t>{0, 1, 2, 3});
  {
    member b{topic.options(), "node b"};
    REQUIRE(b.sees({"node a", "node b"}));
    REQUIRE(a.sees({"node a", "node b"}));
    auto both = a.now().assigned;
    const auto of_b = b.now().assigned;
    both.insert(both.end(), of_b.begin(), of_b.end());
    std::sort(both.begin(), both.end());
    CHECK(both == std::vector<std::uint32_t>{0, 1, 2, 3});
  }
  CHECK(a.sees({"node a"}));
}

TEST_CASE("kafka: a partition that is handed over is led until another node announces itself",
          "[.kafka]") {
  auto options = kafka_on_test_brokers(2);
  options.shared = true;
  kafka_node first{options};
  options.node = "second";
  kafka_node second{options};
  first.open();
  second.open();
  first.lead();
  REQUIRE(second.engine().log().wait_until_read(std::chrono::seconds{10}));
  auto& log = first.engine().log();
  log.hand_over(0);
  CHECK(log.leadership_of(0) != 0);
  second.engine().log().want(0, true);
  std::string why;
  REQUIRE(second.engine().log().wait_until_leading(std::chrono::seconds{20}, &why));
  CHECK(second.engine().log().leadership_of(0) != 0);
  for (int i = 0; i < 1'000 && log.leadership_of(0) != 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  CHECK(log.leadership_of(0) == 0);
  CHECK(log.leadership_of(1) != 0);
  CHECK(second.engine().log().leadership_of(1) == 0);
}
