#include "tools/berthd/server_metrics.hpp"

namespace berth::berthd {

void add_kernel_metrics(metrics_page& to, const running_kernel& core) {
  const auto kernel = [&core](std::uint64_t kernel_stats::*field) {
    return [&core, field] { return static_cast<double>(core.stats().*field); };
  };
  to.counter("berth_commands_total", "Commands that reached an actor",
             kernel(&kernel_stats::commands_total));
  to.counter("berth_commands_rejected_total", "Commands refused",
             kernel(&kernel_stats::commands_rejected_total));
  to.counter("berth_commands_overloaded_total", "Commands refused at a bound",
             kernel(&kernel_stats::commands_overloaded_total));
  to.counter("berth_commands_replayed_total", "Retries answered from the record",
             kernel(&kernel_stats::commands_replayed_total));
  to.gauge("berth_commands_in_flight", "Commands not answered yet",
           kernel(&kernel_stats::in_flight));
  to.gauge("berth_actors_resident", "Actors in memory", kernel(&kernel_stats::actors_resident));
  to.gauge("berth_terminals_live", "Terminals in memory", kernel(&kernel_stats::terminals_live));
  to.gauge("berth_terminal_viewers", "Attachments", kernel(&kernel_stats::viewers));
  to.gauge("berth_environments_running", "Environments in RUNNING",
           [&core] { return static_cast<double>(core.environments_running()); });
}

void add_embedded_metrics(metrics_page& to, const embedded_engine& engine) {
  const auto storage = [&engine](std::uint64_t embedded_stats::*field) {
    return [&engine, field] { return static_cast<double>(engine.stats().*field); };
  };
  const auto memory = [&engine](std::uint64_t memory_use::*field) {
    return [&engine, field] { return static_cast<double>(engine.memory().*field); };
  };
  to.counter("berth_journal_commits_total", "Commits made durable by this process",
             storage(&embedded_stats::commits_total));
  to.counter("berth_journal_groups_total", "Synced writes", storage(&embedded_stats::groups_total));
  to.counter("berth_journal_bytes_total", "Bytes of records",
             storage(&embedded_stats::bytes_total));
  to.counter("berth_journal_sync_seconds_total", "Time in synced writes",
             [&engine] { return static_cast<double>(engine.stats().sync.sum_us) / 1e6; });
  to.gauge("berth_journal_queue_commits", "Commits waiting for the disk",
           storage(&embedded_stats::queue_commits));
  to.gauge("berth_journal_index_lag_commits", "Durable commits not indexed yet",
           storage(&embedded_stats::index_lag_commits));
  to.gauge("berth_journal_memtable_bytes", "Written and not flushed to tables yet",
           memory(&memory_use::memtable_bytes));
  to.gauge("berth_journal_block_cache_bytes", "Tables read lately",
           memory(&memory_use::block_cache_bytes));
  to.gauge("berth_journal_head", "Last durable offset", storage(&embedded_stats::durable_offset));
}

void add_kafka_metrics(metrics_page& to, const kafka_log& log) {
  const auto sum = [&log](std::function<double(const kafka_log::partition_stats&)> of) {
    return [&log, of] {
      double all = 0;
      for (std::uint32_t p = 0; p < log.partitions(); ++p) all += of(log.stats(p));
      return all;
    };
  };
  to.gauge("berth_kafka_partitions_led", "Partitions this node leads", sum([](const auto& now) {
             return now.role == partition_member::role::leading ? 1.0 : 0.0;
           }));
  to.gauge("berth_kafka_lag_records", "Records of the topic not read yet", sum([](const auto& now) {
             return now.end_offset > now.next_offset
                        ? static_cast<double>(now.end_offset - now.next_offset)
                        : 0.0;
           }));
  to.gauge("berth_kafka_unanswered_commits", "Commits waiting for the brokers",
           sum([](const auto& now) { return static_cast<double>(now.unanswered); }));
  to.counter("berth_journal_commits_total", "Commits applied by this process",
             [&log] { return static_cast<double>(log.commits_total()); });
  for (std::size_t v = 0; v < verdict_count; ++v)
    to.counter(std::string{"berth_kafka_records_"} + name_of(static_cast<verdict>(v)) + "_total",
               std::string{"Records of the topic judged "} + name_of(static_cast<verdict>(v)),
               sum([v](const auto& now) { return static_cast<double>(now.verdicts[v]); }));
}

void add_mirror_metrics(metrics_page& to, const kafka_mirror& mirror) {
  to.gauge("berth_kafka_mirror_connected", "1 while the mirror is connected",
           [&mirror] { return mirror.now().connected ? 1.0 : 0.0; });
  to.gauge("berth_kafka_mirror_lag_commits", "Durable commits that are not in Kafka yet",
           [&mirror] { return static_cast<double>(mirror.now().lag_commits); });
  to.gauge("berth_kafka_mirror_offset", "Everything up to this offset is in Kafka",
           [&mirror] { return static_cast<double>(mirror.now().copied_upto); });
}

void add_projection_metrics(metrics_page& to, const journal& log, const projection_driver& views) {
  to.gauge("berth_projection_lag_commits", "Durable commits not projected yet", [&log, &views] {
    const auto head = heads_of(log).commits();
    const auto projected = views.projected().commits();
    return head > projected ? static_cast<double>(head - projected) : 0.0;
  });
}

void add_scrub_metrics(metrics_page& to, const scrubber& scrub) {
  const auto number = [&scrub](std::uint64_t (scrubber::*read)() const) {
    return [&scrub, read] { return static_cast<double>((scrub.*read)()); };
  };
  to.counter("berth_scrub_rounds_total", "Times everything on the disk was read again",
             number(&scrubber::rounds));
  to.counter("berth_scrub_bytes_total", "Bytes read by the scrub", number(&scrubber::bytes));
  to.counter("berth_scrub_problems_total", "Damaged places the scrub found",
             number(&scrubber::problems));
}

}  // namespace berth::berthd
