// The Kafka journal beside what librdkafka does by itself, on the brokers of BERTH_KAFKA_BOOTSTRAP,
// with the same topic settings and the same records.
//   kafka_bench [--quick] [--dir DIR] [--brokers N]     JSON lines on stdout, a table on stderr
//   kafka_bench --migrate COMMITS …                     only an embedded journal of so many, there
//   and back
#include <cstring>
#include <fstream>
#include <functional>
#include <thread>

#include "infra/kafka/kafka_engine.hpp"
#include "infra/kafka/kafka_handle.hpp"
#include "infra/kafka/kafka_mirror.hpp"
#include "infra/kafka/kafka_topics.hpp"
#include "infra/telemetry/system_clock.hpp"
#include "tests/bench/append_load.hpp"
#include "tests/bench/bench_engine.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

constexpr std::size_t record_bytes = 400;  // of a commit of append_load with its envelope
constexpr std::uint32_t partitions = 8;

int brokers = 1;

kafka_options on_brokers(const std::string& name) {
  const auto* addresses = std::getenv("BERTH_KAFKA_BOOTSTRAP");
  if (!addresses) fail("BERTH_KAFKA_BOOTSTRAP is not set; run this below brokers.py run");
  kafka_options options;
  options.bootstrap = addresses;
  options.node = "bench";
  options.partitions = partitions;
  options.replication_factor = brokers;
  options.min_insync_replicas = brokers > 1 ? 2 : 1;
  options.topic_prefix = "bench-" + std::to_string(::getpid()) + "-" + name;
  return options;
}

std::string named(const std::string& what) {
  return what + ", " + std::to_string(brokers) + (brokers == 1 ? " broker" : " brokers");
}

void report(const std::string& name, double per_second, const spread& us) {
  print_row(
      "kafka", named(name),
      {{"per_second", per_second}, {"p50_us", us.p50}, {"p99_us", us.p99}, {"max_us", us.max}});
}

bool produce(rd_kafka_t* to, const std::string& topic, std::int32_t partition,
             const std::string& record) {
  return rd_kafka_producev(to, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                           RD_KAFKA_V_VALUE(const_cast<char*>(record.data()), record.size()),
                           RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

std::size_t take_reports(rd_kafka_queue_t* from, int wait_ms) {
  const kafka::event told{rd_kafka_queue_poll(from, wait_ms)};
  if (!told || rd_kafka_event_type(told.get()) != RD_KAFKA_EVENT_DR) return 0;
  std::size_t count = 0;
  while (const auto* message = rd_kafka_event_message_next(told.get())) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(message->err));
    ++count;
  }
  return count;
}

// librdkafka alone: records to their delivery reports.
void bench_raw(std::size_t one_by_one, double seconds) {
  const auto options = on_brokers("raw");
  if (const auto made = prepare_topics(options); !made) fail(made.error().message);
  const auto producer = kafka::make_producer(options);
  if (!producer) fail(producer.error().message);
  const kafka::queue reports{rd_kafka_queue_get_main(producer->get())};
  const std::string record(record_bytes, 'x');
  const auto topic = options.commits_topic();
  produce(producer->get(), topic, 0, record);
  while (take_reports(reports.get(), 1'000) == 0) {}
  std::vector<double> us;
  const auto began = steady::now();
  for (std::size_t i = 0; i < one_by_one; ++i) {
    const auto start = steady::now();
    produce(producer->get(), topic, 0, record);
    while (take_reports(reports.get(), 1'000) == 0) {}
    us.push_back(us_since(start));
  }
  report("raw record to its delivery report",
         static_cast<double>(one_by_one) / seconds_since(began), spread::of(us));
  constexpr std::size_t in_flight = 1'000 * partitions;
  std::size_t sent = 0, done = 0;
  const auto start = steady::now();
  while (seconds_since(start) < seconds) {
    while (sent - done < in_flight)
      produce(producer->get(), topic, static_cast<std::int32_t>(sent++ % partitions), record);
    done += take_reports(reports.get(), 10);
  }
  while (done < sent) done += take_reports(reports.get(), 1'000);
  report("raw records, 8,000 in flight", static_cast<double>(done) / seconds_since(start), {});
}

// What a transaction a commit would cost.
void bench_transactions(std::size_t count) {
  const auto options = on_brokers("transactions");
  if (const auto made = prepare_topics(options); !made) fail(made.error().message);
  auto* conf = rd_kafka_conf_new();
  char why[256];
  for (const auto& [name, value] : {std::pair{"bootstrap.servers", options.bootstrap.c_str()},
                                    {"transactional.id", options.topic_prefix.c_str()},
                                    {"linger.ms", "0"},
                                    {"socket.nagle.disable", "true"}})
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) fail(why);
  const kafka::handle producer{rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why)};
  const auto checked = [](rd_kafka_error_t* error) {
    if (error) fail(rd_kafka_error_string(error));
  };
  constexpr int wait_ms = 20'000;
  checked(rd_kafka_init_transactions(producer.get(), wait_ms));
  const std::string record(record_bytes, 'x');
  std::vector<double> us;
  const auto began = steady::now();
  for (std::size_t i = 0; i < count; ++i) {
    const auto start = steady::now();
    checked(rd_kafka_begin_transaction(producer.get()));
    produce(producer.get(), options.commits_topic(), 0, record);
    checked(rd_kafka_commit_transaction(producer.get(), wait_ms));
    us.push_back(us_since(start));
  }
  report("a transaction a commit", static_cast<double>(count) / seconds_since(began),
         spread::of(us));
}

std::unique_ptr<kafka_engine> leading(const kafka_options& options,
                                      const embedded_options& storage) {
  auto engine = open_kafka(options, storage);
  if (!engine) fail(engine.error().message);
  for (std::uint32_t p = 0; p < partitions; ++p) (*engine)->log().want(p, true);
  std::string why;
  if (!(*engine)->log().wait_until_leading(std::chrono::seconds{20}, &why)) fail(why);
  return std::move(*engine);
}

void bench_journal(const std::filesystem::path& dir, std::size_t one_by_one, double seconds) {
  struct setting {
    std::size_t in_flight, streams, commits;
  };
  const auto all = ~std::size_t{0};
  for (const auto [in_flight, streams, commits] :
       {setting{1, 1, one_by_one}, {1'000, 1'000, all}, {8'000, 1'000, all}}) {
    const auto name = std::to_string(in_flight);
    const auto engine = leading(on_brokers("journal-" + name), engine_in(dir / name));
    const auto load = std::make_shared<append_load>(engine->journal(), in_flight, streams);
    const auto per_second = load->run(commits == all ? seconds : 60, commits);
    report("acknowledged commits, " + name + " in flight", per_second,
           spread::of(load->latencies()));
  }
}

// Another node that has nothing reads what the first wrote.
void bench_cold_read(const std::filesystem::path& dir, std::size_t commits) {
  const auto options = on_brokers("cold");
  {
    const auto engine = leading(options, engine_in(dir / "writer"));
    std::make_shared<append_load>(engine->journal(), 8'000, 1'000)->run(600, commits);
  }
  const auto began = steady::now();
  const auto engine = open_kafka(options, engine_in(dir / "reader"));
  if (!engine) fail(engine.error().message);
  std::uint64_t read = 0;
  while (read < commits) {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    read = 0;
    for (std::uint32_t p = 0; p < partitions; ++p) read += (*engine)->journal().head(p).offset;
  }
  print_row("kafka", named("a replica read from nothing"),
            {{"per_second", static_cast<double>(commits) / seconds_since(began)},
             {"commits", static_cast<double>(commits)}});
}

void bench_mirror(const std::filesystem::path& dir, std::size_t commits) {
  const auto engine = open_engine(dir / "mirrored");
  std::make_shared<append_load>(engine->journal(), 4'000, 10'000)->run(600, commits);
  const system_clock clock;
  const auto began = steady::now();
  const auto mirror = start_mirror(on_brokers("mirror"), "bench", *engine, clock);
  while (mirror->now().copied_upto < commits)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  print_row("kafka", named("the mirror copies a journal"),
            {{"per_second", static_cast<double>(commits) / seconds_since(began)},
             {"commits", static_cast<double>(commits)}});
}

// `berth-replay` there and back, each with its comparison of every stream.
void bench_migration(const std::filesystem::path& dir, std::size_t commits) {
  const auto data = dir / "moved";
  { std::make_shared<append_load>(open_engine(data)->journal(), 4'000, 10'000)->run(600, commits); }
  const auto options = on_brokers("moved");
  const auto config = dir / "moved.toml";
  std::ofstream{config} << "[kafka]\nbootstrap = \"" << options.bootstrap
                        << "\"\npartitions = " << options.partitions
                        << "\nreplication_factor = " << brokers
                        << "\nmin_insync_replicas = " << options.min_insync_replicas
                        << "\ntopic_prefix = \"" << options.topic_prefix << "\"\n";
  const auto replay =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "berth-replay";
  for (const auto* way : {"--to-kafka", "--from-kafka"}) {
    const auto began = steady::now();
    const auto command = replay.string() + " --data-dir " + data.string() + " --config " +
                         config.string() + " " + way + " >&2";
    if (std::system(command.c_str()) != 0) fail(command + " failed");
    print_row("kafka", named(std::string{"berth-replay "} + way),
              {{"seconds", seconds_since(began)},
               {"per_second", static_cast<double>(commits) / seconds_since(began)},
               {"commits", static_cast<double>(commits)}});
  }
}

}  // namespace

int main(int argc, char** argv) {
  const invocation run{argc, argv, "kafka-bench"};
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], "--brokers") == 0) brokers = std::atoi(argv[i + 1]);
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], "--migrate") == 0)
      return bench_migration(run.dir, static_cast<std::size_t>(std::atoll(argv[i + 1]))), 0;
  const auto one_by_one = run.of(5'000, 1'000);
  bench_raw(one_by_one, run.quick ? 2 : 5);
  bench_journal(run.dir, one_by_one, run.quick ? 2 : 5);
  bench_transactions(run.of(300, 100));
  bench_mirror(run.dir, run.of(1'000'000, 200'000));
  bench_cold_read(run.dir, run.of(1'000'000, 200'000));
  bench_migration(run.dir, run.of(1'000'000, 200'000));
}
